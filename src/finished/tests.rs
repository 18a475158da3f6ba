//! Polls of steps go in, and the values of the series are compared.

mod names;
mod series;

use std::sync::OnceLock;

use super::*;
use crate::clock::Clock;
use crate::model::{StepExecution, StepExecutionId};
use crate::snapshot::{Phase, StepRecord};

/// When the process started.
const STARTED: Timestamp = Timestamp::from_millis(1_788_981_000_000);
const WARMUP: Duration = Duration::from_secs(120);
const KEEP: Duration = Duration::from_secs(3_600);
const RETENTION: Duration = Duration::from_secs(7 * 24 * 3_600);

/// So many seconds after the start.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(STARTED.millis() + seconds * 1_000)
}

/// The moment at which the wall clock has this time.
fn moment(time: Timestamp) -> Now {
    static START: OnceLock<Now> = OnceLock::new();
    let start = START.get_or_init(|| Now {
        time: STARTED,
        ..Clock::System.now()
    });
    let since = time.millis_since(STARTED).try_into().unwrap();
    start.plus(Duration::from_millis(since))
}

/// Passes a poll on as the poller does, `now` by the wall clock.
fn see(
    finished: &Finished,
    (target, target_labels): (&str, &LabelText),
    before: Option<&StepRecord>,
    after: &StepRecord,
    now: Timestamp,
) {
    let now = moment(now);
    let observed = after.observed.as_ref();
    let since = observed.and_then(|observed| observed.end.or(observed.start));
    let poll = StepPoll {
        target,
        region: "us-west-2",
        target_labels,
        before,
        after,
        since: now.past(since.unwrap_or(now.time)),
    };
    finished.see(&poll, now);
}

/// Later than any series is held back, in these tests.
fn late() -> Timestamp {
    at(1_000_000)
}

fn settings() -> FinishedSettings {
    FinishedSettings {
        warmup: WARMUP,
        keep: KEEP,
        retention: Some(RETENTION),
        buckets: [10, 60, 300].map(Duration::from_secs).into(),
    }
}

fn finished() -> Finished {
    Finished::new(moment(STARTED).instant, &settings())
}

fn labels(team: &str) -> LabelText {
    LabelText::new([("team", team)])
}

fn id(at: usize) -> StepExecutionId {
    let id = format!("step-00000000-0000-0000-0000-00000000{at:04x}");
    id.parse().unwrap()
}

/// A step of a workflow in which all are called alike.
fn step(number: usize, status: StepStatus, start: Option<i64>, end: Option<i64>) -> StepRecord {
    let own = LabelText::new([("change", "not of the target")]);
    let answer = StepExecution {
        name: Some("Build".into()),
        start: start.map(at),
        end: end.map(at),
        ..StepExecution::with_status(status)
    };
    StepRecord::unseen(id(number), own).after_response(answer, "us-west-2", STARTED)
}

fn pending(number: usize) -> StepRecord {
    step(number, StepStatus::Pending, None, None)
}

fn running(number: usize) -> StepRecord {
    step(number, StepStatus::Running, Some(0), None)
}

fn ended(number: usize, status: StepStatus, end: i64) -> StepRecord {
    step(number, status, Some(end - 50), Some(end))
}

fn attempt(mut record: StepRecord, attempt: u32, most: u32) -> StepRecord {
    let observed = record.observed.as_mut().unwrap();
    let values = observed.values_mut();
    (values.attempt, values.max_attempts) = (Some(attempt), Some(most));
    record
}

fn settled(record: StepRecord) -> StepRecord {
    StepRecord {
        phase: Phase::Settled,
        ..record
    }
}

/// Records polls of a step by one target, with these results.
fn polls(finished: &Finished, target: &str, polls: &[StepRecord], now: Timestamp) {
    let mut before = None;
    for after in polls {
        see(finished, (target, &labels(target)), before, after, now);
        before = Some(after);
    }
}

/// The counters at `now`, `STATUS count` of those that are not 0, and all where `all`.
fn counters(finished: &Finished, all: bool, now: Timestamp) -> Vec<String> {
    let snapshot = finished.snapshot(moment(now).instant);
    let now = snapshot.reading.now;
    let mut shown: Vec<_> = snapshot
        .series
        .iter()
        .filter(|series| all || series.count(now) > 0)
        .map(|series| format!("{}{}", series.labels.as_str(), series.count(now)))
        .map(|line| {
            line.replace("region=\"us-west-2\",step=\"Build\",", "")
                .replace("status=", "")
        })
        .collect();
    shown.sort();
    shown
}

/// The histogram's buckets and its sum in milliseconds.
fn histogram(finished: &Finished, status: StepStatus, now: Timestamp) -> (Vec<u64>, u64) {
    let snapshot = finished.snapshot(moment(now).instant);
    let now = snapshot.reading.now;
    let status = format!("status=\"{status}\",");
    let mut of_status = snapshot
        .series
        .iter()
        .filter(|series| series.labels.as_str().ends_with(&status));
    let shown = of_status.next().unwrap().durations(now).unwrap();
    (shown.cumulative().collect(), shown.sum_millis())
}

#[test]
fn first_sight_makes_completed_and_failed_and_no_other() {
    let finished = finished();
    polls(&finished, "a", &[pending(1)], at(0));
    assert_eq!(
        counters(&finished, true, late()),
        [r#"team="a","COMPLETED",0"#, r#"team="a","FAILED",0"#]
    );
}

#[test]
fn step_never_seen_makes_no_series() {
    let finished = finished();
    let unseen = StepRecord::unseen(id(1), labels("a"));
    polls(&finished, "a", &[unseen], at(0));
    assert!(finished.snapshot(moment(late()).instant).series.is_empty());
}

#[test]
fn execution_is_counted_once_however_often_it_is_seen() {
    let finished = finished();
    let end = ended(1, StepStatus::Completed, 60);
    let seen = [
        pending(1),
        running(1),
        end.clone(),
        end.clone(),
        settled(end),
    ];
    polls(&finished, "a", &seen, at(61));
    assert_eq!(
        counters(&finished, false, late()),
        [r#"team="a","COMPLETED",1"#]
    );
}

#[test]
fn each_final_status_has_a_counter_and_only_two_a_histogram() {
    let finished = finished();
    let statuses = ["SKIPPED", "COMPLETED", "FAILED", "CANCELLED", "NEW"];
    for (number, status) in statuses.into_iter().enumerate() {
        let end = ended(number, StepStatus::parse(status), 60);
        polls(&finished, "a", &[running(number), settled(end)], at(61));
    }
    assert_eq!(
        counters(&finished, false, late()),
        [
            r#"team="a","CANCELLED",1"#,
            r#"team="a","COMPLETED",1"#,
            r#"team="a","FAILED",1"#,
            r#"team="a","NEW",1"#,
            r#"team="a","SKIPPED",1"#,
        ]
    );
    let now = moment(late()).instant;
    let snapshot = finished.snapshot(now);
    let with_histogram = |series: &&FinishedSeries| series.durations(now).is_some();
    assert_eq!(snapshot.series.iter().filter(with_histogram).count(), 2);
}

#[test]
fn what_has_not_ended_is_not_counted_though_it_is_settled() {
    let finished = finished();
    polls(&finished, "a", &[pending(1), settled(pending(1))], at(1));
    polls(&finished, "a", &[running(2), settled(running(2))], at(1));
    let paused = step(3, StepStatus::parse("PAUSED"), Some(1), None);
    polls(&finished, "a", &[paused], at(1));
    assert!(counters(&finished, false, late()).is_empty());
}

#[test]
fn failed_execution_counts_with_its_last_attempt_or_once_it_is_settled() {
    let last = finished();
    let failed = |end| ended(1, StepStatus::Failed, end);
    let seen = [
        attempt(running(1), 1, 2),
        attempt(failed(60), 1, 2),
        attempt(running(1), 2, 2),
    ];
    polls(&last, "a", &seen, at(90));
    assert!(counters(&last, false, late()).is_empty());
    let end = attempt(failed(95), 2, 2);
    see(&last, ("a", &labels("a")), Some(&seen[2]), &end, at(96));
    assert_eq!(counters(&last, false, late()), [r#"team="a","FAILED",1"#]);

    let left = finished();
    let failed = attempt(failed(60), 1, 2);
    polls(&left, "a", &[running(1), failed.clone()], at(61));
    assert!(counters(&left, false, late()).is_empty());
    let gave_up = settled(failed.clone());
    see(&left, ("a", &labels("a")), Some(&failed), &gave_up, at(90));
    assert_eq!(counters(&left, false, late()), [r#"team="a","FAILED",1"#]);
}

#[test]
fn what_ended_before_the_start_does_not_count_unless_it_was_seen_to_end() {
    let finished = finished();
    polls(
        &finished,
        "a",
        &[ended(1, StepStatus::Completed, -1)],
        at(1),
    );
    // The start of an execution replaces an end that the service does not send.
    let without_end = step(2, StepStatus::Cancelled, Some(-1), None);
    polls(&finished, "a", &[without_end], at(1));
    let without_times = step(3, StepStatus::Cancelled, None, None);
    polls(&finished, "a", &[without_times], at(1));
    // It has attempts left, but failed long ago; only that no attempt follows is new.
    let failed = attempt(ended(4, StepStatus::Failed, -1), 1, 2);
    polls(&finished, "a", &[failed.clone(), settled(failed)], at(1));
    assert!(counters(&finished, false, late()).is_empty());

    polls(&finished, "a", &[ended(5, StepStatus::Completed, 0)], at(1));
    // The clocks differ: what was seen to run has ended since.
    let seen = [running(6), ended(6, StepStatus::Completed, -1)];
    polls(&finished, "a", &seen, at(1));
    let seen = [pending(7), step(7, StepStatus::Cancelled, None, None)];
    polls(&finished, "a", &seen, at(1));
    assert_eq!(
        counters(&finished, false, late()),
        [r#"team="a","CANCELLED",1"#, r#"team="a","COMPLETED",2"#]
    );
}

#[test]
fn what_is_found_after_a_gap_counts_as_long_as_it_would_be_kept() {
    let finished = finished();
    let keep = KEEP.as_secs() as i64;
    let now = at(keep + 1_000);
    polls(&finished, "a", &[ended(1, StepStatus::Completed, 999)], now);
    assert!(counters(&finished, false, late()).is_empty());
    polls(
        &finished,
        "a",
        &[ended(2, StepStatus::Completed, 1_000)],
        now,
    );
    assert_eq!(
        counters(&finished, false, late()),
        [r#"team="a","COMPLETED",1"#]
    );
}

#[test]
fn execution_that_passes_to_another_target_is_not_counted_again() {
    let finished = finished();
    let end = ended(1, StepStatus::Completed, 60);
    polls(&finished, "a", &[running(1), end.clone()], at(61));
    polls(&finished, "b", std::slice::from_ref(&end), at(62));
    polls(&finished, "b", &[running(1), end], at(63));
    let upper: StepExecutionId = "step-00000000-0000-0000-0000-00000000ABCD".parse().unwrap();
    let lower: StepExecutionId = "step-00000000-0000-0000-0000-00000000abcd".parse().unwrap();
    for id in [upper, lower] {
        let end = StepRecord {
            id,
            ..ended(0, StepStatus::Completed, 60)
        };
        polls(&finished, "a", &[end], at(64));
    }
    assert_eq!(
        counters(&finished, true, late()),
        [
            r#"team="a","COMPLETED",2"#,
            r#"team="a","FAILED",0"#,
            r#"team="b","COMPLETED",0"#,
            r#"team="b","FAILED",0"#,
        ]
    );
    let handed_over = running(2);
    polls(&finished, "a", std::slice::from_ref(&handed_over), at(65));
    polls(&finished, "b", &[ended(2, StepStatus::Failed, 70)], at(71));
    let shown = counters(&finished, false, late());
    assert_eq!(
        shown,
        [r#"team="a","COMPLETED",2"#, r#"team="b","FAILED",1"#]
    );
}

#[test]
fn duration_falls_into_the_bucket_it_does_not_exceed_and_is_summed_exactly() {
    let finished = finished();
    for (number, (start, end)) in [(0, 10_000), (0, 10_001), (0, 300_001), (5, 0)]
        .into_iter()
        .enumerate()
    {
        let mut record = ended(number, StepStatus::Completed, 1);
        let observed = record.observed.as_mut().unwrap();
        observed.start = Some(Timestamp::from_millis(STARTED.millis() + start));
        observed.end = Some(Timestamp::from_millis(STARTED.millis() + end));
        polls(&finished, "a", &[running(number), record], at(301));
    }
    let untold = step(9, StepStatus::Completed, None, Some(1));
    polls(&finished, "a", &[running(9), untold], at(301));
    assert_eq!(
        histogram(&finished, StepStatus::Completed, late()),
        (vec![2, 3, 3, 4], 320_002)
    );
    assert_eq!(
        counters(&finished, false, late()),
        [r#"team="a","COMPLETED",5"#]
    );
}

#[test]
fn what_is_too_old_to_count_again_is_forgotten() {
    let finished = finished();
    let keep = KEEP.as_secs() as i64;
    let remembered = || finished.lock().memory.len();
    let day = 24 * 3_600;
    let mut most = 0;
    for second in (0..day).step_by(60) {
        let number = usize::try_from(second / 60).unwrap();
        let end = ended(number, StepStatus::Completed, second);
        polls(&finished, "a", &[end], at(second));
        most = most.max(remembered());
    }
    let kept = usize::try_from(keep / 60).unwrap();
    assert!((kept..kept * 9 / 8).contains(&most), "{most}");
    // What was forgotten is too old, also for who keeps things longer from now on.
    let longer = FinishedSettings {
        keep: KEEP * 48,
        ..settings()
    };
    let targets = [("a".to_owned(), labels("a"))];
    let reloaded = finished.configured(&longer, &targets, &[], moment(at(day)).instant);
    for second in (0..day).step_by(60) {
        let number = usize::try_from(second / 60).unwrap();
        let end = ended(number, StepStatus::Completed, second);
        polls(&reloaded, "a", &[end], at(day));
    }
    assert_eq!(
        counters(&reloaded, false, late()),
        [r#"team="a","COMPLETED",1440"#]
    );
}
