//! Tests what the page and the JSON say of usual durations, slow steps and expected ends.

use super::*;
use crate::baseline::{Baselines, ExpectedEnds};

/// A step of `golden` that has run for so many minutes, and usually takes 9.
fn running(minutes: i64) -> StepExecution {
    StepExecution {
        start: Some(ago(60 * minutes)),
        ..named("Apply", StepStatus::Running)
    }
}

/// Knows that `Apply` takes 9 minutes, and when what runs is expected to end.
fn with_baselines(mut known: Known) -> Known {
    let baselines = Baselines::default();
    let mut earlier = TargetRecords::default();
    for build in 1..=3 {
        let completed = StepExecution {
            start: Some(ago(100_000)),
            end: Some(ago(100_000 - 9 * 60)),
            ..named("Apply", StepStatus::Completed)
        };
        let settled = StepRecord {
            phase: Phase::Settled,
            ..earlier.step(100 + build, &image_arn("golden", build), completed)
        };
        baselines.feed("production", &LabelText::default(), &settled);
    }
    known.baselines = baselines.snapshot();
    let snapshots = known.sources.iter().map(|source| &*source.snapshot);
    known.ends = ExpectedEnds::of(snapshots, &known.baselines, known.now);
    known
}

/// A build of `golden` with one step, and one of `other`, which is newer.
fn two_builds(step: StepExecution) -> Known {
    let mut records = TargetRecords::default();
    let (golden, other) = (image_arn("golden", 4), image_arn("other", 1));
    records.image("golden", 4, ImageStatus::Building, ago(3_000));
    records.image("other", 1, ImageStatus::Building, ago(2_000));
    records.execution(1, &golden, execution(WorkflowStatus::Running, 3_000));
    records.execution(2, &other, execution(WorkflowStatus::Running, 2_000));
    records.step(1, &golden, step.clone());
    records.step(2, &other, step);
    with_baselines(records.known())
}

/// A build with a slow step.
pub(super) fn slow_build() -> Known {
    two_builds(running(31))
}

fn text(known: &Known) -> String {
    text_of(&page_of(known, ""))
}

#[test]
fn slow_step_says_so_is_counted_and_comes_first() {
    let known = slow_build();
    let page = page_of(&known, "");
    let text = text_of(&page);
    assert!(text.contains("slow: usually 9m 00s, now 31m 00s"), "{text}");
    assert!(text.contains("0 ended 1 slow step Targets"), "{text}");
    let ends = text.matches("done at 19:12 at the earliest").count();
    assert_eq!(ends, 2, "{text}");
    assert!(page.contains("<a href=\"?status=SLOW\">"), "{page}");
    assert!(page.contains("<title>1 slow: Image Builder"), "{page}");
    let json = json_of(&known, "");
    assert_eq!(json["slow_steps"], 1);
    assert_eq!(all(&json, "images", "image"), ["golden", "other"]);
    assert_eq!(json["steps"][0]["slow"], true);
    let selected = json_of(&known, "status=slow");
    assert_eq!(all(&selected, "steps", "image"), ["golden"]);
}

#[test]
fn step_that_is_not_slow_is_not_counted() {
    let known = two_builds(running(10));
    let page = page_of(&known, "");
    let text = text_of(&page);
    assert!(text.contains(" usually 9m 00s, now 10m 00s"), "{text}");
    assert!(
        !text.contains("slow: ") && !page.contains("status=SLOW\""),
        "{text}"
    );
    let json = json_of(&known, "");
    assert_eq!(all(&json, "images", "image"), ["other", "golden"]);
    let step = &json["steps"][1];
    assert_eq!(
        (&step["slow"], &step["typical_duration_seconds"]),
        (&false.into(), &540.0.into())
    );
    assert_eq!(step["slow_after_seconds"], 1_620.0);
    assert_eq!(json["steps"][0].get("slow"), None);
    assert_eq!(
        json_of(&known, "status=SLOW")["steps"],
        serde_json::json!([])
    );
}

#[test]
fn step_within_its_usual_duration_has_no_note() {
    let text = text(&two_builds(running(8)));
    assert!(!text.contains("now 8m 00s"), "{text}");
    assert!(text.contains("Usually 9m 00s Slow after 27m 00s"), "{text}");
}

#[test]
fn ended_step_has_its_usual_duration_and_no_limit() {
    let completed = StepExecution {
        end: Some(ago(0)),
        ..running(31)
    };
    let known = two_builds(StepExecution {
        status: StepStatus::Completed,
        ..completed
    });
    let text = text(&known);
    assert!(text.contains("Usually 9m 00s Last seen"), "{text}");
    assert!(!text.contains("Slow after"), "{text}");
    let json = json_of(&known, "");
    assert_eq!(json["steps"][1]["typical_duration_seconds"], 540.0);
    assert_eq!(json["steps"][1].get("slow_after_seconds"), None);
}

#[test]
fn build_and_execution_say_when_they_will_be_done() {
    // It is 19:12:23.
    let known = two_builds(running(4));
    let text = text(&known);
    assert_eq!(text.matches("done at about 19:17").count(), 2, "{text}");
    let json = json_of(&known, "");
    for list in ["images", "executions"] {
        let ends = all(&json, list, "expected_end_time");
        assert_eq!(ends, ["-", "2026-09-09T19:17:23.418Z"], "{list}");
    }
}

#[test]
fn usual_duration_is_marked_on_the_bar_and_extends_the_axis() {
    // The execution began 3000 s ago, and 5 % of the axis remain after what is on it.
    for (minutes, expected) in [(31, 1_680.0 / 3_150.0), (2, 3_420.0 / 3_591.0)] {
        let page = page_of(&two_builds(running(minutes)), "");
        let marks: Vec<_> = { page.split("class=\"mark typical\"").skip(2) }
            .map(|mark| mark.split_once("x1=\"").unwrap().1)
            .map(|mark| mark.split('%').next().unwrap().parse::<f64>().unwrap())
            .collect();
        let expected: f64 = expected * 100.0;
        assert_eq!(marks, [(expected * 1_000.0).round() / 1_000.0]);
    }
}
