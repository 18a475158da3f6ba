//! The timeline of one build, from its begin to its end.
//!
//! A pure function of plan, seed and speed; times are milliseconds from the build's begin. Knows no
//! clock and no ids: the calendar gives a timeline its place in time.

use imagebuilder_model::{RollbackStatus, StepStatus, WorkflowStatus};

use super::ids::Place;
use super::plan::{Plan, WorkflowPlan};
use super::step_timeline::{StepPhase, play_step};
use super::tempo::{GAP, SALT_ROLLBACK, Tempo};
use crate::scenario::{Failure, Later, RollbackMode, RollbackOutcome};

/// One build: its first run and its retries.
#[derive(Debug)]
pub(crate) struct BuildTimeline {
    pub(crate) runs: Vec<RunTimeline>,
    pub(crate) end: i64,
}

#[derive(Debug)]
pub(crate) struct RunTimeline {
    pub(crate) begin: i64,
    /// When the last thing happened.
    pub(crate) end: i64,
    /// `None` where everything was run.
    pub(crate) stop: Option<Stop>,
    pub(crate) workflows: Vec<WorkflowTimeline>,
}

#[derive(Debug, Default)]
pub(crate) struct WorkflowTimeline {
    /// In order of time; before the first it is PENDING.
    pub(crate) phases: Vec<(i64, WorkflowStatus)>,
    pub(crate) start: Option<i64>,
    /// When the status became final.
    pub(crate) end: Option<i64>,
    pub(crate) steps: Vec<StepTimeline>,
    pub(crate) message: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct StepTimeline {
    /// In order of time; before the first it is PENDING.
    pub(crate) phases: Vec<StepPhase>,
    pub(crate) rollback: Vec<(i64, RollbackStatus)>,
}

/// Why a run stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Failed,
    Cancelled,
}

pub(crate) fn build(plan: &Plan, tempo: Tempo, place: Place) -> BuildTimeline {
    let mut runs = Vec::new();
    let mut begin = 0;
    loop {
        let run = play_run(plan, tempo, place.in_run(runs.len()), begin);
        let (end, stop) = (run.end, run.stop);
        runs.push(run);
        if stop != Some(Stop::Failed) || runs.len() > usize::from(plan.pipeline.retries) {
            return BuildTimeline { runs, end };
        }
        begin = end + tempo.scaled(plan.pipeline.retry_after).max(1);
    }
}

fn play_run(plan: &Plan, tempo: Tempo, place: Place, begin: i64) -> RunTimeline {
    let mut workflows: Vec<WorkflowTimeline> = Vec::with_capacity(plan.workflows.len());
    let mut end = begin;
    let mut stop = None;
    while workflows.len() < plan.workflows.len() {
        let first = workflows.len();
        let group = group_length(&plan.workflows[first..]);
        let start = end + tempo.scaled(GAP);
        for (index, workflow) in plan.workflows[first..first + group].iter().enumerate() {
            if stop.is_some() {
                workflows.push(never_started(workflow, end));
                continue;
            }
            let (played, last, ended) =
                play_workflow(workflow, tempo, place.in_workflow(first + index), start);
            workflows.push(played);
            end = end.max(last);
            if workflow.on_failure == Failure::Abort || ended == Some(Stop::Cancelled) {
                stop = stop.or(ended);
            }
        }
    }
    RunTimeline {
        begin,
        end,
        stop,
        workflows,
    }
}

/// How many workflows from here run at the same time.
fn group_length(workflows: &[WorkflowPlan]) -> usize {
    let group = &workflows[0].group;
    match group {
        None => 1,
        Some(_) => workflows.iter().take_while(|w| w.group == *group).count(),
    }
}

fn never_started(plan: &WorkflowPlan, at: i64) -> WorkflowTimeline {
    WorkflowTimeline {
        phases: vec![(at, WorkflowStatus::Cancelled)],
        end: Some(at),
        steps: plan.steps.iter().map(|_| cancelled(at)).collect(),
        ..WorkflowTimeline::default()
    }
}

/// A step that was cancelled before it began.
fn cancelled(at: i64) -> StepTimeline {
    StepTimeline {
        phases: vec![StepPhase {
            at,
            status: StepStatus::Cancelled,
            start: None,
            end: None,
            attempt: 1,
            error: None,
            timed_out: false,
        }],
        rollback: Vec::new(),
    }
}

/// The timeline, when its last thing happened, and why it stopped.
fn play_workflow(
    plan: &WorkflowPlan,
    tempo: Tempo,
    place: Place,
    start: i64,
) -> (WorkflowTimeline, i64, Option<Stop>) {
    let mut workflow = WorkflowTimeline {
        phases: vec![(start, WorkflowStatus::Running)],
        start: Some(start),
        ..WorkflowTimeline::default()
    };
    let mut now = start;
    let mut stop = None;
    for (index, step) in plan.steps.iter().enumerate() {
        if let Some(stop) = stop {
            workflow.steps.push(match (stop, plan.later) {
                (Stop::Failed, Later::Pending) => StepTimeline::default(),
                _ => cancelled(now),
            });
            continue;
        }
        if index > 0 {
            now += tempo.scaled(GAP);
        }
        let phases = play_step(step, tempo, place.at_step(index), now);
        let last = phases.last().expect("a step that is played has phases");
        now = last.at;
        stop = match last.status {
            StepStatus::Failed if step.on_failure == Failure::Abort => Some(Stop::Failed),
            StepStatus::Cancelled => Some(Stop::Cancelled),
            _ => None,
        };
        if stop == Some(Stop::Failed) {
            workflow.message = Some(format!("The workflow failed in step {}.", step.name));
        }
        workflow.steps.push(StepTimeline {
            phases,
            rollback: Vec::new(),
        });
    }
    let last = match stop {
        None => finish(&mut workflow, now, WorkflowStatus::Completed),
        Some(Stop::Cancelled) => finish(&mut workflow, now, WorkflowStatus::Cancelled),
        Some(Stop::Failed) => roll_back(plan, tempo, place, &mut workflow, now),
    };
    (workflow, last, stop)
}

fn finish(workflow: &mut WorkflowTimeline, at: i64, status: WorkflowStatus) -> i64 {
    workflow.phases.push((at, status));
    workflow.end = Some(at);
    at
}

/// Rolls back the completed steps, the last one first, and returns when that ends.
fn roll_back(
    plan: &WorkflowPlan,
    tempo: Tempo,
    place: Place,
    workflow: &mut WorkflowTimeline,
    failed: i64,
) -> i64 {
    match plan.rollback {
        RollbackMode::None => return finish(workflow, failed, WorkflowStatus::Failed),
        RollbackMode::WhileFailed => {
            finish(workflow, failed, WorkflowStatus::Failed);
        }
        RollbackMode::Announced => {
            let status = WorkflowStatus::RollbackInProgress;
            workflow.phases.push((failed, status));
        }
    }
    let mut now = failed + tempo.scaled(GAP);
    for (index, step) in plan.steps.iter().enumerate().rev() {
        let timeline = &mut workflow.steps[index];
        let completed = |phase: &StepPhase| phase.status == StepStatus::Completed;
        if !timeline.phases.last().is_some_and(completed) {
            continue;
        }
        let result = match step.rollback {
            RollbackOutcome::None => continue,
            RollbackOutcome::Skipped => {
                timeline.rollback.push((now, RollbackStatus::Skipped));
                continue;
            }
            RollbackOutcome::Completed => RollbackStatus::Completed,
            RollbackOutcome::Failed => RollbackStatus::Failed,
        };
        timeline.rollback.push((now, RollbackStatus::Running));
        now += tempo.draw(place.at_step(index), SALT_ROLLBACK, step.rollback_duration);
        timeline.rollback.push((now, result));
        now += tempo.scaled(GAP);
    }
    if plan.rollback == RollbackMode::Announced {
        finish(workflow, now, WorkflowStatus::RollbackCompleted);
    }
    now
}
