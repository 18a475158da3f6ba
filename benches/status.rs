//! What the status page and its JSON cost, without a socket.
//!
//! `cargo bench --bench status` prints a table for 10 000 and 100 000 steps in executions of seven, one
//! in ten failed, one in a hundred running: from the snapshot to the bytes. Figures are medians.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads clocks and prints its figures"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imagebuilder_exporter::labels::LabelText;
use imagebuilder_exporter::model::{
    Image, ImageArn, ImageStatus, OnFailure, StepExecution, StepStatus, Timestamp, WorkflowArn,
    WorkflowExecution, WorkflowStatus,
};
use imagebuilder_exporter::status::{Health, Known, Query, Site, Source, Status, json, page};
use imagebuilder_exporter::store::{ImageRecord, Phase, StepRecord, Store, WorkflowRecord};

const STEPS: [&str; 7] = [
    "LaunchBuildInstance",
    "ApplyBuildComponents",
    "InventoryCollection",
    "RunSanitizeScript",
    "RunSysPrepScript",
    "CreateOutputAMI",
    "TerminateBuildInstance",
];

const NOW: Timestamp = Timestamp::from_millis(1_788_981_143_418);
const REGION: &str = "us-west-2";

fn main() {
    let site = Site {
        telemetry_path: "/metrics".to_owned(),
        external_url: None,
    };
    println!("| steps | what | query | bytes | median ms |");
    println!("| --- | --- | --- | --- | --- |");
    for (steps, rounds) in [(10_000, 41), (100_000, 9)] {
        let known = known(steps);
        for query in ["", "status=FAILED", "q=sanitize+golden-77", "per_page=500"] {
            let asked = Query::parse(query).expect("it is well-formed");
            let show = |what: &str, make: &dyn Fn() -> usize| {
                let mut bytes = 0;
                let times = (0..rounds).map(|_| {
                    let begun = Instant::now();
                    bytes = make();
                    begun.elapsed()
                });
                let median = median(times.collect());
                let millis = median.as_secs_f64() * 1_000.0;
                println!("| {steps} | {what} | `{query}` | {bytes} | {millis:.1} |");
            };
            show("page", &|| {
                black_box(page(&Status::of(&known, &asked), &site)).len()
            });
            show("JSON", &|| {
                black_box(json(&Status::of(&known, &asked), &site)).len()
            });
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn known(steps: usize) -> Known {
    let store = Store::default();
    for at in 0..steps.div_ceil(STEPS.len()) {
        build(&store, at);
    }
    Known {
        now: NOW,
        ready: true,
        shard: None,
        sources: vec![Source {
            target: Arc::from("production"),
            region: Arc::from(REGION),
            store: store.snapshot(),
            health: Health::default(),
        }],
    }
}

/// A build with one execution and its steps.
#[expect(clippy::too_many_lines, reason = "one record after the other")]
fn build(store: &Store, at: usize) {
    let image = format!(
        "arn:aws:imagebuilder:{REGION}:111122223333:image/golden-{}/1.0.0/{at}",
        at % 200
    );
    let image = ImageArn::parse(&image).expect("it is one");
    let workflow = format!("arn:aws:imagebuilder:{REGION}:aws:workflow/build/build-image/1.0.3/1");
    let workflow = WorkflowArn::parse(&workflow).expect("it is one");
    let (image_status, status) = match at {
        at if at % 100 == 0 => (ImageStatus::Building, WorkflowStatus::Running),
        at if at % 10 == 1 => (ImageStatus::Failed, WorkflowStatus::Failed),
        _ => (ImageStatus::Available, WorkflowStatus::Completed),
    };
    let begun = NOW.minus(Duration::from_secs(60 + at as u64 * 10));
    let labels = LabelText::default;
    let told = Image {
        arn: image.clone(),
        status: image_status,
        created: Some(begun),
        failure: None,
        platform: Some("Linux".into()),
        kind: Some("AMI".into()),
        build_type: Some("SCHEDULED".into()),
        pipeline: None,
        tags: Default::default(),
    };
    store
        .images
        .put(ImageRecord::new(&told, labels(), labels(), REGION));
    let execution = WorkflowExecution {
        image: Some(image.clone()),
        workflow: Some(workflow.clone()),
        start: Some(begun),
        end: (status != WorkflowStatus::Running).then_some(NOW),
        ..WorkflowExecution::with_status(status.clone())
    };
    let id = format!("wf-00000000-0000-0000-0000-{at:012}")
        .parse()
        .expect("it is one");
    let unseen = WorkflowRecord::unseen(id, labels(), labels());
    store.workflows.put(unseen.answered(&execution, REGION));
    for (place, name) in STEPS.iter().enumerate() {
        let number = at * STEPS.len() + place;
        let step = format!("step-00000000-0000-0000-0000-{number:012}");
        let failed = status == WorkflowStatus::Failed && place == 1;
        let answer = StepExecution {
            name: Some((*name).into()),
            action: Some("ExecuteComponents".into()),
            on_failure: Some(OnFailure::Abort),
            image: Some(image.clone()),
            workflow: Some(workflow.clone()),
            workflow_execution_id: Some(id),
            start: Some(begun.plus(Duration::from_secs(place as u64))),
            end: Some(begun.plus(Duration::from_secs(place as u64 + 1))),
            timeout_seconds: Some(4_500),
            message: failed.then(|| "Document install-agent failed".into()),
            ..StepExecution::with_status(match failed {
                true => StepStatus::Failed,
                false => StepStatus::Completed,
            })
        };
        let unseen = StepRecord::unseen(step.parse().expect("it is one"), labels());
        store.steps.put(StepRecord {
            phase: Phase::Settled,
            ..unseen.answered(answer, REGION, NOW)
        });
    }
}
