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

use imagebuilder_exporter::health::HealthView;
use imagebuilder_exporter::labels::LabelText;
use imagebuilder_exporter::model::{
    Image, ImageArn, ImageStatus, OnFailure, StepExecution, StepStatus, Timestamp, WorkflowArn,
    WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};
use imagebuilder_exporter::snapshot::{
    ImageRecord, Phase, Records, SeriesUsage, StepRecord, WorkflowRecord,
};
use imagebuilder_exporter::status::{Known, Query, Site, Status, StatusSource, json, page};

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
    let mut store = Records::default();
    for at in 0..steps.div_ceil(STEPS.len()) {
        build(&mut store, at);
    }
    Known {
        now: NOW,
        ready: true,
        shard: None,
        series: SeriesUsage::default(),
        baselines: Default::default(),
        ends: Default::default(),
        sources: vec![StatusSource {
            target: Arc::from("production"),
            region: Arc::from(REGION),
            snapshot: store.snapshot(),
            health: HealthView::default(),
        }],
    }
}

/// A build with one execution and its steps.
fn build(store: &mut Records, at: usize) {
    let image = format!(
        "arn:aws:imagebuilder:{REGION}:111122223333:image/golden-{}/1.0.0/{at}",
        at % 200
    );
    let (image_status, status) = match at {
        at if at % 100 == 0 => (ImageStatus::Building, WorkflowStatus::Running),
        at if at % 10 == 1 => (ImageStatus::Failed, WorkflowStatus::Failed),
        _ => (ImageStatus::Available, WorkflowStatus::Completed),
    };
    let begun = NOW.minus(Duration::from_secs(60 + at as u64 * 10));
    let told = Image {
        created: Some(begun),
        platform: Some("Linux".into()),
        kind: Some("AMI".into()),
        build_type: Some("SCHEDULED".into()),
        ..Image::with_status(ImageArn::parse(&image).expect("it is one"), image_status)
    };
    let none = LabelText::default();
    store
        .images
        .put(ImageRecord::new(&told, none.clone(), none, REGION));
    execution(store, at, &told.arn, &status, begun);
    for place in 0..STEPS.len() {
        let failed = status == WorkflowStatus::Failed && place == 1;
        let number = at * STEPS.len() + place;
        let id = format!("step-00000000-0000-0000-0000-{number:012}");
        let unseen = StepRecord::unseen(id.parse().expect("it is one"), LabelText::default());
        let answer = step(at, place, &told.arn, begun, failed);
        store.steps.put(StepRecord {
            phase: Phase::Settled,
            ..unseen.after_response(answer, REGION, NOW)
        });
    }
}

fn workflow() -> WorkflowArn {
    let workflow = format!("arn:aws:imagebuilder:{REGION}:aws:workflow/build/build-image/1.0.3/1");
    WorkflowArn::parse(&workflow).expect("it is one")
}

fn execution_id(at: usize) -> WorkflowExecutionId {
    let id = format!("wf-00000000-0000-0000-0000-{at:012}");
    id.parse().expect("it is one")
}

fn execution(
    store: &mut Records,
    at: usize,
    image: &ImageArn,
    status: &WorkflowStatus,
    begun: Timestamp,
) {
    let told = WorkflowExecution {
        image: Some(image.clone()),
        workflow: Some(workflow()),
        start: Some(begun),
        end: (*status != WorkflowStatus::Running).then_some(NOW),
        ..WorkflowExecution::with_status(status.clone())
    };
    let none = LabelText::default();
    let unseen = WorkflowRecord::unseen(execution_id(at), none.clone(), none);
    store.workflows.put(unseen.after_response(&told, REGION));
}

fn step(
    at: usize,
    place: usize,
    image: &ImageArn,
    begun: Timestamp,
    failed: bool,
) -> StepExecution {
    let status = match failed {
        true => StepStatus::Failed,
        false => StepStatus::Completed,
    };
    StepExecution {
        name: Some(STEPS[place].into()),
        action: Some("ExecuteComponents".into()),
        on_failure: Some(OnFailure::Abort),
        image: Some(image.clone()),
        workflow: Some(workflow()),
        workflow_execution_id: Some(execution_id(at)),
        start: Some(begun.plus(Duration::from_secs(place as u64))),
        end: Some(begun.plus(Duration::from_secs(place as u64 + 1))),
        timeout_seconds: Some(4_500),
        message: failed.then(|| "Document install-agent failed".into()),
        ..StepExecution::with_status(status)
    }
}
