//! An account of any size, in which builds come all the time.
//!
//! What it answers is a plain function of tokio's clock: each pipeline builds one image after the other,
//! and chance decides what becomes of a build. It keeps a record of the calls, which shows how overdue
//! they were.

mod build;
mod record;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imagebuilder_exporter::api::{
    ApiError, ApiFuture, ErrorKind, ImageBuilder, ImagePage, ListPage, Operation, Page, StepPage,
    WorkflowPage,
};
use imagebuilder_exporter::clock::{Clock, Now};
use imagebuilder_exporter::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, WorkflowExecution,
    WorkflowExecutionId,
};
use tokio::time::Instant;

pub use build::{BUILD_STEPS, Build, Shape, TEST_STEPS};
use build::{EPOCH, Standing, pipeline_arn};
pub use record::{DISCOVERY_INTERVAL, INTERVAL, Record};

/// Of each pipeline, as many builds are in the account's list: the one that runs and the ones
/// before it.
pub const LISTED: usize = 2;
/// The build of each pipeline that runs when the account begins.
const FIRST: i64 = LISTED as i64;

/// One account in one region.
#[derive(Clone, Debug)]
pub struct BusyAccount {
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

/// A clock for the exporter that shows the time of accounts that begin now.
pub fn clock() -> Clock {
    Clock::Tokio(Now {
        instant: Instant::now(),
        time: EPOCH,
    })
}

impl BusyAccount {
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

    /// Starts a new record.
    pub fn begin_record(&self) {
        let now = self.now();
        self.state.lock().unwrap().record.restart(now);
    }

    /// The calls so far, with the gaps that are still open.
    pub fn record(&self) -> Record {
        let now = self.now();
        let pipelines = 0..self.shape.pipelines;
        let running: Vec<Arc<Build>> = pipelines
            .map(|pipeline| self.running(pipeline, now))
            .collect();
        let mut record = self.state.lock().unwrap().record.clone();
        record.complete(&running, now);
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
        let begins = self.offset(pipeline) + (number - FIRST) * self.period();
        let build = Build::draw(self.account, &self.shape, pipeline, number, begins);
        let build = Arc::new(build);
        known.push_back((number, build.clone()));
        if known.len() > LISTED + 1 {
            known.pop_front();
        }
        build
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

    /// Answers a call with the present state after a while, unless it is throttled, and records it.
    fn answer<T: Send + 'static>(
        &self,
        operation: Operation,
        told: Option<T>,
        record: impl FnOnce(&mut Record, Option<&T>),
    ) -> ApiFuture<T> {
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

impl ImageBuilder for BusyAccount {
    fn get_workflow_step_execution(&self, id: StepExecutionId) -> ApiFuture<StepExecution> {
        let now = self.now();
        let told = self.by_id(id.uuid()).and_then(|(build, _, place)| {
            let step = build.steps.get(place)?;
            Some(build.whole_step(step, now))
        });
        let operation = Operation::GetWorkflowStepExecution;
        self.answer(operation, told, |record, told| {
            if told.is_some() {
                record.got(id);
            }
        })
    }

    fn get_workflow_execution(&self, id: WorkflowExecutionId) -> ApiFuture<WorkflowExecution> {
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
    ) -> ApiFuture<StepPage> {
        let now = self.now();
        let operation = Operation::ListWorkflowStepExecutions;
        let known = self.by_id(id.uuid());
        let known = known.filter(|(build, kind, _)| *kind < build.workflows.len());
        let Some((build, kind, _)) = known else {
            return self.answer(operation, None, |_, _| {});
        };
        let workflow = &build.workflows[kind];
        let steps = build.steps_of(workflow);
        let told = Self::page(&page, steps.len(), |place| {
            let step = &steps[place];
            (step.id, Some(build.step(step, now)))
        });
        self.answer(operation, Some(told), |record, told| {
            record.listed_steps(&build, workflow, now, told.is_some());
        })
    }

    fn list_workflow_executions(&self, image: ImageArn, page: Page) -> ApiFuture<WorkflowPage> {
        let now = self.now();
        let told = self.by_arn(&image).map(|build| {
            Self::page(&page, build.workflows.len(), |place| {
                let workflow = &build.workflows[place];
                (workflow.id, Some(build.workflow(workflow, now)))
            })
        });
        self.answer(Operation::ListWorkflowExecutions, told, |_, _| {})
    }

    fn list_image_build_versions(&self, page: Page) -> ApiFuture<ImagePage> {
        let now = self.now();
        let is_first = page.token.is_none();
        let told = Self::page(&page, self.shape.pipelines * LISTED, |place| {
            let pipeline = place / LISTED;
            let number = self.number(pipeline, now) - (place % LISTED) as i64;
            let image = self.build(pipeline, number).image(now);
            (image.arn.clone(), Some(image))
        });
        let operation = Operation::ListImageBuildVersions;
        self.answer(operation, Some(told), |record, told| {
            let is_last = told.is_some_and(|told| told.next.is_none());
            record.listed_images(now, is_first, is_last);
        })
    }

    fn list_image_pipelines(&self, page: Page) -> ApiFuture<ListPage<Pipeline>> {
        let told = Self::page(&page, self.shape.pipelines, |place| Pipeline {
            enabled: Some(true),
            platform: Some("Linux".to_owned()),
            recipe: Some(format!("golden-{place}")),
            ..Pipeline::with_arn(pipeline_arn(self.account, place))
        });
        self.answer(Operation::ListImagePipelines, Some(told), |_, _| {})
    }

    fn get_image(&self, image: ImageArn) -> ApiFuture<Image> {
        let now = self.now();
        let told = self.by_arn(&image).map(|build| Image {
            pipeline: Some(build.pipeline.clone()),
            ..build.image(now)
        });
        self.answer(Operation::GetImage, told, |_, _| {})
    }
}
