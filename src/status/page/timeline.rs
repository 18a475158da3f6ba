//! Where a step's bar and its marks are on the time axis of its workflow execution.

use super::super::builds::{BuildState, Execution, Step};
use crate::model::Timestamp;

/// The time that the bars of an execution stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

/// How much of what an execution has taken may be added for the deadline of a step that runs.
const ROOM: i64 = 2;

impl Axis {
    /// `None` where nothing has begun.
    pub(super) fn of(execution: &Execution<'_>, now: Timestamp) -> Option<Self> {
        let start = execution.start()?;
        let told = execution.observed.and_then(|observed| observed.end);
        let seen = execution.steps.iter().filter_map(|step| span(step, now));
        let mut end = seen.map(|(_, end)| end).chain(told).max()?.max(start);
        let running = execution.steps.iter().filter(|step| step.grows());
        if execution.state == BuildState::Running && running.clone().next().is_some() {
            let taken = end.millis_since(start).max(1_000);
            let deadlines = running.flat_map(|step| [timeout(step), budget(step)]);
            let near =
                { deadlines.flatten() }.filter(|at| at.millis_since(start) <= taken * (ROOM + 1));
            let farthest = near.max().unwrap_or(end).max(end);
            // So that a bar that grows, or a mark at the end, is seen.
            let taken = farthest.millis_since(start).max(1_000);
            end = after(farthest, taken / 20);
        }
        Some(Self { start, end })
    }

    /// In percent of its length.
    fn place(&self, at: Timestamp) -> f64 {
        let length = self.end.millis_since(self.start).max(1) as f64;
        let place = at.millis_since(self.start) as f64 / length;
        (place * 100_000.0).round() / 1_000.0
    }

    /// The place of a mark, where the axis has it.
    pub(super) fn mark(&self, at: Timestamp) -> Option<f64> {
        Some(self.place(at)).filter(|place| (0.0..=100.0).contains(place))
    }

    /// Where the bar of a step begins, and how wide it is.
    pub(super) fn bar(&self, step: &Step<'_>, now: Timestamp) -> Option<(f64, f64)> {
        let (start, end) = span(step, now)?;
        let from = self.place(start).clamp(0.0, 100.0);
        // One that took no time is seen as well.
        let width = (self.place(end) - from).clamp(0.4, 100.0);
        Some((from.min(100.0 - width), width))
    }
}

/// From when to when a step has run.
fn span(step: &Step<'_>, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let start = step.observed()?.start?;
    Some((start, after(start, step.record.duration_millis(now)?)))
}

/// When a step reaches its timeout.
pub(super) fn timeout(step: &Step<'_>) -> Option<Timestamp> {
    let observed = step.observed()?;
    let seconds = observed.timeout_seconds?;
    Some(after(observed.start?, i64::from(seconds) * 1_000))
}

/// When a step reaches its budget.
pub(super) fn budget(step: &Step<'_>) -> Option<Timestamp> {
    let observed = step.observed()?;
    Some(after(observed.start?, observed.budget_millis?))
}

fn after(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(at.millis().saturating_add(millis))
}
