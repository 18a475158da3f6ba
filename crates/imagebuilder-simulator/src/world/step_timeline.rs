//! The timeline of one step: its outcome, its attempts, and how long each takes.

use imagebuilder_model::StepStatus;

use super::ids::Place;
use super::plan::StepPlan;
use super::tempo::{SALT_OUTCOME, Tempo};
use crate::random::unit;
use crate::scenario::Outcome;

#[derive(Clone, Debug)]
pub(crate) struct StepPhase {
    pub(crate) at: i64,
    pub(crate) status: StepStatus,
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
    pub(crate) attempt: u32,
    /// The error of an attempt that did not complete.
    pub(crate) error: Option<String>,
    /// The attempt ended at the timeout.
    pub(crate) timed_out: bool,
}

/// Returns the phases of one step that begins at `start`, through all its attempts; at least one.
pub(crate) fn play_step(plan: &StepPlan, tempo: Tempo, place: Place, start: i64) -> Vec<StepPhase> {
    let outcome = decide(plan, tempo, place);
    let phase = |at, status, start, end, attempt| StepPhase {
        at,
        status,
        start: Some(start),
        end,
        attempt,
        error: None,
        timed_out: false,
    };
    if outcome == Outcome::Skipped {
        return vec![phase(start, StepStatus::Skipped, start, Some(start), 1)];
    }
    let mut phases = Vec::new();
    let mut start = start;
    let most = plan.attempts.map_or(1, |attempts| attempts.max);
    for attempt in 1..=most {
        let outcome = match plan.attempts {
            Some(attempts) if attempt <= attempts.fails => Outcome::Failed,
            _ => outcome,
        };
        let (took, status, timed_out) = run_once(plan, outcome, tempo, place, attempt);
        let end = start + took;
        let error = (status != StepStatus::Completed).then(|| error(plan, timed_out, &status));
        phases.push(phase(start, plan.running.clone(), start, None, attempt));
        let again = status == StepStatus::Failed && attempt < most;
        phases.push(StepPhase {
            error,
            timed_out,
            ..phase(end, status, start, Some(end), attempt)
        });
        if !again {
            break;
        }
        start = end
            + plan
                .attempts
                .map_or(0, |attempts| tempo.scaled(attempts.pause));
    }
    phases
}

/// How long one attempt takes, how it ends, and whether at its timeout. Nothing runs past that.
fn run_once(
    plan: &StepPlan,
    outcome: Outcome,
    tempo: Tempo,
    place: Place,
    attempt: u32,
) -> (i64, StepStatus, bool) {
    let timeout = match tempo.timeout_seconds(plan.timeout) {
        0 => i64::MAX,
        seconds => i64::from(seconds) * 1000,
    };
    let took = tempo.draw(place, attempt.into(), plan.duration);
    match outcome {
        Outcome::Hang if timeout < i64::MAX => (timeout, StepStatus::Failed, true),
        _ if took >= timeout => (timeout, StepStatus::Failed, true),
        Outcome::Hang => (took, StepStatus::Failed, true),
        Outcome::Failed => (took, StepStatus::Failed, false),
        Outcome::Cancelled => (took, StepStatus::Cancelled, false),
        Outcome::Completed | Outcome::Wait | Outcome::Skipped => {
            (took, StepStatus::Completed, false)
        }
    }
}

/// The error of a step that did not complete, unless the scenario has one, by what commonly fails
/// in such a step.
fn error(plan: &StepPlan, timed_out: bool, status: &StepStatus) -> String {
    if let Some(message) = &plan.message {
        return message.clone();
    }
    let text = match (status, timed_out, plan.action.as_str()) {
        (StepStatus::Cancelled, ..) => "The image build was cancelled.",
        (_, true, "LaunchInstance") => {
            "The SSM Agent on the instance did not register with Systems Manager before the step \
             timed out."
        }
        (_, true, _) => "The step timed out.",
        (_, _, "LaunchInstance") => {
            "Instance failed to launch: InsufficientInstanceCapacity: We currently do not have \
             sufficient m5.large capacity in the Availability Zone you requested."
        }
        (_, _, "RunSysPrep") => "Sysprep failed on the instance.",
        (_, _, "SanitizeInstance") => "The sanitize script failed on the instance.",
        (_, _, action) => return format!("The action {action} reported a failure."),
    };
    text.to_owned()
}

fn decide(plan: &StepPlan, tempo: Tempo, place: Place) -> Outcome {
    let natural = || match plan.action.as_str() {
        "WaitForAction" => Outcome::Wait,
        _ => Outcome::Completed,
    };
    if place.run > 0 {
        return plan.retry_outcome;
    }
    if let Some(outcome) = plan.outcome {
        return outcome;
    }
    if !plan.in_turn.is_empty() {
        return plan.in_turn[place.build as usize % plan.in_turn.len()];
    }
    let total: f64 = plan.chances.values().sum();
    let mut left = unit(tempo.number(place, SALT_OUTCOME)) * total;
    for (outcome, weight) in &plan.chances {
        if left < *weight {
            return *outcome;
        }
        left -= weight;
    }
    natural()
}
