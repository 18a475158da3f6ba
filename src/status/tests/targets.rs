//! Tests the lines about the targets.

use super::*;

fn page_with(health: HealthView) -> String {
    let mut known = TargetRecords::default().known();
    known.sources[0].health = health;
    page_of(&known, "")
}

fn well() -> HealthView {
    HealthView {
        up: Some(true),
        last_success: Some(ago(2)),
        ..HealthView::default()
    }
}

#[test]
fn each_problem_alone_marks_a_target() {
    let denied = |again| HealthView {
        denied: vec![Denial {
            operation: Operation::GetImage,
            since: ago(600),
            again,
        }],
        ..well()
    };
    let behind = |seconds| HealthView {
        behind: Duration::from_secs(seconds),
        ..well()
    };
    let slowed = HealthView {
        slowed_to: Some(0.5),
        ..well()
    };
    let unknown = |count: i64| {
        let ids = (1..=count).map(|n| (format!("wf-{n}"), ago(n)));
        HealthView {
            unknown: Arc::new(ids.collect()),
            ..well()
        }
    };
    for (health, said) in [
        (
            unknown(1),
            Some("doesn’t know wf-1 , which the configuration names, since 19:12:22 . Is it in"),
        ),
        (
            unknown(7),
            Some("doesn’t know wf-1 wf-2 wf-3 wf-4 wf-5 and 2 more, which the configuration names"),
        ),
        (denied(None), Some("It is still called.")),
        (denied(Some(ago(1))), Some("It is still called.")),
        (denied(Some(ago(-60))), Some("Next attempt at 19:13:23 .")),
        (behind(11), Some("a call has waited for 11s.")),
        (slowed, Some("The service throttles: 0.5 calls a second")),
        (behind(10), None),
        (well(), None),
    ] {
        let what = format!("{health:?}");
        let page = page_with(health);
        let troubled = page.contains("class=\"targets troubled\"");
        assert_eq!(troubled, said.is_some(), "{what}");
        let text = text_of(&page);
        assert!(
            text.contains(said.unwrap_or("up 0 steps")),
            "{what}\n{text}"
        );
        assert!(
            said.is_some() || !text.contains("a call has waited"),
            "{text}"
        );
    }
}

#[test]
fn error_is_displayed_while_the_target_is_down_and_only_once() {
    let fault = |at| FailedCall {
        at,
        operation: Operation::GetImage,
        kind: ErrorKind::Forbidden,
        message: "not authorized".into(),
    };
    let long_down = HealthView {
        up: Some(false),
        newest_fault: Some(fault(ago(3_600))),
        ..well()
    };
    let text = text_of(&page_with(long_down));
    assert!(
        text.contains("GetImage failed 1h 00m ago (forbidden): not authorized"),
        "{text}"
    );
    assert!(text.contains("last response 2s ago"), "{text}");
    let denied = HealthView {
        newest_fault: Some(fault(ago(5))),
        denied: vec![Denial {
            operation: Operation::GetImage,
            since: ago(600),
            again: None,
        }],
        ..well()
    };
    let text = text_of(&page_with(denied));
    assert!(text.contains("GetImage has been denied"), "{text}");
    assert!(!text.contains("GetImage failed"), "{text}");
    assert!(!text.contains("last response"), "{text}");
}

#[test]
fn panic_is_displayed_until_a_call_succeeds() {
    let panicked = HealthView {
        up: Some(false),
        panicked: Some(ago(5)),
        ..well()
    };
    let text = text_of(&page_with(panicked));
    assert!(
        text.contains("A defect of the exporter stopped the polls 5s ago"),
        "{text}"
    );
}

#[test]
fn target_has_the_numbers_of_its_active_and_unseen_steps() {
    let steps = |active: usize, unseen: usize| {
        let mut records = TargetRecords::default();
        for _ in 0..active {
            let arn = image_arn("golden", 1);
            records.step(1, &arn, named("Apply", StepStatus::Running));
        }
        for _ in 0..unseen {
            records.unseen_step();
        }
        let text = text_of(&page_of(&records.known(), ""));
        let (_, target) = text.split_once("production us-west-2 up ").unwrap();
        target.split(" Text").next().unwrap().to_owned()
    };
    assert_eq!(steps(0, 0), "0 steps");
    assert_eq!(steps(1, 0), "1 step");
    assert_eq!(steps(2, 3), "2 steps 3 never seen");
}

#[test]
fn eight_healthy_targets_are_not_folded() {
    for (count, folded) in [(8, false), (9, true)] {
        let mut known = TargetRecords::default().known();
        let source = known.sources[0].clone();
        known.sources = vec![source; count];
        let page = page_of(&known, "");
        assert_eq!(page.contains("id=\"targets-up\""), folded, "{count}");
    }
}

#[test]
fn many_healthy_targets_are_folded_and_those_with_problems_never() {
    let mut known = TargetRecords::default().known();
    let well = known.sources[0].clone();
    known.sources = (0..20)
        .map(|at| StatusSource {
            target: format!("t{at}").into(),
            ..well.clone()
        })
        .collect();
    known.sources[7].health.up = None;
    let page = page_of(&known, "");
    let folded = page
        .find("<details id=\"targets-up\"><summary>19 targets are up")
        .unwrap();
    let troubled = page.find("id=\"target-t7-us-west-2\"").unwrap();
    assert!(troubled < folded);
}

#[test]
fn recovered_error_is_no_problem_after_a_minute_and_stays_displayed() {
    let fault = |seconds, over| {
        let fault = FailedCall {
            at: ago(seconds),
            ..troubled().newest_fault.unwrap()
        };
        (fault, over)
    };
    for ((fault, over), troubles) in [
        (fault(50, true), true),
        (fault(70, true), false),
        (fault(70, false), true),
        (fault(16 * 60, false), false),
    ] {
        let mut known = TargetRecords::default().known();
        let health = &mut known.sources[0].health;
        (health.newest_fault, health.recovered) = (Some(fault.clone()), over);
        let page = page_of(&known, "");
        assert_eq!(page.contains("targets troubled"), troubles, "{fault:?}");
        let worked = page.contains("It has succeeded since.");
        assert_eq!(worked, over, "{fault:?}");
    }
}
