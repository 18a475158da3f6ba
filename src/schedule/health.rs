//! Whether a target can be polled at all, told from the newest outcome of each operation.

use std::time::Duration;

use tokio::time::Instant;

use crate::api::{ErrorKind, Operation};

/// How many polling intervals an operation's outcome speaks for.
const WINDOW: u32 = 5;

/// The newest outcome of each operation of one target and region.
#[derive(Clone, Copy, Debug, Default)]
pub struct Health {
    newest: [Option<Outcome>; Operation::ALL.len()],
}

#[derive(Clone, Copy, Debug)]
struct Outcome {
    /// When the operation was last called, throttled or not.
    called: Instant,
    fault: bool,
}

impl Health {
    /// Throttling tells that someone is there, and nothing more: it is no outcome.
    pub fn record(&mut self, operation: Operation, result: Result<(), ErrorKind>, at: Instant) {
        let newest = &mut self.newest[operation as usize];
        if result != Err(ErrorKind::Throttled) {
            let fault = result.is_err_and(is_fault);
            *newest = Some(Outcome { called: at, fault });
        } else if let Some(outcome) = newest {
            outcome.called = at;
        }
    }

    /// `false` where every operation called in the last five polling intervals failed by a fault
    /// of credentials, network or service. Where none was called in that time, what was called
    /// last decides; `None` before the first outcome.
    pub fn is_up(&self, now: Instant, interval: Duration) -> Option<bool> {
        let outcomes = || self.newest.iter().flatten();
        let last = outcomes().map(|outcome| outcome.called).max()?;
        let since = |outcome: &&Outcome| now.duration_since(outcome.called) <= interval * WINDOW;
        let mut recent = outcomes().filter(since).peekable();
        Some(if recent.peek().is_some() {
            recent.any(|outcome| !outcome.fault)
        } else {
            outcomes().any(|outcome| outcome.called == last && !outcome.fault)
        })
    }
}

fn is_fault(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Forbidden
        | ErrorKind::Server
        | ErrorKind::Timeout
        | ErrorKind::Network
        | ErrorKind::Parse
        | ErrorKind::Credentials => true,
        ErrorKind::Client | ErrorKind::Throttled => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Operation = Operation::GetWorkflowStepExecution;
    const WORKFLOW: Operation = Operation::GetWorkflowExecution;
    const INTERVAL: Duration = Duration::from_secs(30);

    #[expect(clippy::disallowed_methods, reason = "some instant to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn nothing_is_said_before_the_first_outcome_and_throttling_is_none() {
        let now = start();
        let mut health = Health::default();
        assert_eq!(health.is_up(now, INTERVAL), None);
        health.record(STEP, Err(ErrorKind::Throttled), now);
        assert_eq!(health.is_up(now, INTERVAL), None);
    }

    #[test]
    fn every_fault_is_one_and_the_service_not_knowing_a_step_is_none() {
        let now = start();
        for kind in ErrorKind::ALL {
            let mut health = Health::default();
            health.record(STEP, Ok(()), now);
            health.record(STEP, Err(kind), now);
            let expected = matches!(kind, ErrorKind::Throttled | ErrorKind::Client);
            assert_eq!(health.is_up(now, INTERVAL), Some(expected), "{kind:?}");
        }
    }

    #[test]
    fn one_operation_that_works_keeps_the_target_up_for_five_intervals() {
        let now = start();
        let mut health = Health::default();
        health.record(STEP, Ok(()), now);
        health.record(WORKFLOW, Err(ErrorKind::Forbidden), now + INTERVAL);
        assert_eq!(health.is_up(now + INTERVAL * 5, INTERVAL), Some(true));
        let later = now + INTERVAL * 5 + Duration::from_secs(1);
        assert_eq!(health.is_up(later, INTERVAL), Some(false));
    }

    #[test]
    fn newest_outcome_of_an_operation_counts_while_it_is_throttled() {
        let now = start();
        let mut health = Health::default();
        health.record(STEP, Ok(()), now);
        health.record(STEP, Err(ErrorKind::Throttled), now + INTERVAL * 9);
        health.record(WORKFLOW, Err(ErrorKind::Forbidden), now + INTERVAL * 10);
        assert_eq!(health.is_up(now + INTERVAL * 10, INTERVAL), Some(true));
    }

    #[test]
    fn what_was_called_last_decides_when_nothing_is_called_any_more() {
        let now = start();
        let mut health = Health::default();
        health.record(STEP, Err(ErrorKind::Network), now);
        health.record(WORKFLOW, Ok(()), now + INTERVAL);
        assert_eq!(health.is_up(now + INTERVAL * 100, INTERVAL), Some(true));
        health.record(STEP, Err(ErrorKind::Network), now + INTERVAL * 2);
        assert_eq!(health.is_up(now + INTERVAL * 100, INTERVAL), Some(false));
    }
}
