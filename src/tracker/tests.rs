//! What no order of events may break, and orders that once did.

mod failed_builds;
mod failures;
mod history;
mod image_listings;
mod memory;
mod orders;
mod play;
mod recoveries;

use std::cell::RefCell;
use std::collections::HashSet;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::api::{
    Account, ApiError, Call, ErrorKind, ImagePage, ListPage, Page, Parsed, Payload, Purpose,
    Response,
};
use crate::clock::Now;
use crate::config::{Config, ListedStep};
use crate::model::{
    Image, ImageArn, ImageStatus, RollbackStatus, StepExecution, StepExecutionId, StepStatus,
    Timestamp, WorkflowExecution, WorkflowExecutionId, WorkflowStatus,
};

const INTERVAL: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Owners that let a tracker have everything but what another target wants just now.
#[derive(Debug, Default)]
struct Others {
    wanted: RefCell<HashSet<Resource>>,
}

impl Ownership for Others {
    fn claim(&self, resource: &Resource) -> bool {
        !self.wanted.borrow().contains(resource)
    }

    fn keeps(&self, resource: &Resource) -> bool {
        self.claim(resource)
    }
}

fn step_id(number: usize) -> StepExecutionId {
    let text = format!("step-aaaaaaaa-0000-0000-0000-00000000000{number}");
    text.parse().expect("it is one")
}

/// Two steps a workflow execution.
fn execution_id(step: &StepExecutionId) -> WorkflowExecutionId {
    let number = step.uuid().as_bytes()[35] - b'0';
    let text = format!("wf-bbbbbbbb-0000-0000-0000-00000000000{}", number / 2);
    text.parse().expect("it is one")
}

/// Two workflow executions an image.
fn image_arn(number: usize) -> ImageArn {
    let arn = format!("arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/{number}");
    ImageArn::parse(&arn).expect("it is one")
}

/// An assignment that selects this in us-west-2, and names nothing.
fn assignment(lists: &str, longer: bool) -> Assignment {
    let retention = if longer { "3h" } else { "15m" };
    let yaml = format!(
        "polling: {{interval: 30s, discovery_interval: 2m}}\n\
         metrics: {{retention: {retention}, retention_failed: 24h}}\n\
         targets: [{{name: t, regions: [us-west-2], {lists}}}]\n"
    );
    let read = Config::read("test.yaml", &yaml, &|_| None).expect("it is right");
    Assignment::all(&read.config).remove(0)
}

/// An assignment that lists and names nothing yet.
fn nothing(longer: bool) -> Assignment {
    let mut assignment = assignment(&format!("step_executions: [{}]", step_id(0)), longer);
    assignment.target.step_executions = Arc::default();
    assignment.listed = Arc::default();
    assignment
}

fn naming(executions: &[WorkflowExecutionId]) -> Assignment {
    let mut assignment = nothing(true);
    assignment.target.workflow_executions = executions.to_vec();
    assignment
}

fn listing(steps: impl IntoIterator<Item = StepExecutionId>) -> Arc<[ListedStep]> {
    let listed = |id| ListedStep {
        id,
        interval: None,
        labels: None,
    };
    steps.into_iter().map(listed).collect()
}

fn step(id: StepExecutionId, status: &str, rollback: Option<&str>) -> StepExecution {
    StepExecution {
        workflow_execution_id: Some(execution_id(&id)),
        rollback_status: rollback.map(RollbackStatus::parse),
        ..StepExecution::with_status(StepStatus::parse(status))
    }
}

fn execution(status: &str) -> WorkflowExecution {
    WorkflowExecution::with_status(WorkflowStatus::parse(status))
}

fn image(arn: &ImageArn, status: &str, now: Now) -> Image {
    Image {
        created: Some(now.time),
        ..Image::with_status(arn.clone(), ImageStatus::parse(status))
    }
}

/// The entries of a list of these images.
fn listed(images: &[Image]) -> Vec<(ImageArn, Option<Image>)> {
    let entries = images.iter();
    entries
        .map(|image| (image.arn.clone(), Some(image.clone())))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "some instant to count from")]
fn start() -> Now {
    Now {
        instant: Instant::now(),
        time: Timestamp::from_millis(1_788_981_143_000),
    }
}

/// A tracker, its owners, and the time.
struct Driver {
    tracker: Tracker,
    owners: Others,
    now: Now,
}

impl Driver {
    fn new(assignment: Assignment, seed: u64) -> Self {
        let (owners, now) = (Others::default(), start());
        Self {
            tracker: Tracker::new(assignment, seed, &owners, now),
            owners,
            now,
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }

    fn configure(&mut self, assignment: Assignment) {
        let _ = self.tracker.configure(assignment, &self.owners, self.now);
    }

    /// Gives the tracker the response to a call that began at `asked`.
    fn respond(
        &mut self,
        call: Call,
        page: Page,
        asked: Instant,
        result: Result<Payload, ErrorKind>,
    ) -> Changes {
        let result = match result {
            Ok(payload) => Ok(Parsed::from(payload)),
            Err(kind) => Err(ApiError::new(kind, "it went wrong")),
        };
        let response = Response {
            call,
            purpose: Purpose::Polling,
            page,
            asked,
            result,
        };
        self.tracker.handle(response, &self.owners, self.now)
    }

    /// The same for a call that began just now, for its first page.
    fn returned(&mut self, call: Call, payload: Payload) -> Changes {
        self.respond(call, first(), self.now.instant, Ok(payload))
    }

    fn got_step(&mut self, id: StepExecutionId, status: &str) -> Changes {
        let payload = Payload::GetWorkflowStepExecution(id, Box::new(step(id, status, None)));
        self.returned(Call::GetWorkflowStepExecution(id), payload)
    }

    /// A page of an execution's steps, each with this status.
    fn listed_steps(
        &mut self,
        id: WorkflowExecutionId,
        steps: &[(StepExecutionId, &str)],
        next: Option<&str>,
    ) {
        let entries = steps.iter();
        let page = ListPage {
            entries: entries
                .map(|(id, status)| (*id, Some(step(*id, status, None))))
                .collect(),
            next: next.map(str::to_owned),
        };
        let call = Call::ListWorkflowStepExecutions(id);
        let _ = self.returned(call, Payload::ListWorkflowStepExecutions(id, page));
    }

    fn got_execution(&mut self, id: WorkflowExecutionId, execution: WorkflowExecution) {
        let payload = Payload::GetWorkflowExecution(id, execution);
        let _ = self.returned(Call::GetWorkflowExecution(id), payload);
    }

    fn listed_executions(&mut self, image: &ImageArn, listed: &[(WorkflowExecutionId, &str)]) {
        let entries = listed.iter();
        let page = ListPage {
            entries: entries
                .map(|(id, status)| (*id, Some(execution(status))))
                .collect(),
            next: None,
        };
        let call = Call::ListWorkflowExecutions(image.clone());
        let _ = self.returned(call, Payload::ListWorkflowExecutions(image.clone(), page));
    }

    fn got_image(&mut self, image: &Image) {
        let call = Call::GetImage(image.arn.clone());
        let _ = self.returned(
            call,
            Payload::GetImage(image.arn.clone(), Box::new(image.clone())),
        );
    }

    /// The account's images are these.
    fn listed_images(&mut self, images: &[Image]) {
        self.listed_page(ListPage {
            entries: listed(images),
            next: None,
        });
    }

    fn listed_page(&mut self, page: ImagePage) {
        let call = Call::ListImageBuildVersions(Account);
        let _ = self.returned(call, Payload::ListImageBuildVersions(Account, page));
    }

    /// Begins every call that is due within an interval; their responses are lost.
    fn drain(&mut self) {
        let soon = self.now.plus(INTERVAL);
        while let Some((due, _)) = self.tracker.next_call(soon) {
            self.tracker.c.queue.end(&due.call);
        }
    }

    /// Lets so many intervals pass, and answers each call that becomes due.
    fn poll(
        &mut self,
        intervals: u32,
        mut answer: impl FnMut(&Call) -> Result<Payload, ErrorKind>,
    ) {
        for _ in 0..intervals {
            self.pass(INTERVAL);
            while let Some((due, page)) = self.tracker.next_call(self.now) {
                let (call, asked) = (due.call, self.now.instant);
                let result = answer(&call);
                let _ = self.respond(call, page, asked, result);
            }
        }
    }

    fn is_evicted(&self, image: &ImageArn) -> bool {
        let image = self.tracker.workflows.images.get(image);
        image.is_some_and(|image| image.is_evicted())
    }

    fn waits(&self, call: &Call) -> bool {
        self.tracker.c.queue.is_waiting(call)
    }
}

fn first() -> Page {
    Page {
        size: SMALL_PAGE,
        token: None,
    }
}

/// The steps that a List of the execution returns: the first of two, or both.
fn steps_of(
    id: WorkflowExecutionId,
    status: &str,
    rollback: Option<&str>,
) -> Vec<(StepExecutionId, Option<StepExecution>)> {
    let count = if status == "NEW" { 1 } else { 2 };
    let untold = status == "PENDING" && rollback.is_some();
    let of_it = (0..8).map(step_id).filter(|step| execution_id(step) == id);
    let listed = of_it.take(count).map(|id| {
        let answer = (!untold).then(|| step(id, status, rollback));
        (id, answer)
    });
    listed.collect()
}
