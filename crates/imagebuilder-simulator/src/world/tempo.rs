//! The speed of a world, and the numbers that are drawn for its places.

use super::ids::Place;
use crate::random::{hash, unit};
use crate::scenario::{Range, Span};

/// Between one step, workflow or rollback and the next.
pub(crate) const GAP: Span = Span::from_secs(2);

/// The seed and the speed of a world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tempo {
    pub(crate) seed: u64,
    pub(crate) speed: f64,
}

impl Tempo {
    /// Real milliseconds of a span of the scenario.
    pub(crate) fn scaled(self, span: Span) -> i64 {
        (span.millis() as f64 / self.speed).round() as i64
    }

    /// The compressed timeout in whole seconds, as in responses; 0 is none.
    pub(crate) fn timeout_seconds(self, span: Span) -> u32 {
        let seconds = (span.millis() as f64 / 1000.0 / self.speed).ceil();
        (seconds as u32).min(43_200)
    }

    pub(crate) fn draw(self, place: Place, salt: u64, range: Range) -> i64 {
        let width = (range.to.millis() - range.from.millis()) as f64;
        let part = unit(self.number(place, salt)) * width;
        self.scaled(Span::from_millis(range.from.millis() + part as i64))
    }

    pub(crate) fn number(self, place: Place, salt: u64) -> u64 {
        let [a, b, c, d, e] = place.parts();
        hash(self.seed, &[a, b, c, d, e, salt])
    }
}

// Salts separate the draws for one place. Those of a step's attempts count from 1.
pub(crate) const SALT_OUTCOME: u64 = 1 << 32;
pub(crate) const SALT_ROLLBACK: u64 = SALT_OUTCOME + 1;
pub(crate) const SALT_LISTED: u64 = 1 << 33;
pub(crate) const SALT_RANK: u64 = SALT_LISTED + 1;
