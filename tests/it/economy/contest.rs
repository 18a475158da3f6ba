//! How soon a change is exposed and how many calls that takes, against an exporter that Gets every step.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imagebuilder_exporter::api::{ImageBuilder, Operation};
use imagebuilder_exporter::config::RateLimit;
use imagebuilder_exporter::model::{StepExecutionId, StepStatus};
use imagebuilder_exporter::poller::RateLimiter;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{BUILDS, INTERVAL, STEPS};
use crate::support::busy_account::{BusyAccount, Record, Shape};
use crate::support::fleet::{Detection, Fleet, Shows, limit, quantile};
use crate::support::paused;

/// High enough that throttling, which lowers it to a part of it, makes nobody wait.
const NO_LIMIT: RateLimit = limit(1e6, 1_000_000);
/// The default.
const LIMIT: RateLimit = limit(5.0, 10);

/// A row of the table.
#[derive(Clone, Copy, Debug)]
struct Contest {
    /// Each runs seven steps, one after the other.
    executions: usize,
    /// How long an execution takes, in seconds.
    period: u32,
    limit: RateLimit,
    /// For how long it is measured.
    minutes: u64,
}

struct Measured {
    record: Record,
    /// From a change of a step to its being shown, in milliseconds.
    lags: Vec<i64>,
    calls_an_interval: f64,
    calls_a_step: f64,
}

impl Contest {
    fn shape(&self) -> Shape {
        Shape {
            pipelines: self.executions,
            period: self.period,
            queued: 0.0,
            tested: 0.0,
            timed_out: 0.05,
            throttled: 0.01,
        }
    }

    /// What there is at the beginning is found without a limit.
    const FOUND: Duration = Duration::from_secs(60);

    /// When measuring begins: under a limit after two rounds of the slower one.
    fn begins(&self) -> Duration {
        let rounds = match self.is_limited() {
            true => 2.0 * (self.executions * STEPS) as f64 / self.limit.requests_per_second,
            false => 0.0,
        };
        Self::FOUND + Duration::from_secs_f64(rounds.min(600.0) + 60.0)
    }

    fn ends(&self) -> Duration {
        self.begins() + Duration::from_secs(60 * self.minutes)
    }

    fn is_limited(&self) -> bool {
        self.limit != NO_LIMIT
    }

    async fn ours(self) -> Measured {
        let fleet = Fleet::start(1, self.shape(), NO_LIMIT);
        let mut detection = Detection::new(&fleet.accounts, self.shape());
        detection.watch(&fleet.published, Self::FOUND).await;
        fleet.configure(self.limit);
        detection.watch(&fleet.published, self.begins()).await;
        fleet.accounts[0].begin_record();
        detection.lags.clear();
        detection.watch(&fleet.published, self.ends()).await;
        let record = fleet.accounts[0].record();
        let refreshed = record.refreshed + record.of(Operation::GetWorkflowStepExecution);
        let measured = self.measured(record, &detection, refreshed);
        fleet.stop().await;
        measured
    }

    async fn naive(self) -> Measured {
        let account = BusyAccount::new(1, self.shape());
        let naive = Naive::default();
        let polling = tokio::spawn(naive.clone().run(account.clone(), self));
        let mut detection = Detection::new(std::slice::from_ref(&account), self.shape());
        let shown = std::slice::from_ref(&naive);
        detection.watch(shown, self.begins()).await;
        account.begin_record();
        detection.lags.clear();
        detection.watch(shown, self.ends()).await;
        polling.abort();
        let record = account.record();
        let refreshed = record.all();
        self.measured(record, &detection, refreshed)
    }

    fn measured(self, record: Record, detection: &Detection, refreshed: usize) -> Measured {
        let calls = record.all() as f64;
        Measured {
            calls_an_interval: calls / (self.minutes as f64 * 60.0 / INTERVAL),
            calls_a_step: calls / refreshed as f64,
            lags: detection.all(),
            record,
        }
    }

    fn print(&self, name: &str, measured: &Measured) {
        let limit = match self.is_limited() {
            true => "5/s",
            false => "none",
        };
        println!(
            "| {} | {limit} | {name} | {:.1} | {:.2} | {:.1} s | {:.1} s |",
            self.executions * STEPS,
            measured.calls_an_interval,
            measured.calls_a_step,
            quantile(&measured.lags, 0.5),
            quantile(&measured.lags, 0.99),
        );
    }

    fn assert_won(&self, naive: &Measured, ours: &Measured) {
        let executions = self.executions as f64;
        assert_eq!(ours.record.most_gets, 1, "one Get a step ever, {self:?}");
        let [p50, p99] = [0.5, 0.99].map(|part| quantile(&ours.lags, part));
        let naive_p50 = quantile(&naive.lags, 0.5);
        if self.is_limited() && self.executions == 1_000 {
            // Neither sees all in an interval: who needs fewer calls sees more.
            assert!(p50 * 4.0 < naive_p50, "{p50} and {naive_p50}, {self:?}");
            return;
        }
        assert!((0.3..=0.6).contains(&(p50 / INTERVAL)), "{p50}, {self:?}");
        assert!(p99 <= 1.1 * INTERVAL, "{p99}, {self:?}");
        // The account's lists are as many for one build as for fifty.
        if self.executions >= BUILDS {
            let gets = ours.record.of(Operation::GetWorkflowStepExecution);
            let lists = ours.record.of(Operation::ListWorkflowStepExecutions);
            let intervals = self.minutes as f64 * 60.0 / INTERVAL;
            let lists = lists as f64 / intervals / executions;
            assert!(lists <= 1.1, "{lists} Lists, {self:?}");
            let all = (ours.record.all() - gets) as f64 / intervals / executions;
            assert!(all <= 1.5, "{all} calls in all, {self:?}");
            let (ours, naive) = (ours.calls_a_step, naive.calls_a_step);
            assert!(
                ours * 5.0 <= naive,
                "{ours} calls a step, {naive} of the naive"
            );
        }
    }
}

/// An exporter that is told the ids of all steps of what runs, and Gets each every interval.
#[derive(Clone, Debug, Default)]
struct Naive {
    known: Arc<Mutex<HashMap<StepExecutionId, StepStatus>>>,
}

impl Naive {
    async fn run(self, account: BusyAccount, contest: Contest) {
        let limiter = RateLimiter::new(NO_LIMIT, Instant::now());
        loop {
            let began = Instant::now();
            let now = account.now();
            let mut calls = JoinSet::new();
            for id in self.asked_for(&account, contest.executions, now) {
                tokio::time::sleep_until(limiter.reserve(Instant::now())).await;
                let answer = account.get_workflow_step_execution(id);
                let known = self.known.clone();
                let sent = Instant::now();
                calls.spawn(async move {
                    let answer = answer.await;
                    let is_throttled = answer.is_err();
                    if let Ok(answer) = answer {
                        known.lock().unwrap().insert(id, answer.value.status);
                    }
                    (sent, is_throttled)
                });
                while let Some(ended) = calls.try_join_next() {
                    adapt(ended.unwrap(), &limiter);
                }
            }
            while let Some(ended) = calls.join_next().await {
                adapt(ended.unwrap(), &limiter);
            }
            limiter.configure(contest.limit, Instant::now());
            tokio::time::sleep_until(began + Duration::from_secs_f64(INTERVAL)).await;
        }
    }

    /// The steps of what runs, and those of what ran before whose end was not seen.
    fn asked_for(
        &self,
        account: &BusyAccount,
        executions: usize,
        now: i64,
    ) -> Vec<StepExecutionId> {
        let running = (0..executions).flat_map(|pipeline| {
            let build = account.running(pipeline, now);
            build.steps.iter().map(|step| step.id).collect::<Vec<_>>()
        });
        let running: BTreeSet<StepExecutionId> = running.collect();
        let mut known = self.known.lock().unwrap();
        known.retain(|id, status| running.contains(id) || !status.is_terminal());
        let unseen = known.keys().filter(|id| !running.contains(id)).copied();
        unseen.chain(running.iter().copied()).collect()
    }
}

/// Calls of the busy account fail by throttling alone.
fn adapt((sent, is_throttled): (Instant, bool), limiter: &RateLimiter) {
    match is_throttled {
        true => {
            limiter.throttled(sent, Instant::now());
        }
        false => limiter.accepted(Instant::now()),
    }
}

impl Shows for Naive {
    fn statuses(&self, of: &HashSet<StepExecutionId>) -> HashMap<StepExecutionId, StepStatus> {
        let known = self.known.lock().unwrap();
        let known = of
            .iter()
            .filter_map(|id| Some((*id, known.get(id)?.clone())));
        known.collect()
    }
}

#[test]
fn changes_are_exposed_as_soon_as_by_a_naive_exporter_for_a_fifth_of_its_calls() {
    let contests = [
        (1, 3_600, NO_LIMIT, 8 * 60),
        (50, 3_600, NO_LIMIT, 30),
        (1_000, 14_400, NO_LIMIT, 4),
        (1, 3_600, LIMIT, 8 * 60),
        (50, 3_600, LIMIT, 30),
        (1_000, 14_400, LIMIT, 40),
    ];
    let contests = contests.map(|(executions, period, limit, minutes)| Contest {
        executions,
        period,
        limit,
        minutes,
    });
    let rows = std::thread::scope(|threads| {
        let rows = contests.map(|contest| {
            let ours = threads.spawn(move || paused(contest.ours()));
            let naive = threads.spawn(move || paused(contest.naive()));
            (contest, naive, ours)
        });
        rows.map(|(contest, naive, ours)| (contest, naive.join().unwrap(), ours.join().unwrap()))
    });
    println!(
        "| running steps | rate limit | exporter | calls an interval | calls a refreshed step \
         | detection lag p50 | p99 |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (contest, naive, ours) in &rows {
        contest.print("naive", naive);
        contest.print("ours", ours);
    }
    for (contest, naive, ours) in &rows {
        contest.assert_won(naive, ours);
    }
}
