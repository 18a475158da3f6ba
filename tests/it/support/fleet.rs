//! Exporters that follow the pipelines of many accounts, and how soon they show what changes there.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::config::{Config, RateLimit};
use imagebuilder_exporter::finished::{Finished, FinishedSettings};
use imagebuilder_exporter::model::{StepExecutionId, StepStatus};
use imagebuilder_exporter::poller::{Claims, Poller, Published, RateLimiter, Tools};
use imagebuilder_exporter::self_metrics::{PollerMetrics, ProcessMetrics, Subsystem};
use imagebuilder_exporter::tracker::Assignment;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::busy_account::{Build, BusyAccount, Shape, clock};

/// How often it is looked whether a change is shown, in milliseconds.
const TICK: i64 = 500;

/// Kept this long after they ended, so that much of what is followed leaves within an hour.
pub const RETENTION: Duration = Duration::from_secs(30 * 60);

/// Who shows how steps stand.
pub trait Shows {
    /// The last statuses known of these steps, as far as they are known.
    fn statuses(&self, of: &HashSet<StepExecutionId>) -> HashMap<StepExecutionId, StepStatus>;
}

impl Shows for Arc<Published> {
    fn statuses(&self, of: &HashSet<StepExecutionId>) -> HashMap<StepExecutionId, StepStatus> {
        let snapshot = self.get().snapshot;
        let records = snapshot
            .steps
            .iter()
            .filter(|record| of.contains(&record.id));
        let observed = records.filter_map(|record| Some((record.id, record.observed.as_ref()?)));
        observed
            .map(|(id, observed)| (id, observed.values.status.clone()))
            .collect()
    }
}

/// Running exporters' cores, one for each of some accounts.
pub struct Fleet {
    pub accounts: Vec<BusyAccount>,
    pub published: Vec<Arc<Published>>,
    process: Arc<ProcessMetrics>,
    finished: Arc<Finished>,
    limiters: Vec<Arc<RateLimiter>>,
    /// Dropped, it ends the pollers.
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<Poller>>,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    pub steps: usize,
    pub workflows: usize,
    pub images: usize,
    /// Counted executions that the finished counters remember.
    pub remembered: usize,
}

impl Fleet {
    /// Each account has a target with a rate limit of its own.
    pub fn start(accounts: usize, shape: Shape, limit: RateLimit) -> Self {
        let minutes = RETENTION.as_secs() / 60;
        let mut yaml =
            format!("metrics: {{retention: {minutes}m, retention_failed: {minutes}m}}\ntargets:\n");
        for target in 0..accounts {
            yaml += &format!("- {{name: t{target}, regions: [us-west-2], pipelines: ['*']}}\n");
        }
        let config = Config::read("fleet.yaml", &yaml, &|_| None);
        let config = config.expect("the configuration is valid").config;
        let clock = clock();
        let started = clock.now();
        let settings = FinishedSettings {
            warmup: config.metrics.counter_warmup,
            keep: RETENTION,
            retention: None,
            buckets: config.metrics.duration_buckets.clone(),
        };
        let finished = Arc::new(Finished::new(started.instant, &settings));
        let claims = Arc::new(Claims::default());
        let process = Arc::new(ProcessMetrics::new(&[]));
        let stop = watch::Sender::new(false);
        let mut fleet = Self {
            accounts: Vec::new(),
            published: Vec::new(),
            finished: finished.clone(),
            process: process.clone(),
            limiters: Vec::new(),
            stop,
            tasks: Vec::new(),
        };
        for (place, assignment) in Assignment::all(&config).into_iter().enumerate() {
            let account = BusyAccount::new(place as u16 + 1, shape);
            let target = &assignment.target.name;
            let limiter = Arc::new(RateLimiter::new(limit, started.instant));
            fleet.limiters.push(limiter.clone());
            let tools = Tools {
                api: Arc::new(account.clone()),
                limiter,
                clock,
                metrics: Arc::new(PollerMetrics::new(target, "us-west-2")),
                process: process.clone(),
                finished: finished.clone(),
                baselines: Arc::default(),
                claims: claims.clone(),
                seed: place as u64,
            };
            let poller = Poller::new(assignment, tools);
            let (attempted, _) = watch::channel(false);
            fleet.accounts.push(account);
            fleet.published.push(poller.published().clone());
            let running = poller.run(fleet.stop.subscribe(), attempted);
            fleet.tasks.push(tokio::spawn(running));
        }
        fleet
    }

    pub fn kept(&self) -> Kept {
        let stores = self.published.iter().map(|one| one.get().snapshot);
        let none = Kept {
            steps: 0,
            workflows: 0,
            images: 0,
            remembered: self.finished.remembered(),
        };
        stores.fold(none, |kept, store| Kept {
            steps: kept.steps + store.steps.iter().count(),
            workflows: kept.workflows + store.workflows.len(),
            images: kept.images + store.images.len(),
            ..kept
        })
    }

    /// Goes on with another rate limit, as a reload does.
    pub fn configure(&self, limit: RateLimit) {
        for limiter in &self.limiters {
            limiter.configure(limit, Instant::now());
        }
    }

    /// Ends the pollers, of which none may have panicked.
    pub async fn stop(self) {
        assert_eq!(self.process.panics(Subsystem::Poller), 0);
        self.stop.send_replace(true);
        for task in self.tasks {
            task.await.expect("the poller does not panic");
        }
    }
}

/// Watches for the changes of steps that are known already, and how long each takes to be shown.
pub struct Detection {
    accounts: Vec<BusyAccount>,
    /// The pipelines, by when the changes of the next build are to be gathered.
    next: BinaryHeap<Reverse<(i64, usize, usize)>>,
    coming: BinaryHeap<Reverse<Change>>,
    /// Changes that are not shown yet.
    open: Vec<Change>,
    /// In milliseconds.
    pub lags: Vec<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    at: i64,
    account: usize,
    step: StepExecutionId,
    ended: bool,
}

impl Detection {
    /// Watches from now on.
    pub fn new(accounts: &[BusyAccount], shape: Shape) -> Self {
        let now = accounts[0].now();
        let pipelines =
            |account| (0..shape.pipelines).map(move |pipeline| (now, account, pipeline));
        Self {
            next: { 0..accounts.len() }
                .flat_map(pipelines)
                .map(Reverse)
                .collect(),
            accounts: accounts.to_vec(),
            coming: BinaryHeap::new(),
            open: Vec::new(),
            lags: Vec::new(),
        }
    }

    /// Lets time pass until the accounts are so old, and watches.
    pub async fn watch<S: Shows>(&mut self, shown: &[S], until: Duration) {
        let until = until.as_millis() as i64;
        loop {
            let now = self.accounts[0].now();
            self.look(shown, now);
            if now >= until {
                return;
            }
            let wait = Duration::from_millis(TICK.min(until - now) as u64);
            tokio::time::sleep(wait).await;
        }
    }

    fn look<S: Shows>(&mut self, shown: &[S], now: i64) {
        while let Some(Reverse((at, account, pipeline))) = self.next.peek().copied()
            && at <= now
        {
            self.next.pop();
            let build = self.accounts[account].running(pipeline, now);
            self.gather(&build, account, now);
            let last = build.steps.last().expect("a build has steps");
            self.next.push(Reverse((last.ends, account, pipeline)));
        }
        let mut begun = Vec::new();
        while let Some(Reverse(change)) = self.coming.peek().copied()
            && change.at <= now
        {
            self.coming.pop();
            begun.push(change);
        }
        if begun.is_empty() && self.open.is_empty() {
            return;
        }
        let mut watched = vec![HashSet::new(); shown.len()];
        for change in self.open.iter().chain(&begun) {
            watched[change.account].insert(change.step);
        }
        let statuses = shown.iter().zip(&watched);
        let statuses: Vec<_> = statuses.map(|(one, of)| one.statuses(of)).collect();
        // One that is not known is still to be found: that takes a discovery pass.
        begun.retain(|change| statuses[change.account].contains_key(&change.step));
        self.open.extend(begun);
        let lags = &mut self.lags;
        self.open.retain(|change| {
            let status = statuses[change.account].get(&change.step);
            let is_shown = status.is_none_or(|status| {
                status.is_terminal() || (!change.ended && *status == StepStatus::Running)
            });
            if is_shown {
                lags.push(now - change.at);
            }
            !is_shown
        });
    }

    fn gather(&mut self, build: &Build, account: usize, now: i64) {
        for step in &build.steps {
            for (at, ended) in [(step.begins, false), (step.ends, true)] {
                if at > now {
                    let step = step.id;
                    self.coming.push(Reverse(Change {
                        at,
                        account,
                        step,
                        ended,
                    }));
                }
            }
        }
    }

    /// All lags, with what is not shown yet as it stands.
    pub fn all(&self) -> Vec<i64> {
        let now = self.accounts[0].now();
        let open = self.open.iter().map(|change| now - change.at);
        self.lags.iter().copied().chain(open).collect()
    }
}

/// The value that so large a part of the values is not above, in seconds; 0 of none.
pub fn quantile(millis: &[i64], part: f64) -> f64 {
    let mut sorted = millis.to_vec();
    sorted.sort_unstable();
    let place = ((sorted.len() as f64 * part).ceil() as usize).max(1) - 1;
    sorted
        .get(place)
        .map_or(0.0, |millis| *millis as f64 / 1_000.0)
}

pub const fn limit(requests_per_second: f64, burst: u32) -> RateLimit {
    RateLimit {
        requests_per_second,
        burst: NonZeroU32::new(burst).expect("a burst is above 0"),
    }
}
