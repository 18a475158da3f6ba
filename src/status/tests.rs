//! Tests the page and the JSON that are rendered from records.

mod baselines;
mod content;
mod grouping;
mod hostile;
mod json;
mod layout;
mod samples;
mod search;
mod states;
mod targets;
mod timeline;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::text::LONGEST_MESSAGE;
use super::*;
use crate::api::{ErrorKind, Operation};
use crate::health::{Denial, FailedCall, HealthView};
use crate::labels::LabelText;
use crate::model::{
    Image, ImageArn, ImageFailure, ImageStatus, OnFailure, StepExecution, StepStatus, Timestamp,
    WorkflowArn, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};
use crate::snapshot::{ImageRecord, Phase, Records, SeriesUsage, StepRecord, WorkflowRecord};

const REGION: &str = "us-west-2";
const NOW: i64 = 1_788_981_143_418;

/// Returns the time so many seconds before now.
fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW - seconds * 1_000)
}

fn workflow_id(number: u32) -> WorkflowExecutionId {
    let id = format!("wf-00000000-0000-0000-0000-{number:012}");
    id.parse().unwrap()
}

fn image_arn(name: &str, build: u32) -> ImageArn {
    let arn = format!("arn:aws:imagebuilder:{REGION}:111122223333:image/{name}/1.0.0/{build}");
    ImageArn::parse(&arn).unwrap()
}

fn workflow_arn(name: &str) -> WorkflowArn {
    let arn = format!("arn:aws:imagebuilder:{REGION}:aws:workflow/build/{name}/1.0.3/1");
    WorkflowArn::parse(&arn).unwrap()
}

/// The records of a target, filled by a test.
#[derive(Default)]
struct TargetRecords {
    store: RefCell<Records>,
    steps: u32,
}

impl TargetRecords {
    fn known(self) -> Known {
        known([("production", self)])
    }

    fn source(&self, target: &str) -> StatusSource {
        StatusSource {
            target: Arc::from(target),
            region: Arc::from(REGION),
            snapshot: self.store.borrow().snapshot(),
            health: HealthView {
                up: Some(true),
                ..HealthView::default()
            },
        }
    }

    fn image(&self, name: &str, build: u32, status: ImageStatus, created: Timestamp) {
        let image = Image {
            created: Some(created),
            ..Image::with_status(image_arn(name, build), status)
        };
        self.put_image(&image);
    }

    fn put_image(&self, image: &Image) {
        let labels = LabelText::new([("team", "platform")]);
        let record = ImageRecord::new(image, labels, LabelText::default(), REGION);
        self.store.borrow_mut().images.put(record);
    }

    /// Adds an execution of `build-image` for a build of this image.
    fn execution(&self, id: u32, image: &ImageArn, execution: WorkflowExecution) {
        let execution = WorkflowExecution {
            image: Some(image.clone()),
            workflow: Some(workflow_arn("build-image")),
            ..execution
        };
        let labels = LabelText::default();
        let unseen = WorkflowRecord::unseen(workflow_id(id), labels.clone(), labels);
        self.store
            .borrow_mut()
            .workflows
            .put(unseen.after_response(&execution, REGION));
    }

    /// Adds a step of this execution, which a list returned 10 seconds ago.
    fn step(&mut self, execution: u32, image: &ImageArn, step: StepExecution) -> StepRecord {
        let step = StepExecution {
            image: Some(image.clone()),
            workflow: Some(workflow_arn("build-image")),
            workflow_execution_id: Some(workflow_id(execution)),
            ..step
        };
        let record = self.unseen_step().after_response(step, REGION, ago(10));
        self.store.borrow_mut().steps.put(record.clone());
        record
    }

    fn unseen_step(&mut self) -> StepRecord {
        self.steps += 1;
        let id = format!("step-00000000-0000-0000-0000-{:012}", self.steps);
        let record = StepRecord::unseen(id.parse().unwrap(), LabelText::default());
        self.store.borrow_mut().steps.put(record.clone());
        record
    }
}

fn known<const N: usize>(targets: [(&str, TargetRecords); N]) -> Known {
    Known {
        now: Timestamp::from_millis(NOW),
        ready: true,
        shard: None,
        series: SeriesUsage::default(),
        baselines: Default::default(),
        ends: Default::default(),
        sources: targets
            .iter()
            .map(|(target, records)| records.source(target))
            .collect(),
    }
}

fn execution(status: WorkflowStatus, start: i64) -> WorkflowExecution {
    WorkflowExecution {
        start: Some(ago(start)),
        ..WorkflowExecution::with_status(status)
    }
}

fn named(name: &str, status: StepStatus) -> StepExecution {
    StepExecution {
        name: Some(name.into()),
        ..StepExecution::with_status(status)
    }
}

fn site() -> Site {
    Site {
        telemetry_path: "/metrics".to_owned(),
        external_url: None,
    }
}

fn page_of(known: &Known, query: &str) -> String {
    let query = Query::parse(query).unwrap();
    page(&Status::of(known, &query), &site())
}

fn json_of(known: &Known, query: &str) -> serde_json::Value {
    let query = Query::parse(query).unwrap();
    serde_json::from_slice(&json(&Status::of(known, &query), &site())).unwrap()
}

/// Returns the values of this key in the entries of a list of the JSON, in their order.
fn all<'a>(json: &'a serde_json::Value, list: &str, key: &str) -> Vec<&'a str> {
    let entries = json[list].as_array().unwrap().iter();
    entries
        .map(|entry| entry[key].as_str().unwrap_or("-"))
        .collect()
}

/// Returns the page's text without markup, with single spaces.
fn text_of(page: &str) -> String {
    let text = page.split('<').filter_map(|part| part.split_once('>'));
    let text: Vec<&str> = text.map(|(_, text)| text).collect();
    let words: Vec<&str> = text
        .iter()
        .flat_map(|text| text.split_whitespace())
        .collect();
    words.join(" ")
}

/// Returns the health of a target with every problem.
fn troubled() -> HealthView {
    HealthView {
        up: Some(false),
        since: Some(ago(90)),
        last_success: Some(ago(120)),
        newest_fault: Some(FailedCall {
            at: ago(5),
            operation: Operation::GetImage,
            kind: ErrorKind::Network,
            message: "connection <refused>".into(),
        }),
        recovered: false,
        panicked: None,
        denied: vec![
            Denial {
                operation: Operation::ListWorkflowExecutions,
                since: ago(600),
                again: Some(ago(-3_000)),
            },
            Denial {
                operation: Operation::ListImagePipelines,
                since: ago(600),
                again: None,
            },
        ],
        unknown: Arc::new([("wf-1".to_owned(), ago(900))].into()),
        behind: Duration::from_secs(75),
        slowed_to: Some(2.5),
    }
}
