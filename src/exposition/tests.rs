//! Renders records and compares the exposition text.

mod allocations;
mod discovery;
mod finished;
mod format;
mod limit;
mod pieces;
mod properties;
mod shared;
mod steps;

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use proptest::prelude::*;

use super::buffers::*;
use super::*;
use crate::api::{ErrorKind, Operation};
use crate::clock::{Clock, Now};
use crate::config::StatusFormat;
use crate::finished::FinishedSnapshot;
use crate::labels::LabelText;
use crate::model::{
    ImageArn, OnFailure, RollbackStatus, StepExecution, StepExecutionId, StepStatus, Timestamp,
    WorkflowArn,
};
use crate::self_metrics::{PollerMetrics, ProcessMetrics};
use crate::snapshot::{
    Chunks, Observation, Phase, Record, Records, Snapshot, StepRecord, StepTable, Table, Unresolved,
};

const ID: &str = "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01";
const IDENTITY: &str = "account_id=\"111122223333\",region=\"us-west-2\",image=\"golden\",\
    workflow=\"build-image\",step=\"ApplyBuildComponents\",\
    step_execution_id=\"step-2e6fef0d-657c-4b7e-8706-ff24da9afa01\"";
const POLL: &str = "target=\"production\",region=\"us-west-2\",\
    step_execution_id=\"step-2e6fef0d-657c-4b7e-8706-ff24da9afa01\"";
const START: Timestamp = Timestamp::from_millis(1_788_981_143_418);

fn id(at: usize) -> StepExecutionId {
    format!("step-00000000-0000-0000-0000-{at:012x}")
        .parse()
        .unwrap()
}

/// Returns an id without a pattern, which compresses like those of the service.
fn scattered_id(at: u64) -> StepExecutionId {
    let [a, b] = [0x9e37_79b9_7f4a_7c15_u64, 0xbf58_476d_1ce4_e5b9].map(|m| at.wrapping_mul(m));
    format!(
        "step-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xffff,
        b >> 48,
        b & 0xffff_ffff_ffff
    )
    .parse()
    .unwrap()
}

fn after(millis: u64) -> Timestamp {
    START.plus(Duration::from_millis(millis))
}

/// The moment at which the wall clock has this time, or [`START`] before that.
fn moment(time: Timestamp) -> Now {
    static STARTED: OnceLock<Now> = OnceLock::new();
    let started = STARTED.get_or_init(|| Now {
        time: START,
        ..Clock::System.now()
    });
    let since = time.millis_since(START).max(0).unsigned_abs();
    started.plus(Duration::from_millis(since))
}

fn unseen() -> StepRecord {
    StepRecord::unseen(ID.parse().unwrap(), LabelText::new([]))
}

/// Returns the response to a Get of a step, with every member.
fn response(status: StepStatus) -> StepExecution {
    StepExecution {
        name: Some("ApplyBuildComponents".into()),
        action: Some("ExecuteComponents".into()),
        on_failure: Some(OnFailure::Abort),
        workflow_execution_id: "wf-165b0d0a-657c-4b7e-8706-ff24da9afa01".parse().ok(),
        workflow: WorkflowArn::parse(
            "arn:aws:imagebuilder:us-west-2:aws:workflow/build/build-image/1.0.3/1",
        ),
        image: ImageArn::parse("arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1"),
        start: Some(START),
        timeout_seconds: Some(60),
        ..StepExecution::with_status(status)
    }
}

fn seen(response: StepExecution) -> StepRecord {
    StepRecord {
        full: true,
        ..unseen().after_response(response, "us-west-2", after(500))
    }
}

fn running() -> StepRecord {
    seen(response(StepStatus::Running))
}

fn ended(status: StepStatus, millis: u64) -> StepRecord {
    seen(StepExecution {
        end: Some(after(millis)),
        ..response(status)
    })
}

fn snapshot_of(records: impl IntoIterator<Item = StepRecord>) -> Arc<Snapshot> {
    let steps = StepTable::new(records);
    let records = Records {
        steps,
        ..Records::default()
    };
    records.snapshot()
}

pub(super) fn scrape(records: impl IntoIterator<Item = StepRecord>, now: Timestamp) -> Scrape {
    let started = moment(START).instant;
    Scrape {
        now,
        status_format: StatusFormat::Stateset,
        message_labels: false,
        sources: vec![ScrapeSource {
            target: "production".into(),
            region: "us-west-2".into(),
            snapshot: snapshot_of(records),
            up: None,
            metrics: Arc::new(PollerMetrics::new("production", "us-west-2")),
        }],
        finished: FinishedSnapshot::empty(started),
        baselines: Default::default(),
        process: Arc::new(ProcessMetrics::new(&[])),
        series_limit: 0,
        derived: Default::default(),
    }
}

fn rendered(scrape: Scrape, format: Format) -> String {
    let mut out = Vec::new();
    let mut exposition = Exposition::new(scrape, format);
    assert!(!exposition.write(&mut out, usize::MAX));
    String::from_utf8(out).unwrap()
}

/// Returns the samples of the step families without those about polls.
fn samples_of(scrape: Scrape) -> String {
    rendered(scrape, Format::Text)
        .lines()
        .filter(|line| line.starts_with("imagebuilder_workflow_") && !line.contains(POLL))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Returns the values of a family's series, with the labels after the identity.
fn values(scrape: Scrape, family: &str) -> Vec<String> {
    let prefix = format!("imagebuilder_workflow_step_{family}{{");
    rendered(scrape, Format::Text)
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix))
        .map(|line| {
            line.trim_start_matches(IDENTITY)
                .trim_start_matches(POLL)
                .trim_start_matches([',', '}', ' '])
                .to_owned()
        })
        .collect()
}

/// Returns records that share nothing with these.
fn copy(snapshot: &Snapshot) -> Arc<Snapshot> {
    let mut records = Records {
        steps: StepTable::new(snapshot.steps.iter().cloned()),
        ..Records::default()
    };
    put_all(&mut records.workflows, &snapshot.workflows);
    put_all(&mut records.images, &snapshot.images);
    put_all(&mut records.pipelines, &snapshot.pipelines);
    put_all(&mut records.image_names, &snapshot.image_names);
    put_all(&mut records.selectors, &snapshot.selectors);
    records.snapshot()
}

fn put_all<R: Record>(table: &mut Table<R>, changed: &Chunks<R>) {
    for record in changed.iter() {
        table.put(record.clone());
    }
}
