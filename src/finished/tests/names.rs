//! How long the series of an image name stay.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::ImageArn;

const MINUTE: i64 = 60;
const REGION: &str = "us-west-2";
const DAY: i64 = 24 * 60 * MINUTE;

fn image(name: &str) -> ImageArn {
    let arn = format!("arn:aws:imagebuilder:us-west-2:111122223333:image/{name}/1.0.0/1");
    ImageArn::parse(&arn).unwrap()
}

fn of_image(name: &str, record: StepRecord) -> StepRecord {
    let own = LabelText::new([]);
    let answer = StepExecution {
        name: Some("Build".into()),
        image: Some(image(name)),
        start: record.observed.as_ref().and_then(|observed| observed.start),
        end: record.observed.as_ref().and_then(|observed| observed.end),
        ..StepExecution::with_status(record.observed.unwrap().values.status.clone())
    };
    StepRecord::unseen(record.id, own).after_response(answer, "us-west-2", STARTED)
}

/// An execution of the name ends, as the target sees it.
fn ends(finished: &Finished, target: &str, name: &str, number: usize, now: i64) {
    let end = of_image(name, ended(number, StepStatus::Completed, now));
    see(finished, (target, &labels("a")), None, &end, at(now));
}

/// Reviews until nothing waits.
fn review(finished: &Finished, target: &str, in_use: &[&str], now: i64) {
    let names = in_use.iter().map(|name| Some(ImageName::of(&image(name))));
    let names = names.collect();
    let now = moment(at(now)).instant;
    while finished.review_names(target, REGION, &names, now) {}
}

/// The images that have series, with the number of COMPLETED steps.
fn shown(finished: &Finished, now: i64) -> Vec<(String, u64)> {
    let now = moment(at(now)).instant;
    let snapshot = finished.snapshot(now);
    let completed = snapshot.series.iter().filter_map(|series| {
        let pairs: BTreeMap<_, _> = series.labels.pairs().collect();
        let is_completed = pairs["status"] == "COMPLETED";
        is_completed.then(|| (pairs["image"].clone(), series.count(now)))
    });
    let mut completed: Vec<_> = completed.collect();
    completed.sort();
    completed
}

#[test]
fn counters_of_a_name_leave_when_the_retention_has_passed_since_its_last_use() {
    let finished = finished();
    ends(&finished, "a", "golden", 1, 0);
    ends(&finished, "a", "other", 2, 0);
    // Its builds are in the account for another three days.
    review(&finished, "a", &["golden"], 3 * DAY);
    review(&finished, "a", &[], 7 * DAY - 1);
    let both = [("golden".to_owned(), 1), ("other".to_owned(), 1)];
    assert_eq!(shown(&finished, 7 * DAY), both);
    review(&finished, "a", &[], 7 * DAY);
    assert_eq!(shown(&finished, 7 * DAY), both[..1]);
    review(&finished, "a", &[], 10 * DAY);
    assert_eq!(shown(&finished, 10 * DAY), []);
    // A name that returns starts at 0.
    ends(&finished, "a", "golden", 3, 11 * DAY);
    assert_eq!(shown(&finished, 11 * DAY), [("golden".to_owned(), 0)]);
    assert_eq!(shown(&finished, 12 * DAY), [("golden".to_owned(), 1)]);
}

#[test]
fn execution_that_begins_and_ends_between_two_reviews_uses_its_name() {
    let finished = finished();
    ends(&finished, "a", "golden", 1, 0);
    ends(&finished, "a", "golden", 2, 6 * DAY);
    review(&finished, "a", &[], 12 * DAY);
    assert_eq!(shown(&finished, 12 * DAY), [("golden".to_owned(), 2)]);
}

#[test]
fn counters_stay_without_a_retention_and_after_a_pause_of_the_process() {
    let for_ever = FinishedSettings {
        retention: None,
        ..settings()
    };
    let finished = Finished::new(moment(STARTED).instant, &for_ever);
    ends(&finished, "a", "golden", 1, 0);
    review(&finished, "a", &[], 100 * DAY);
    assert_eq!(shown(&finished, 100 * DAY), [("golden".to_owned(), 1)]);
    // The first review of another target says nothing about the names of this one.
    let targets = ["a", "b"].map(|name| (name.to_owned(), labels("a")));
    let now = moment(at(100 * DAY)).instant;
    let polled = [("a", REGION), ("b", REGION)];
    let reloaded = finished.configured(&settings(), &targets, &polled, now);
    review(&reloaded, "b", &[], 100 * DAY);
    review(&reloaded, "a", &["golden"], 100 * DAY);
    review(&reloaded, "a", &[], 106 * DAY);
    assert_eq!(shown(&reloaded, 106 * DAY), [("golden".to_owned(), 1)]);
    review(&reloaded, "a", &[], 107 * DAY);
    assert_eq!(shown(&reloaded, 107 * DAY), []);
}

#[test]
fn counters_of_a_region_that_a_reload_removes_leave_when_the_retention_has_passed() {
    let finished = finished();
    let targets = ["a", "b"].map(|name| (name.to_owned(), labels("a")));
    let reload = |finished: &Finished, regions: &[&str], now| {
        let polled: Vec<_> = regions.iter().map(|region| ("a", *region)).collect();
        let now = moment(at(now)).instant;
        finished.configured(&settings(), &targets, &polled, now)
    };
    ends(&finished, "a", "golden", 1, 0);
    review(&finished, "a", &["golden"], DAY);
    let one = [("golden".to_owned(), 1)];
    // The poller of the region that is left reviews.
    let review_other = |finished: &Finished, target, now| {
        let none = HashSet::new();
        finished.review_names(target, "eu-west-1", &none, moment(at(now)).instant);
    };
    let removed = reload(&finished, &["eu-west-1"], 2 * DAY);
    review_other(&removed, "a", 8 * DAY - 1);
    assert_eq!(shown(&removed, 8 * DAY), one);
    // Another target says nothing about it.
    review_other(&removed, "b", 8 * DAY);
    assert_eq!(shown(&removed, 8 * DAY), one);
    let back = reload(&removed, &["eu-west-1", REGION], 8 * DAY);
    review_other(&removed, "a", 8 * DAY);
    assert_eq!(shown(&removed, 8 * DAY), []);
    // Polled again, it is reviewed by its own poller.
    review_other(&back, "a", 8 * DAY);
    review(&back, "a", &["golden"], 8 * DAY);
    assert_eq!(shown(&back, 8 * DAY), one);
}

#[test]
fn ten_thousand_names_that_come_and_go_leave_nothing() {
    let finished = finished();
    let mut most = 0;
    // One a minute, each with builds in the account for an hour; then a week without any.
    for number in 0..10_000 {
        let now = number * MINUTE;
        let name = format!("build-{number}");
        ends(&finished, "a", &name, usize::try_from(number).unwrap(), now);
        if number % 10 == 0 {
            let names: Vec<_> = (number - 60..=number)
                .map(|number| format!("build-{number}"))
                .collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            review(&finished, "a", &names, now);
            most = most.max(finished.lock().rows.records().len());
        }
    }
    let series = |finished: &Finished| finished.lock().rows.records().len();
    assert_eq!(series(&finished), 20_000);
    // In the steady state there are those of a week and an hour.
    for number in 10_000..20_000 {
        let now = number * MINUTE;
        ends(
            &finished,
            "a",
            &format!("build-{number}"),
            number as usize,
            now,
        );
        if number % 10 == 0 {
            review(&finished, "a", &[], now);
            most = most.max(series(&finished));
        }
    }
    let week = 2 * 7 * 24 * 60;
    assert!((week..=week + 2 * 80).contains(&most), "{most}");
    review(&finished, "a", &[], 20_000 * MINUTE + 7 * DAY);
    assert_eq!(series(&finished), 0);
    assert!(finished.lock().names.is_empty());
    // The memory of counted executions is that of the retention of executions.
    assert!(finished.remembered() <= 70, "{}", finished.remembered());
}

#[derive(Clone, Debug)]
enum Event {
    Ends(&'static str, &'static str),
    Review(&'static str, Vec<&'static str>),
    Passes(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let target = || prop::sample::select(&["a", "b"][..]);
    let name = || prop::sample::select(&["one", "two", "three"][..]);
    let names = prop::collection::vec(name(), 0..3);
    prop_oneof![
        (target(), name()).prop_map(|(target, name)| Event::Ends(target, name)),
        (target(), names).prop_map(|(target, names)| Event::Review(target, names)),
        (1..5 * DAY).prop_map(Event::Passes),
    ]
}

proptest! {
    #[test]
    fn series_have_the_owners_that_used_their_name_within_the_retention(
        events in prop::collection::vec(event(), 1..60),
    ) {
        let finished = finished();
        let mut now = 0;
        // When each target last used a name.
        let mut used: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for (number, event) in events.into_iter().enumerate() {
            match event {
                Event::Ends(target, name) => {
                    ends(&finished, target, name, number, now);
                    used.insert((target, name), now);
                }
                Event::Review(target, names) => {
                    review(&finished, target, &names, now);
                    let retention = RETENTION.as_secs() as i64;
                    used.retain(|(owner, name), at| {
                        if *owner == target && names.contains(name) {
                            *at = now;
                        }
                        *owner != target || now - *at < retention
                    });
                }
                Event::Passes(seconds) => now += seconds,
            }
            let expected: BTreeSet<_> = used.keys().map(|(_, name)| (*name).to_owned()).collect();
            let names = shown(&finished, now).into_iter().map(|(name, _)| name);
            prop_assert_eq!(names.collect::<BTreeSet<_>>(), expected);
        }
    }
}
