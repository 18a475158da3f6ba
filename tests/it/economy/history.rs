//! What the baselines of many images cost at the start, and that no running step waits for them.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imagebuilder_exporter::api::{
    ApiFuture, ImageBuilder, ImagePage, ListPage, Operation, Page, Parsed, StepPage, WorkflowPage,
};
use imagebuilder_exporter::config::RateLimit;
use imagebuilder_exporter::model::{
    Image, ImageArn, ImageStatus, Pipeline, StepExecution, StepExecutionId, StepStatus, Timestamp,
    WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};
use imagebuilder_exporter::poller::RateLimiter;
use tokio::time::Instant;

use super::INTERVAL;
use crate::support::busy_account::{BUILD_STEPS, BusyAccount, Record, Shape};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::exposition::value;
use crate::support::fleet::quantile;
use crate::support::poller::{EPOCH, Polling};

const IMAGES: usize = 100;
/// Of each image. One more than are read.
const OLD_BUILDS: usize = 6;
const EXECUTIONS: usize = 2;
const RUNNING: usize = 60;
const HISTORY: &str = "imagebuilder_exporter_baseline_history_builds";
const TYPICAL: &str = "imagebuilder_workflow_step_typical_duration_seconds";

/// Builds that run, and old builds of other images.
#[derive(Clone, Debug)]
struct Account {
    running: BusyAccount,
    /// The calls about old builds.
    calls: Arc<Mutex<Vec<(Operation, String)>>>,
}

/// An old build: its image, and its number from the oldest on.
#[derive(Clone, Copy, Debug)]
struct Old {
    image: usize,
    number: usize,
}

impl Old {
    fn all() -> impl Iterator<Item = Self> {
        let numbers = |image| (1..=OLD_BUILDS).map(move |number| Self { image, number });
        (0..IMAGES).flat_map(numbers)
    }

    fn arn(self) -> ImageArn {
        let Self { image, number } = self;
        let arn =
            format!("arn:aws:imagebuilder:us-west-2:111122223333:image/old-{image}/1.0.0/{number}");
        ImageArn::parse(&arn).unwrap()
    }

    fn built(image: &ImageArn) -> Option<Self> {
        Some(Self {
            image: image.name().strip_prefix("old-")?.parse().ok()?,
            number: image.version().strip_prefix("1.0.0/")?.parse().ok()?,
        })
    }

    fn created(self) -> Timestamp {
        let days = (OLD_BUILDS + 1 - self.number) as u64;
        EPOCH.minus(Duration::from_secs(days * 24 * 60 * 60))
    }

    fn execution(self, kind: usize) -> WorkflowExecutionId {
        let Self { image, number } = self;
        let id = format!("wf-ffffffff-{image:04x}-{number:04x}-{kind:04x}-000000000000");
        id.parse().unwrap()
    }

    /// The build whose execution has this id, and the kind of execution.
    fn of(id: WorkflowExecutionId) -> Option<(Self, usize)> {
        let number = |part: &str| usize::from_str_radix(part, 16).unwrap();
        let mut parts = id.uuid().split('-');
        (parts.next() == Some("ffffffff")).then(|| {
            let [image, build, kind] = [(); 3].map(|()| number(parts.next().unwrap()));
            let old = Self {
                image,
                number: build,
            };
            (old, kind)
        })
    }

    /// Each step takes a minute more than it took in the build before.
    fn steps(self, kind: usize) -> StepPage {
        let id = self.execution(kind);
        let start = self.created();
        let minutes = Duration::from_secs(60 * self.number as u64);
        let steps = (0..BUILD_STEPS).map(|place| {
            let step = id.to_string().replace("wf-", "step-");
            let step = step.replace("-000000000000", &format!("-{place:012}"));
            let execution = StepExecution {
                name: Some(format!("{kind}-{place}")),
                workflow_execution_id: Some(id),
                image: Some(self.arn()),
                start: Some(start),
                end: Some(start.plus(minutes)),
                ..StepExecution::with_status(StepStatus::Completed)
            };
            (step.parse::<StepExecutionId>().unwrap(), Some(execution))
        });
        ListPage {
            entries: steps.collect(),
            next: None,
        }
    }
}

impl Account {
    fn begin(running: usize) -> Self {
        let shape = Shape {
            pipelines: running,
            period: 7_200,
            queued: 0.0,
            tested: 0.0,
            timed_out: 0.0,
            throttled: 0.0,
        };
        Self {
            running: BusyAccount::new(1, shape),
            calls: Arc::default(),
        }
    }

    fn told<T: Send + 'static>(&self, operation: Operation, of: String, told: T) -> ApiFuture<T> {
        self.calls.lock().unwrap().push((operation, of));
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(Parsed::from(told))
        })
    }
}

impl ImageBuilder for Account {
    fn get_workflow_step_execution(&self, id: StepExecutionId) -> ApiFuture<StepExecution> {
        self.running.get_workflow_step_execution(id)
    }

    fn get_workflow_execution(&self, id: WorkflowExecutionId) -> ApiFuture<WorkflowExecution> {
        self.running.get_workflow_execution(id)
    }

    fn list_workflow_step_executions(
        &self,
        id: WorkflowExecutionId,
        page: Page,
    ) -> ApiFuture<StepPage> {
        let Some((old, kind)) = Old::of(id) else {
            return self.running.list_workflow_step_executions(id, page);
        };
        let operation = Operation::ListWorkflowStepExecutions;
        self.told(operation, id.to_string(), old.steps(kind))
    }

    fn list_workflow_executions(&self, image: ImageArn, page: Page) -> ApiFuture<WorkflowPage> {
        let Some(old) = Old::built(&image) else {
            return self.running.list_workflow_executions(image, page);
        };
        let completed = || Some(WorkflowExecution::with_status(WorkflowStatus::Completed));
        let executions = (0..EXECUTIONS).map(|kind| (old.execution(kind), completed()));
        let told = ListPage {
            entries: executions.collect(),
            next: None,
        };
        self.told(Operation::ListWorkflowExecutions, image.to_string(), told)
    }

    /// The old builds are the last page.
    fn list_image_build_versions(&self, page: Page) -> ApiFuture<ImagePage> {
        if page.token.as_deref() == Some("old") {
            let images = Old::all().map(|old| {
                let image = Image {
                    created: Some(old.created()),
                    ..Image::with_status(old.arn(), ImageStatus::Available)
                };
                (old.arn(), Some(image))
            });
            let entries = images.collect();
            return Box::pin(async {
                Ok(Parsed::from(ListPage {
                    entries,
                    next: None,
                }))
            });
        }
        let told = self.running.list_image_build_versions(page);
        Box::pin(async {
            let mut told = told.await?;
            told.value.next = told.value.next.or_else(|| Some("old".to_owned()));
            Ok(told)
        })
    }

    fn list_image_pipelines(&self, page: Page) -> ApiFuture<ListPage<Pipeline>> {
        self.running.list_image_pipelines(page)
    }

    fn get_image(&self, image: ImageArn) -> ApiFuture<Image> {
        self.running.get_image(image)
    }
}

/// When measuring begins, in seconds: what runs at the start has been found.
const BEGINS: f64 = 300.0;
const ENDS: f64 = 1_200.0;

/// What was seen in that time.
struct Seen {
    /// How late running executions were polled.
    record: Record,
    /// The calls about old builds.
    old: Vec<(Operation, String)>,
    /// Seconds until the builds were read.
    read_by: Option<f64>,
    metrics: String,
}

fn config(history: usize) -> String {
    let target = TargetText::new("t").with("images: ['*']");
    ConfigText::of([target.with("rate_limit: {requests_per_second: 5, burst: 10}")])
        .with(&format!("baselines: {{history: {history}}}"))
        .text()
}

async fn polled(history: usize) -> Seen {
    let account = Account::begin(RUNNING);
    let polling = Polling::start(&config(history), Arc::new(account.clone()));
    polling.until(BEGINS).await;
    account.running.begin_record();
    let (mut at, mut read_by) = (BEGINS, None);
    while at < ENDS {
        at += 60.0;
        polling.until(at).await;
        let pending = value(&polling.metrics(), HISTORY, &[("state", "pending")]);
        read_by = read_by.or((pending == Some(0.0)).then_some(at));
    }
    let old = account.calls.lock().unwrap().clone();
    Seen {
        record: account.running.record(),
        old,
        read_by,
        metrics: polling.metrics(),
    }
}

#[tokio::test(start_paused = true)]
async fn history_of_a_hundred_images_delays_no_running_step() {
    let mut lags = Vec::new();
    for history in [5, 0] {
        let Seen {
            record,
            old,
            read_by,
            metrics,
        } = polled(history).await;
        let gap = quantile(&record.gaps, 1.0);
        let seconds = [0.5, 0.99, 1.0].map(|part| quantile(&record.running, part));
        println!(
            "history {history}, longest gap {gap} s: {} calls, read within {read_by:?} s; \
             running steps are late {seconds:?} s (p50, p99, most) in {} polls",
            old.len(),
            record.running.len(),
        );
        lags.push(seconds);
        let typical = value(&metrics, TYPICAL, &[("image", "old-7"), ("step", "1-3")]);
        let count = |wanted| {
            old.iter()
                .filter(|(operation, _)| *operation == wanted)
                .count()
        };
        let builds = IMAGES * history;
        assert_eq!(count(Operation::ListWorkflowExecutions), builds);
        let steps = count(Operation::ListWorkflowStepExecutions);
        assert_eq!(steps, builds * EXECUTIONS);
        // Of the newest five, which took 2 to 6 minutes.
        let median = (history > 0).then_some(240.0);
        assert_eq!(typical, median);
        assert_eq!(read_by.is_some(), history > 0);
    }
    let [with, without] = [lags[0], lags[1]];
    assert!(with[1] <= 0.1 * INTERVAL, "late {with:?}");
    // The reads leave a quarter of the burst, less the token of the last read.
    let taken = 10.0 * 0.75 + 1.0;
    let more = taken / 5.0;
    assert!(
        with[2] <= without[2] + more,
        "{with:?}, {without:?} without"
    );
}

/// How late the running steps of one target are, in seconds, while nine that share its rate limit read
/// their history.
async fn lag_beside_readers(history: usize) -> f64 {
    let limit = RateLimit {
        requests_per_second: 5.0,
        burst: NonZeroU32::new(10).unwrap(),
    };
    let limiter = Arc::new(RateLimiter::new(limit, Instant::now()));
    let share = |history, account| {
        Polling::start_sharing(limiter.clone(), &[], &config(history), Arc::new(account))
    };
    let account = Account::begin(RUNNING / 2);
    let polling = share(0, account.clone());
    let readers: Vec<_> = (0..9)
        .map(|_| Account::begin(0))
        .map(|reader| (share(history, reader.clone()), reader))
        .collect();
    polling.until(BEGINS).await;
    account.running.begin_record();
    polling.until(ENDS).await;
    let calls = readers
        .iter()
        .map(|(_, reader)| reader.calls.lock().unwrap().len());
    assert_eq!(calls.sum::<usize>() > 500, history > 0);
    quantile(&account.running.record().running, 0.99)
}

#[tokio::test(start_paused = true)]
async fn history_of_other_targets_with_the_same_limit_delays_no_running_step() {
    let lag = lag_beside_readers(5).await;
    let without = lag_beside_readers(0).await;
    println!("late by {lag} s beside readers, by {without} s without (p99)");
    assert!(lag <= 0.1 * INTERVAL, "{lag} s, {without} s without");
}
