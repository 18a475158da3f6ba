//! Remembers which executions have been counted, for as long as they could be counted again.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::{StepExecutionId, Timestamp};
use crate::snapshot::Observation;

/// How many times expired entries are removed within the time that an entry stays.
const SWEEPS: u32 = 16;

/// The counted executions that ended since `horizon`. An execution that ended before it is counted
/// only if two polls saw its end.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// Never moves back, so that a removed entry is never counted a second time.
    horizon: Timestamp,
    keep: Duration,
    swept: Timestamp,
    /// The later of the execution's end and the time of the count, by the number of the id.
    counted: HashMap<[u8; 16], Timestamp>,
}

impl Memory {
    pub(super) fn new(started: Timestamp, keep: Duration) -> Self {
        Self {
            horizon: started,
            keep,
            swept: started,
            counted: HashMap::new(),
        }
    }

    pub(super) fn configure(&mut self, keep: Duration, now: Timestamp) {
        self.advance(now);
        self.keep = keep;
    }

    /// Returns whether to count a finished execution, and remembers it as counted. `witnessed` says
    /// whether two polls saw its end.
    pub(super) fn counts(
        &mut self,
        id: StepExecutionId,
        observed: &Observation,
        witnessed: bool,
        now: Timestamp,
    ) -> bool {
        self.advance(now);
        let ended = observed.end.or(observed.start);
        if !witnessed && ended.is_none_or(|ended| ended < self.horizon) {
            return false;
        }
        let number = number(id);
        if self.counted.contains_key(&number) {
            return false;
        }
        let since = ended.map_or(now, |ended| ended.max(now));
        self.counted.insert(number, since);
        true
    }

    /// Removes entries that are too old to be counted again, [`SWEEPS`] times while an entry stays.
    pub(super) fn forget(&mut self, now: Timestamp) {
        if now < self.swept.plus(self.keep / SWEEPS) {
            return;
        }
        self.swept = now;
        self.advance(now);
        let before = self.counted.len();
        self.counted.retain(|_, since| *since >= self.horizon);
        if self.counted.len() < before / 2 {
            self.counted.shrink_to_fit();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.counted.len()
    }

    fn advance(&mut self, now: Timestamp) {
        self.horizon = self.horizon.max(now.minus(self.keep));
    }
}

/// Returns the number that the hexadecimal digits of the id denote, in either case.
fn number(id: StepExecutionId) -> [u8; 16] {
    let mut number = 0_u128;
    for byte in id.uuid_bytes() {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => continue,
        };
        number = number << 4 | u128::from(digit);
    }
    number.to_be_bytes()
}
