//! A tenth of what `benches/simulation.rs` simulates, for less time: the backlog of the beginning is
//! worked off under a high rate limit.

use std::time::Duration;

use crate::support::fleet::limit;
use crate::support::simulation::Simulation;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn sufficient_rate_limit_delays_nothing() {
    let measured = Simulation {
        targets: 5,
        limit: limit(500.0, 200),
        at_first: Some((limit(5_000.0, 1_000), MINUTE)),
        warm_up: 2 * MINUTE,
        // More than 100 changes of steps: of fewer, the p99 is the largest.
        length: 6 * MINUTE,
    }
    .run();
    measured.print("a rate limit that suffices");
    measured.assert_in_time();
}

#[test]
fn insufficient_rate_limit_delays_polls_as_calculated() {
    let measured = Simulation {
        targets: 5,
        limit: limit(5.0, 10),
        at_first: Some((limit(5_000.0, 1_000), MINUTE)),
        warm_up: 8 * MINUTE,
        length: 20 * MINUTE,
    }
    .run();
    measured.print("5 requests a second");
    measured.assert_late_as_expected();
}

#[test]
fn same_seed_leads_to_the_same_calls() {
    let run = || {
        let measured = Simulation {
            targets: 1,
            limit: limit(500.0, 200),
            at_first: None,
            warm_up: Duration::ZERO,
            length: 3 * MINUTE,
        }
        .run();
        (measured.record.calls, measured.record.gaps)
    };
    assert_eq!(run(), run());
}
