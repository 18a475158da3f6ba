//! How many calls it takes to know the truth about many running builds, and how soon it is known.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imagebuilder_exporter::api::{
    Answer, ApiError, ErrorKind, ImageBuilder, ListPage, Operation, Page, Parsed, StepPage,
    WorkflowPage,
};
use imagebuilder_exporter::config::RateLimit;
use imagebuilder_exporter::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, StepStatus, WorkflowExecution,
    WorkflowExecutionId, WorkflowStatus,
};

use imagebuilder_exporter::schedule::RateLimiter;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::fleet::{Detection, Fleet, Shows, limit, quantile};
use crate::support::poller::Polling;
use crate::support::scripted::unasked;
use crate::support::world::{Record, Shape, World};

const BUILDS: usize = 50;
const STEPS: usize = 7;
const INTERVAL: f64 = 30.0;
const INTERVALS: f64 = 40.0;

/// High enough that throttling, which lowers it to a part of it, makes nobody wait.
const NO_LIMIT: RateLimit = limit(1e6, 1_000_000);
/// The default.
const LIMIT: RateLimit = limit(5.0, 10);

/// Builds that all are at their fourth step, and stay there.
#[derive(Clone, Debug, Default)]
struct ManyBuilds {
    calls: Arc<Mutex<BTreeMap<Operation, usize>>>,
}

impl ManyBuilds {
    fn count(&self, operation: Operation) {
        *self.calls.lock().unwrap().entry(operation).or_default() += 1;
    }

    fn calls(&self) -> BTreeMap<Operation, usize> {
        self.calls.lock().unwrap().clone()
    }
}

fn step_id(build: usize, step: usize) -> StepExecutionId {
    let text = format!("step-{build:08}-0000-0000-0000-{step:012}");
    text.parse().unwrap()
}

fn workflow_id(build: usize) -> WorkflowExecutionId {
    format!("wf-{build:08}-0000-0000-0000-000000000000")
        .parse()
        .unwrap()
}

/// The build that an id was made for.
fn build_of(uuid: &str) -> usize {
    uuid[..8].parse().unwrap()
}

fn told(build: usize, step: usize) -> StepExecution {
    StepExecution {
        workflow_execution_id: Some(workflow_id(build)),
        ..StepExecution::with_status(match step {
            0..3 => StepStatus::Completed,
            3 => StepStatus::Running,
            _ => StepStatus::Pending,
        })
    }
}

impl ImageBuilder for ManyBuilds {
    fn get_workflow_step_execution(&self, id: StepExecutionId) -> Answer<StepExecution> {
        self.count(Operation::GetWorkflowStepExecution);
        let step = id.uuid()[24..].parse().unwrap();
        let answer = told(build_of(id.uuid()), step);
        Box::pin(async { Ok(Parsed::from(answer)) })
    }

    fn get_workflow_execution(&self, _: WorkflowExecutionId) -> Answer<WorkflowExecution> {
        self.count(Operation::GetWorkflowExecution);
        let answer = WorkflowExecution::with_status(WorkflowStatus::Running);
        Box::pin(async { Ok(Parsed::from(answer)) })
    }

    fn list_workflow_step_executions(&self, id: WorkflowExecutionId, _: Page) -> Answer<StepPage> {
        self.count(Operation::ListWorkflowStepExecutions);
        let build = build_of(id.uuid());
        let steps = (0..STEPS).map(|step| (step_id(build, step), Some(told(build, step))));
        let page = StepPage {
            entries: steps.collect(),
            next: None,
        };
        Box::pin(async { Ok(Parsed::from(page)) })
    }

    fn list_workflow_executions(&self, _: ImageArn, _: Page) -> Answer<WorkflowPage> {
        unasked()
    }

    fn list_image_build_versions(&self, _: Page) -> Answer<ListPage<Image>> {
        unasked()
    }

    fn list_image_pipelines(&self, _: Page) -> Answer<ListPage<Pipeline>> {
        unasked()
    }

    fn get_image(&self, _: ImageArn) -> Answer<Image> {
        unasked()
    }
}

#[tokio::test(start_paused = true)]
async fn one_get_a_step_ever_and_then_about_one_call_a_build_and_interval() {
    let api = ManyBuilds::default();
    let ids = (0..BUILDS).flat_map(|build| (0..STEPS).map(move |step| step_id(build, step)));
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    let yaml = format!(
        "targets: [{{name: t, regions: [us-west-2], rate_limit: {{requests_per_second: 50, burst: 50}}, \
         step_executions: [{}]}}]\n",
        ids.join(", ")
    );
    let polling = Polling::start(&yaml, Arc::new(api.clone()));
    polling.until(2.0 * INTERVAL).await;
    let begun = api.calls();
    polling.until((2.0 + INTERVALS) * INTERVAL).await;
    let ended = api.calls();

    let per_build_and_interval = |operation: Operation| {
        let by = |calls: &BTreeMap<_, usize>| calls.get(&operation).copied().unwrap_or_default();
        (by(&ended) - by(&begun)) as f64 / (BUILDS as f64 * INTERVALS)
    };
    let gets = Operation::GetWorkflowStepExecution;
    let lists = per_build_and_interval(Operation::ListWorkflowStepExecutions);
    let all: f64 = Operation::ALL.into_iter().map(per_build_and_interval).sum();
    println!(
        "calls a running build and interval: {lists:.3} Lists, {all:.3} in all; naive {STEPS}"
    );
    assert_eq!(ended[&gets], BUILDS * STEPS, "one Get a step ever");
    assert!((0.95..=1.1).contains(&lists), "{lists} Lists");
    assert!(all <= 1.5, "{all} calls in all");
}

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
        let mut detection = Detection::new(&fleet.worlds, self.shape());
        detection.watch(&fleet.shown, Self::FOUND).await;
        fleet.configure(self.limit);
        detection.watch(&fleet.shown, self.begins()).await;
        fleet.worlds[0].begin_record();
        detection.lags.clear();
        detection.watch(&fleet.shown, self.ends()).await;
        let record = fleet.worlds[0].record();
        let refreshed = record.refreshed + record.of(Operation::GetWorkflowStepExecution);
        let measured = self.measured(record, &detection, refreshed);
        fleet.stop().await;
        measured
    }

    async fn naive(self) -> Measured {
        let world = World::new(1, self.shape());
        let naive = Naive::default();
        let polling = tokio::spawn(naive.clone().run(world.clone(), self));
        let mut detection = Detection::new(std::slice::from_ref(&world), self.shape());
        let shown = std::slice::from_ref(&naive);
        detection.watch(shown, self.begins()).await;
        world.begin_record();
        detection.lags.clear();
        detection.watch(shown, self.ends()).await;
        polling.abort();
        let record = world.record();
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
}

/// An exporter that is told the ids of all steps of what runs, and Gets each every interval.
#[derive(Clone, Debug, Default)]
struct Naive {
    known: Arc<Mutex<HashMap<StepExecutionId, StepStatus>>>,
}

impl Naive {
    async fn run(self, world: World, contest: Contest) {
        let limiter = RateLimiter::new(NO_LIMIT, Instant::now());
        loop {
            let began = Instant::now();
            let now = world.now();
            let mut calls = JoinSet::new();
            for id in self.asked_for(&world, contest.executions, now) {
                tokio::time::sleep_until(limiter.reserve(Instant::now())).await;
                let answer = world.get_workflow_step_execution(id);
                let known = self.known.clone();
                calls.spawn(async move {
                    let answer = answer.await?;
                    known.lock().unwrap().insert(id, answer.value.status);
                    Ok(())
                });
                while let Some(ended) = calls.try_join_next() {
                    slow_down(ended.unwrap(), &limiter);
                }
            }
            while let Some(ended) = calls.join_next().await {
                slow_down(ended.unwrap(), &limiter);
            }
            limiter.configure(contest.limit, Instant::now());
            tokio::time::sleep_until(began + Duration::from_secs_f64(INTERVAL)).await;
        }
    }
}

impl Naive {
    /// The steps of what runs, and those of what ran before whose end was not seen.
    fn asked_for(&self, world: &World, executions: usize, now: i64) -> Vec<StepExecutionId> {
        let running = (0..executions).flat_map(|pipeline| {
            let build = world.running(pipeline, now);
            build.steps.iter().map(|step| step.id).collect::<Vec<_>>()
        });
        let running: BTreeSet<StepExecutionId> = running.collect();
        let mut known = self.known.lock().unwrap();
        known.retain(|id, status| running.contains(id) || !status.is_terminal());
        let unseen = known.keys().filter(|id| !running.contains(id)).copied();
        unseen.chain(running.iter().copied()).collect()
    }
}

fn slow_down(ended: Result<(), ApiError>, limiter: &RateLimiter) {
    if ended.is_err_and(|error| error.kind == ErrorKind::Throttled) {
        limiter.throttled(Instant::now());
    }
}

impl Shows for Naive {
    fn status(&self, id: &StepExecutionId) -> Option<StepStatus> {
        self.known.lock().unwrap().get(id).cloned()
    }
}

/// On a clock of its own.
fn paused<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(future)
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one scenario, checked at several moments"
)]
fn what_is_shown_is_as_new_as_a_naive_exporter_shows_it_for_a_fifth_of_its_calls() {
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
        for (name, measured) in [("naive", naive), ("ours", ours)] {
            let limit = match contest.is_limited() {
                true => "5/s",
                false => "none",
            };
            println!(
                "| {} | {limit} | {name} | {:.1} | {:.2} | {:.1} s | {:.1} s |",
                contest.executions * STEPS,
                measured.calls_an_interval,
                measured.calls_a_step,
                quantile(&measured.lags, 0.5),
                quantile(&measured.lags, 0.99),
            );
        }
    }
    for (contest, naive, ours) in &rows {
        let executions = contest.executions as f64;
        let name = format!("{contest:?}");
        assert_eq!(ours.record.most_gets, 1, "one Get a step ever, {name}");
        let [p50, p99] = [0.5, 0.99].map(|part| quantile(&ours.lags, part));
        let naive_p50 = quantile(&naive.lags, 0.5);
        if contest.is_limited() && contest.executions == 1_000 {
            // Neither sees all in an interval: who needs fewer calls sees more.
            assert!(p50 * 4.0 < naive_p50, "{p50} and {naive_p50}, {name}");
            continue;
        }
        assert!((0.3..=0.6).contains(&(p50 / INTERVAL)), "{p50}, {name}");
        assert!(p99 <= 1.1 * INTERVAL, "{p99}, {name}");
        // The account's lists are as many for one build as for fifty.
        if contest.executions >= BUILDS {
            let gets = ours.record.of(Operation::GetWorkflowStepExecution);
            let lists = ours.record.of(Operation::ListWorkflowStepExecutions);
            let intervals = contest.minutes as f64 * 60.0 / INTERVAL;
            let lists = lists as f64 / intervals / executions;
            assert!(lists <= 1.1, "{lists} Lists, {name}");
            let all = (ours.record.all() - gets) as f64 / intervals / executions;
            assert!(all <= 1.5, "{all} calls in all, {name}");
            let (ours, naive) = (ours.calls_a_step, naive.calls_a_step);
            assert!(
                ours * 5.0 <= naive,
                "{ours} calls a step, {naive} of the naive"
            );
        }
    }
}
