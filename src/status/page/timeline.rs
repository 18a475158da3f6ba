//! Computes where a step's bar and its marks are on the time axis of its workflow execution.

use super::super::builds::{BuildState, Execution, Step};
use crate::model::Timestamp;

/// The period that the bars of an execution show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

/// How far the axis extends for the deadline of a running step, as a multiple of the elapsed time. It
/// always extends to the usual end.
const ROOM: i64 = 2;

impl Axis {
    /// Returns `None` if nothing has started.
    pub(super) fn of(execution: &Execution<'_>, now: Timestamp) -> Option<Self> {
        let start = execution.start()?;
        let reported = execution.observed.and_then(|observed| observed.end);
        let seen = execution.steps.iter().filter_map(|step| span(step, now));
        let mut end = seen.map(|(_, end)| end).chain(reported).max()?.max(start);
        let running = execution.steps.iter().filter(|step| step.grows());
        if execution.state == BuildState::Running && running.clone().next().is_some() {
            let taken = end.millis_since(start).max(1_000);
            let usual_ends = running.clone().filter_map(usual_end);
            let deadlines = running.flat_map(|step| [timeout(step), budget(step)]);
            let near =
                { deadlines.flatten() }.filter(|at| at.millis_since(start) <= taken * (ROOM + 1));
            let farthest = near.chain(usual_ends).max().unwrap_or(end).max(end);
            // Leaves space behind a bar that grows, or a mark at the end.
            let taken = farthest.millis_since(start).max(1_000);
            end = after(farthest, taken / 20);
        }
        Some(Self { start, end })
    }

    /// Returns the place of a moment in percent of the axis.
    fn place(&self, at: Timestamp) -> f64 {
        let length = self.end.millis_since(self.start).max(1) as f64;
        let place = at.millis_since(self.start) as f64 / length;
        (place * 100_000.0).round() / 1_000.0
    }

    /// Returns the place of a mark, if it is on the axis.
    pub(super) fn mark(&self, at: Timestamp) -> Option<f64> {
        Some(self.place(at)).filter(|place| (0.0..=100.0).contains(place))
    }

    /// Returns where the bar of a step begins, and how wide it is, in percent.
    pub(super) fn bar(&self, step: &Step<'_>, now: Timestamp) -> Option<(f64, f64)> {
        let (start, end) = span(step, now)?;
        let from = self.place(start).clamp(0.0, 100.0);
        // The bar of a step that took no time is visible as well.
        let width = (self.place(end) - from).clamp(0.4, 100.0);
        Some((from.min(100.0 - width), width))
    }
}

/// Returns when a step started, and until when it has run.
fn span(step: &Step<'_>, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let start = step.observed()?.start?;
    Some((start, after(start, step.record.duration_millis(now)?)))
}

/// Returns when a step reaches its timeout.
pub(super) fn timeout(step: &Step<'_>) -> Option<Timestamp> {
    let observed = step.observed()?;
    let seconds = observed.values.timeout_seconds?;
    Some(after(observed.start?, i64::from(seconds) * 1_000))
}

/// Returns when a step that takes as long as usual ends.
pub(super) fn usual_end(step: &Step<'_>) -> Option<Timestamp> {
    Some(after(step.observed()?.start?, step.typical_millis()?))
}

/// Returns when a step reaches its budget.
pub(super) fn budget(step: &Step<'_>) -> Option<Timestamp> {
    let observed = step.observed()?;
    Some(after(observed.start?, observed.values.budget_millis?))
}

fn after(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(at.millis().saturating_add(millis))
}
