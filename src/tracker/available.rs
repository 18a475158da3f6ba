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
    pub(super) fn keep(&mut self, arn: &ImageArn, before: &Self) {
        self.selected.keep(arn, &before.selected);
        self.any.keep(arn, &before.any);
    }
}

impl Builds {
    fn add(&mut self, arn: &ImageArn, build: Arc<AvailableBuild>, history: usize) {
        let oldest = self.history.first().map(|(created, _)| *created);
        let is_kept = self.history.len() < history || oldest.is_some_and(|at| at <= build.created);
        if is_kept && history > 0 {
            self.history.insert((build.created, arn.clone()));
        }
        while self.history.len() > history {
            self.history.pop_first();
        }
        self.newest = Some(build).max(self.newest.take());
    }

    fn keep(&mut self, arn: &ImageArn, before: &Self) {
        let newest = before.newest.clone();
        let newest = newest.filter(|build| build.version == arn.version());
        self.newest = newest.max(self.newest.take());
        let history = before.history.iter().filter(|(_, known)| known == arn);
        self.history.extend(history.cloned());
    }

    /// The builds for the baselines, the newest first.
    pub(super) fn history(&self) -> impl Iterator<Item = &ImageArn> {
        self.history.iter().rev().map(|(_, arn)| arn)
    }
}
