//! An Image Builder of any size, in which builds come all the time.
//!
//! What it says is a plain function of tokio's clock: each pipeline builds one image after the other,
//! and what becomes of a build was decided by chance, seeded with its name. It keeps a record of how
//! it was asked, which tells how late that was.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imagebuilder_exporter::api::{
    Answer, ApiError, ErrorKind, ImageBuilder, ListPage, Operation, Page, StepPage, WorkflowPage,
};
use imagebuilder_exporter::clock::{Clock, Now};
use imagebuilder_exporter::model::{
    Image, ImageArn, ImageStatus, OnFailure, Pipeline, PipelineArn, StepExecution, StepExecutionId,
    StepStatus, Timestamp, WorkflowArn, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};
use tokio::time::Instant;

/// When the worlds begin: 2026-09-09T19:12:23Z.
const EPOCH: Timestamp = Timestamp::from_millis(1_788_981_143_000);

/// How often the exporter is to look at what moves, and for what is new, in milliseconds.
pub const INTERVAL: i64 = 30_000;
pub const DISCOVERY_INTERVAL: i64 = 120_000;
/// How soon after its timeout a step is looked at.
const AFTER_TIMEOUT: i64 = 1_000;

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

/// Of each pipeline, as many builds are in the account's list: the one that runs and the ones
/// before it.
pub const LISTED: usize = 2;
/// The build of each pipeline that runs when the world begins.
const FIRST: i64 = LISTED as i64;

/// A step without a timeout that matters has the longest one there is.
const LONG_TIMEOUT: u32 = 43_200;

/// How large a world is, and what happens in it.
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
    /// Milliseconds since the world began, as all times here.
    pub begins: i64,
    pub ends: i64,
    times_out: bool,
}

#[derive(Debug)]
struct Workflow {
    id: WorkflowExecutionId,
    steps: Range<usize>,
    arn: WorkflowArn,
}

/// One image build version.
#[derive(Debug)]
pub struct Build {
    arn: ImageArn,
    pipeline: PipelineArn,
    begins: i64,
    pub steps: Vec<Step>,
    workflows: Vec<Workflow>,
}

/// One account in one region.
#[derive(Clone, Debug)]
pub struct World {
    account: u16,
    shape: Shape,
    began: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// The last builds asked for, of each pipeline.
    builds: Vec<VecDeque<(i64, Arc<Build>)>>,
    chance: fastrand::Rng,
    record: Record,
}

/// What a look was at, as far as that decides how urgent the next one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Running,
    Pending,
    /// Another one has to end first, or it has ended: nothing is due.
    Idle,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    /// When the last look that was answered began.
    asked: i64,
    standing: Standing,
    /// One since then was throttled, which moved the next.
    retried: bool,
}

/// How a world was asked, from some moment on.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub since: i64,
    pub calls: [usize; Operation::ALL.len()],
    /// Steps of workflow executions that Lists told of while they ran.
    pub refreshed: usize,
    /// How late looks began, in milliseconds: the first one after a timeout, those at executions
    /// that run and that wait, and rounds of discovery.
    pub near_timeout: Vec<i64>,
    pub running: Vec<i64>,
    pub pending: Vec<i64>,
    pub discovery: Vec<i64>,
    /// From one answered look at an execution that runs to the next.
    pub gaps: Vec<i64>,
    /// From the beginning of a build to the first look at its steps.
    pub found: Vec<i64>,
    /// Answered Gets of the step that had the most.
    pub most_gets: usize,
    looks: HashMap<WorkflowExecutionId, Look>,
    gets: HashMap<StepExecutionId, usize>,
    round: Option<i64>,
}

impl Record {
    pub fn of(&self, operation: Operation) -> usize {
        self.calls[operation as usize]
    }

    pub fn all(&self) -> usize {
        self.calls.iter().sum()
    }

    /// Takes in the record of another world.
    pub fn add(&mut self, other: Self) {
        for (calls, more) in self.calls.iter_mut().zip(other.calls) {
            *calls += more;
        }
        self.refreshed += other.refreshed;
        self.near_timeout.extend(other.near_timeout);
        self.running.extend(other.running);
        self.pending.extend(other.pending);
        self.discovery.extend(other.discovery);
        self.gaps.extend(other.gaps);
        self.found.extend(other.found);
        self.most_gets = self.most_gets.max(other.most_gets);
    }
}

/// A clock for the exporter that shows the time of worlds that begin now.
pub fn clock() -> Clock {
    Clock::Tokio(Now {
        instant: Instant::now(),
        time: EPOCH,
    })
}

impl World {
    /// It begins now.
    pub fn new(account: u16, shape: Shape) -> Self {
        let state = State {
            builds: vec![VecDeque::new(); shape.pipelines],
            chance: fastrand::Rng::with_seed(u64::from(account)),
            record: Record::default(),
        };
        Self {
            account,
            shape,
            began: Instant::now(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub fn now(&self) -> i64 {
        self.began.elapsed().as_millis() as i64
    }

    /// Records anew from now on; what was looked at when stays known.
    pub fn begin_record(&self) {
        let since = self.now();
        let record = &mut self.state.lock().unwrap().record;
        *record = Record {
            since,
            looks: std::mem::take(&mut record.looks),
            gets: std::mem::take(&mut record.gets),
            round: record.round,
            ..Record::default()
        };
    }

    /// The record so far, with the looks that are still waited for.
    pub fn record(&self) -> Record {
        let now = self.now();
        let mut record = self.state.lock().unwrap().record.clone();
        for pipeline in 0..self.shape.pipelines {
            let build = self.running(pipeline, now);
            let first = build.workflows.first().expect("a build has a workflow");
            if build.begins < now
                && let Some(look) = record.looks.get(&first.id)
                && look.standing == Standing::Running
                && build.standing(first, now) == Standing::Running
            {
                record.gaps.push(now - look.asked);
            }
        }
        record.most_gets = record.gets.values().copied().max().unwrap_or_default();
        record
    }

    /// How many executions run, and how many wait.
    pub fn standing(&self) -> (usize, usize) {
        let now = self.now();
        let standing = (0..self.shape.pipelines).flat_map(|pipeline| {
            let build = self.running(pipeline, now);
            let all = build.workflows.iter();
            let all = all.map(|workflow| build.standing(workflow, now));
            all.collect::<Vec<_>>()
        });
        standing.fold((0, 0), |(runs, waits), standing| match standing {
            Standing::Running => (runs + 1, waits),
            Standing::Pending => (runs, waits + 1),
            Standing::Idle => (runs, waits),
        })
    }

    /// The build of a pipeline that runs or waits.
    pub fn running(&self, pipeline: usize, now: i64) -> Arc<Build> {
        self.build(pipeline, self.number(pipeline, now))
    }

    fn number(&self, pipeline: usize, now: i64) -> i64 {
        (now - self.offset(pipeline)).div_euclid(self.period()) + FIRST
    }

    fn period(&self) -> i64 {
        i64::from(self.shape.period) * 1_000
    }

    /// When the build that runs at the beginning began; pipelines are spread over the period.
    fn offset(&self, pipeline: usize) -> i64 {
        let spread = pipeline as f64 + fastrand::Rng::with_seed(pipeline as u64).f64();
        let part = spread / self.shape.pipelines as f64;
        -((part * f64::from(self.shape.period)) as i64) * 1_000
    }

    fn build(&self, pipeline: usize, number: i64) -> Arc<Build> {
        let mut state = self.state.lock().unwrap();
        let known = &mut state.builds[pipeline];
        if let Some((_, build)) = known.iter().find(|(known, _)| *known == number) {
            return build.clone();
        }
        let build = Arc::new(self.decide(pipeline, number));
        known.push_back((number, build.clone()));
        if known.len() > LISTED + 1 {
            known.pop_front();
        }
        build
    }

    /// What becomes of a build.
    #[expect(clippy::too_many_lines, reason = "one draw after the other")]
    fn decide(&self, pipeline: usize, number: i64) -> Build {
        let (account, shape) = (self.account, &self.shape);
        let seed = [account.into(), pipeline as u64, number as u64];
        let seed = { seed }.iter().fold(0, |seed: u64, part| {
            (seed ^ part)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29)
        });
        let mut chance = fastrand::Rng::with_seed(seed);
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
        let begins = self.offset(pipeline) + (number - FIRST) * self.period();
        let all: f64 = weights.iter().sum();
        let mut passed = 0.0;
        let moments = weights.iter().enumerate().map(|(place, weight)| {
            passed += weight;
            let part = if place == count { 1.0 } else { passed / all };
            begins + (part * f64::from(shape.period)) as i64 * 1_000
        });
        let moments: Vec<i64> = moments.collect();
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
        let arn = format!("{}:image/golden-{pipeline}/1.0.{number}/1", self.arns());
        Build {
            arn: ImageArn::parse(&arn).unwrap(),
            pipeline: self.pipeline(pipeline),
            begins,
            steps,
            workflows,
        }
    }

    fn arns(&self) -> String {
        format!("arn:aws:imagebuilder:us-west-2:{:012}", self.account)
    }

    fn pipeline(&self, pipeline: usize) -> PipelineArn {
        let arn = format!("{}:image-pipeline/golden-{pipeline}", self.arns());
        PipelineArn::parse(&arn).unwrap()
    }

    /// The build that an id was made for, its kind and its place.
    fn by_id(&self, uuid: &str) -> Option<(Arc<Build>, usize, usize)> {
        let number = |part: Range<usize>| usize::from_str_radix(&uuid[part], 16).ok();
        let pipeline = number(9..13)?;
        if pipeline >= self.shape.pipelines {
            return None;
        }
        let build = self.build(pipeline, number(14..18)? as i64);
        Some((build, number(19..23)?, number(24..36)?))
    }

    fn by_arn(&self, arn: &ImageArn) -> Option<Arc<Build>> {
        let pipeline = arn.name().strip_prefix("golden-")?.parse().ok()?;
        let number = arn.version().strip_prefix("1.0.")?.strip_suffix("/1")?;
        Some(self.build(pipeline, number.parse().ok()?))
    }

    /// Answers a call after a while, if it is not throttled, with what is so now; `record` takes it
    /// down.
    fn answer<T: Send + 'static>(
        &self,
        operation: Operation,
        told: Option<T>,
        record: impl FnOnce(&mut Record, Option<&T>),
    ) -> Answer<T> {
        let state = &mut *self.state.lock().unwrap();
        state.record.calls[operation as usize] += 1;
        let wait = Duration::from_millis(state.chance.u64(20..200));
        let throttled = state.chance.f64() < self.shape.throttled;
        let told = match (throttled, told) {
            (true, _) => Err(ApiError::new(ErrorKind::Throttled, "Rate exceeded")),
            (false, None) => Err(ApiError::new(ErrorKind::Client, "nobody knows that")),
            (false, Some(told)) => Ok(told),
        };
        record(&mut state.record, told.as_ref().ok());
        Box::pin(async move {
            tokio::time::sleep(wait).await;
            told.map(Into::into)
        })
    }

    fn page<T>(page: &Page, count: usize, entry: impl FnMut(usize) -> T) -> ListPage<T> {
        let from: usize = page.token.as_ref().map_or(0, |at| at.parse().unwrap());
        let to = count.min(from + usize::from(page.size));
        ListPage {
            entries: (from..to).map(entry).collect(),
            next: (to < count).then(|| to.to_string()),
        }
    }
}

impl Build {
    fn standing(&self, workflow: &Workflow, now: i64) -> Standing {
        match self.workflow_status(workflow, now) {
            WorkflowStatus::Running => Standing::Running,
            WorkflowStatus::Pending if workflow.steps.start == 0 => Standing::Pending,
            _ => Standing::Idle,
        }
    }

    fn workflow_status(&self, workflow: &Workflow, now: i64) -> WorkflowStatus {
        let steps = &self.steps[workflow.steps.clone()];
        let last = &steps[steps.len() - 1];
        match now {
            now if now < steps[0].begins => WorkflowStatus::Pending,
            now if now < last.ends => WorkflowStatus::Running,
            _ if last.place + 1 == BUILD_STEPS && last.times_out => WorkflowStatus::Failed,
            _ => WorkflowStatus::Completed,
        }
    }

    fn image(&self, now: i64) -> Image {
        let [first, .., last] = &self.workflows[..] else {
            return self.image_of(&self.workflows[0], now, ImageStatus::Building);
        };
        match self.workflow_status(first, now) {
            WorkflowStatus::Completed => self.image_of(last, now, ImageStatus::Testing),
            _ => self.image_of(first, now, ImageStatus::Building),
        }
    }

    /// As its `workflow` tells, `running` while that runs.
    fn image_of(&self, workflow: &Workflow, now: i64, running: ImageStatus) -> Image {
        Image {
            arn: self.arn.clone(),
            status: match self.workflow_status(workflow, now) {
                WorkflowStatus::Pending if workflow.steps.start == 0 => ImageStatus::Pending,
                WorkflowStatus::Completed => ImageStatus::Available,
                WorkflowStatus::Failed => ImageStatus::Failed,
                _ => running,
            },
            created: Some(at(self.begins)),
            failure: None,
            platform: Some("Linux".to_owned()),
            kind: Some("AMI".to_owned()),
            build_type: Some("SCHEDULED".to_owned()),
            pipeline: None,
            tags: Default::default(),
        }
    }

    fn workflow(&self, workflow: &Workflow, now: i64) -> WorkflowExecution {
        let steps = &self.steps[workflow.steps.clone()];
        let (first, last) = (&steps[0], &steps[steps.len() - 1]);
        WorkflowExecution {
            workflow: Some(workflow.arn.clone()),
            image: Some(self.arn.clone()),
            start: (first.begins <= now).then(|| at(first.begins)),
            end: (last.ends <= now).then(|| at(last.ends)),
            ..WorkflowExecution::with_status(self.workflow_status(workflow, now))
        }
    }

    fn step(&self, step: &Step, now: i64) -> StepExecution {
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

impl Record {
    /// A List of the steps of an execution, well or not.
    fn listed(&mut self, build: &Build, workflow: &Workflow, now: i64, well: bool) {
        let standing = build.standing(workflow, now);
        let Some(before) = self.looks.get_mut(&workflow.id) else {
            if well {
                let asked = now;
                let retried = false;
                let look = Look {
                    asked,
                    standing,
                    retried,
                };
                self.looks.insert(workflow.id, look);
                if build.begins > self.since && standing == Standing::Running {
                    self.found.push(now - build.begins);
                }
            }
            return;
        };
        if !well {
            before.retried = true;
            return;
        }
        let after = Look {
            asked: now,
            standing,
            retried: false,
        };
        let before = std::mem::replace(before, after);
        let both_run = before.standing == Standing::Running && standing == Standing::Running;
        if both_run {
            self.gaps.push(now - before.asked);
            self.refreshed += workflow.steps.len();
        }
        let steps = &build.steps[workflow.steps.clone()];
        let mut hurried = steps.iter().filter(|step| {
            let from = step.ends - INTERVAL;
            step.times_out && from <= now && before.asked <= step.ends
        });
        if let Some(step) = hurried.next() {
            if now >= step.ends {
                let late = now - step.ends - AFTER_TIMEOUT;
                self.near_timeout.push(late.max(0));
            }
        } else if !before.retried {
            let late = (now - before.asked - INTERVAL).max(0);
            match before.standing {
                Standing::Running => self.running.push(late),
                Standing::Pending => self.pending.push(late),
                Standing::Idle => {}
            }
        }
        if standing == Standing::Idle && workflow.steps.start == 0 {
            // It is settled, or nearly.
            self.looks.remove(&workflow.id);
        }
    }
}

fn at(moment: i64) -> Timestamp {
    Timestamp::from_millis(EPOCH.millis() + moment)
}

impl ImageBuilder for World {
    fn get_workflow_step_execution(&self, id: StepExecutionId) -> Answer<StepExecution> {
        let now = self.now();
        let told = self.by_id(id.uuid()).and_then(|(build, _, place)| {
            let step = build.steps.get(place)?;
            let on_failure = match step.place + 1 {
                BUILD_STEPS => OnFailure::Abort,
                _ => OnFailure::Continue,
            };
            Some(StepExecution {
                timeout_seconds: Some(step.timeout()),
                on_failure: Some(on_failure),
                ..build.step(step, now)
            })
        });
        let operation = Operation::GetWorkflowStepExecution;
        self.answer(operation, told, |record, told| {
            if told.is_some() {
                *record.gets.entry(id).or_default() += 1;
            }
        })
    }

    fn get_workflow_execution(&self, id: WorkflowExecutionId) -> Answer<WorkflowExecution> {
        let now = self.now();
        let told = self.by_id(id.uuid()).and_then(|(build, kind, _)| {
            let workflow = build.workflows.get(kind)?;
            Some(build.workflow(workflow, now))
        });
        self.answer(Operation::GetWorkflowExecution, told, |_, _| {})
    }

    fn list_workflow_step_executions(
        &self,
        id: WorkflowExecutionId,
        page: Page,
    ) -> Answer<StepPage> {
        let now = self.now();
        let operation = Operation::ListWorkflowStepExecutions;
        let known = self.by_id(id.uuid());
        let known = known.filter(|(build, kind, _)| *kind < build.workflows.len());
        let Some((build, kind, _)) = known else {
            return self.answer(operation, None, |_, _| {});
        };
        let workflow = &build.workflows[kind];
        let steps = &build.steps[workflow.steps.clone()];
        let told = Self::page(&page, steps.len(), |place| {
            let step = &steps[place];
            (step.id, Some(build.step(step, now)))
        });
        self.answer(operation, Some(told), |record, told| {
            record.listed(&build, workflow, now, told.is_some());
        })
    }

    fn list_workflow_executions(&self, image: ImageArn, page: Page) -> Answer<WorkflowPage> {
        let now = self.now();
        let told = self.by_arn(&image).map(|build| {
            Self::page(&page, build.workflows.len(), |place| {
                let workflow = &build.workflows[place];
                (workflow.id, Some(build.workflow(workflow, now)))
            })
        });
        self.answer(Operation::ListWorkflowExecutions, told, |_, _| {})
    }

    fn list_image_build_versions(&self, page: Page) -> Answer<ListPage<Image>> {
        let now = self.now();
        let first = page.token.is_none();
        let told = Self::page(&page, self.shape.pipelines * LISTED, |place| {
            let pipeline = place / LISTED;
            let number = self.number(pipeline, now) - (place % LISTED) as i64;
            self.build(pipeline, number).image(now)
        });
        let operation = Operation::ListImageBuildVersions;
        self.answer(operation, Some(told), |record, told| {
            if first && let Some(ended) = record.round.take() {
                let late = now - ended - DISCOVERY_INTERVAL;
                record.discovery.push(late.max(0));
            }
            if told.is_some_and(|told| told.next.is_none()) {
                record.round = Some(now);
            }
        })
    }

    fn list_image_pipelines(&self, page: Page) -> Answer<ListPage<Pipeline>> {
        let told = Self::page(&page, self.shape.pipelines, |place| Pipeline {
            arn: self.pipeline(place),
            enabled: Some(true),
            platform: Some("Linux".to_owned()),
            schedule: None,
            last_run_status: None,
            last_run: None,
            next_run: None,
            consecutive_failures: None,
            recipe: Some(format!("golden-{place}")),
            tags: Default::default(),
        });
        self.answer(Operation::ListImagePipelines, Some(told), |_, _| {})
    }

    fn get_image(&self, image: ImageArn) -> Answer<Image> {
        let now = self.now();
        let told = self.by_arn(&image).map(|build| Image {
            pipeline: Some(build.pipeline.clone()),
            ..build.image(now)
        });
        self.answer(Operation::GetImage, told, |_, _| {})
    }
}
