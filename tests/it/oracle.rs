//! Random worlds on tokio's paused clock: what /metrics shows is what the world says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imagebuilder_exporter::api::{
    Answer, ApiError, ErrorKind, ImageBuilder, ListPage, Page, Parsed, StepPage, WorkflowPage,
};
use imagebuilder_exporter::clock::{Clock, Now};
use imagebuilder_exporter::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, StepStatus, Timestamp,
    WorkflowExecution, WorkflowExecutionId,
};
use imagebuilder_exporter::simulator::{Scenario, StepView, World};
use proptest::prelude::*;
use tokio::time::Instant;

use crate::support::exposition::samples;
use crate::support::poller::{EPOCH, Polling};
use crate::support::scripted::unasked;

/// How often a step is polled.
const INTERVAL: Duration = Duration::from_secs(30);
/// The longest that an answer takes.
const LATENCY: Duration = Duration::from_secs(2);
/// Until when builds begin.
const BEGUN: Duration = Duration::from_secs(10 * 60);
/// A step that stays PENDING settles an hour after its workflow's end.
const SETTLING: Duration = Duration::from_secs(2 * 60 * 60);

/// The API of a simulated world, with latency and faults by chance.
#[derive(Clone, Debug)]
struct WorldApi {
    world: Arc<World>,
    clock: Clock,
    chance: Arc<Mutex<fastrand::Rng>>,
    fault_rate: f64,
    calls: Arc<Mutex<u64>>,
}

impl WorldApi {
    fn answer<T: Send + 'static>(
        &self,
        look: impl FnOnce(&World, Timestamp) -> Option<T> + Send + 'static,
    ) -> Answer<T> {
        *self.calls.lock().unwrap() += 1;
        let mut chance = self.chance.lock().unwrap();
        let there = LATENCY.mul_f64(chance.f64() / 2.0);
        let back = LATENCY.mul_f64(chance.f64() / 2.0);
        let kinds = ErrorKind::ALL;
        // A 400-class answer is a word about the step, and a denied look at a workflow is not
        // repeated soon: both are told in scripts of their own.
        let fault = (chance.f64() < self.fault_rate)
            .then(|| kinds[chance.usize(..kinds.len())])
            .filter(|kind| !matches!(kind, ErrorKind::Client | ErrorKind::Forbidden));
        let (world, clock) = (self.world.clone(), self.clock);
        Box::pin(async move {
            tokio::time::sleep(there).await;
            let seen = look(&world, clock.now().time);
            tokio::time::sleep(back).await;
            match (fault, seen) {
                (Some(kind), _) => Err(ApiError::new(kind, "scripted")),
                (None, Some(seen)) => Ok(Parsed::from(seen)),
                (None, None) => Err(ApiError::new(ErrorKind::Client, "not known")),
            }
        })
    }
}

impl ImageBuilder for WorldApi {
    fn get_workflow_step_execution(&self, id: StepExecutionId) -> Answer<StepExecution> {
        self.answer(move |world, now| Some(world.step(&id, now)?.to_model()))
    }

    fn get_workflow_execution(&self, id: WorkflowExecutionId) -> Answer<WorkflowExecution> {
        self.answer(move |world, now| Some(world.workflow(&id, now)?.to_model()))
    }

    /// Pages of any size up to three, empty ones too.
    fn list_workflow_step_executions(
        &self,
        id: WorkflowExecutionId,
        page: Page,
    ) -> Answer<StepPage> {
        let from: usize = page
            .token
            .map_or(0, |token| token.parse().expect("one of ours"));
        let size = self.chance.lock().unwrap().usize(..4);
        self.answer(move |world, now| {
            let steps = world.steps_of(&id, now)?;
            let to = (from + size).min(steps.len());
            let told = |view: &StepView| StepExecution {
                timeout_seconds: None,
                on_failure: None,
                ..view.to_model()
            };
            Some(StepPage {
                entries: steps[from..to]
                    .iter()
                    .map(|view| (view.id, Some(told(view))))
                    .collect(),
                next: (to < steps.len()).then(|| to.to_string()),
            })
        })
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

/// What a text shows of one step.
#[derive(Debug, Default)]
struct ShownStep {
    status: Option<String>,
    rollback: Option<String>,
    start: Option<f64>,
    end: Option<f64>,
    duration: Option<f64>,
    timeout: Option<f64>,
    breached: Option<f64>,
    attempt: Option<f64>,
    last_success: Option<f64>,
    settled: bool,
}

impl ShownStep {
    /// What a text shows, by step.
    fn all(text: &str) -> HashMap<String, Self> {
        let mut all: HashMap<String, Self> = HashMap::new();
        for sample in samples(text) {
            let Some(name) = sample.name.strip_prefix("imagebuilder_workflow_step_") else {
                continue;
            };
            // What has finished is shown by step name, not by execution.
            let Some(id) = sample.labels.get("step_execution_id") else {
                continue;
            };
            let shown = all.entry(id.clone()).or_default();
            let status = || sample.labels.get("status").cloned();
            match name {
                "status" if sample.value == 1.0 => shown.status = status(),
                "rollback_status" if sample.value == 1.0 => shown.rollback = status(),
                "start_time_seconds" => shown.start = Some(sample.value),
                "end_time_seconds" => shown.end = Some(sample.value),
                "duration_seconds" => shown.duration = Some(sample.value),
                "timeout_seconds" => shown.timeout = Some(sample.value),
                "timeout_breached" => shown.breached = Some(sample.value),
                "attempt" => shown.attempt = Some(sample.value),
                "last_success_timestamp_seconds" => shown.last_success = Some(sample.value),
                "settled" => shown.settled = sample.value == 1.0,
                _ => {}
            }
        }
        all
    }

    /// Whether this is what the world said at `then`, seen by a scrape at `now`.
    fn is(&self, then: &StepExecution, now: Timestamp) -> bool {
        let seconds = |time: Timestamp| time.millis() as f64 / 1_000.0;
        let end = then.end.map(seconds);
        let start = then.start.map(seconds);
        let running = then.status == StepStatus::Running;
        let until = if running { Some(seconds(now)) } else { end };
        let duration = until.zip(start).map(|(until, start)| until - start);
        let timeout = then.timeout_seconds.map(f64::from);
        let breached = timeout.map(|timeout| {
            let duration = duration.unwrap_or(0.0);
            let by = match then.status {
                StepStatus::Running => duration >= timeout,
                StepStatus::Failed => duration >= timeout - 1.0,
                _ => false,
            };
            f64::from(u8::from(by))
        });
        let near = |one: Option<f64>, other: Option<f64>| match (one, other) {
            (Some(one), Some(other)) => (one - other).abs() < 0.0015,
            (None, None) => true,
            _ => false,
        };
        self.status.as_deref() == Some(then.status.as_str())
            && self.rollback.as_deref()
                == then.rollback_status.as_ref().map(|status| status.as_str())
            && near(self.start, start)
            && near(self.end, end)
            && near(self.duration, duration)
            && near(self.timeout, timeout)
            && near(self.breached, breached)
            && near(self.attempt, then.attempt.map(f64::from))
    }
}

/// One pipeline of builds, in the words of a scenario.
fn pipeline() -> impl Strategy<Value = String> {
    let step = (
        prop_oneof![
            6 => Just("completed"),
            2 => Just("failed"),
            1 => Just("hang"),
            1 => Just("wait"),
            1 => Just("skipped"),
            1 => Just("cancelled"),
        ],
        1..300u32,
        60..900u32,
        prop_oneof![3 => Just("Abort"), 1 => Just("Continue")],
        prop_oneof![4 => Just(None), 1 => (2..4u32, 1..3u32).prop_map(Some)],
        prop_oneof![3 => Just("completed"), 1 => Just("failed"), 1 => Just("skipped"), 1 => Just("none")],
    );
    let workflow = (
        prop::collection::vec(step, 1..6),
        prop_oneof![3 => Just("announced"), 1 => Just("none"), 1 => Just("while_failed")],
        prop_oneof![Just("pending"), Just("cancelled")],
    );
    (-3_600..600i32, prop::collection::vec(workflow, 1..3)).prop_map(|(first, workflows)| {
        let mut text = format!(
            "account: \"111122223333\", region: us-west-2, every: 24h, builds: 1, first: {first}s, workflows: ["
        );
        for (at, (steps, rollback, later)) in workflows.into_iter().enumerate() {
            text += &format!("{{name: own-{at}, rollback: {rollback}, later: {later}, steps: [");
            for (at, (outcome, duration, timeout, on_failure, attempts, undone)) in
                steps.into_iter().enumerate()
            {
                text += &format!(
                    "{{name: Step{at}, action: RunCommand, outcome: {outcome}, duration: {duration}s, \
                     timeout: {timeout}s, on_failure: {on_failure}, rollback: {undone}, message: it ended"
                );
                if let Some((max, fails)) = attempts {
                    let fails = fails.min(max - 1);
                    text += &format!(", attempts: {{max: {max}, fails: {fails}, pause: 45s}}");
                }
                text += "},";
            }
            text += "]},";
        }
        text + "]"
    })
}

fn scenario() -> impl Strategy<Value = String> {
    prop::collection::vec(pipeline(), 1..4).prop_map(|pipelines| {
        let mut text = "announce: 24h\npipelines:\n".to_owned();
        for (at, pipeline) in pipelines.into_iter().enumerate() {
            text += &format!("  - {{name: image-{at}, {pipeline}}}\n");
        }
        text
    })
}

/// Watches a world through the exporter. Says what is shown wrongly.
async fn watch(scenario: &str, seed: u64, fault_rate: f64) -> Result<(), TestCaseError> {
    let world = Scenario::parse(scenario, "random")
        .map_err(|error| TestCaseError::fail(format!("{error}\n{scenario}")))?;
    let world = Arc::new(World::new(world, seed, 1.0, EPOCH));
    let steps: Vec<StepExecutionId> = world
        .planned_steps(BEGUN)
        .into_iter()
        .map(|step| step.id)
        .collect();
    let api = WorldApi {
        world: world.clone(),
        clock: Clock::Tokio(Now {
            instant: Instant::now(),
            time: EPOCH,
        }),
        chance: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
        fault_rate,
        calls: Arc::default(),
    };
    let listed: Vec<String> = steps.iter().map(StepExecutionId::to_string).collect();
    let yaml = format!(
        "polling: {{interval: 30s, request_timeout: 10s}}\n\
         targets: [{{name: t, regions: [us-west-2], \
         rate_limit: {{requests_per_second: 1000, burst: 1000}}, step_executions: [{}]}}]\n",
        listed.join(", ")
    );
    let polling = Polling::start(&yaml, Arc::new(api.clone()));
    let changes = steps.iter().flat_map(|id| world.changes_of_step(id));
    let last_change = changes.max().unwrap_or(EPOCH).millis_since(EPOCH);
    let watched = Duration::from_millis(last_change.max(0).unsigned_abs()) + INTERVAL * 4;
    let mut moment = 0.0;
    while moment < watched.as_secs_f64() {
        // Not in step with the polls.
        moment += 53.7;
        polling.until(moment).await;
        let shown = ShownStep::all(&polling.metrics());
        for id in &steps {
            check(
                &world,
                id,
                &shown[&id.to_string()],
                polling.now(),
                fault_rate,
            )?;
        }
    }
    polling.until((watched + SETTLING).as_secs_f64()).await;
    let shown = ShownStep::all(&polling.metrics());
    let calls = *api.calls.lock().unwrap();
    for id in &steps {
        let shown = &shown[&id.to_string()];
        prop_assert!(shown.settled, "{id} never settles: {shown:?}");
    }
    polling.until((watched + SETTLING * 12).as_secs_f64()).await;
    prop_assert_eq!(
        *api.calls.lock().unwrap(),
        calls,
        "settled steps are asked for"
    );
    Ok(())
}

fn check(
    world: &World,
    id: &StepExecutionId,
    shown: &ShownStep,
    now: Timestamp,
    fault_rate: f64,
) -> Result<(), TestCaseError> {
    let Some(last_success) = shown.last_success else {
        prop_assert!(fault_rate > 0.0, "{id} has not been seen");
        return Ok(());
    };
    let seen = Timestamp::from_millis((last_success * 1_000.0).round() as i64);
    let changes = world.changes_of_step(id);
    let was_so_within = |from: Timestamp, to: Timestamp| {
        let within = changes.iter().filter(|at| (from..=to).contains(at));
        std::iter::once(&from).chain(within).any(|at| {
            world
                .step(id, *at)
                .is_some_and(|view| shown.is(&view.to_model(), now))
        })
    };
    let before = |time: Timestamp, by: Duration| {
        Timestamp::from_millis(time.millis() - by.as_millis() as i64)
    };
    prop_assert!(
        was_so_within(before(seen, LATENCY), seen),
        "{id} shows what was not so when it was seen, {} ms ago: {shown:?}, but {:?}",
        now.millis_since(seen),
        world.step(id, seen)
    );
    if shown.settled {
        let later = changes.iter().find(|at| **at > seen);
        prop_assert_eq!(later, None, "{} is settled and changes later", id);
    } else if fault_rate == 0.0 {
        // At most an interval and an answer's time late.
        prop_assert!(
            was_so_within(before(now, INTERVAL + LATENCY), now),
            "{id} shows what has long not been so: {shown:?}"
        );
    }
    Ok(())
}

fn run(scenario: &str, seed: u64, fault_rate: f64) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can be built");
    runtime.block_on(watch(scenario, seed, fault_rate))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_is_what_the_world_says_at_most_an_interval_late(
        scenario in scenario(),
        seed: u64,
    ) {
        run(&scenario, seed, 0.0)?;
    }

    #[test]
    fn nothing_is_shown_that_was_not_so_while_calls_fail(scenario in scenario(), seed: u64) {
        run(&scenario, seed, 0.3)?;
    }
}
