//! Since when the names of images that have baselines are not in use.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::labels::{LabelText, names};
use crate::snapshot::ImageName;

/// By target and `account_id`, `region`, `image` and `workflow`.
#[derive(Clone, Debug, Default)]
pub(super) struct Unused(HashMap<Arc<str>, HashMap<LabelText, Instant>>);

impl Unused {
    /// Applies which workflows of a target and region are in use now. Returns those that have not been
    /// for the retention.
    pub(super) fn review(
        &mut self,
        target: &str,
        region: &str,
        workflows: impl Iterator<Item = (LabelText, bool)>,
        retention: Duration,
        now: Instant,
    ) -> HashSet<LabelText> {
        let before = self.0.remove(target).unwrap_or_default();
        let (mut unused, mut expired) = (HashMap::new(), HashSet::new());
        for (workflow, is_in_use) in workflows {
            if is_in_use {
                continue;
            }
            let since = before.get(&workflow).copied().unwrap_or(now);
            match now.saturating_duration_since(since) >= retention {
                true => expired.insert(workflow),
                false => unused.insert(workflow, since).is_some(),
            };
        }
        let others = before.into_iter();
        unused.extend(others.filter(|(workflow, _)| !is_in(workflow, region)));
        if !unused.is_empty() {
            self.0.insert(Arc::from(target), unused);
        }
        expired
    }

    /// Forgets targets that no longer exist.
    pub(super) fn retain(&mut self, is_target: impl Fn(&str) -> bool) {
        self.0.retain(|target, _| is_target(target));
    }
}

pub(super) fn is_in(workflow: &LabelText, region: &str) -> bool {
    workflow.value(names::REGION) == region
}

/// `None` for an image that is not known.
pub(super) fn image_name(workflow: &LabelText) -> Option<ImageName> {
    let [account_id, name] = [names::ACCOUNT_ID, names::IMAGE].map(|label| workflow.value(label));
    (!name.is_empty()).then(|| ImageName {
        account_id: Arc::from(account_id),
        name: Arc::from(name),
    })
}
