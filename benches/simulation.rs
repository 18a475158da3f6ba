//! Two virtual hours of 50 targets, 200 000 step executions a day and 20 000 running at once.
//!
//! `cargo bench --bench simulation` prints how late looks and changes were, under a rate limit that
//! suffices and under 5 requests a second and target, and ends with an error where that is not what
//! arithmetic says. `-- 5` simulates 5 targets instead.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a benchmark reads clocks, prints its figures and fails at the first surprise"
)]

#[path = "../tests/it/support/busy_account/mod.rs"]
mod busy_account;
#[path = "../tests/it/support/fleet.rs"]
mod fleet;
#[path = "../tests/it/support/simulation.rs"]
mod simulation;

use std::time::Duration;

use fleet::limit;
use simulation::Simulation;

const MINUTE: Duration = Duration::from_secs(60);

fn main() {
    let given = std::env::args().find_map(|argument| argument.parse().ok());
    let targets = given.unwrap_or(50);
    let measured = Simulation {
        targets,
        limit: limit(5.0, 10),
        at_first: None,
        warm_up: 45 * MINUTE,
        length: 120 * MINUTE,
    }
    .run();
    measured.print("5 requests a second");
    measured.assert_late_as_expected();
    measured.assert_stopped_growing();

    let measured = Simulation {
        targets,
        limit: limit(500.0, 200),
        at_first: None,
        warm_up: 45 * MINUTE,
        length: 120 * MINUTE,
    }
    .run();
    measured.print("a rate limit that suffices");
    measured.assert_in_time();
    measured.assert_stopped_growing();
}
