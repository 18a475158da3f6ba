//! The wall clock of a machine, which steps. There is one for each thread.

use std::cell::RefCell;

use imagebuilder_exporter::clock::{Clock, Now};
use tokio::time::Instant;

use super::poller::EPOCH;

/// From so many seconds after the start on, the clock is so many seconds ahead, or behind if negative.
#[derive(Clone, Copy, Debug)]
pub struct ClockStep {
    pub after: f64,
    pub ahead: i64,
}

thread_local! {
    static WALL_CLOCK: RefCell<Option<(Instant, Vec<ClockStep>)>> = const { RefCell::new(None) };
}

/// Sets the clock of this thread, and returns it.
pub fn machine_clock(started: Instant, steps: &[ClockStep]) -> Clock {
    WALL_CLOCK.with_borrow_mut(|clock| *clock = Some((started, steps.to_vec())));
    Clock::Scripted(machine_time)
}

/// What the clock of this thread shows now.
pub fn machine_time() -> Now {
    WALL_CLOCK.with_borrow(|clock| {
        let (started, steps) = clock.as_ref().expect("the clock is set");
        let instant = Instant::now();
        let since = instant - *started;
        let seconds = since.as_secs_f64();
        let last = steps.iter().rev().find(|step| step.after <= seconds);
        let ahead = last.map_or(0, |step| step.ahead);
        Now {
            instant,
            time: EPOCH.plus(since).plus_millis(ahead * 1_000),
        }
    })
}
