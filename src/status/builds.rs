//! Groups the steps of a workflow execution, and the executions of an image build.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::known::{Known, StatusSource};
use crate::baseline::{Baseline, BaselineSnapshot};
use crate::model::{
    ImageArn, ImageStatus, OnFailure, StepStatus, Timestamp, WorkflowArn, WorkflowExecutionId,
    WorkflowStatus,
};
use crate::snapshot::{ImageRecord, Observation, Phase, StepRecord, WorkflowObservation};

/// An image build version, or executions and steps whose image is unknown.
#[derive(Clone, Debug)]
pub(super) struct Build<'a> {
    pub source: &'a StatusSource,
    pub arn: Option<&'a ImageArn>,
    pub image: Option<&'a ImageRecord>,
    pub executions: Vec<Execution<'a>>,
    pub state: BuildState,
    pub has_slow_steps: bool,
    newest: Option<Timestamp>,
}

/// A workflow execution, or a step whose execution is unknown.
#[derive(Clone, Debug)]
pub(super) struct Execution<'a> {
    pub source: &'a StatusSource,
    pub id: Option<WorkflowExecutionId>,
    pub observed: Option<&'a WorkflowObservation>,
    pub steps: Vec<Step<'a>>,
    pub state: BuildState,
}

/// A step, and the target that polls it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    pub source: &'a StatusSource,
    pub record: &'a StepRecord,
    /// Whether it runs much longer than its last executions; only of a step that runs.
    pub slow: Option<bool>,
    baselines: &'a BaselineSnapshot,
}

/// The state of a build or an execution, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum BuildState {
    /// Failed, or certain to fail.
    Failed,
    /// Running, or about to run.
    Running,
    /// Polled, but never seen.
    Unseen,
    /// Ended without a failure, or cancelled.
    Ended,
}

impl BuildState {
    pub(super) const ALL: [Self; 4] = [Self::Failed, Self::Running, Self::Unseen, Self::Ended];
}

/// Groups all data into builds, in the order of the page: by state, then those with slow steps, then
/// the newest first.
pub(super) fn group(known: &Known) -> Vec<Build<'_>> {
    let mut grouping = Grouping::default();
    for source in &known.sources {
        for image in source.snapshot.images.iter() {
            let at = grouping.build(source, &image.arn);
            grouping.builds[at].image = Some(image);
        }
        for workflow in source.snapshot.workflows.iter() {
            let Some(observed) = &workflow.observed else {
                continue;
            };
            let image = observed.image.as_ref();
            let execution = grouping.execution(source, workflow.id, image);
            execution.observed = Some(observed);
            execution.source = source;
        }
    }
    for source in &known.sources {
        for record in source.snapshot.steps.iter() {
            grouping.step(Step::of(source, record, known));
        }
    }
    let mut builds = grouping.builds;
    for build in &mut builds {
        build.sort_and_classify();
    }
    builds.sort_by_key(|build| (build.state, !build.has_slow_steps, Reverse(build.newest)));
    builds
}

#[derive(Default)]
struct Grouping<'a> {
    builds: Vec<Build<'a>>,
    by_image: HashMap<&'a ImageArn, usize>,
    /// The index of an execution's build, and its index within the build.
    by_execution: HashMap<WorkflowExecutionId, (usize, usize)>,
}

impl<'a> Grouping<'a> {
    fn build(&mut self, source: &'a StatusSource, arn: &'a ImageArn) -> usize {
        if let Some(at) = self.by_image.get(arn) {
            return *at;
        }
        let at = self.add_build(source, Some(arn));
        self.by_image.insert(arn, at);
        at
    }

    fn add_build(&mut self, source: &'a StatusSource, arn: Option<&'a ImageArn>) -> usize {
        self.builds.push(Build {
            source,
            arn,
            image: None,
            executions: Vec::new(),
            state: BuildState::Ended,
            newest: None,
            has_slow_steps: false,
        });
        self.builds.len() - 1
    }

    fn execution(
        &mut self,
        source: &'a StatusSource,
        id: WorkflowExecutionId,
        image: Option<&'a ImageArn>,
    ) -> &mut Execution<'a> {
        let (build, at) = match self.by_execution.get(&id) {
            Some(place) => *place,
            None => {
                let build = match image {
                    Some(arn) => self.build(source, arn),
                    None => self.add_build(source, None),
                };
                let executions = &mut self.builds[build].executions;
                executions.push(Execution::new(source, Some(id)));
                let place = (build, executions.len() - 1);
                self.by_execution.insert(id, place);
                place
            }
        };
        &mut self.builds[build].executions[at]
    }

    fn step(&mut self, step: Step<'a>) {
        let subject = step.observed().map(|observed| &observed.subject);
        let image = subject.and_then(|subject| subject.image.as_ref());
        match subject.and_then(|subject| subject.workflow_execution_id) {
            Some(id) => {
                let execution = self.execution(step.source, id, image);
                execution.steps.push(step);
            }
            None => {
                let build = match image {
                    Some(arn) => self.build(step.source, arn),
                    None => self.add_build(step.source, None),
                };
                let mut execution = Execution::new(step.source, None);
                execution.steps.push(step);
                self.builds[build].executions.push(execution);
            }
        }
    }
}

impl<'a> Step<'a> {
    fn of(source: &'a StatusSource, record: &'a StepRecord, known: &'a Known) -> Self {
        let step = Self {
            source,
            record,
            slow: None,
            baselines: &known.baselines,
        };
        let runs = record.known_running_millis(known.now);
        let slow = runs.and_then(|runs| step.baseline()?.is_slow(runs));
        Self { slow, ..step }
    }

    pub(super) fn is_slow(&self) -> bool {
        self.slow == Some(true)
    }

    fn baseline(&self) -> Option<&'a Baseline> {
        self.baselines.of(self.observed()?)
    }

    /// How long it usually takes, in milliseconds.
    pub(super) fn typical_millis(&self) -> Option<i64> {
        self.baseline()?.typical_millis()
    }

    /// After what duration it is slow while it runs, in milliseconds.
    pub(super) fn slow_after_millis(&self) -> Option<i64> {
        self.slow.and_then(|_| self.baseline()?.slow_after_millis())
    }

    pub(super) fn observed(&self) -> Option<&'a Observation> {
        self.record.observed.as_ref()
    }

    /// Returns whether its duration grows with time.
    pub(super) fn grows(&self) -> bool {
        let polled = !matches!(self.record.phase, Phase::Settled | Phase::Gone);
        polled && { self.observed() }
            .is_some_and(|observed| observed.values.status == StepStatus::Running)
    }
}

impl Build<'_> {
    /// Returns whether its image or one of its executions may still change.
    pub(super) fn is_unfinished(&self) -> bool {
        self.image.is_some_and(|image| !image.status.is_terminal())
            || self.executions.iter().any(Execution::is_unfinished)
    }

    /// Sorts its executions, and determines its state.
    fn sort_and_classify(&mut self) {
        for execution in &mut self.executions {
            execution.sort_and_classify();
        }
        // In the order of their starts; superseded executions come last.
        self.executions.sort_by_key(|execution| {
            let start = execution.start();
            (execution.superseded(), start.is_none(), start)
        });
        self.has_slow_steps = self.executions.iter().any(|one| one.slow_steps() > 0);
        let starts = self.executions.iter().filter_map(Execution::start);
        let created = self.image.and_then(|image| image.created);
        self.newest = starts.chain(created).max();
        let counting = { self.executions.iter() }.filter(|execution| !execution.superseded());
        let worst = counting.map(|execution| execution.state).min();
        let image = self.image.map(|image| state_of_image(&image.status));
        self.state = match (worst, image) {
            (Some(BuildState::Failed), _) => BuildState::Failed,
            (worst, Some(image)) => worst.map_or(image, |worst| worst.min(image)),
            (worst, None) => worst.unwrap_or(BuildState::Ended),
        };
    }
}

impl<'a> Execution<'a> {
    fn new(source: &'a StatusSource, id: Option<WorkflowExecutionId>) -> Self {
        Self {
            source,
            id,
            observed: None,
            steps: Vec::new(),
            state: BuildState::Ended,
        }
    }

    fn sort_and_classify(&mut self) {
        // Steps that have not started come last, in the order of the service.
        self.steps.sort_by_key(|step| {
            let start = step.observed().and_then(|observed| observed.start);
            (start.is_none(), start)
        });
        self.state = self.find_state();
    }

    fn is_unfinished(&self) -> bool {
        match self.observed {
            Some(observed) => !observed.status.is_terminal(),
            None => {
                let states = self.steps.iter().map(|step| state_of_step(step.record));
                states.min() < Some(BuildState::Ended)
            }
        }
    }

    pub(super) fn slow_steps(&self) -> usize {
        self.steps.iter().filter(|step| step.is_slow()).count()
    }

    /// Returns whether a retry of the build has replaced it.
    pub(super) fn superseded(&self) -> bool {
        self.observed
            .is_some_and(|observed| observed.retried == Some(true))
    }

    pub(super) fn start(&self) -> Option<Timestamp> {
        let own = self.observed.and_then(|observed| observed.start);
        own.or_else(|| {
            let steps = self.steps.iter().filter_map(Step::observed);
            steps.filter_map(|observed| observed.start).min()
        })
    }

    /// Returns whether its duration grows with time.
    pub(super) fn grows(&self) -> bool {
        self.observed.is_some_and(|observed| match observed.status {
            WorkflowStatus::Running => true,
            WorkflowStatus::RollbackInProgress => observed.end.is_none(),
            _ => false,
        })
    }

    /// Returns the workflow's ARN, from the execution or one of its steps.
    pub(super) fn workflow(&self) -> Option<&'a WorkflowArn> {
        let own = self
            .observed
            .and_then(|observed| observed.workflow.as_ref());
        own.or_else(|| {
            let mut steps = self.steps.iter().filter_map(Step::observed);
            steps.find_map(|observed| observed.subject.workflow.as_ref())
        })
    }

    fn find_state(&self) -> BuildState {
        use WorkflowStatus::*;
        let status = self.observed.map(|observed| &observed.status);
        if matches!(
            status,
            Some(Failed | RollbackInProgress | RollbackCompleted)
        ) || self.steps.iter().any(|step| fails_workflow(step.record))
        {
            return BuildState::Failed;
        }
        if let Some(status) = status {
            return match status.is_terminal() {
                true => BuildState::Ended,
                false => BuildState::Running,
            };
        }
        let states = self.steps.iter().map(|step| state_of_step(step.record));
        states.min().unwrap_or(BuildState::Running)
    }
}

/// Returns whether the failure of a step fails its workflow.
fn fails_workflow(record: &StepRecord) -> bool {
    let Some(observed) = &record.observed else {
        return false;
    };
    record.finished() == Some(&StepStatus::Failed)
        && observed.definition.on_failure != Some(OnFailure::Continue)
}

fn state_of_step(record: &StepRecord) -> BuildState {
    let Some(observed) = &record.observed else {
        return BuildState::Unseen;
    };
    let over = observed.values.status.is_terminal() && !observed.will_be_retried();
    match record.phase {
        Phase::Settled | Phase::Gone => BuildState::Ended,
        _ if over => BuildState::Ended,
        _ => BuildState::Running,
    }
}

fn state_of_image(status: &ImageStatus) -> BuildState {
    match status {
        ImageStatus::Failed => BuildState::Failed,
        status if status.is_terminal() => BuildState::Ended,
        _ => BuildState::Running,
    }
}
