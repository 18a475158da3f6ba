//! A successful poll of a step, as the counters see it.

use crate::clock::Past;
use crate::labels::LabelText;
use crate::model::{StepStatus, Timestamp};
use crate::snapshot::StepRecord;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct StepPoll<'a> {
    pub target: &'a str,
    pub region: &'a str,
    /// The target's own labels.
    pub target_labels: &'a LabelText,
    /// The record before the poll.
    pub before: Option<&'a StepRecord>,
    pub after: &'a StepRecord,
    /// When the state of the step began.
    pub since: Past,
}

impl StepPoll<'_> {
    /// Returns whether the execution ended between two polls: it had not finished, and something
    /// changed. A step that FAILED with attempts left may have failed long ago; that no attempt follows
    /// becomes known later.
    pub(super) fn saw_end(&self) -> bool {
        self.before.is_some_and(|before| {
            let known = state(before);
            before.finished().is_none() && known.is_some() && known != state(self.after)
        })
    }
}

fn state(record: &StepRecord) -> Option<(&StepStatus, Option<Timestamp>, Option<Timestamp>)> {
    let observed = record.observed.as_ref()?;
    Some((&observed.values.status, observed.start, observed.end))
}
