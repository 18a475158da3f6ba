//! Settled steps go in, and the baselines are compared.

use std::time::Duration;

use globset::Glob;

use super::*;
use crate::clock::Clock;
use crate::model::{ImageArn, StepExecution, StepExecutionId, WorkflowArn};

const EPOCH: Timestamp = Timestamp::from_millis(1_788_981_000_000);

fn config() -> config::BaselineSettings {
    config::BaselineSettings {
        enabled: true,
        history: 0,
        exclude: Vec::new(),
    }
}

fn at(minutes: u64) -> Timestamp {
    EPOCH.plus(Duration::from_secs(60 * minutes))
}

fn id(number: u64) -> StepExecutionId {
    let id = format!("step-00000000-0000-0000-0000-{number:012x}");
    id.parse().unwrap()
}

fn labels(team: &str) -> LabelText {
    LabelText::new([("team", team)])
}

/// The execution of this number of the step `name`, which began in that minute.
fn execution(name: &str, number: u64, minutes: u64) -> StepRecord {
    let answer = StepExecution {
        name: Some(name.into()),
        start: Some(at(number)),
        end: Some(at(number + minutes)),
        ..StepExecution::with_status(StepStatus::Completed)
    };
    let record = StepRecord::unseen(id(number), LabelText::default());
    StepRecord {
        phase: Phase::Settled,
        ..record.after_response(answer, "us-west-2", EPOCH)
    }
}

fn observed(mut record: StepRecord, change: impl FnOnce(&mut Observation)) -> StepRecord {
    change(record.observed.as_mut().unwrap());
    record
}

fn feed(baselines: &Baselines, records: impl IntoIterator<Item = StepRecord>) {
    for record in records {
        baselines.feed("a", &labels("a"), &record);
    }
}

/// `LABELS MINUTES` of what is exposed, sorted.
fn exposed(baselines: &Baselines) -> Vec<String> {
    let snapshot = baselines.snapshot();
    let series = snapshot.series.iter().flat_map(|baseline| {
        let minutes = baseline.exposed_millis().map(|millis| millis / 60_000);
        minutes.into_iter().flat_map(|minutes| {
            let series = baseline.labels().map(move |labels| {
                let labels = labels.map(LabelText::as_str).concat();
                format!("{} {minutes}", labels.replace("region=\"us-west-2\",", ""))
            });
            series.collect::<Vec<_>>()
        })
    });
    let mut series: Vec<_> = series.collect();
    series.sort();
    series
}

#[test]
fn step_has_a_baseline_from_its_third_execution_on() {
    let baselines = Baselines::default();
    let third = execution("Build", 3, 11);
    feed(
        &baselines,
        [1, 2].map(|number| execution("Build", number, 9)),
    );
    assert!(exposed(&baselines).is_empty());
    feed(&baselines, [third.clone(), third.clone()]);
    assert_eq!(exposed(&baselines), [r#"step="Build",team="a", 9"#]);
    let snapshot = baselines.snapshot();
    let baseline = snapshot.of(third.observed.as_ref().unwrap()).unwrap();
    assert!(baseline.slow_after_millis().unwrap() > 11 * 60_000);
}

#[test]
fn what_did_not_complete_or_waits_for_a_person_is_no_sample() {
    let baselines = Baselines::default();
    for number in 1..9 {
        let one = execution("Build", number, 9);
        for status in ["FAILED", "CANCELLED", "RUNNING", "NEW"] {
            let status = StepStatus::parse(status);
            feed(
                &baselines,
                [observed(one.clone(), |one| {
                    one.values_mut().status = status;
                })],
            );
        }
        let active = StepRecord {
            phase: Phase::Active,
            ..one.clone()
        };
        let unstarted = observed(one.clone(), |one| one.start = None);
        let ends_first = observed(one.clone(), |one| one.end = Some(at(0)));
        let waits = observed(one, |one| {
            Arc::make_mut(&mut one.definition).action = Some("WaitForAction".into());
        });
        feed(&baselines, [active, unstarted, ends_first, waits]);
    }
    assert!(baselines.snapshot().series.is_empty());
}

#[test]
fn step_whose_last_execution_was_skipped_takes_nothing() {
    let baselines = Baselines::default();
    let skipped = |number| {
        observed(execution("Build", number, 0), |one| {
            one.values_mut().status = StepStatus::Skipped;
        })
    };
    let to_come = || {
        let snapshot = baselines.snapshot();
        let next = execution("Build", 99, 0);
        snapshot
            .of(next.observed.as_ref().unwrap())?
            .to_come_millis()
    };
    feed(&baselines, [skipped(10)]);
    assert_eq!(to_come(), Some(0));
    assert!(exposed(&baselines).is_empty());
    feed(&baselines, [11, 12, 13].map(|at| execution("Build", at, 9)));
    assert_eq!(to_come(), Some(9 * 60_000));
    feed(&baselines, [skipped(5), skipped(40)]);
    assert_eq!(to_come(), Some(0));
    let untimed = observed(skipped(41), |one| (one.start, one.end) = (None, None));
    feed(&baselines, [execution("Build", 45, 9), untimed]);
    assert_eq!(to_come(), Some(9 * 60_000));
    assert_eq!(exposed(&baselines), [r#"step="Build",team="a", 9"#]);
}

#[test]
fn retries_have_a_baseline_of_their_own_without_a_series() {
    let baselines = Baselines::default();
    let retry = |one| observed(one, |one| one.values_mut().attempt = Some(2));
    feed(
        &baselines,
        (0..5).map(|number| execution("Build", number, 9)),
    );
    feed(
        &baselines,
        (5..8).map(|number| retry(execution("Build", number, 30))),
    );
    assert_eq!(exposed(&baselines), [r#"step="Build",team="a", 9"#]);
    let snapshot = baselines.snapshot();
    let running = retry(execution("Build", 9, 1));
    let baseline = snapshot.of(running.observed.as_ref().unwrap()).unwrap();
    assert_eq!(baseline.typical_millis(), Some(30 * 60_000));
}

#[test]
fn last_ten_executions_count_in_any_order_of_arrival() {
    let all: Vec<_> = (0..30)
        .map(|number| execution("Build", number, number))
        .collect();
    let forwards = Baselines::default();
    feed(&forwards, all.clone());
    let backwards = Baselines::default();
    feed(&backwards, all.into_iter().rev());
    assert_eq!(exposed(&forwards), [r#"step="Build",team="a", 24"#]);
    let samples = |baselines: &Baselines| {
        let snapshot = baselines.snapshot();
        let mut records = snapshot.series.iter();
        records.next().cloned()
    };
    assert_eq!(samples(&forwards), samples(&backwards));
}

#[test]
fn steps_that_have_not_completed_for_longest_are_forgotten() {
    let baselines = Baselines::default();
    for (number, name) in ["First", "Second", "Third"].into_iter().enumerate() {
        feed(&baselines, [execution(name, number as u64, 9)]);
    }
    feed(&baselines, [execution("First", 3, 9)]);
    let mut known = Arc::unwrap_or_clone(baselines.snapshot().known);
    forget_oldest(&mut known, 2);
    let mut names: Vec<_> = { known.records().iter() }
        .map(|one| one.key.names()[0].clone())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["First", "Third"]);
}

#[test]
fn reload_keeps_baselines_of_targets_that_stay_and_changes_their_labels() {
    let baselines = Baselines::default();
    for number in 0..3 {
        let one = execution("Build", number, 9);
        feed(
            &baselines,
            [one.clone(), execution("Other", number + 10, 9)],
        );
        baselines.feed("b", &labels("b"), &one);
        baselines.feed("c", &labels("b"), &one);
    }
    assert_eq!(
        exposed(&baselines),
        [
            r#"step="Build",team="a", 9"#,
            r#"step="Build",team="b", 9"#,
            r#"step="Other",team="a", 9"#
        ]
    );
    let target = |name: &str, team| (name.to_owned(), labels(team));
    let without_b = [target("a", "new"), target("c", "b")];
    let other = config::BaselineExclude {
        step: Glob::new("Oth*").unwrap(),
        workflow: Glob::new("*").unwrap(),
        image: Glob::new("*").unwrap(),
    };
    let excluding = config::BaselineSettings {
        exclude: vec![other],
        ..config()
    };
    let polled = [("a", "us-west-2"), ("c", "us-west-2")];
    let reloaded = baselines.configured(&excluding, None, &without_b, &polled);
    feed(
        &reloaded,
        (20..24).map(|number| execution("Other", number, 9)),
    );
    let expected = [
        r#"step="Build",team="b", 9"#,
        r#"step="Build",team="new", 9"#,
    ];
    assert_eq!(exposed(&reloaded), expected);
    assert!(exposed(&reloaded.configured(&config(), None, &[], &[])).is_empty());
    let disabled = config::BaselineSettings {
        enabled: false,
        ..config()
    };
    assert!(exposed(&reloaded.configured(&disabled, None, &without_b, &polled)).is_empty());
}

const RETENTION: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The execution of the step, in a build of the image.
fn of_image(image: &str, name: &str, number: u64) -> StepRecord {
    let arn = |rest: String| format!("arn:aws:imagebuilder:us-west-2:{rest}");
    let image = arn(format!("111122223333:image/{image}/1.0.0/1"));
    let workflow = arn("111122223333:workflow/build/build-with-tests/1.0.0/1".to_owned());
    let answer = StepExecution {
        name: Some(name.into()),
        image: ImageArn::parse(&image),
        workflow: WorkflowArn::parse(&workflow),
        start: Some(at(number)),
        end: Some(at(number + 9)),
        ..StepExecution::with_status(StepStatus::Completed)
    };
    let record = StepRecord::unseen(id(number), LabelText::default());
    StepRecord {
        phase: Phase::Settled,
        ..record.after_response(answer, "us-west-2", EPOCH)
    }
}

#[test]
fn baselines_of_a_name_leave_when_the_retention_has_passed_since_its_last_use() {
    let target = |name: &str| (name.to_owned(), labels(name));
    let targets = ["a", "b"].map(target);
    let polled = [("a", "us-west-2"), ("b", "us-west-2")];
    let baselines = Baselines::default().configured(&config(), Some(RETENTION), &targets, &polled);
    for (number, image) in (0..6).zip(["golden", "old"].repeat(3)) {
        let one = of_image(image, "Build", number);
        baselines.feed("a", &labels("a"), &one);
        if image == "old" {
            baselines.feed("b", &labels("b"), &one);
        }
    }
    let name = |name: &str| {
        let image = of_image(name, "Build", 0)
            .observed
            .unwrap()
            .subject
            .image
            .clone();
        image.as_ref().map(ImageName::of)
    };
    let shown = |baselines: &Baselines| {
        let all = exposed(baselines).into_iter().map(|series| {
            let labels: Vec<_> = series.split('"').collect();
            format!("{} of {}", labels[3], labels[9])
        });
        all.collect::<Vec<_>>()
    };
    let begun = Clock::System.now().instant;
    let review = |baselines: &Baselines, target, region, in_use: &[&str], days: u64| {
        let in_use = in_use.iter().map(|image| name(image)).collect();
        let now = begun + Duration::from_secs(days * 24 * 3_600);
        baselines.review_names(target, region, &in_use, now);
    };
    let all = ["golden of a", "old of a", "old of b"];
    assert_eq!(shown(&baselines), all);
    for days in [0, 6] {
        review(&baselines, "a", "us-west-2", &["golden"], days);
    }
    // It was in use again, and another region has other names.
    review(&baselines, "a", "us-west-2", &["golden", "old"], 7);
    review(&baselines, "a", "us-west-2", &["golden"], 8);
    review(&baselines, "a", "eu-west-1", &[], 30);
    review(&baselines, "a", "us-west-2", &["golden"], 14);
    assert_eq!(shown(&baselines), all);
    // A reload changes nothing about the time.
    let reloaded = baselines.configured(&config(), Some(RETENTION), &targets, &polled);
    review(&reloaded, "a", "us-west-2", &["golden"], 15);
    assert_eq!(shown(&reloaded), ["golden of a", "old of b"]);
    let endless = reloaded.configured(&config(), None, &targets, &polled);
    for days in [15, 1_000] {
        review(&endless, "b", "us-west-2", &[], days);
    }
    assert_eq!(shown(&endless), ["golden of a", "old of b"]);
    for days in [1_000, 1_007] {
        review(&reloaded, "b", "us-west-2", &[], days);
    }
    assert_eq!(shown(&reloaded), ["golden of a"]);
    // A region that is no longer polled is not reviewed.
    let elsewhere = [("a", "eu-west-1"), ("b", "us-west-2")];
    let moved = reloaded.configured(&config(), Some(RETENTION), &targets, &elsewhere);
    assert!(shown(&moved).is_empty());
}

#[test]
fn baseline_takes_a_few_hundred_bytes() {
    let baselines = Baselines::default();
    let keys = 1_000;
    let memory = allocation_counter::measure(|| {
        let own = labels("production");
        for execution in 0..1_000 {
            let image = format!("golden-{}", execution % 100);
            let mut workflow = None;
            for step in 0..10 {
                let one = of_image(&image, &format!("Step{step}"), 10 * execution + step);
                // As in a list of the steps of an execution.
                let one = observed(one, |one| {
                    one.subject = workflow.get_or_insert(one.subject.clone()).clone();
                });
                baselines.feed("production", &own, &one);
            }
        }
    });
    assert_eq!(baselines.snapshot().series.len(), keys);
    let bytes = memory.bytes_current / keys as i64;
    println!("{bytes} bytes a baseline of ten executions");
    assert!((100..650).contains(&bytes), "{bytes} bytes");
}
