//! A tracker of so many listed steps, and its service, where every step runs and is polled by itself.

use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::api::{ApiError, Call, ErrorKind, Page, Parsed, Payload, Response};
use imagebuilder_exporter::clock::{Clock, Now};
use imagebuilder_exporter::config::{Config, ListedStep};
use imagebuilder_exporter::model::{StepExecution, StepStatus};
use imagebuilder_exporter::snapshot::Snapshot;
use imagebuilder_exporter::tracker::{Assignment, Changes, DueCall, Ownership, Resource, Tracker};

/// The interval of polls.
const INTERVAL: Duration = Duration::from_secs(30);

/// A step without a workflow execution has settled so long after its end.
const DAYS: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// Nobody else wants anything.
struct Alone;

impl Ownership for Alone {
    fn claim(&self, _: &Resource) -> bool {
        true
    }

    fn keeps(&self, _: &Resource) -> bool {
        true
    }
}

/// See the module.
pub(crate) struct Tracked {
    tracker: Tracker,
    now: Now,
    published: Arc<Snapshot>,
    /// What the service says of each step.
    status: StepStatus,
}

impl Tracked {
    /// Tracks so many steps, whose first polls are all due.
    pub(crate) fn listed(count: usize) -> Self {
        let yaml = "targets: [{name: t, regions: [us-west-2], image_build_versions: [\
             'arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1']}]\n";
        let read = Config::read("bench.yaml", yaml, &|_| None).expect("it is right");
        let mut assignment = Assignment::all(&read.config).remove(0);
        let id = |at| format!("step-00000000-0000-4000-8000-{at:012x}");
        let listed = |at| ListedStep {
            id: id(at).parse().expect("it is one"),
            interval: None,
            labels: None,
        };
        assignment.target.image_build_versions.clear();
        assignment.target.step_executions = (0..count).map(listed).collect();
        let now = Clock::System.now();
        let tracker = Tracker::new(assignment, 1, &Alone, now);
        Self {
            published: Arc::new(tracker.snapshot()),
            tracker,
            // The first polls are spread over the time that the rate limit needs for them.
            now: now.plus(INTERVAL * 100_000),
            status: StepStatus::Running,
        }
    }

    /// Lets all steps end and settle.
    pub(crate) fn settle_all(&mut self) {
        self.status = StepStatus::Completed;
        self.now = self.now.plus(DAYS);
        self.poll_all();
    }

    /// Polls each step once.
    pub(crate) fn poll_all(&mut self) {
        while let Some((due, page)) = self.pop() {
            let _ = self.handle(due, page);
        }
        self.publish();
    }

    /// Lets an interval pass, so that all polls are due.
    pub(crate) fn pass_interval(&mut self) {
        self.now = self.now.plus(INTERVAL * 2);
    }

    /// Takes the call whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<(DueCall, Page)> {
        self.tracker.next_call(self.now)
    }

    /// Applies the response to a call: a step that runs, and nothing else that may be read.
    pub(crate) fn handle(&mut self, due: DueCall, page: Page) -> Changes {
        let result = match &due.call {
            Call::GetWorkflowStepExecution(id) => {
                let ended = self.status.is_terminal();
                let step = StepExecution {
                    name: Some("ApplyBuildComponents".to_owned()),
                    start: Some(self.now.time),
                    end: ended.then(|| self.now.time.minus(DAYS)),
                    ..StepExecution::with_status(self.status.clone())
                };
                let payload = Payload::GetWorkflowStepExecution(*id, Box::new(step));
                Ok(Parsed::from(payload))
            }
            _ => Err(ApiError::new(
                ErrorKind::Forbidden,
                "only steps may be read",
            )),
        };
        let response = Response {
            call: due.call,
            purpose: due.purpose,
            page,
            asked: self.now.instant,
            result,
        };
        self.tracker.handle(response, &Alone, self.now)
    }

    /// Publishes what is known in place of what was published before, as the poller does.
    pub(crate) fn publish(&mut self) {
        self.published = Arc::new(self.tracker.snapshot());
    }
}
