//! What a poll costs beside its call: taking it from the schedule, applying its response, publishing.
//!
//! `cargo bench --bench polling` prints the memory of a step by a counting allocator, and the times of
//! a poll for 10 to 1 000 000 tracked steps. Trackers take
//! turns, so that what else the machine does hits them alike, and each poll is the first of its
//! step. Figures are medians of rounds of ten polls, and ratios to the smallest tracker.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads clocks and prints its figures"
)]

#[expect(dead_code, reason = "the instruction counts use more of it")]
mod tracked;

use std::time::{Duration, Instant};

use tracked::Tracked;

const COUNTS: [usize; 4] = [10, 1_000, 100_000, 1_000_000];

/// So many polls are timed together.
const POLLS: usize = 10;

/// As many as the second smallest tracker has steps for, one half of them for a first round.
const ROUNDS: usize = 50;

/// The parts of a poll.
const PARTS: [&str; 3] = ["taken from the schedule", "applied", "published"];

fn main() {
    memory();
    let mut trackers = COUNTS.map(Tracked::listed);
    let mut samples = COUNTS.map(|_| PARTS.map(|_| Vec::new()));
    for _ in 0..ROUNDS {
        // The smallest has none left after a round.
        trackers[0] = Tracked::listed(COUNTS[0]);
        for (tracker, samples) in trackers.iter_mut().zip(&mut samples) {
            for (sample, samples) in round(tracker).into_iter().zip(samples) {
                samples.push(sample);
            }
        }
    }
    println!(
        "| tracked steps | {} |",
        PARTS.map(|part| format!("{part}, µs | x")).join(" | ")
    );
    println!("| --- |{}", " --- | --- |".repeat(PARTS.len()));
    let medians = samples.map(|parts| parts.map(median));
    for (count, parts) in COUNTS.iter().zip(&medians) {
        let cells = parts.iter().zip(&medians[0]).map(|(time, least)| {
            let ratio = time.as_secs_f64() / least.as_secs_f64();
            format!(
                "{:.2} | {ratio:.2}",
                time.as_secs_f64() * 1e6 / POLLS as f64
            )
        });
        println!("| {count} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}

/// Prints the memory of a tracker and its snapshot, which share their records.
fn memory() {
    println!("| tracked steps | bytes a step, listed | RUNNING | settled |");
    println!("| --- | --- | --- | --- |");
    for count in [100, 10_000, 100_000] {
        let mut tracked = None;
        let listed = held(|| tracked = Some(Tracked::listed(count)));
        let polled = listed + held(|| tracked.iter_mut().for_each(Tracked::poll_all));
        let settled = polled + held(|| tracked.iter_mut().for_each(Tracked::settle_all));
        let [listed, polled, settled] = [listed, polled, settled].map(|bytes| bytes / count as i64);
        println!("| {count} | {listed} | {polled} | {settled} |");
    }
    println!();
}

/// Returns how many more bytes are allocated after `work` than before.
fn held(work: impl FnOnce()) -> i64 {
    allocation_counter::measure(work).bytes_current
}

/// Makes some polls. Returns how long each part of them took.
fn round(tracker: &mut Tracked) -> [Duration; PARTS.len()] {
    let mut times = [Duration::ZERO; PARTS.len()];
    for _ in 0..POLLS {
        let begun = Instant::now();
        let (due, page) = tracker.pop().expect("all polls are due");
        let taken = Instant::now();
        let changes = tracker.handle(due, page);
        let applied = Instant::now();
        tracker.publish();
        let published = Instant::now();
        drop(changes);
        let parts = [taken - begun, applied - taken, published - applied];
        for (time, part) in times.iter_mut().zip(parts) {
            *time += part;
        }
    }
    times
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
