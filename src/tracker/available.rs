//! The AVAILABLE builds of each image name, as a discovery pass returns them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{ImageArn, Timestamp};
use crate::snapshot::AvailableBuild;

/// The AVAILABLE builds of one image name.
#[derive(Clone, Debug, Default)]
pub(super) struct Available {
    pub any: Builds,
    /// The builds that are selected as images.
    pub selected: Builds,
}

/// Some builds of one image name.
#[derive(Clone, Debug, Default)]
pub(super) struct Builds {
    pub newest: Option<Arc<AvailableBuild>>,
    /// The newest ones, for the baselines.
    history: BTreeSet<(Timestamp, ImageArn)>,
}

impl Available {
    /// Adds a build. `history` is how many are kept for the baselines.
    pub(super) fn add(
        &mut self,
        arn: &ImageArn,
        build: AvailableBuild,
        is_selected: bool,
        history: usize,
    ) {
        let build = Arc::new(build);
        if is_selected {
            self.selected.add(arn, build.clone(), history);
        }
        self.any.add(arn, build, history);
    }

    /// Adds a build whose status is not known, as it was known before.
    pub(super) fn keep(&mut self, arn: &ImageArn, before: &Self, history: usize) {
        self.selected.keep(arn, &before.selected, history);
        self.any.keep(arn, &before.any, history);
    }
}

impl Builds {
    fn add(&mut self, arn: &ImageArn, build: Arc<AvailableBuild>, history: usize) {
        self.remember((build.created, arn), history);
        self.newest = Some(build).max(self.newest.take());
    }

    fn keep(&mut self, arn: &ImageArn, before: &Self, history: usize) {
        let newest = before.newest.clone();
        let newest = newest.filter(|build| build.version == arn.version());
        self.newest = newest.max(self.newest.take());
        if let Some((created, _)) = before.history.iter().find(|(_, known)| known == arn) {
            self.remember((*created, arn), history);
        }
    }

    /// Keeps the build if it is one of the `most` newest ones.
    fn remember(&mut self, (created, arn): (Timestamp, &ImageArn), most: usize) {
        let oldest = self.history.first();
        if self.history.len() < most || oldest.is_some_and(|oldest| oldest.0 <= created) {
            self.history.insert((created, arn.clone()));
        }
        if self.history.len() > most {
            self.history.pop_first();
        }
    }

    /// The builds for the baselines, the newest first.
    pub(super) fn history(&self) -> impl Iterator<Item = &ImageArn> {
        self.history.iter().rev().map(|(_, arn)| arn)
    }
}
