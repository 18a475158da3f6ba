//! A program behind the server, which a test makes up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::config::StatusFormat;
use imagebuilder_exporter::exposition::{Scrape, ScrapeSource};
use imagebuilder_exporter::finished::FinishedSnapshot;
use imagebuilder_exporter::health::HealthView;
use imagebuilder_exporter::http::{Exporter, Reload};
use imagebuilder_exporter::labels::LabelText;
use imagebuilder_exporter::model::{StepExecution, StepStatus, Timestamp};
use imagebuilder_exporter::self_metrics::{PollerMetrics, ProcessMetrics};
use imagebuilder_exporter::snapshot::{Records, SeriesUsage, StepRecord, StepTable};
use imagebuilder_exporter::status::{self, Known};
use tokio::sync::Notify;

use super::LONG;

pub struct Program {
    records: Records,
    pub ready: AtomicBool,
    /// Whether scrapes and pages panic.
    pub broken: AtomicBool,
    pub panics: AtomicUsize,
    /// The result of a reload; `None` where reloading is off.
    reload: Option<Result<(), String>>,
    /// Lets a reload end.
    pub reload_may_end: Arc<Notify>,
    pub reload_ended: Arc<Notify>,
    pages: Mutex<Pages>,
    pages_changed: Condvar,
}

/// The status pages that are being rendered.
#[derive(Default)]
struct Pages {
    now: usize,
    most: usize,
    /// They may not be finished yet.
    held: bool,
}

impl Program {
    pub fn with_steps(count: usize) -> Self {
        let records = (0..count).map(|at| {
            let id = format!("step-00000000-0000-0000-0000-{at:012}");
            let answer = StepExecution::with_status(StepStatus::Running);
            let record = StepRecord::unseen(id.parse().unwrap(), LabelText::new([]));
            StepRecord {
                full: true,
                ..record.after_response(answer, "us-west-2", Timestamp::from_millis(0))
            }
        });
        Self {
            records: Records {
                steps: StepTable::new(records),
                ..Records::default()
            },
            ready: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            panics: AtomicUsize::new(0),
            reload: None,
            reload_may_end: Arc::new(Notify::new()),
            reload_ended: Arc::new(Notify::new()),
            pages: Mutex::default(),
            pages_changed: Condvar::new(),
        }
    }

    pub fn with_reload(self, result: Result<(), String>) -> Self {
        Self {
            reload: Some(result),
            ..self
        }
    }

    /// Holds every page from now on, or lets them all be finished.
    pub fn hold_pages(&self, held: bool) {
        self.pages.lock().unwrap().held = held;
        self.pages_changed.notify_all();
    }

    pub fn pages_now(&self) -> usize {
        self.pages.lock().unwrap().now
    }

    /// The most pages that were rendered at a time.
    pub fn most_pages(&self) -> usize {
        self.pages.lock().unwrap().most
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn render_page(&self) {
        let mut pages = self.pages.lock().unwrap();
        pages.now += 1;
        pages.most = pages.most.max(pages.now);
        let held = { &self.pages_changed }.wait_timeout_while(pages, LONG, |pages| pages.held);
        held.unwrap().0.now -= 1;
    }
}

impl Exporter for Program {
    fn scrape(&self) -> Scrape {
        assert!(!self.is_broken(), "as the test says");
        let started = Clock::System.now().instant;
        Scrape {
            now: Timestamp::from_millis(1_000),
            status_format: StatusFormat::Stateset,
            message_labels: false,
            sources: vec![ScrapeSource {
                target: "production".into(),
                region: "us-west-2".into(),
                snapshot: self.records.snapshot(),
                up: Some(true),
                metrics: Arc::new(PollerMetrics::new("production", "us-west-2")),
            }],
            finished: FinishedSnapshot::empty(started),
            baselines: Default::default(),
            process: Arc::new(ProcessMetrics::new(&[])),
            series_limit: 0,
            derived: Default::default(),
        }
    }

    fn config(&self) -> String {
        "polling:\n  interval: 30s\n".to_owned()
    }

    fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    fn status(&self) -> Known {
        assert!(!self.is_broken(), "as the test says");
        self.render_page();
        Known {
            now: Timestamp::from_millis(1_000),
            ready: self.ready(),
            shard: None,
            series: SeriesUsage::default(),
            baselines: Default::default(),
            ends: Default::default(),
            sources: vec![status::StatusSource {
                target: "production".into(),
                region: "us-west-2".into(),
                snapshot: self.records.snapshot(),
                health: HealthView::default(),
            }],
        }
    }

    fn ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    fn reload(&self) -> Option<Reload> {
        let result = self.reload.clone()?;
        let (may_end, ended) = (self.reload_may_end.clone(), self.reload_ended.clone());
        Some(Box::pin(async move {
            may_end.notified().await;
            ended.notify_one();
            result
        }))
    }
}
