//! Usual durations in random worlds: those of the executions that an exporter reads at its start, and
//! of those that it sees.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::model::{
    ImageStatus, StepExecution, StepStatus, Timestamp, WorkflowStatus,
};
use imagebuilder_exporter::simulator::{Scenario, World};
use proptest::prelude::*;

use super::exposed::distinct;
use super::generate::workflows;
use super::truth::{ImageTruth, Truth, WorkflowTruth};
use super::world::{Chances, WorldApi};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::paused;
use crate::support::poller::{EPOCH, Polling};

const TYPICAL: &str = "imagebuilder_workflow_step_typical_duration_seconds";
const PENDING: &str = "imagebuilder_exporter_baseline_history_builds";
const HOUR: Duration = Duration::from_secs(3_600);
const RETENTION: Duration = HOUR;
const RETENTION_FAILED: Duration = Duration::from_secs(20 * 3_600);
/// Which of these executions are found in time cannot be said.
const UNSURE: Duration = HOUR;
/// When all builds have ended.
const ENDS: Duration = Duration::from_secs(16 * 3_600);
/// Baselines have so many executions.
const LEAST: usize = 3;
const MOST: usize = 10;

#[derive(Clone, Debug)]
struct Case {
    scenario: String,
    seed: u64,
    history: usize,
    fault: f64,
}

/// Builds of one image: some of earlier days, and one or two that begin now. Each execution of a
/// step takes another time, and most builds succeed.
fn pipeline() -> impl Strategy<Value = String> {
    let fails = prop::bool::weighted(0.3);
    let builds = (3..10u32, 1..3u32, 0..3_600u32, fails, workflows(1..3));
    builds.prop_map(|(before, after, first, fails, workflows)| {
        let mut workflows = workflows.replace("duration: ", "duration: 1s..");
        for outcome in ["failed", "hang", "wait", "skipped", "cancelled"] {
            if !fails {
                let other = format!(" outcome: {outcome},");
                workflows = workflows.replace(&other, " outcome: completed,");
            }
        }
        let (builds, first) = (before + after, before * 7 * 3_600 - first);
        format!(
            "account: \"111122223333\", region: us-west-2, every: 7h, builds: {builds}, \
             first: -{first}s, workflows: [{workflows}]"
        )
    })
}

fn case() -> impl Strategy<Value = Case> {
    let scenario = prop::collection::vec(pipeline(), 1..4).prop_map(|pipelines| {
        let mut text = "pipelines:\n".to_owned();
        for (at, pipeline) in pipelines.into_iter().enumerate() {
            text += &format!("  - {{name: image-{at}, {pipeline}}}\n");
        }
        text
    });
    let fault = prop_oneof![Just(0.0), Just(0.1)];
    (scenario, any::<u64>(), 0..8usize, fault).prop_map(|(scenario, seed, history, fault)| Case {
        scenario,
        seed,
        history,
        fault,
    })
}

/// A step: image, workflow and name.
type Key = [String; 3];

/// Executions that are fed for certain, and all that may be: their ends and durations.
#[derive(Debug, Default)]
struct Durations {
    certain: Vec<(Timestamp, i64)>,
    possible: Vec<(Timestamp, i64)>,
}

/// Whether the executions of a workflow are fed; `None` where that cannot be said.
fn is_fed(
    case: &Case,
    truth: &Truth,
    image: &ImageTruth,
    workflow: &WorkflowTruth,
) -> Option<bool> {
    if workflow.end > EPOCH.plus(UNSURE) {
        return Some(true);
    }
    let failed = |at| truth.image(image, at).status == ImageStatus::Failed;
    let retention = match failed(EPOCH) || workflow.failed {
        true => RETENTION_FAILED,
        false => RETENTION,
    };
    let is_available =
        |image: &&ImageTruth| truth.image(image, EPOCH).status == ImageStatus::Available;
    let of_name = truth
        .images
        .iter()
        .filter(|one| one.arn.name() == image.arn.name());
    let mut newest: Vec<_> = of_name
        .filter(|one| one.begins <= EPOCH)
        .filter(is_available)
        .collect();
    newest.sort_by_key(|one| std::cmp::Reverse(one.begins));
    let is_read = newest
        .iter()
        .take(case.history)
        .any(|one| one.arn == image.arn);
    let kept_until = workflow.end.plus(retention);
    match is_read || kept_until > EPOCH.plus(UNSURE) {
        true => Some(true),
        // A build that is about to become AVAILABLE may be read too.
        false if kept_until.plus(UNSURE) > EPOCH || image.changes.iter().any(|at| *at > EPOCH) => {
            None
        }
        false => Some(false),
    }
}

fn durations(case: &Case, truth: &Truth) -> BTreeMap<Key, Durations> {
    let mut all: BTreeMap<Key, Durations> = BTreeMap::new();
    let far = EPOCH.plus(ENDS * 2);
    for image in &truth.images {
        for workflow in &image.workflows {
            let last = truth.workflow(workflow, far);
            if last.status != WorkflowStatus::Completed || last.retried {
                continue;
            }
            let fed = is_fed(case, truth, image, workflow);
            for step in workflow.steps.iter().map(|step| &step.last) {
                let Some(ended) = duration(step).filter(|_| fed != Some(false)) else {
                    continue;
                };
                let workflow = step.workflow.as_ref().map_or("", |arn| arn.name());
                let name = step.name.as_deref().unwrap_or_default();
                let durations = all.entry([image.arn.name(), workflow, name].map(str::to_owned));
                let durations = durations.or_default();
                durations.possible.push(ended);
                if fed == Some(true) {
                    durations.certain.push(ended);
                }
            }
        }
    }
    all
}

/// The end and the duration of a step that COMPLETED at its first attempt.
fn duration(step: &StepExecution) -> Option<(Timestamp, i64)> {
    let (start, end) = (step.start?, step.end?);
    let is_typical = step.status == StepStatus::Completed
        && step.attempt.is_none_or(|attempt| attempt <= 1)
        && step.action.as_deref() != Some("WaitForAction");
    is_typical.then(|| (end, end.millis_since(start)))
}

fn median(mut ended: Vec<(Timestamp, i64)>) -> Option<f64> {
    ended.sort_unstable();
    let last = ended.len().saturating_sub(MOST);
    let mut millis: Vec<_> = ended[last..].iter().map(|(_, millis)| *millis).collect();
    millis.sort_unstable();
    let (lower, upper) = (
        millis.get((millis.len().max(1) - 1) / 2)?,
        millis[millis.len() / 2],
    );
    (millis.len() >= LEAST).then(|| ((lower + upper) / 2) as f64 / 1e3)
}

async fn play(case: &Case) -> Result<(), TestCaseError> {
    let scenario = Scenario::parse(&case.scenario, "random")
        .map_err(|error| TestCaseError::fail(format!("{error}\n{}", case.scenario)))?;
    let world = Arc::new(World::new(scenario, case.seed, 1.0, EPOCH));
    let truth = Truth::of(world.clone());
    let chances = Chances {
        latency: Duration::from_secs(1),
        fault: case.fault,
        faults_until: EPOCH.plus(HOUR * 2),
        expiry: 0.02,
        page: 3,
    };
    let api = WorldApi::new(world, case.seed, chances);
    let target = TargetText::new("t").unlimited().with("images: ['*']");
    let config = ConfigText::of([target]).with(&format!(
        "baselines: {{history: {}}}\nmetrics: {{retention: {}s, retention_failed: {}s}}",
        case.history,
        RETENTION.as_secs(),
        RETENTION_FAILED.as_secs()
    ));
    let polling = Polling::start(&config.text(), Arc::new(api));
    polling.until(ENDS.as_secs_f64()).await;
    let samples = distinct(&polling.metrics())?;
    let pending = samples.iter().filter(|sample| sample.name == PENDING);
    for sample in pending.filter(|sample| sample.labels["state"] != "read") {
        prop_assert_eq!(sample.value, 0.0, "{:?}", sample.labels);
    }
    let exposed = samples.iter().filter(|sample| sample.name == TYPICAL);
    let mut exposed: BTreeMap<Key, f64> = exposed
        .map(|sample| {
            let key = ["image", "workflow", "step"].map(|label| sample.labels[label].clone());
            (key, sample.value)
        })
        .collect();
    for (key, Durations { certain, possible }) in durations(case, &truth) {
        let found = exposed.remove(&key);
        if certain.len() == possible.len() {
            prop_assert_eq!(found, median(certain), "{:?}", key);
        } else if let Some(found) = found {
            let seconds = possible.iter().map(|(_, millis)| *millis as f64 / 1e3);
            let (least, most) = seconds.fold((f64::MAX, 0.0_f64), |(least, most), one| {
                (least.min(one), most.max(one))
            });
            prop_assert!((least..=most).contains(&found), "{key:?}: {found}");
        }
    }
    prop_assert!(exposed.is_empty(), "of no execution: {exposed:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn usual_durations_are_those_of_the_executions_that_completed(case in case()) {
        paused(play(&case))?;
    }
}
