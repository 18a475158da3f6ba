//! The compressed text of scrapes that share pieces.

use bytes::Bytes;

use super::super::gzip::Gzip;
use super::properties::{some_answer, some_status, some_text, without_process};
use super::*;
use crate::baseline::Baselines;
use crate::finished::Finished;
use crate::snapshot::{Group, WorkflowRecord};

/// For some chunks of moving and of still records.
const STEPS: usize = 300;

/// What happens between two scrapes.
#[derive(Clone, Debug)]
enum Event {
    /// A response about a step, which has this phase after it.
    Polled(usize, Box<StepExecution>, Phase),
    PollFailed(usize),
    /// A response without a change.
    PolledAgain(usize),
    StepRemoved(usize),
    Objects {
        count: usize,
        text: String,
        status: String,
    },
    WorkflowRemoved(usize),
    Waited(u64),
    Options {
        sparse: bool,
        message_labels: bool,
        target: &'static str,
    },
    Scraped(Format),
}

fn some_event() -> impl Strategy<Value = Event> {
    let at = 0..STEPS;
    let phase = proptest::sample::select(&Phase::ALL[..]);
    prop_oneof![
        12 => (at.clone(), some_answer(), phase)
            .prop_map(|(at, answer, phase)| Event::Polled(at, Box::new(answer), phase)),
        3 => at.clone().prop_map(Event::PollFailed),
        3 => at.clone().prop_map(Event::PolledAgain),
        3 => at.prop_map(Event::StepRemoved),
        1 => (0..4_usize, some_text(), some_status())
            .prop_map(|(count, text, status)| Event::Objects { count, text, status }),
        1 => (0..4_usize).prop_map(Event::WorkflowRemoved),
        2 => (0..100_000_u64).prop_map(Event::Waited),
        1 => (any::<bool>(), any::<bool>(), proptest::sample::select(&["production", "other"][..]))
            .prop_map(|(sparse, message_labels, target)| Event::Options {
                sparse,
                message_labels,
                target,
            }),
        4 => any::<bool>().prop_map(|open| {
            Event::Scraped(if open { Format::OpenMetrics } else { Format::Text })
        }),
    ]
}

/// An exporter without its pollers.
struct World {
    records: Records,
    finished: Finished,
    baselines: Baselines,
    metrics: Arc<PollerMetrics>,
    /// Has the options, the target and the time.
    scrape: Scrape,
}

impl World {
    /// Knows so many steps, a third of them settled.
    fn new(steps: usize) -> Self {
        let phases = [Phase::Active, Phase::Settled, Phase::Pending];
        let mut world = Self {
            records: Records::default(),
            finished: finished::counted("", "", 0),
            baselines: Baselines::default(),
            metrics: Arc::new(PollerMetrics::new("production", "us-west-2")),
            scrape: scrape([], START),
        };
        for at in 0..steps {
            world.polled(at, response(StepStatus::Running), phases[at % phases.len()]);
        }
        world
    }

    fn polled(&mut self, at: usize, answer: StepExecution, phase: Phase) {
        let now = self.scrape.now;
        let own = LabelText::new([]);
        let before = self.records.steps.rows().get(&id(at)).cloned();
        let known = before.clone();
        let known = known.unwrap_or_else(|| StepRecord::unseen(id(at), own.clone()));
        let failed = answer.status == StepStatus::Failed;
        let record = known.after_response(answer, "us-west-2", now);
        let record = StepRecord {
            full: true,
            phase,
            unresolved: record.unresolved(failed, now),
            ..record
        };
        finished::see(&self.finished, &own, before.as_ref(), &record, now);
        self.baselines.feed("production", &own, &record);
        self.records.steps.put(record);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Polled(at, answer, phase) => self.polled(at, *answer, phase),
            Event::PollFailed(at) => {
                let now = self.scrape.now;
                self.records.steps.update(&id(at), |record| {
                    *record = record.after_failure(ErrorKind::Throttled, now);
                });
            }
            Event::PolledAgain(at) => {
                let now = self.scrape.now;
                self.records.steps.update(&id(at), |record| {
                    record.last_success = Some(now);
                    record.failing = None;
                });
            }
            Event::StepRemoved(at) => drop(self.records.steps.remove(&id(at))),
            Event::Objects {
                count,
                text,
                status,
            } => {
                let changed = discovery::store(0, count, "", &text, &status);
                put_all(&mut self.records.workflows, changed.workflows.records());
                put_all(&mut self.records.images, changed.images.records());
                put_all(&mut self.records.pipelines, changed.pipelines.records());
                put_all(&mut self.records.image_names, changed.image_names.records());
                put_all(&mut self.records.selectors, changed.selectors.records());
            }
            Event::WorkflowRemoved(at) => {
                let of = |record: &WorkflowRecord| record.id;
                let id = self.records.workflows.records().iter().nth(at).map(of);
                id.map(|id| self.records.workflows.remove(&id));
            }
            Event::Waited(millis) => {
                self.scrape.now = self.scrape.now.plus(Duration::from_millis(millis));
            }
            Event::Options {
                sparse,
                message_labels,
                target,
            } => {
                self.scrape.message_labels = message_labels;
                self.scrape.sources[0].target = target.into();
                self.scrape.status_format = match sparse {
                    true => StatusFormat::Sparse,
                    false => StatusFormat::Stateset,
                };
            }
            Event::Scraped(format) => self.compare(format),
        }
    }

    /// Scrapes with and without compression, and compares with records for which nothing is kept.
    fn compare(&self, format: Format) {
        let scrape = self.scrape();
        let (packed, _) = packed(scrape.clone(), format);
        let mut text = String::new();
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_string(&mut text)
            .unwrap();
        let mut copied = scrape.clone();
        copied.sources[0].snapshot = copy(&scrape.sources[0].snapshot);
        let expected = without_process(&rendered(copied, format));
        assert!(without_process(&text) == expected);
        assert!(without_process(&rendered(scrape, format)) == expected);
    }

    fn scrape(&self) -> Scrape {
        let mut scrape = self.scrape.clone();
        scrape.sources[0].snapshot = self.records.snapshot();
        scrape.sources[0].metrics = self.metrics.clone();
        scrape.finished = self.finished.snapshot(moment(scrape.now).instant);
        scrape.baselines = self.baselines.snapshot();
        scrape
    }

    /// Scrapes, and returns the number of pieces that were made.
    fn pieces_made(&self) -> usize {
        packed(self.scrape(), Format::Text).1
    }
}

/// A reload changes labels, and an attempt that fails otherwise changes those of the failure.
#[test]
fn labels_that_change_while_a_step_moves_are_compressed_anew() {
    let label = |value: &str| LabelText::new([("team", value)]);
    let changes: [fn(&mut StepRecord, LabelText); 3] = [
        |record, labels| record.set_own_labels(labels),
        |record, labels| record.set_info_labels(labels),
        |record, labels| {
            record.unresolved = Some(Arc::new(Unresolved {
                failure: Some(labels.clone()),
                rollback: Some(labels),
            }));
        },
    ];
    for change in changes {
        let mut world = World::new(3);
        for value in ["platform", "web"] {
            let labels = label(value);
            { &mut world.records.steps }.update(&id(0), |record| change(record, labels));
            world.compare(Format::Text);
        }
    }
}

/// Returns the compressed text, and the number of pieces that were made for it.
pub(super) fn packed(scrape: Scrape, format: Format) -> (Vec<u8>, usize) {
    let (frames, made) = frames(scrape, format);
    (frames.concat(), made)
}

/// Returns the same in the frames that are sent.
fn frames(scrape: Scrape, format: Format) -> (Vec<Bytes>, usize) {
    let mut exposition = Exposition::new(scrape, format);
    let mut gzip = Gzip::new(Arc::default(), false);
    let mut frames = Vec::new();
    loop {
        match gzip.next(&mut exposition) {
            Next::Frame(bytes) => {
                assert!(!bytes.is_empty());
                frames.push(bytes);
            }
            Next::Working => {}
            Next::End => return (frames, gzip.made),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn kept_pieces_hold_the_text_of_each_scrape(
        steps in 0..STEPS,
        events in proptest::collection::vec(some_event(), 0..80),
    ) {
        let mut world = World::new(steps);
        world.compare(Format::Text);
        for event in events {
            world.happen(event);
        }
        world.compare(Format::OpenMetrics);
    }
}

/// A step with a timeout of ten minutes.
fn answer(status: StepStatus, end: Option<Timestamp>) -> StepExecution {
    StepExecution {
        timeout_seconds: Some(600),
        end,
        ..response(status)
    }
}

/// Two chunks of running steps, and four of settled ones.
fn busy() -> World {
    let mut world = World::new(0);
    for at in 0..100 {
        world.polled(at, answer(StepStatus::Running, None), Phase::Active);
    }
    for at in 100..STEPS {
        let answer = answer(StepStatus::Completed, Some(after(9_000)));
        world.polled(at, answer, Phase::Settled);
    }
    world
}

/// The number of families that have pieces for each step.
fn step_families() -> usize {
    let families = (0..).map_while(families::entry);
    let of_steps = families.filter(|entry| matches!(entry.series, families::Series::Step(_)));
    // Without messages.
    of_steps.count() - 1
}

#[test]
fn scrapes_at_the_same_time_make_each_piece_once() {
    let scrape = busy().scrape();
    let pool = Arc::<FramePool>::default();
    let mut scrapes: Vec<_> = (0..50)
        .map(|_| {
            let exposition = Exposition::new(scrape.clone(), Format::Text);
            (exposition, Gzip::new(pool.clone(), false))
        })
        .collect();
    let mut made = 0;
    while !scrapes.is_empty() {
        scrapes.retain_mut(|(exposition, gzip)| {
            let has_ended = matches!(gzip.next(exposition), Next::End);
            made += if has_ended { gzip.made } else { 0 };
            !has_ended
        });
    }
    assert_eq!(made, 6 * step_families() + 3);
}

#[test]
fn only_pieces_whose_values_changed_are_made_again() {
    let mut world = busy();
    let of_steps = step_families();
    // Two are about finished steps, and one about typical durations.
    assert_eq!(world.pieces_made(), 6 * of_steps + 3);
    assert_eq!(world.pieces_made(), 0, "no change");

    world.happen(Event::Waited(1_000));
    assert_eq!(world.pieces_made(), 2 * 2, "duration and running time");

    world.polled(0, answer(StepStatus::Running, None), Phase::Active);
    assert_eq!(world.pieces_made(), 1, "time of the last poll");

    let end = Some(after(1_000));
    world.polled(0, answer(StepStatus::Completed, end), Phase::Active);
    assert_eq!(world.pieces_made(), 5, "status, end, time, both of slow");

    world.happen(Event::Waited(600_000));
    assert_eq!(
        world.pieces_made(),
        2 * 3 + 2,
        "both times, breached timeouts, and finished steps after the warm-up"
    );

    world.polled(0, answer(StepStatus::Completed, end), Phase::Settled);
    assert_eq!(
        world.pieces_made(),
        3 * of_steps,
        "its chunk, the last one, the settled one"
    );
}

#[test]
fn settled_steps_are_sent_from_the_memory_of_their_pieces() {
    let mut world = World::new(0);
    let settled = |end| answer(StepStatus::Completed, Some(after(end)));
    for at in 0..2_000 {
        world.polled(at, settled(9_000), Phase::Settled);
    }
    // The first scrape makes the pieces of chunks, and the second one joins them.
    world.compare(Format::Text);
    world.compare(Format::OpenMetrics);
    let shared = |one: &[Bytes], other: &[Bytes]| {
        let places: HashSet<_> = one.iter().map(|bytes| bytes.as_ptr()).collect();
        let shared = other
            .iter()
            .filter(|bytes| places.contains(&bytes.as_ptr()));
        shared.map(Bytes::len).sum::<usize>()
    };
    let frames = |world: &World| frames(world.scrape(), Format::Text).0;
    let before = frames(&world);
    let size: usize = before.iter().map(Bytes::len).sum();
    assert!(shared(&before, &frames(&world)) > size * 9 / 10);

    world.polled(0, settled(8_000), Phase::Settled);
    world.compare(Format::Text);
    world.compare(Format::Text);
    let after = frames(&world);
    let kept = shared(&before, &after);
    assert!(
        (size / 3..size * 2 / 3).contains(&kept),
        "one of two groups"
    );
    assert!(shared(&after, &frames(&world)) > size * 9 / 10);
}

#[test]
fn pieces_take_at_most_500_bytes_a_step() {
    let records = (0..1_000).map(|at| StepRecord {
        id: scattered_id(at),
        phase: Phase::Settled,
        ..ended(StepStatus::Completed, 9_000)
    });
    let scrape = scrape(records, after(10_000));
    packed(scrape.clone(), Format::Text);
    let records = scrape.sources[0].snapshot.steps.records();
    let chunks = records.groups().flat_map(Group::chunks);
    let size: usize = chunks.map(|chunk| chunk.pieces().lock().size()).sum();
    assert!((100_000..500_000).contains(&size), "{size} bytes");
}
