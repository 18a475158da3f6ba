//! The API of a simulated world, with latency, pages of any size, tokens that expire, and faults, all
//! by chance.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use imagebuilder_exporter::api::{
    ApiError, ApiFuture, ErrorKind, ImageBuilder, ImagePage, ListPage, Operation, Page, Parsed,
    ServiceClock, StepPage, WorkflowPage,
};
use imagebuilder_exporter::clock::{Clock, Now};
use imagebuilder_exporter::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, Timestamp, WorkflowExecution,
    WorkflowExecutionId,
};
use imagebuilder_exporter::simulator::{StepView, WorkflowView, World};
use tokio::time::Instant;

use crate::support::poller::EPOCH;
use crate::support::wall_clock::machine_time;

/// Where the world's pipelines are.
const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-west-2";

/// See the module.
#[derive(Clone, Debug)]
pub struct WorldApi {
    pub world: Arc<World>,
    region: &'static str,
    clock: Clock,
    chance: Arc<Mutex<fastrand::Rng>>,
    pub chances: Chances,
    script: Arc<Mutex<Option<Script>>>,
    log: Arc<Mutex<Vec<Logged>>>,
    dates: Arc<OnceLock<ServiceClock>>,
    /// The names of the images and pipelines that the lists leave out.
    deleted: Arc<Mutex<Vec<&'static str>>>,
}

/// How likely is what, and how long answers take.
#[derive(Clone, Copy, Debug)]
pub struct Chances {
    /// The longest that an answer takes.
    pub latency: Duration,
    pub fault: f64,
    /// Until when there are faults.
    pub faults_until: Timestamp,
    /// That a token has expired.
    pub expiry: f64,
    /// The most that a page holds.
    pub page: usize,
}

/// Which calls fail for certain.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub kind: ErrorKind,
    /// `None`: all operations.
    pub operation: Option<Operation>,
    /// How many calls fail.
    pub times: usize,
}

/// A call that came.
#[derive(Clone, Debug)]
pub struct Logged {
    pub at: Timestamp,
    pub operation: Operation,
    /// What was asked for; nothing where it was for all of the account.
    pub id: String,
    /// Not a later page of a list.
    pub first: bool,
    /// Its token had expired.
    pub expired: bool,
}

/// What is looked up in a world.
type Look<T> = Box<dyn FnOnce(&World, Timestamp) -> Option<T> + Send>;

impl WorldApi {
    pub fn new(world: Arc<World>, seed: u64, chances: Chances) -> Self {
        Self {
            world,
            region: REGION,
            clock: Clock::Tokio(Now {
                instant: Instant::now(),
                time: EPOCH,
            }),
            chance: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
            chances,
            script: Arc::default(),
            log: Arc::default(),
            dates: Arc::default(),
            deleted: Arc::default(),
        }
    }

    /// The API of another region.
    pub fn in_region(&self, region: &'static str) -> Self {
        Self {
            region,
            ..self.clone()
        }
    }

    /// Deletes the images and pipelines of these names from the account, and restores all others.
    pub fn delete(&self, names: &[&'static str]) {
        *self.deleted.lock().unwrap() = names.to_vec();
    }

    fn keeps(&self) -> impl Fn(&str) -> bool + use<> {
        let deleted = self.deleted.lock().unwrap().clone();
        move |name| !deleted.contains(&name)
    }

    /// Tells a poller the time with each response.
    pub fn tell_time(&self, to: ServiceClock) {
        let _ = self.dates.set(to);
    }

    /// Lets calls fail from now on, and no others.
    pub fn set_script(&self, script: Option<Script>) {
        *self.script.lock().unwrap() = script;
    }

    /// Returns how a call of the operation fails by the script.
    fn scripted(&self, operation: Operation) -> Option<ErrorKind> {
        let mut script = self.script.lock().unwrap();
        let script = script.as_mut()?;
        let is_meant = script.operation.is_none_or(|meant| meant == operation);
        if !is_meant || script.times == 0 {
            return None;
        }
        script.times -= 1;
        Some(script.kind)
    }

    /// The calls that came so far.
    pub fn log(&self) -> Vec<Logged> {
        self.log.lock().unwrap().clone()
    }

    fn answer<T: Send + 'static>(
        &self,
        operation: Operation,
        id: String,
        page: Option<&Page>,
        look: Look<T>,
    ) -> ApiFuture<T> {
        let now = self.clock.now().time;
        let mut chance = self.chance.lock().unwrap();
        let latency = self.chances.latency;
        let there = latency.mul_f64(chance.f64() / 2.0);
        let back = latency.mul_f64(chance.f64() / 2.0);
        let kinds = ErrorKind::ALL;
        // A 400-class answer is a word about what was asked for, and a denied look is not repeated
        // soon: both are told in scripts of their own.
        let faulty = chance.f64() < self.chances.fault && now < self.chances.faults_until;
        let fault = faulty
            .then(|| kinds[chance.usize(..kinds.len())])
            .filter(|kind| !matches!(kind, ErrorKind::Client | ErrorKind::Forbidden));
        let scripted = self.scripted(operation);
        let later = page.is_some_and(|page| page.token.is_some());
        let expired = later && chance.f64() < self.chances.expiry;
        self.log.lock().unwrap().push(Logged {
            at: now,
            operation,
            id,
            first: !later,
            expired,
        });
        let (world, clock, dates) = (self.world.clone(), self.clock, self.dates.clone());
        Box::pin(async move {
            if scripted == Some(ErrorKind::Timeout) {
                // The poller ends the call.
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(there).await;
            let seen = look(&world, clock.now().time);
            tokio::time::sleep(back).await;
            if let Some(dates) = dates.get() {
                // The estimate is exact, so that what is exposed can be compared with the world.
                let took = there + back;
                let half_way = clock.now().time.minus(took / 2);
                let date = half_way.minus(Duration::from_millis(500));
                dates.observe(date, took, machine_time().time);
            }
            match (scripted.or(fault), seen) {
                (Some(kind), _) => Err(ApiError::new(kind, "scripted")),
                (None, Some(seen)) if !expired => Ok(Parsed::from(seen)),
                (None, _) => Err(ApiError::new(ErrorKind::Client, "not known")),
            }
        })
    }

    /// A page of a list: of any size, and empty ones too. The token is the number of the page and the
    /// key of the last entry before it. So an earlier page can grow and nothing shifts, and an empty
    /// page does not repeat its token.
    fn list<E: Send + 'static>(
        &self,
        operation: Operation,
        id: String,
        page: Page,
        key: fn(&E) -> String,
        all: impl FnOnce(&World, Timestamp) -> Option<Vec<E>> + Send + 'static,
    ) -> ApiFuture<ListPage<E>> {
        let size = self.chance.lock().unwrap().usize(..=self.chances.page);
        let token = page.token.clone().unwrap_or_else(|| "0 ".to_owned());
        let look = move |world: &World, now| {
            let mut entries = all(world, now)?;
            let (number, before) = token.split_once(' ')?;
            let from = match before {
                "" => 0,
                before => entries.iter().position(|entry| key(entry) == before)? + 1,
            };
            entries.drain(..from);
            let more = size < entries.len();
            entries.truncate(size);
            let last = entries.last().map_or_else(|| before.to_owned(), key);
            let number = number.parse::<u32>().ok()? + 1;
            Some(ListPage {
                entries,
                next: more.then(|| format!("{number} {last}")),
            })
        };
        self.answer(operation, id, Some(&page), Box::new(look))
    }
}

impl ImageBuilder for WorldApi {
    fn get_workflow_step_execution(&self, id: StepExecutionId) -> ApiFuture<StepExecution> {
        let look = move |world: &World, now| Some(world.step(&id, now)?.to_model());
        let operation = Operation::GetWorkflowStepExecution;
        self.answer(operation, id.to_string(), None, Box::new(look))
    }

    fn get_workflow_execution(&self, id: WorkflowExecutionId) -> ApiFuture<WorkflowExecution> {
        let look = move |world: &World, now| Some(world.workflow(&id, now)?.to_model());
        let operation = Operation::GetWorkflowExecution;
        self.answer(operation, id.to_string(), None, Box::new(look))
    }

    fn list_workflow_step_executions(
        &self,
        id: WorkflowExecutionId,
        page: Page,
    ) -> ApiFuture<StepPage> {
        let told = |view: StepView| StepExecution {
            timeout_seconds: None,
            on_failure: None,
            ..view.to_model()
        };
        self.list(
            Operation::ListWorkflowStepExecutions,
            id.to_string(),
            page,
            |(id, _)| id.to_string(),
            move |world, now| {
                let steps = world.steps_of(&id, now)?.into_iter();
                Some(steps.map(|view| (view.id, Some(told(view)))).collect())
            },
        )
    }

    fn list_workflow_executions(&self, image: ImageArn, page: Page) -> ApiFuture<WorkflowPage> {
        let told = |view: WorkflowView| WorkflowExecution {
            retried: Some(view.retried),
            ..view.to_model()
        };
        self.list(
            Operation::ListWorkflowExecutions,
            image.as_str().to_owned(),
            page,
            |(id, _)| id.to_string(),
            move |world, now| {
                let workflows = world.workflows_of(image.as_str(), now)?.into_iter();
                Some(workflows.map(|view| (view.id, Some(told(view)))).collect())
            },
        )
    }

    fn list_image_build_versions(&self, page: Page) -> ApiFuture<ImagePage> {
        let (keeps, region) = (self.keeps(), self.region);
        self.list(
            Operation::ListImageBuildVersions,
            String::new(),
            page,
            |(arn, _)| arn.as_str().to_owned(),
            move |world, now| {
                let images = world.images(region, Some(ACCOUNT), now).into_iter();
                let told = images.filter_map(|view| {
                    let image = Image {
                        pipeline: None,
                        ..view.to_model()?
                    };
                    Some((image.arn.clone(), Some(image)))
                });
                Some(told.filter(|(arn, _)| keeps(arn.name())).collect())
            },
        )
    }

    fn list_image_pipelines(&self, page: Page) -> ApiFuture<ListPage<Pipeline>> {
        let (keeps, region) = (self.keeps(), self.region);
        self.list(
            Operation::ListImagePipelines,
            String::new(),
            page,
            |pipeline| pipeline.arn.as_str().to_owned(),
            move |world, now| {
                let pipelines = world.pipelines(region, Some(ACCOUNT), now).into_iter();
                let pipelines = pipelines.filter_map(|view| view.to_model());
                let kept = pipelines.filter(|pipeline| keeps(pipeline.arn.name()));
                Some(kept.collect())
            },
        )
    }

    fn get_image(&self, image: ImageArn) -> ApiFuture<Image> {
        let id = image.as_str().to_owned();
        let look = move |world: &World, now| world.image(image.as_str(), now)?.to_model();
        self.answer(Operation::GetImage, id, None, Box::new(look))
    }
}
