//! The calls that the simulator received, for tests to count.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use imagebuilder_model::Timestamp;

/// The length of the log; a simulator can run for weeks.
const LOGGED: usize = 200_000;

/// The counters of a running simulator; clones share them. A call counts as soon as its operation
/// is known, whatever its outcome.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<Counted>>);

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedCall {
    /// The operation's name, `GetImage`.
    pub operation: &'static str,
    /// The id as the caller wrote it; for a list, that of the resource whose parts it lists, empty
    /// for a list of the account.
    pub id: String,
    /// The region that the request was signed for.
    pub region: String,
    /// The access key that signed the request.
    pub access_key: String,
    /// When the call came, by the service's clock.
    pub at: Timestamp,
}

#[derive(Debug, Default)]
struct Counted {
    by_operation: BTreeMap<&'static str, u64>,
    log: VecDeque<LoggedCall>,
    running: usize,
    peak: usize,
    running_alike: HashMap<(&'static str, String), usize>,
    peak_alike: usize,
}

impl Calls {
    /// Returns how often an operation was called.
    pub fn of(&self, operation: &str) -> u64 {
        let counted = self.counted();
        counted.by_operation.get(operation).copied().unwrap_or(0)
    }

    /// Returns how often an operation was called with this id, as far as the log goes back.
    pub fn of_id(&self, operation: &str, id: &str) -> usize {
        let counted = self.counted();
        let alike = |call: &&LoggedCall| call.operation == operation && call.id == id;
        counted.log.iter().filter(alike).count()
    }

    /// Returns the last calls, the oldest first.
    pub fn log(&self) -> Vec<LoggedCall> {
        self.counted().log.iter().cloned().collect()
    }

    /// Returns the largest number of calls in flight at once.
    pub fn peak(&self) -> usize {
        self.counted().peak
    }

    /// Returns the largest number of calls in flight at once with the same operation and id.
    pub fn peak_alike(&self) -> usize {
        self.counted().peak_alike
    }

    /// Counts a call. The call is in flight until the returned guard is dropped.
    pub(crate) fn begin(&self, call: &LoggedCall) -> Running {
        let key = (call.operation, call.id.clone());
        let mut counted = self.counted();
        *counted.by_operation.entry(call.operation).or_default() += 1;
        if counted.log.len() == LOGGED {
            counted.log.pop_front();
        }
        counted.log.push_back(call.clone());
        counted.running += 1;
        counted.peak = counted.peak.max(counted.running);
        let alike = counted.running_alike.entry(key.clone()).or_default();
        *alike += 1;
        let alike = *alike;
        counted.peak_alike = counted.peak_alike.max(alike);
        drop(counted);
        Running {
            calls: self.clone(),
            key,
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        // Counters have no state that a panic elsewhere could leave half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call in flight.
#[derive(Debug)]
pub(crate) struct Running {
    calls: Calls,
    key: (&'static str, String),
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut counted = self.calls.counted();
        counted.running -= 1;
        if let Some(alike) = counted.running_alike.get_mut(&self.key) {
            *alike -= 1;
            if *alike == 0 {
                counted.running_alike.remove(&self.key);
            }
        }
    }
}
