//! Tests of the judgement on a target.

use super::*;

const STEP: Operation = Operation::GetWorkflowStepExecution;
const WORKFLOW: Operation = Operation::GetWorkflowExecution;
const INTERVAL: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "some instant to count from")]
fn start() -> Now {
    Now {
        instant: Instant::now(),
        time: Timestamp::from_millis(0),
    }
}

fn error(kind: ErrorKind) -> ApiError {
    ApiError::new(kind, "it went wrong")
}

#[test]
fn health_is_unknown_before_the_first_result_and_throttling_does_not_count() {
    let now = start();
    let mut health = Health::default();
    assert_eq!(health.is_up(now.instant, INTERVAL), None);
    health.record(STEP, Err(&error(ErrorKind::Throttled)), now);
    assert_eq!(health.is_up(now.instant, INTERVAL), None);
}

#[test]
fn every_error_counts_except_throttling_and_an_unknown_step() {
    let now = start();
    for kind in ErrorKind::ALL {
        let mut health = Health::default();
        health.record(STEP, Ok(()), now);
        health.record(STEP, Err(&error(kind)), now);
        let expected = matches!(kind, ErrorKind::Throttled | ErrorKind::Client);
        assert_eq!(
            health.is_up(now.instant, INTERVAL),
            Some(expected),
            "{kind:?}"
        );
    }
}

#[test]
fn one_operation_that_works_keeps_the_target_up_for_five_intervals() {
    let now = start();
    let mut health = Health::default();
    health.record(STEP, Ok(()), now);
    health.record(
        WORKFLOW,
        Err(&error(ErrorKind::Forbidden)),
        now.plus(INTERVAL),
    );
    assert_eq!(
        health.is_up(now.plus(INTERVAL * 5).instant, INTERVAL),
        Some(true)
    );
    let later = now.plus(INTERVAL * 5 + Duration::from_secs(1));
    assert_eq!(health.is_up(later.instant, INTERVAL), Some(false));
}

#[test]
fn last_result_of_an_operation_counts_while_it_is_throttled() {
    let now = start();
    let mut health = Health::default();
    health.record(STEP, Ok(()), now);
    health.record(
        STEP,
        Err(&error(ErrorKind::Throttled)),
        now.plus(INTERVAL * 9),
    );
    health.record(
        WORKFLOW,
        Err(&error(ErrorKind::Forbidden)),
        now.plus(INTERVAL * 10),
    );
    assert_eq!(
        health.is_up(now.plus(INTERVAL * 10).instant, INTERVAL),
        Some(true)
    );
}

#[test]
fn last_called_operation_decides_when_calls_have_stopped() {
    let now = start();
    let mut health = Health::default();
    health.record(STEP, Err(&error(ErrorKind::Network)), now);
    health.record(WORKFLOW, Ok(()), now.plus(INTERVAL));
    assert_eq!(
        health.is_up(now.plus(INTERVAL * 100).instant, INTERVAL),
        Some(true)
    );
    health.record(
        STEP,
        Err(&error(ErrorKind::Network)),
        now.plus(INTERVAL * 2),
    );
    assert_eq!(
        health.is_up(now.plus(INTERVAL * 100).instant, INTERVAL),
        Some(false)
    );
}

#[test]
fn target_is_up_or_down_since_the_first_such_result() {
    let now = start();
    let mut health = Health::default();
    let mut record = |result: Result<(), &ApiError>, at: Now| {
        health.record(STEP, result, at);
        let up = health.judge(at, INTERVAL);
        health.since(up)
    };
    let fault = error(ErrorKind::Network);
    assert_eq!(record(Ok(()), now), Some(now.time));
    assert_eq!(record(Ok(()), now.plus(INTERVAL)), Some(now.time));
    let down = now.plus(INTERVAL * 2);
    assert_eq!(record(Err(&fault), down), Some(down.time));
    assert_eq!(record(Err(&fault), now.plus(INTERVAL * 3)), Some(down.time));
    assert_eq!(health.last_success(), Some(now.plus(INTERVAL).time));
    let newest = health.newest_fault().unwrap();
    assert_eq!(
        (newest.at, &*newest.message),
        (now.plus(INTERVAL * 3).time, "it went wrong")
    );
    assert_eq!(health.since(Some(true)), None);
}

#[test]
fn target_recovers_when_the_failed_operation_succeeds() {
    let now = start();
    let mut health = Health::default();
    assert!(!health.has_recovered());
    health.record(STEP, Err(&error(ErrorKind::Timeout)), now);
    health.record(WORKFLOW, Ok(()), now);
    assert!(!health.has_recovered());
    health.record(STEP, Err(&error(ErrorKind::Throttled)), now);
    assert!(!health.has_recovered());
    health.record(STEP, Ok(()), now);
    assert!(health.has_recovered());
    health.record(STEP, Err(&error(ErrorKind::Timeout)), now);
    assert!(!health.has_recovered());
}

#[test]
fn target_is_down_from_a_panic_until_a_call_succeeds() {
    let now = start();
    let mut health = Health::default();
    health.record(STEP, Ok(()), now);
    let later = now.plus(INTERVAL);
    health.panicked(later);
    assert_eq!(health.is_up(later.instant, INTERVAL), Some(false));
    assert_eq!(health.since(Some(false)), Some(later.time));
    health.record(STEP, Err(&error(ErrorKind::Throttled)), later);
    assert_eq!(health.is_up(later.instant, INTERVAL), Some(false));
    assert_eq!(health.panicked_at(), Some(later.time));
    health.record(STEP, Ok(()), later);
    assert_eq!(health.is_up(later.instant, INTERVAL), Some(true));
    assert_eq!(health.panicked_at(), None);
}

#[test]
fn operation_is_denied_from_the_first_refusal_until_it_succeeds() {
    let now = start();
    let mut health = Health::default();
    let refused = ApiError {
        caller_refused: true,
        ..error(ErrorKind::Forbidden)
    };
    health.record(STEP, Err(&refused), now);
    assert_eq!(health.denied(&[], now), []);
    let later = now.plus(INTERVAL);
    health.record(WORKFLOW, Err(&error(ErrorKind::Forbidden)), now);
    health.record(WORKFLOW, Err(&error(ErrorKind::Forbidden)), later);
    let denial = Denial {
        operation: WORKFLOW,
        since: now.time,
        again: Some(later.time),
    };
    assert_eq!(health.denied(&[(WORKFLOW, later.instant)], now), [denial]);
    assert_eq!(health.denied(&[], now)[0].again, None);
    health.record(WORKFLOW, Ok(()), later);
    assert_eq!(health.denied(&[], now), []);
}
