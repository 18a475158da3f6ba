//! Logs the changes of a step or an image that an operator may have to act on, each once.

use tracing::info;

use crate::clock::Now;
use crate::model::{ImageFailure, RollbackStatus, StepStatus};
use crate::snapshot::{ImageRecord, StepRecord};
use crate::tracker::StepChange;

/// Maximum length of the service's message in a log line, in characters.
const LONGEST_MESSAGE: usize = 1_000;

/// A change that somebody may have to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Failed,
    FailedByTimeout,
    TimeoutBreached,
    RollbackBegan,
    RollbackFailed,
}

impl News {
    fn text(self) -> &'static str {
        match self {
            Self::Failed => "step failed",
            Self::FailedByTimeout => "step failed at its timeout",
            Self::TimeoutBreached => "step exceeded its timeout",
            Self::RollbackBegan => "step rollback started",
            Self::RollbackFailed => "step rollback failed",
        }
    }
}

/// Logs what changed for the worse between two records of a step. The earlier record is from the
/// last successful poll.
pub(super) fn log(target: &str, region: &str, change: &StepChange, now: Now) {
    let StepChange { before, after, .. } = change;
    let Some(observed) = &after.observed else {
        return;
    };
    for news in between(before, after, now) {
        let image = observed.subject.image.as_ref();
        let workflow = observed.subject.workflow.as_ref();
        info!(
            target = target,
            region = region,
            account_id = image.map(|arn| arn.account_id()),
            image = image.map(|arn| arn.name()),
            workflow = workflow.map(|arn| arn.name()),
            step = observed.definition.name.as_deref(),
            step_execution_id = %after.id,
            status = observed.values.status.as_str(),
            rollback_status = observed.values.rollback_status.as_ref().map(|status| status.as_str()),
            attempt = observed.values.attempt,
            service_message = observed.reason().map(shortened),
            "{}", news.text()
        );
    }
}

/// Logs that the build of an image has failed, and why.
pub(super) fn log_failed_image(target: &str, region: &str, image: &ImageRecord) {
    let failure = image.failure.as_ref().map(|record| &record.failure);
    let text = |part: fn(&ImageFailure) -> &Option<String>| {
        failure.and_then(|failure| part(failure).as_deref().map(shortened))
    };
    info!(
        target = target,
        region = region,
        account_id = image.arn.account_id(),
        image = image.arn.name(),
        image_version = image.arn.version(),
        stage = text(|failure| &failure.stage),
        failed_step = text(|failure| &failure.step),
        component = text(|failure| &failure.component),
        reason = text(|failure| &failure.reason),
        component_error = text(|failure| &failure.component_error),
        distribution_error = text(|failure| &failure.distribution_error),
        "image build failed"
    );
}

fn between(before: &StepRecord, after: &StepRecord, now: Now) -> Vec<News> {
    let status = |record: &StepRecord| {
        record
            .observed
            .as_ref()
            .map(|seen| seen.values.status.clone())
    };
    let attempt = |record: &StepRecord| {
        record
            .observed
            .as_ref()
            .and_then(|seen| seen.values.attempt)
    };
    let start = |record: &StepRecord| record.observed.as_ref().and_then(|seen| seen.start);
    let rollback = |record: &StepRecord| {
        let seen = record.observed.as_ref()?;
        seen.values.rollback_status.clone()
    };
    // Compares with the time of the last poll: a breach by then was logged then.
    let breached_then = before
        .last_success
        .is_some_and(|then| before.timeout_breached(then) == Some(true));
    let breached = after.timeout_breached(now.time) == Some(true);
    let failed = status(after) == Some(StepStatus::Failed);
    // A response without the attempt number is no evidence of a new attempt.
    let same_attempt = match (attempt(before), attempt(after)) {
        (Some(one), Some(other)) => one == other,
        _ => start(before) == start(after),
    };
    let failed_before = status(before) == Some(StepStatus::Failed) && same_attempt;

    let mut news = Vec::new();
    if failed && !failed_before {
        news.push(if breached {
            News::FailedByTimeout
        } else {
            News::Failed
        });
    } else if breached && !breached_then && !failed {
        news.push(News::TimeoutBreached);
    }
    let (rolled, rolls) = (rollback(before), rollback(after));
    if rolled != rolls {
        match rolls {
            Some(RollbackStatus::Failed) => news.push(News::RollbackFailed),
            Some(RollbackStatus::Running | RollbackStatus::Completed) if rolled.is_none() => {
                news.push(News::RollbackBegan);
            }
            _ => {}
        }
    }
    news
}

fn shortened(message: &str) -> &str {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => &message[..end],
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::LabelText;
    use crate::model::{StepExecution, Timestamp};

    #[expect(clippy::disallowed_methods, reason = "some instant to count from")]
    fn now() -> Now {
        Now {
            instant: tokio::time::Instant::now(),
            time: Timestamp::from_millis(1_788_981_143_000),
        }
    }

    /// Counts the log lines for a step that is observed FAILED in each of these attempts.
    fn logged(attempts: &[Option<u32>]) -> usize {
        let id = "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01".parse().unwrap();
        let mut record = StepRecord::unseen(id, LabelText::new([]));
        let mut logged = 0;
        for attempt in attempts {
            let failed = StepExecution {
                attempt: *attempt,
                start: Some(Timestamp::from_millis(1_788_981_000_000)),
                ..StepExecution::with_status(StepStatus::Failed)
            };
            let after = record.after_response(failed, "us-west-2", now().time);
            logged += between(&record, &after, now()).len();
            record = after;
        }
        logged
    }

    #[test]
    fn failure_is_logged_once_for_each_attempt() {
        assert_eq!(logged(&[Some(1), Some(1), Some(2), Some(2)]), 2);
        assert_eq!(logged(&[None, None]), 1);
    }

    #[test]
    fn timeout_that_becomes_known_after_the_failure_logs_nothing() {
        let id = "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01".parse().unwrap();
        let listed = StepExecution {
            start: Some(Timestamp::from_millis(1_788_981_000_000)),
            end: Some(Timestamp::from_millis(1_788_981_060_000)),
            ..StepExecution::with_status(StepStatus::Failed)
        };
        let unseen = StepRecord::unseen(id, LabelText::new([]));
        let before = unseen.after_response(listed.clone(), "us-west-2", now().time);
        let gotten = StepExecution {
            timeout_seconds: Some(60),
            ..listed
        };
        let after = before.after_response(gotten, "us-west-2", now().time);
        assert_eq!(after.timeout_breached(now().time), Some(true));
        assert_eq!(between(&before, &after, now()), []);
    }

    #[test]
    fn response_without_the_attempt_logs_no_second_failure() {
        assert_eq!(logged(&[Some(1), None, Some(1)]), 1);
    }
}
