//! One image build version: what becomes of it, and how it stands at a moment.

use std::ops::Range;

use imagebuilder_exporter::model::{
    Image, ImageArn, ImageStatus, OnFailure, PipelineArn, StepExecution, StepExecutionId,
    StepStatus, Timestamp, WorkflowArn, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};

/// When the accounts begin: 2026-09-09T19:12:23Z.
pub const EPOCH: Timestamp = Timestamp::from_millis(1_788_981_143_000);

/// The managed build workflow and, of the managed test workflow, the rest.
const STEPS: [(&str, &str); BUILD_STEPS + TEST_STEPS] = [
    ("LaunchBuildInstance", "LaunchInstance"),
    ("ApplyBuildComponents", "ExecuteComponents"),
    ("InventoryCollection", "CollectImageMetadata"),
    ("RunSanitizeScript", "SanitizeInstance"),
    ("RunSysPrepScript", "RunSysPrep"),
    ("CreateOutputAMI", "CreateImage"),
    ("TerminateBuildInstance", "TerminateInstance"),
    ("LaunchTestInstance", "LaunchInstance"),
    ("ApplyTestComponents", "ExecuteComponents"),
    ("CollectTestResults", "CollectImageMetadata"),
    ("TerminateTestInstance", "TerminateInstance"),
];
pub const BUILD_STEPS: usize = 7;
pub const TEST_STEPS: usize = 4;

/// A step without a timeout that matters has the longest one there is.
const LONG_TIMEOUT: u32 = 43_200;

/// How large an account is, and what happens in it.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// One build of each runs or waits at any time.
    pub pipelines: usize,
    /// From the beginning of a build to that of the next, in seconds.
    pub period: u32,
    /// The part of builds that wait for as long as a step takes before they run.
    pub queued: f64,
    /// The part of builds that have a test workflow.
    pub tested: f64,
    /// The part of steps that reach their timeouts. All but the last one's failure is of no
    /// consequence.
    pub timed_out: f64,
    /// The part of calls that are throttled.
    pub throttled: f64,
}

#[derive(Debug)]
pub struct Step {
    pub id: StepExecutionId,
    place: usize,
    /// Milliseconds since the account began, as all times here.
    pub begins: i64,
    pub ends: i64,
    pub times_out: bool,
}

#[derive(Debug)]
pub struct Workflow {
    pub id: WorkflowExecutionId,
    /// Which of the build's steps are its own.
    pub steps: Range<usize>,
    arn: WorkflowArn,
}

/// One image build version.
#[derive(Debug)]
pub struct Build {
    arn: ImageArn,
    pub pipeline: PipelineArn,
    pub begins: i64,
    pub steps: Vec<Step>,
    pub workflows: Vec<Workflow>,
}

/// The state of an execution, as far as it decides how urgent the next poll is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Running,
    Pending,
    /// Another one has to end first, or it has ended: nothing is due.
    Idle,
}

impl Build {
    /// Draws what becomes of a build, by chance that is seeded with its name.
    pub fn draw(account: u16, shape: &Shape, pipeline: usize, number: i64, begins: i64) -> Self {
        let mut chance = chance_of(account, pipeline, number);
        let queued = chance.f64() < shape.queued;
        let aborts = chance.f64() < shape.timed_out;
        let tested = !aborts && chance.f64() < shape.tested;
        let count = BUILD_STEPS + if tested { TEST_STEPS } else { 0 };
        let weights: Vec<f64> = { 0..=count }
            .map(|place| match place {
                0 if !queued => 0.0,
                _ => 0.5 + chance.f64(),
            })
            .collect();
        let moments = moments(&weights, begins, shape.period);
        let id = |kind: usize, step: usize| {
            format!("0000{account:04x}-{pipeline:04x}-{number:04x}-{kind:04x}-{step:012x}")
        };
        let steps = { 0..count }.map(|place| Step {
            id: format!("step-{}", id(0, place)).parse().unwrap(),
            place,
            begins: moments[place],
            ends: moments[place + 1],
            times_out: match place + 1 {
                BUILD_STEPS => aborts,
                _ => chance.f64() < shape.timed_out,
            },
        });
        let steps = steps.collect();
        let workflow = |(kind, name): (usize, &str), steps| Workflow {
            id: format!("wf-{}", id(kind, 0)).parse().unwrap(),
            steps,
            arn: WorkflowArn::parse(&format!(
                "arn:aws:imagebuilder:us-west-2:aws:workflow/{name}/{name}-image/1.0.3/1"
            ))
            .unwrap(),
        };
        let mut workflows = vec![workflow((0, "build"), 0..BUILD_STEPS)];
        if tested {
            workflows.push(workflow((1, "test"), BUILD_STEPS..count));
        }
        let arn = format!("{}:image/golden-{pipeline}/1.0.{number}/1", arns(account));
        Self {
            arn: ImageArn::parse(&arn).unwrap(),
            pipeline: pipeline_arn(account, pipeline),
            begins,
            steps,
            workflows,
        }
    }

    pub fn standing(&self, workflow: &Workflow, now: i64) -> Standing {
        match self.workflow_status(workflow, now) {
            WorkflowStatus::Running => Standing::Running,
            WorkflowStatus::Pending if workflow.steps.start == 0 => Standing::Pending,
            _ => Standing::Idle,
        }
    }

    fn workflow_status(&self, workflow: &Workflow, now: i64) -> WorkflowStatus {
        let steps = self.steps_of(workflow);
        let last = &steps[steps.len() - 1];
        match now {
            now if now < steps[0].begins => WorkflowStatus::Pending,
            now if now < last.ends => WorkflowStatus::Running,
            _ if last.place + 1 == BUILD_STEPS && last.times_out => WorkflowStatus::Failed,
            _ => WorkflowStatus::Completed,
        }
    }

    pub fn steps_of(&self, workflow: &Workflow) -> &[Step] {
        &self.steps[workflow.steps.clone()]
    }

    pub fn image(&self, now: i64) -> Image {
        let [first, .., last] = &self.workflows[..] else {
            return self.image_of(&self.workflows[0], now, ImageStatus::Building);
        };
        match self.workflow_status(first, now) {
            WorkflowStatus::Completed => self.image_of(last, now, ImageStatus::Testing),
            _ => self.image_of(first, now, ImageStatus::Building),
        }
    }

    /// The image while this workflow decides its status, which is `running` as long as that runs.
    fn image_of(&self, workflow: &Workflow, now: i64, running: ImageStatus) -> Image {
        let status = match self.workflow_status(workflow, now) {
            WorkflowStatus::Pending if workflow.steps.start == 0 => ImageStatus::Pending,
            WorkflowStatus::Completed => ImageStatus::Available,
            WorkflowStatus::Failed => ImageStatus::Failed,
            _ => running,
        };
        Image {
            created: Some(at(self.begins)),
            platform: Some("Linux".to_owned()),
            kind: Some("AMI".to_owned()),
            build_type: Some("SCHEDULED".to_owned()),
            ..Image::with_status(self.arn.clone(), status)
        }
    }

    /// As `GetWorkflowExecution` and the Lists return it.
    pub fn workflow(&self, workflow: &Workflow, now: i64) -> WorkflowExecution {
        let steps = self.steps_of(workflow);
        let (first, last) = (&steps[0], &steps[steps.len() - 1]);
        WorkflowExecution {
            workflow: Some(workflow.arn.clone()),
            image: Some(self.arn.clone()),
            start: (first.begins <= now).then(|| at(first.begins)),
            end: (last.ends <= now).then(|| at(last.ends)),
            ..WorkflowExecution::with_status(self.workflow_status(workflow, now))
        }
    }

    /// As `ListWorkflowStepExecutions` returns it.
    pub fn step(&self, step: &Step, now: i64) -> StepExecution {
        let workflow = &self.workflows[usize::from(step.place >= BUILD_STEPS)];
        let (name, action) = STEPS[step.place];
        StepExecution {
            name: Some(name.to_owned()),
            action: Some(action.to_owned()),
            workflow_execution_id: Some(workflow.id),
            workflow: Some(workflow.arn.clone()),
            image: Some(self.arn.clone()),
            start: (step.begins <= now).then(|| at(step.begins)),
            end: (step.ends <= now).then(|| at(step.ends)),
            ..StepExecution::with_status(step.status(now))
        }
    }

    /// As `GetWorkflowStepExecution` returns it.
    pub fn whole_step(&self, step: &Step, now: i64) -> StepExecution {
        let on_failure = match step.place + 1 {
            BUILD_STEPS => OnFailure::Abort,
            _ => OnFailure::Continue,
        };
        StepExecution {
            timeout_seconds: Some(step.timeout()),
            on_failure: Some(on_failure),
            ..self.step(step, now)
        }
    }
}

impl Step {
    pub fn status(&self, now: i64) -> StepStatus {
        match now {
            now if now < self.begins => StepStatus::Pending,
            now if now < self.ends => StepStatus::Running,
            _ if self.times_out => StepStatus::Failed,
            _ => StepStatus::Completed,
        }
    }

    fn timeout(&self) -> u32 {
        match self.times_out {
            true => ((self.ends - self.begins) / 1_000) as u32,
            false => LONG_TIMEOUT,
        }
    }
}

fn at(moment: i64) -> Timestamp {
    Timestamp::from_millis(EPOCH.millis() + moment)
}

fn chance_of(account: u16, pipeline: usize, number: i64) -> fastrand::Rng {
    let name = [account.into(), pipeline as u64, number as u64];
    let seed = name.into_iter().fold(0, |seed: u64, part| {
        (seed ^ part)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
    });
    fastrand::Rng::with_seed(seed)
}

/// Shares a period out by weights: the moments at which each share ends.
fn moments(weights: &[f64], begins: i64, period: u32) -> Vec<i64> {
    let all: f64 = weights.iter().sum();
    let mut passed = 0.0;
    let moments = weights.iter().enumerate().map(|(place, weight)| {
        passed += weight;
        let part = if place + 1 == weights.len() {
            1.0
        } else {
            passed / all
        };
        begins + (part * f64::from(period)) as i64 * 1_000
    });
    moments.collect()
}

fn arns(account: u16) -> String {
    format!("arn:aws:imagebuilder:us-west-2:{account:012}")
}

pub fn pipeline_arn(account: u16, pipeline: usize) -> PipelineArn {
    let arn = format!("{}:image-pipeline/golden-{pipeline}", arns(account));
    PipelineArn::parse(&arn).unwrap()
}
