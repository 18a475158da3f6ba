//! The program behind the server: a snapshot of so many steps.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imagebuilder_exporter::baseline::BaselineSnapshot;
use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::config::StatusFormat;
use imagebuilder_exporter::exposition::{LimitedRecords, Scrape, ScrapeSource};
use imagebuilder_exporter::finished::FinishedSnapshot;
use imagebuilder_exporter::health::HealthView;
use imagebuilder_exporter::http::{Exporter, Reload};
use imagebuilder_exporter::labels::LabelText;
use imagebuilder_exporter::model::{
    ImageArn, OnFailure, StepExecution, StepStatus, Timestamp, WorkflowArn,
};
use imagebuilder_exporter::self_metrics::{PollerMetrics, ProcessMetrics};
use imagebuilder_exporter::snapshot::{
    Phase, Records, SeriesUsage, Snapshot, StepRecord, StepTable,
};
use imagebuilder_exporter::status::{self, Known};

/// The managed build workflow.
const STEPS: [(&str, &str); 7] = [
    ("LaunchBuildInstance", "LaunchInstance"),
    ("ApplyBuildComponents", "ExecuteComponents"),
    ("InventoryCollection", "CollectImageMetadata"),
    ("RunSanitizeScript", "SanitizeInstance"),
    ("RunSysPrepScript", "RunSysPrep"),
    ("CreateOutputAMI", "CreateImage"),
    ("TerminateBuildInstance", "TerminateInstance"),
];

const NOW: Timestamp = Timestamp::from_millis(1_788_981_143_418);

const NO_PANIC: &str = "no holder of the lock panics";

/// A program that knows so many steps. Its time moves with each scrape, unless it is held.
pub(crate) struct Program {
    records: Mutex<Records>,
    published: Mutex<Arc<Snapshot>>,
    finished: FinishedSnapshot,
    baselines: BaselineSnapshot,
    now: AtomicI64,
    is_held: AtomicBool,
    metrics: Arc<PollerMetrics>,
    process: Arc<ProcessMetrics>,
}

impl Program {
    pub(crate) fn with_steps(count: usize) -> Self {
        let records = Records {
            steps: StepTable::new((0..count).map(record)),
            ..Records::default()
        };
        Self {
            published: Mutex::new(records.snapshot()),
            records: Mutex::new(records),
            finished: FinishedSnapshot::empty(Clock::System.now().instant),
            baselines: BaselineSnapshot::default(),
            now: AtomicI64::new(NOW.millis() + 60_000),
            is_held: AtomicBool::new(false),
            metrics: Arc::new(PollerMetrics::new("production", "us-west-2")),
            process: Arc::new(ProcessMetrics::new(&[])),
        }
    }

    /// Polls all running steps, which still run.
    pub(crate) fn poll(&self) {
        let now = self.now();
        let mut records = self.records.lock().expect(NO_PANIC);
        let steps = &mut records.steps;
        let running = steps.rows().records().iter();
        let running = running.filter(|record| record.phase != Phase::Settled);
        let ids: Vec<_> = running.map(|record| record.id).collect();
        for id in ids {
            steps.update(&id, |record| record.last_success = Some(now));
        }
        *self.published.lock().expect(NO_PANIC) = records.snapshot();
    }

    /// Lets some scrapes have the same time, like those that begin together.
    pub(crate) fn hold<T>(&self, scrapes: impl FnOnce() -> T) -> T {
        self.now.fetch_add(1_009, Ordering::Relaxed);
        self.is_held.store(true, Ordering::Relaxed);
        let result = scrapes();
        self.is_held.store(false, Ordering::Relaxed);
        result
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::Relaxed))
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.published.lock().expect(NO_PANIC).clone()
    }
}

impl Exporter for Program {
    fn scrape(&self) -> Scrape {
        if !self.is_held.load(Ordering::Relaxed) {
            self.now.fetch_add(1_009, Ordering::Relaxed);
        }
        let mut scrape = Scrape {
            now: self.now(),
            status_format: StatusFormat::Stateset,
            message_labels: false,
            sources: vec![ScrapeSource {
                target: "production".into(),
                region: "us-west-2".into(),
                snapshot: self.snapshot(),
                up: Some(true),
                metrics: self.metrics.clone(),
            }],
            finished: self.finished.clone(),
            baselines: self.baselines.clone(),
            process: self.process.clone(),
            series_limit: 2_000_000,
            derived: Default::default(),
        };
        // As the exporter does at each scrape.
        LimitedRecords::default().apply(&mut scrape);
        scrape
    }

    fn panicked(&self) {}

    fn config(&self) -> String {
        String::new()
    }

    fn status(&self) -> Known {
        Known {
            now: self.now(),
            ready: true,
            shard: None,
            series: SeriesUsage::default(),
            baselines: Default::default(),
            ends: Default::default(),
            sources: vec![status::StatusSource {
                target: "production".into(),
                region: "us-west-2".into(),
                snapshot: self.snapshot(),
                health: HealthView::default(),
            }],
        }
    }

    fn ready(&self) -> bool {
        true
    }

    fn reload(&self) -> Option<Reload> {
        None
    }
}

/// Returns the record of a step; its ids are as random as those of the service.
fn record(at: usize) -> StepRecord {
    let execution = at / STEPS.len();
    let (name, action) = STEPS[at % STEPS.len()];
    let running = at.is_multiple_of(10);
    let start = Timestamp::from_millis(NOW.millis() - at as i64 * 137);
    let image = format!(
        "arn:aws:imagebuilder:us-west-2:111122223333:image/golden-{}/1.0.{}/1",
        execution % 20,
        execution / 20
    );
    let answer = StepExecution {
        name: Some(name.to_owned()),
        action: Some(action.to_owned()),
        on_failure: Some(OnFailure::Abort),
        workflow_execution_id: format!("wf-{}", uuid(execution as u64 ^ 0xffff_ffff))
            .parse()
            .ok(),
        workflow: WorkflowArn::parse(
            "arn:aws:imagebuilder:us-west-2:aws:workflow/build/build-image/1.0.3/1",
        ),
        image: ImageArn::parse(&image),
        start: Some(start),
        end: (!running).then(|| start.plus(Duration::from_millis(147_404))),
        timeout_seconds: Some(4_500),
        ..StepExecution::with_status(if running {
            StepStatus::Running
        } else {
            StepStatus::Completed
        })
    };
    let id = format!("step-{}", uuid(at as u64));
    let record = StepRecord::unseen(id.parse().expect("it is one"), LabelText::new([]));
    let record = StepRecord {
        full: true,
        ..record.after_response(answer, "us-west-2", NOW)
    };
    if running {
        record
    } else {
        StepRecord {
            phase: Phase::Settled,
            ..record
        }
    }
}

fn uuid(seed: u64) -> String {
    let a = scattered(seed);
    let b = scattered(a);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xffff,
        b >> 48,
        b & 0xffff_ffff_ffff
    )
}

/// SplitMix64.
fn scattered(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
