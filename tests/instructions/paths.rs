//! The paths whose instructions are counted, in the order in which they run.

use std::hint::black_box;

use imagebuilder_exporter::exposition::{Encoding, Exposition, Format, Frames, Next, SharedFrames};
use imagebuilder_exporter::http::Exporter;
use imagebuilder_exporter::status::{Query, Site, Status, page};

use program::Program;
use tracked::Tracked;

#[expect(dead_code, reason = "benchmarks use more of it")]
#[path = "../../benches/scrape/program.rs"]
mod program;
#[expect(dead_code, reason = "the benchmark uses more of it")]
#[path = "../../benches/polling/tracked.rs"]
mod tracked;

/// So many steps are exposed, a tenth of them RUNNING.
const STEPS: usize = 500;

/// So many scrapes begin together.
const AT_ONCE: usize = 50;

/// So many RUNNING steps are tracked.
const TRACKED: usize = 500;

/// So many polls are counted together, because one may happen to make a table larger.
const POLLS: usize = 50;

/// The names of the paths in their order.
pub(super) const NAMES: [&str; 6] = [
    "plain scrape of 500 steps",
    "gzip scrape of 500 steps",
    "50 gzip scrapes of 500 steps at once",
    "50 calls taken from a schedule of 500",
    "50 responses applied and published, 500 steps",
    "status page of 500 steps",
];

/// Callgrind counts what happens in here, and writes a file at its end.
#[inline(never)]
fn measured(path: &mut dyn FnMut()) {
    path();
}

/// Runs a path of [`NAMES`] in its steady state.
pub(super) fn run(path: usize) {
    match path {
        0 => steady_scrape(Encoding::Identity),
        1 => steady_scrape(Encoding::Gzip),
        2 => scrapes_at_once(),
        3 => take_calls(),
        4 => apply_responses(),
        _ => status_page(),
    }
}

fn steady_scrape(encoding: Encoding) {
    let program = Program::with_steps(STEPS);
    let shared = SharedFrames::default();
    // Makes pieces, joins them, and fills the pool.
    for _ in 0..3 {
        scrape(&program, encoding, &shared);
    }
    measured(&mut || scrape(&program, encoding, &shared));
}

fn scrapes_at_once() {
    let program = Program::with_steps(STEPS);
    let shared = SharedFrames::default();
    for _ in 0..3 {
        scrape(&program, Encoding::Gzip, &shared);
    }
    program.hold(|| {
        measured(&mut || {
            let begun = (0..AT_ONCE).map(|_| begin(&program, Encoding::Gzip, &shared));
            let mut scrapes: Vec<_> = begun.collect();
            while !scrapes.is_empty() {
                scrapes.retain_mut(advance);
            }
        });
    });
}

fn take_calls() {
    let mut tracked = Tracked::listed(TRACKED);
    tracked.poll_all();
    tracked.pass_interval();
    let mut taken = Vec::with_capacity(POLLS);
    measured(&mut || taken.extend((0..POLLS).map_while(|_| tracked.pop())));
    assert_eq!(taken.len(), POLLS, "all polls are due");
}

fn apply_responses() {
    let mut tracked = Tracked::listed(TRACKED);
    tracked.poll_all();
    tracked.pass_interval();
    let mut taken: Vec<_> = (0..POLLS).map_while(|_| tracked.pop()).collect();
    assert_eq!(taken.len(), POLLS, "all polls are due");
    measured(&mut || {
        for (due, requested) in taken.drain(..) {
            let _ = black_box(tracked.handle(due, requested));
            tracked.publish();
        }
    });
}

fn status_page() {
    let site = Site {
        telemetry_path: "/metrics".to_owned(),
        external_url: None,
    };
    let known = Program::with_steps(STEPS).status();
    let query = Query::parse("").expect("it is well-formed");
    measured(&mut || {
        black_box(page(&Status::of(&known, &query), &site));
    });
}

fn scrape(program: &Program, encoding: Encoding, shared: &SharedFrames) {
    let mut frames = begin(program, encoding, shared);
    while advance(&mut frames) {}
}

fn begin(program: &Program, encoding: Encoding, shared: &SharedFrames) -> Frames {
    let exposition = Exposition::new(program.scrape(), Format::Text);
    Frames::new(exposition, encoding, shared)
}

/// Returns whether the scrape goes on.
fn advance(frames: &mut Frames) -> bool {
    match frames.advance() {
        Next::Frame(frame) => drop(black_box(frame)),
        Next::Working => {}
        Next::End => return false,
    }
    true
}
