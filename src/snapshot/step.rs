//! The record of a step, and the values that it has at a given time.

use std::sync::Arc;
use std::time::Duration;

use super::chunk::Record;
use super::known::image_parts;
use super::step_parts::{Definition, ExtraLabels, StepValues, Subject};
use crate::api::ErrorKind;
use crate::labels::{LabelText, names};
use crate::model::{
    OnFailure, RollbackStatus, StepExecution, StepExecutionId, StepStatus, Timestamp,
};

/// The action whose step waits for a person.
const WAIT_FOR_ACTION: &str = "WaitForAction";

/// A FAILED step counts as failed by its timeout where its duration came this near, in milliseconds:
/// the service ends it a little before or after.
const TIMEOUT_TOLERANCE: i64 = 1_000;

/// Without a successful poll for this long, a step is not known to run any more.
const STALE_AFTER: Duration = Duration::from_secs(15 * 60);

/// The record of one tracked step.
///
/// A scrape reads it for each family, so it is small: what steps have in common is shared.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRecord {
    pub id: StepExecutionId,
    /// Whether a Get succeeded. Only its response has everything, so there is no info series before.
    pub full: bool,
    pub phase: Phase,
    pub extra: Arc<ExtraLabels>,
    pub last_success: Option<Timestamp>,
    /// `None` before the first poll, and once one succeeds.
    pub failing: Option<Box<Failing>>,
    /// The response of the last successful poll.
    pub observed: Option<Observation>,
    /// Failures of the step that were not resolved.
    pub unresolved: Option<Arc<Unresolved>>,
}

/// The unresolved failures of a step, each with the labels of its series. They do not change while
/// the failure is exposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// `image_version`, `on_failure`, `cause`.
    pub failure: Option<LabelText>,
    /// Of its rollback: `image_version`.
    pub rollback: Option<LabelText>,
}

/// The polls of a step that have failed since one last succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// When the first of them failed.
    pub since: Timestamp,
    /// Why the last of them failed.
    pub kind: ErrorKind,
}

/// The phase of tracking that a step is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// No poll has succeeded yet.
    Pending,
    /// A poll has succeeded, and polls go on.
    Active,
    /// The exposed values are final, and the step is no longer polled.
    Settled,
    /// The service has not known the step for an hour.
    Gone,
}

impl Phase {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Settled, Self::Gone];

    /// The value of the label `state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Settled => "settled",
            Self::Gone => "gone",
        }
    }
}

/// A step as in the response of the last successful poll, with labels from earlier responses.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The labels [`Subject::identity`]. A scrape reads them for each series, and a subject only for the info
    /// series.
    pub identity: LabelText,
    pub subject: Arc<Subject>,
    pub definition: Arc<Definition>,
    pub values: Arc<StepValues>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
}

impl StepRecord {
    /// Returns the record of a step that was not polled yet.
    pub fn unseen(id: StepExecutionId, own_labels: LabelText) -> Self {
        Self {
            id,
            full: false,
            phase: Phase::Pending,
            extra: Arc::new(ExtraLabels {
                own: own_labels,
                info: LabelText::default(),
            }),
            last_success: None,
            failing: None,
            observed: None,
            unresolved: None,
        }
    }

    /// Returns the record after a successful poll at `now` in `region`. The caller sets `full` after
    /// a Get.
    ///
    /// A label, the timeout and `on_failure` do not change, so they stay known where this response
    /// lacks them. Everything else is as in this response.
    pub fn after_response(&self, response: StepExecution, region: &str, now: Timestamp) -> Self {
        let before = self.observed.as_ref();
        let subject = Subject::of(&response, before.map(|one| &*one.subject), region);
        let definition = Definition::of(&response, before.map(|one| &*one.definition));
        let timeout = response.timeout_seconds;
        let timeout = timeout.or_else(|| before?.values.timeout_seconds);
        Self {
            phase: Phase::Active,
            last_success: Some(now),
            failing: None,
            observed: Some(Observation {
                identity: subject.identity.clone(),
                subject: Arc::new(subject),
                definition: Arc::new(definition),
                values: Arc::new(StepValues {
                    status: response.status,
                    rollback_status: response.rollback_status,
                    timeout_seconds: timeout,
                    attempt: response.attempt,
                    max_attempts: response.max_attempts,
                    budget_millis: None,
                    message: response.message.map(Arc::from),
                    outputs: response.outputs.map(Arc::new),
                }),
                start: response.start,
                end: response.end,
            }),
            ..self.clone()
        }
    }

    /// Returns the record after a poll that failed at `now`: known values stay.
    pub fn after_failure(&self, kind: ErrorKind, now: Timestamp) -> Self {
        let since = self.failing.as_ref().map_or(now, |failing| failing.since);
        Self {
            failing: Some(Box::new(Failing { since, kind })),
            ..self.clone()
        }
    }

    /// Returns what determines the labels of its series.
    fn labels(&self) -> impl PartialEq + '_ {
        let observed = self.observed.as_ref();
        let observed = observed.map(|observed| (&observed.subject, &observed.definition));
        (self.id, &self.extra, observed)
    }

    /// Returns everything but the time of the last successful poll.
    fn values(&self) -> impl PartialEq + '_ {
        let Self {
            id,
            full,
            phase,
            extra,
            last_success,
            failing,
            observed,
            unresolved,
        } = self;
        let polled = last_success.is_some();
        (
            id, full, phase, extra, polled, failing, observed, unresolved,
        )
    }

    pub fn set_own_labels(&mut self, own: LabelText) {
        if self.extra.own != own {
            Arc::make_mut(&mut self.extra).own = own;
        }
    }

    /// Changes the tags of its image that are labels of the info series.
    pub fn set_info_labels(&mut self, info: LabelText) {
        if self.extra.info != info {
            Arc::make_mut(&mut self.extra).info = info;
        }
    }

    /// Whether the last poll succeeded; `false` before the first.
    pub fn last_poll_success(&self) -> bool {
        self.last_success.is_some() && self.failing.is_none()
    }

    /// The status the step has ended with. A FAILED step ends with its last attempt, or when it is
    /// settled: a workflow execution that ended gives it no other. An unknown status is final once
    /// the step has settled.
    pub fn finished(&self) -> Option<&StepStatus> {
        let observed = self.observed.as_ref()?;
        let settled = self.phase == Phase::Settled;
        let finished = match observed.values.status {
            StepStatus::Failed => settled || !observed.will_be_retried(),
            StepStatus::Unknown(_) => settled,
            StepStatus::Pending | StepStatus::Running => false,
            StepStatus::Skipped | StepStatus::Completed | StepStatus::Cancelled => true,
        };
        finished.then_some(&observed.values.status)
    }

    /// Returns the duration of the step until its end or `now`, in milliseconds, at least 0.
    ///
    /// The clock of a step that is no longer polled stops at the last success, as it is unknown
    /// whether the step still runs.
    pub fn duration_millis(&self, now: Timestamp) -> Option<i64> {
        let observed = self.observed.as_ref()?;
        let until = match (&observed.values.status, self.phase) {
            (StepStatus::Running, Phase::Settled | Phase::Gone) => self.last_success?,
            (StepStatus::Running, _) => now,
            _ => observed.end?,
        };
        Some(until.millis_since(observed.start?).max(0))
    }

    /// Whether the step ran into its timeout; `None` where it has none.
    pub fn timeout_breached(&self, now: Timestamp) -> Option<bool> {
        let observed = self.observed.as_ref()?;
        let timeout = i64::from(observed.values.timeout_seconds?) * 1_000;
        let duration = self.duration_millis(now);
        Some(match observed.values.status {
            StepStatus::Running => duration.is_some_and(|duration| duration >= timeout),
            StepStatus::Failed => {
                duration.is_some_and(|duration| duration >= timeout - TIMEOUT_TOLERANCE)
            }
            _ => false,
        })
    }

    /// Returns how long a RUNNING step has run, in milliseconds; `None` for other steps, and where no
    /// poll has succeeded for so long that it may have ended.
    pub fn running_millis(&self, now: Timestamp) -> Option<i64> {
        let running = self.observed.as_ref()?.values.status == StepStatus::Running;
        let fresh = now.millis_since(self.last_success?) < STALE_AFTER.as_millis() as i64;
        let polled = self.phase == Phase::Active;
        self.duration_millis(now)
            .filter(|_| running && fresh && polled)
    }

    /// Returns how long it had run at the last successful poll. A step that may have ended since then is
    /// not called slow only because it cannot be polled.
    pub fn known_running_millis(&self, now: Timestamp) -> Option<i64> {
        self.running_millis(now)?;
        self.running_millis(now.min(self.last_success?))
    }

    /// Returns the unresolved failures: of the step if `failed`, and of its rollback. The labels of those
    /// that are exposed stay.
    pub fn unresolved(&self, failed: bool, now: Timestamp) -> Option<Arc<Unresolved>> {
        let observed = self.observed.as_ref()?;
        let before = self.unresolved.as_deref();
        let on_failure = observed.definition.on_failure.as_ref();
        let [_, _, image_version, _] = image_parts(&observed.subject.image);
        let failure = failed.then(|| {
            let earlier = before.and_then(|before| before.failure.clone());
            earlier.unwrap_or_else(|| {
                let timeout = self.timeout_breached(now) == Some(true);
                LabelText::new([
                    (names::IMAGE_VERSION, image_version),
                    (names::ON_FAILURE, on_failure.map_or("", OnFailure::as_str)),
                    (names::CAUSE, if timeout { "timeout" } else { "failure" }),
                ])
            })
        });
        let rolled = observed.values.rollback_status == Some(RollbackStatus::Failed);
        let rollback = rolled.then(|| {
            let earlier = before.and_then(|before| before.rollback.clone());
            earlier.unwrap_or_else(|| LabelText::new([(names::IMAGE_VERSION, image_version)]))
        });
        let any = failure.is_some() || rollback.is_some();
        any.then(|| Arc::new(Unresolved { failure, rollback }))
    }

    /// Whether the step took longer than its budget; `None` where it has none.
    pub fn budget_exceeded(&self, now: Timestamp) -> Option<bool> {
        let budget = self.observed.as_ref()?.values.budget_millis?;
        Some(
            self.duration_millis(now)
                .is_some_and(|duration| duration > budget),
        )
    }
}

impl Record for StepRecord {
    type Key = StepExecutionId;

    fn key(&self) -> &StepExecutionId {
        &self.id
    }

    fn is_moving(&self) -> bool {
        self.phase != Phase::Settled
    }

    fn has_labels_of(&self, before: &Self) -> bool {
        self.labels() == before.labels()
    }

    fn has_values_of(&self, before: &Self) -> bool {
        self.values() == before.values()
    }
}

impl Observation {
    /// The names of the step, its workflow and its image, which globs of the configuration match. One
    /// that is not known is empty.
    pub fn names(&self) -> [&str; 3] {
        let workflow = self.subject.workflow.as_ref().map(|arn| arn.name());
        let image = self.subject.image.as_ref().map(|arn| arn.name());
        [self.definition.name.as_deref(), workflow, image].map(Option::unwrap_or_default)
    }

    pub fn set_budget(&mut self, budget_millis: Option<i64>) {
        if self.values.budget_millis != budget_millis {
            self.values_mut().budget_millis = budget_millis;
        }
    }

    /// The values, which are this step's alone until a table shares them again.
    pub fn values_mut(&mut self) -> &mut StepValues {
        Arc::make_mut(&mut self.values)
    }

    /// Whether the step runs an action that a person has to end.
    pub fn waiting_for_action(&self) -> bool {
        self.values.status == StepStatus::Running && self.is_wait_for_action()
    }

    /// Whether the action of the step ends when a person says so.
    pub fn is_wait_for_action(&self) -> bool {
        self.definition.action.as_deref() == Some(WAIT_FOR_ACTION)
    }

    /// Why the step is in its state: the service's message, or the error in its `outputs`. A FAILED
    /// component step has no message.
    pub fn reason(&self) -> Option<&str> {
        let message = self
            .values
            .message
            .as_deref()
            .filter(|text| !text.is_empty());
        let outputs = self.values.outputs.as_ref();
        message.or_else(|| outputs.and_then(|outputs| outputs.error.as_deref()))
    }

    /// Whether the step or its rollback failed.
    pub fn has_failed(&self) -> bool {
        self.values.status == StepStatus::Failed
            || self.values.rollback_status == Some(RollbackStatus::Failed)
    }

    /// Whether the step failed and will be tried again.
    pub fn will_be_retried(&self) -> bool {
        self.values.status == StepStatus::Failed
            && matches!((self.values.attempt, self.values.max_attempts), (Some(at), Some(most)) if at < most)
    }
}
