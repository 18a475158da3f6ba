//! Scrapes with gzip that begin together, and share the frames.

use bytes::Bytes;

use super::finished::counted;
use super::properties::without_process;
use super::*;
use crate::baseline::{BaselineSnapshot, Baselines};

/// For some chunks, a tenth of them RUNNING.
const STEPS: usize = 700;

/// An exporter whose state changes between scrapes.
struct World {
    scrape: Scrape,
    records: Records,
    shared: SharedFrames,
}

/// A scrape in progress.
struct InProgress {
    frames: Frames,
    received: Vec<Bytes>,
    expected: String,
}

impl World {
    fn new(steps: usize) -> Self {
        let record = |at| match at % 10 {
            0 => StepRecord {
                phase: Phase::Active,
                last_success: Some(after(9_000)),
                ..running_step(at)
            },
            _ => completed(at),
        };
        let mut world = Self {
            scrape: scrape([], after(10_000)),
            records: Records {
                steps: StepTable::new((0..steps as u64).map(record)),
                ..Records::default()
            },
            shared: SharedFrames::default(),
        };
        world.publish();
        world
    }

    fn publish(&mut self) {
        self.scrape.sources[0].snapshot = self.records.snapshot();
    }

    /// Changes a step, and publishes that.
    fn poll(&mut self, at: usize, seconds: u64) {
        let polled = Some(after(10_000 + seconds * 1_000));
        { &mut self.records.steps }
            .update(&scattered_id(at as u64), |step| step.last_success = polled);
        self.publish();
    }

    fn begin(&self, format: Format) -> InProgress {
        let exposition = Exposition::new(self.scrape.clone(), format);
        InProgress {
            frames: Frames::new(exposition, Encoding::Gzip, &self.shared),
            received: Vec::new(),
            expected: without_process(&rendered(self.scrape.clone(), format)),
        }
    }

    /// Begins so many scrapes together.
    fn begun(&self, count: usize) -> Vec<InProgress> {
        (0..count).map(|_| self.begin(Format::Text)).collect()
    }

    /// Returns the frames of so many scrapes that begin together.
    fn received(&self, count: usize) -> Vec<Vec<Bytes>> {
        self.begun(count).into_iter().map(InProgress::end).collect()
    }
}

impl InProgress {
    /// Returns whether there is more.
    fn advance(&mut self) -> bool {
        match self.frames.advance() {
            Next::Frame(bytes) => self.received.push(bytes),
            Next::Working => {}
            Next::End => return false,
        }
        true
    }

    /// Receives the rest, and compares the text.
    fn end(mut self) -> Vec<Bytes> {
        while self.advance() {}
        let mut text = String::new();
        flate2::read::GzDecoder::new(&self.received.concat()[..])
            .read_to_string(&mut text)
            .unwrap();
        assert!(without_process(&text) == self.expected);
        self.received
    }
}

/// Whether all frames of two scrapes are the same memory.
fn are_shared(one: &[Bytes], other: &[Bytes]) -> bool {
    let places = |frames: &[Bytes]| {
        frames
            .iter()
            .map(|bytes| bytes.as_ptr())
            .collect::<Vec<_>>()
    };
    places(one) == places(other)
}

/// What happens while scrapes are in progress.
#[derive(Clone, Debug)]
enum Event {
    Begun(Format),
    Advanced(prop::sample::Index, usize),
    Disconnected(prop::sample::Index),
    Polled(usize),
    Waited,
    Reloaded,
}

fn some_event() -> impl Strategy<Value = Event> {
    let at = || any::<prop::sample::Index>();
    prop_oneof![
        6 => proptest::sample::select(&[Format::Text, Format::Text, Format::OpenMetrics][..])
            .prop_map(Event::Begun),
        6 => (at(), 1..40_usize).prop_map(|(at, frames)| Event::Advanced(at, frames)),
        2 => at().prop_map(Event::Disconnected),
        1 => (0..STEPS).prop_map(Event::Polled),
        1 => Just(Event::Waited),
        1 => Just(Event::Reloaded),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn scrapes_that_share_frames_have_the_text_of_the_moment_when_they_began(
        events in proptest::collection::vec(some_event(), 1..60),
    ) {
        let mut world = World::new(STEPS);
        let mut scrapes = Vec::new();
        for (second, event) in events.into_iter().enumerate() {
            match event {
                Event::Begun(format) => scrapes.push(world.begin(format)),
                Event::Advanced(_, _) | Event::Disconnected(_) if scrapes.is_empty() => {}
                Event::Advanced(at, frames) => {
                    let at = at.index(scrapes.len());
                    for _ in 0..frames {
                        scrapes[at].advance();
                    }
                }
                Event::Disconnected(at) => drop(scrapes.swap_remove(at.index(scrapes.len()))),
                Event::Polled(at) => world.poll(at, second as u64),
                Event::Waited => world.scrape.now = world.scrape.now.plus(Duration::from_secs(1)),
                Event::Reloaded => world.scrape.message_labels ^= true,
            }
        }
        for scrape in scrapes {
            scrape.end();
        }
    }
}

#[test]
fn second_scrape_that_begins_renders_for_all_that_follow() {
    let world = World::new(STEPS);
    let frames = world.received(4);
    assert!(!are_shared(&frames[0], &frames[1]));
    assert!(are_shared(&frames[1], &frames[2]));
    assert!(are_shared(&frames[1], &frames[3]));

    let apart: Vec<_> = (0..3).map(|_| world.begin(Format::Text).end()).collect();
    assert!(!are_shared(&apart[1], &apart[2]), "one after the other");
}

fn completed(at: u64) -> StepRecord {
    StepRecord {
        id: scattered_id(at),
        phase: Phase::Settled,
        last_success: Some(after(9_000)),
        ..ended(StepStatus::Completed, 9_000)
    }
}

fn running_step(at: u64) -> StepRecord {
    StepRecord {
        id: scattered_id(at),
        ..running()
    }
}

/// Counts of a finished step.
fn finished() -> FinishedSnapshot {
    let finished = counted("platform", "ApplyBuildComponents", 3);
    finished.snapshot(moment(after(10_000)).instant)
}

/// Baselines with the usual duration of a step.
fn baselines() -> BaselineSnapshot {
    let baselines = Baselines::default();
    for at in 1..4 {
        baselines.feed("production", &LabelText::default(), &completed(at));
    }
    baselines.snapshot()
}

#[test]
fn scrape_that_begins_after_a_change_is_not_shared() {
    let changes: [fn(&mut World); 8] = [
        |world| world.poll(10, 1),
        |world| world.scrape.now = after(10_010),
        |world| world.scrape.message_labels = true,
        |world| world.scrape.status_format = StatusFormat::Sparse,
        |world| world.scrape.series_limit = 1_000_000,
        |world| world.scrape.baselines = baselines(),
        |world| world.scrape.finished = finished(),
        |world| world.scrape.sources[0].up = Some(false),
    ];
    for change in changes {
        let mut world = World::new(STEPS);
        let before = world.begun(2);
        change(&mut world);
        let after = world.begun(2);
        let [first, second] = [before, after].map(|scrapes| {
            let mut frames = scrapes.into_iter().map(InProgress::end);
            frames.next_back().unwrap()
        });
        assert!(!are_shared(&first, &second));
    }
}

#[test]
fn clients_that_read_slowly_keep_one_recording() {
    let mut world = World::new(STEPS);
    let slow = world.begun(2);
    world.scrape.now = after(11_000);
    let mut others = world.received(5);
    assert!(!{ others.windows(2) }.any(|pair| are_shared(&pair[0], &pair[1])));

    for scrape in slow {
        scrape.end();
    }
    others = world.received(3);
    assert!(are_shared(&others[1], &others[2]));
}

#[test]
fn scrapes_of_many_moving_records_are_not_recorded() {
    let mut world = World::new(0);
    world.records.steps = StepTable::new((0..10_000).map(running_step));
    world.publish();
    let frames = world.received(3);
    assert!(are_shared(&frames[1], &frames[2]));

    let changes: [fn(&mut World); 2] = [
        |world| world.scrape.finished = finished(),
        |world| {
            world.scrape.finished = FinishedSnapshot::empty(moment(START).instant);
            world.records.steps.put(running_step(10_000));
            world.publish();
        },
    ];
    for change in changes {
        change(&mut world);
        let frames = world.received(3);
        assert!(!are_shared(&frames[1], &frames[2]));
    }
}

#[test]
fn fifty_scrapes_at_once_take_at_most_half_more_memory_than_one() {
    let world = World::new(10_000);
    for _ in 0..3 {
        world.begin(Format::Text).end();
    }
    let most = |count| {
        // With the buffers and the compressor that it takes.
        let shared = SharedFrames::default();
        let scrapes = (0..count).map(|_| {
            let exposition = Exposition::new(world.scrape.clone(), Format::Text);
            Frames::new(exposition, Encoding::Gzip, &shared)
        });
        let info = allocation_counter::measure(|| {
            let mut scrapes: Vec<_> = scrapes.collect();
            while !scrapes.is_empty() {
                scrapes.retain_mut(|frames| !matches!(frames.advance(), Next::End));
            }
        });
        info.bytes_max
    };
    let (one, fifty) = (most(1), most(50));
    println!("{one} bytes for one scrape, {fifty} for fifty");
    assert!(fifty < one * 3 / 2);
}
