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
    pub(crate) message: Option<String>,
}

/// Returns the phases of one step that begins at `start`, through all its attempts; at least one.
pub(crate) fn play_step(plan: &StepPlan, tempo: Tempo, place: Place, start: i64) -> Vec<StepPhase> {
    let outcome = decide(plan, tempo, place);
    let phase = |at, status, start, end, attempt, message| StepPhase {
        at,
        status,
        start: Some(start),
        end,
        attempt,
        message,
    };
    if outcome == Outcome::Skipped {
        let message = Some(plan.message.clone().unwrap_or_else(|| SKIPPED.to_owned()));
        let skipped = StepStatus::Skipped;
        return vec![phase(start, skipped, start, Some(start), 1, message)];
    }
    let mut phases = Vec::new();
    let mut start = start;
    let most = plan.attempts.map_or(1, |attempts| attempts.max);
    for attempt in 1..=most {
        let outcome = match plan.attempts {
            Some(attempts) if attempt <= attempts.fails => Outcome::Failed,
            _ => outcome,
        };
        let (took, status) = run_once(plan, outcome, tempo, place, attempt);
        let end = start + took;
        let message = (status != StepStatus::Completed).then(|| told(plan, outcome, &status));
        phases.push(phase(
            start,
            plan.running.clone(),
            start,
            None,
            attempt,
            None,
        ));
        let again = status == StepStatus::Failed && attempt < most;
        phases.push(phase(end, status, start, Some(end), attempt, message));
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

/// How long one attempt takes, and how it ends. Nothing runs past its timeout.
fn run_once(
    plan: &StepPlan,
    outcome: Outcome,
    tempo: Tempo,
    place: Place,
    attempt: u32,
) -> (i64, StepStatus) {
    let timeout = match tempo.timeout_seconds(plan.timeout) {
        0 => i64::MAX,
        seconds => i64::from(seconds) * 1000,
    };
    let took = tempo.draw(place, attempt.into(), plan.duration);
    match outcome {
        Outcome::Hang if timeout < i64::MAX => (timeout, StepStatus::Failed),
        _ if took >= timeout => (timeout, StepStatus::Failed),
        Outcome::Hang | Outcome::Failed => (took, StepStatus::Failed),
        Outcome::Cancelled => (took, StepStatus::Cancelled),
        Outcome::Completed | Outcome::Wait | Outcome::Skipped => (took, StepStatus::Completed),
    }
}

const SKIPPED: &str = "The step's condition was not met.";

fn told(plan: &StepPlan, outcome: Outcome, status: &StepStatus) -> String {
    if let Some(message) = &plan.message {
        return message.clone();
    }
    match (status, outcome) {
        (StepStatus::Cancelled, _) => "The image build was cancelled.".to_owned(),
        (_, Outcome::Failed) => format!("The action {} reported a failure.", plan.action),
        _ => "The step timed out.".to_owned(),
    }
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
