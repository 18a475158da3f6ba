//! The timeline of one build, from its begin to its end.
//!
//! A pure function of plan, seed and speed; times are milliseconds from the build's begin. Knows no
//! clock and no ids: the calendar gives a timeline its place in time.

use std::collections::{BTreeMap, BTreeSet};

use imagebuilder_model::{ImageStatus, RollbackStatus, StepStatus, WorkflowStatus};

use super::ids::Place;
use super::plan::{Plan, WorkflowPlan};
use super::step_timeline::{StepPhase, play_step};
use super::tempo::{GAP, SALT_ROLLBACK, Tempo};
use crate::scenario::{Failure, ImageKind, Outcome, RollbackMode, RollbackOutcome, WorkflowKind};

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
    /// When everything of the workflows had happened.
    pub(crate) ran: i64,
    /// `None` where everything was run.
    pub(crate) stop: Option<(Stop, Stage)>,
    /// By place in the plan; a retry runs only what its first run did not complete.
    pub(crate) workflows: BTreeMap<usize, WorkflowTimeline>,
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

/// Where a run stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// In the workflow with this place in the plan.
    Workflow(usize),
    /// In the distribution without a workflow.
    Distribution,
    Integration,
    Import,
}

impl Stage {
    /// The status of an image at this stage.
    pub(crate) fn status(self, plan: &Plan) -> ImageStatus {
        match self {
            Self::Workflow(at) => match plan.workflows[at].kind {
                WorkflowKind::Build => ImageStatus::Building,
                WorkflowKind::Test => ImageStatus::Testing,
                WorkflowKind::Distribution => ImageStatus::Distributing,
            },
            Self::Distribution => ImageStatus::Distributing,
            Self::Integration => ImageStatus::Integrating,
            Self::Import => ImageStatus::Creating,
        }
    }
}

pub(crate) fn build(plan: &Plan, tempo: Tempo, place: Place) -> BuildTimeline {
    let mut runs = Vec::new();
    let (mut begin, mut wanted) = (0, (0..plan.workflows.len()).collect());
    loop {
        let run = play_run(plan, tempo, place.in_run(runs.len()), begin, &wanted);
        let (end, resumed) = (run.end, resumed_from(plan, &run));
        runs.push(run);
        let (Some(from), true) = (resumed, runs.len() <= usize::from(plan.pipeline.retries)) else {
            return BuildTimeline { runs, end };
        };
        let later = from..plan.workflows.len();
        wanted = later.filter(|at| !is_completed(&runs, *at)).collect();
        begin = end + tempo.scaled(plan.pipeline.retry_after).max(1);
    }
}

/// The first workflow that a retry may run again; `None` where the service refuses the retry. It
/// takes AMIs that failed or were cancelled while they were tested or distributed.
fn resumed_from(plan: &Plan, run: &RunTimeline) -> Option<usize> {
    if plan.pipeline.kind != ImageKind::Ami {
        return None;
    }
    let (_, stage) = run.stop?;
    match stage {
        Stage::Workflow(at) if plan.workflows[at].kind != WorkflowKind::Build => {
            let group = &plan.workflows[at].group;
            let before = plan.workflows[..at].iter().rev();
            let alike = before.take_while(|plan| group.is_some() && plan.group == *group);
            Some(at - alike.count())
        }
        Stage::Distribution => Some(plan.workflows.len()),
        Stage::Workflow(_) | Stage::Integration | Stage::Import => None,
    }
}

/// Whether the last execution of a workflow completed.
fn is_completed(runs: &[RunTimeline], workflow: usize) -> bool {
    let last = runs
        .iter()
        .rev()
        .find_map(|run| run.workflows.get(&workflow));
    let last = last.and_then(|timeline| timeline.phases.last());
    last.is_some_and(|(_, status)| *status == WorkflowStatus::Completed)
}

fn play_run(
    plan: &Plan,
    tempo: Tempo,
    place: Place,
    begin: i64,
    wanted: &BTreeSet<usize>,
) -> RunTimeline {
    let mut workflows = BTreeMap::new();
    let (mut ran, mut stop, mut first) = (begin, None, 0);
    while first < plan.workflows.len() {
        let group = first..first + group_length(&plan.workflows[first..]);
        first = group.end;
        let (start, stopped) = (ran + tempo.scaled(GAP), stop.is_some());
        for index in group.filter(|index| wanted.contains(index)) {
            let workflow = &plan.workflows[index];
            if stopped {
                workflows.insert(index, never_started(workflow, ran));
                continue;
            }
            let (played, last, ended) =
                play_workflow(workflow, tempo, place.in_workflow(index), start);
            workflows.insert(index, played);
            ran = ran.max(last);
            if workflow.on_failure == Failure::Abort || ended == Some(Stop::Cancelled) {
                stop = stop.or(ended.map(|ended| (ended, Stage::Workflow(index))));
            }
        }
    }
    let (mut end, mut stop) = (ran, stop);
    if let Some(import) = &plan.pipeline.import {
        end = begin + tempo.draw(place, 1, import.duration);
        stop = import.error.as_ref().map(|_| (Stop::Failed, Stage::Import));
    } else if stop.is_none() {
        stop = stop_after_workflows(plan, place);
        end += match stop {
            None => 0,
            Some((_, Stage::Integration)) => tempo.scaled(GAP) + distribution_time(plan, tempo),
            Some(_) => distribution_time(plan, tempo),
        };
    }
    RunTimeline {
        begin,
        end,
        ran,
        stop,
        workflows,
    }
}

/// Milliseconds of the distribution without a workflow.
pub(crate) fn distribution_time(plan: &Plan, tempo: Tempo) -> i64 {
    plan.distribution_time()
        .map_or(0, |time| tempo.scaled(time))
}

fn stop_after_workflows(plan: &Plan, place: Place) -> Option<(Stop, Stage)> {
    let pipeline = &plan.pipeline;
    let mut outcomes = { pipeline.distribution.iter() }
        .map(|destination| destination.outcome(place.build, place.run));
    if outcomes.any(|outcome| outcome != Outcome::Completed) {
        return Some((Stop::Failed, Stage::Distribution));
    }
    let integration = pipeline.integration.as_ref()?;
    let turn = place.build as usize % integration.in_turn.len();
    let failed = integration.in_turn[turn] != Outcome::Completed;
    failed.then_some((Stop::Failed, Stage::Integration))
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
            workflow.steps.push(match stop {
                Stop::Failed => StepTimeline::default(),
                Stop::Cancelled => cancelled(now),
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
