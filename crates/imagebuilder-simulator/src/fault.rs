//! Faults: rules that make calls go wrong.
//!
//! Owns the rules, which tests may replace while the simulator runs, and decides which of them
//! applies to a call. `service::effect` carries the effect out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use globset::{Glob, GlobMatcher};
use serde_json::Value;

use crate::error::ErrorResponse;
use crate::random::{hash, unit};

/// One rule. The first rule that matches a call decides.
#[derive(Clone, Debug)]
pub struct Fault {
    operation: GlobMatcher,
    id: GlobMatcher,
    region: GlobMatcher,
    access_key: GlobMatcher,
    from: Duration,
    until: Option<Duration>,
    times: Option<u32>,
    probability: f64,
    latency: Duration,
    effect: Effect,
}

/// What happens to a call instead of its response.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The response, later: see [`Fault::latency`].
    Late,
    /// An error response.
    Error(ErrorResponse),
    /// No response, until the caller gives up.
    NoAnswer,
    /// The connection is reset.
    Reset,
    /// Half of the response's JSON, with a length that fits it.
    Truncated,
    /// A page of HTML with 200, as from a proxy.
    Html,
    /// Members that are removed wherever they occur.
    Missing(Vec<String>),
    /// Members with other values wherever they occur, added at the top where they do not.
    Replaced(BTreeMap<String, Value>),
}

impl Fault {
    /// Makes a fault of every call of an operation; the name is a glob.
    ///
    /// # Errors
    ///
    /// `operation` is no glob.
    pub fn on(operation: &str, effect: Effect) -> Result<Self, String> {
        Ok(Self {
            operation: glob(operation)?,
            id: glob("*")?,
            region: glob("*")?,
            access_key: glob("*")?,
            from: Duration::ZERO,
            until: None,
            times: None,
            probability: 1.0,
            latency: Duration::ZERO,
            effect,
        })
    }

    /// Restricts the fault to ids that match this glob; a list's id is that of the resource whose
    /// parts it lists.
    ///
    /// # Errors
    ///
    /// `id` is no glob.
    pub fn id(self, id: &str) -> Result<Self, String> {
        Ok(Self {
            id: glob(id)?,
            ..self
        })
    }

    /// Restricts the fault to regions that match this glob.
    ///
    /// # Errors
    ///
    /// `region` is no glob.
    pub fn region(self, region: &str) -> Result<Self, String> {
        Ok(Self {
            region: glob(region)?,
            ..self
        })
    }

    /// Restricts the fault to callers whose access key matches this glob.
    ///
    /// # Errors
    ///
    /// `access_key` is no glob.
    pub fn access_key(self, access_key: &str) -> Result<Self, String> {
        Ok(Self {
            access_key: glob(access_key)?,
            ..self
        })
    }

    /// Restricts the fault to this time after the simulator's start, for this long, in real time.
    pub fn window(self, from: Duration, length: Option<Duration>) -> Self {
        Self {
            from,
            until: length.map(|length| from + length),
            ..self
        }
    }

    /// Restricts the fault to this number of calls.
    pub fn times(self, times: u32) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    /// Restricts the fault to this part of the calls, drawn by the world's seed.
    pub fn probability(self, probability: f64) -> Self {
        Self {
            probability,
            ..self
        }
    }

    /// Delays the effect by this time.
    pub fn latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }
}

/// What the rules match a call by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) operation: &'a str,
    pub(crate) id: &'a str,
    pub(crate) region: &'a str,
    pub(crate) access_key: &'a str,
}

/// The rules of a running simulator; clones share them.
#[derive(Clone, Debug)]
pub struct Faults(Arc<Mutex<Rules>>);

#[derive(Debug)]
struct Rules {
    seed: u64,
    /// How many draws there have been.
    draws: u64,
    faults: Vec<Fault>,
}

impl Faults {
    pub(crate) fn new(seed: u64, faults: Vec<Fault>) -> Self {
        Self(Arc::new(Mutex::new(Rules {
            seed,
            draws: 0,
            faults,
        })))
    }

    /// Replaces all rules; calls in flight keep their effect.
    pub fn set(&self, faults: Vec<Fault>) {
        self.rules().faults = faults;
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.set(Vec::new());
    }

    /// Returns the effect and the latency for a call that comes `since` after the simulator's
    /// start.
    pub(crate) fn meet(&self, call: Call<'_>, since: Duration) -> Option<(Effect, Duration)> {
        let mut rules = self.rules();
        let Rules {
            seed,
            draws,
            faults,
        } = &mut *rules;
        for fault in faults {
            let matches = fault.operation.is_match(call.operation)
                && fault.id.is_match(call.id)
                && fault.region.is_match(call.region)
                && fault.access_key.is_match(call.access_key)
                && fault.from <= since
                && fault.until.is_none_or(|until| since < until)
                && fault.times != Some(0);
            if !matches {
                continue;
            }
            *draws += 1;
            if fault.probability < 1.0 && unit(hash(*seed, &[*draws])) >= fault.probability {
                continue;
            }
            fault.times = fault.times.map(|times| times - 1);
            return Some((fault.effect.clone(), fault.latency));
        }
        None
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        // No rule is ever half written, so a panic elsewhere leaves them valid.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn glob(text: &str) -> Result<GlobMatcher, String> {
    Glob::new(text)
        .map(|glob| glob.compile_matcher())
        .map_err(|error| format!("{text:?} is no glob: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call<'_> = Call {
        operation: "GetWorkflowStepExecution",
        id: "step-1",
        region: "us-west-2",
        access_key: "AKIDEXAMPLE",
    };

    fn meets(faults: &Faults, call: Call<'_>, seconds: u64) -> bool {
        faults.meet(call, Duration::from_secs(seconds)).is_some()
    }

    #[test]
    fn fault_meets_only_calls_its_globs_match() {
        let fault = Fault::on("Get*", Effect::Reset).unwrap();
        let faults = Faults::new(1, vec![fault.id("step-*").unwrap()]);
        assert!(meets(&faults, CALL, 0));
        assert!(!meets(&faults, Call { id: "wf-1", ..CALL }, 0));
        let list = "ListWorkflowExecutions";
        assert!(!meets(
            &faults,
            Call {
                operation: list,
                ..CALL
            },
            0
        ));
    }

    #[test]
    fn fault_meets_only_callers_its_glob_matches() {
        let fault = Fault::on("*", Effect::Reset).unwrap();
        let faults = Faults::new(1, vec![fault.access_key("AKIDOLD*").unwrap()]);
        assert!(!meets(&faults, CALL, 0));
        let access_key = "AKIDOLDKEY";
        assert!(meets(&faults, Call { access_key, ..CALL }, 0));
    }

    #[test]
    fn fault_meets_only_calls_within_its_window_and_so_many_of_them() {
        let fault = Fault::on("*", Effect::NoAnswer).unwrap();
        let window = Duration::from_secs(5);
        let faults = Faults::new(1, vec![fault.window(window, Some(window)).times(2)]);
        assert!(!meets(&faults, CALL, 4));
        assert!(meets(&faults, CALL, 5));
        assert!(!meets(&faults, CALL, 10));
        assert!(meets(&faults, CALL, 9));
        assert!(!meets(&faults, CALL, 9));
    }

    #[test]
    fn probability_is_the_same_with_the_same_seed() {
        let draw = |seed| {
            let fault = Fault::on("*", Effect::Reset).unwrap().probability(0.5);
            let faults = Faults::new(seed, vec![fault]);
            (0..64).map(|_| meets(&faults, CALL, 0)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let met = draw(1).into_iter().filter(|met| *met).count();
        assert!((16..48).contains(&met), "{met} of 64");
    }
}
