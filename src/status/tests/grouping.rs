//! Tests the grouping and order of builds, and the filters and pages of a query.

use proptest::prelude::*;

use super::super::builds::BuildState;
use super::*;

/// Returns the name and the state of each build, in the order of the page.
fn states(known: &Known) -> Vec<(String, BuildState)> {
    let query = Query::default();
    let status = Status::of(known, &query);
    let builds = status.builds.iter();
    builds
        .map(|build| {
            (
                build.arn.map_or("-", ImageArn::name).to_owned(),
                build.state,
            )
        })
        .collect()
}

#[test]
fn failed_builds_come_first_then_running_ones_each_the_newest_first() {
    let records = TargetRecords::default();
    for (at, (name, status, workflow)) in [
        ("well", ImageStatus::Available, WorkflowStatus::Completed),
        ("old-failure", ImageStatus::Failed, WorkflowStatus::Failed),
        ("runs", ImageStatus::Building, WorkflowStatus::Running),
        (
            "failure",
            ImageStatus::Failed,
            WorkflowStatus::RollbackCompleted,
        ),
        (
            "fails",
            ImageStatus::Building,
            WorkflowStatus::RollbackInProgress,
        ),
        (
            "cancelled",
            ImageStatus::Cancelled,
            WorkflowStatus::Cancelled,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let begun = 1_000 - at as i64;
        records.image(name, 1, status, ago(begun));
        records.execution(at as u32, &image_arn(name, 1), execution(workflow, begun));
    }
    let named = |name: &str, state| (name.to_owned(), state);
    assert_eq!(
        states(&records.known()),
        [
            named("fails", BuildState::Failed),
            named("failure", BuildState::Failed),
            named("old-failure", BuildState::Failed),
            named("runs", BuildState::Running),
            named("cancelled", BuildState::Ended),
            named("well", BuildState::Ended),
        ]
    );
}

#[test]
fn superseded_failure_does_not_count_and_comes_last() {
    let records = TargetRecords::default();
    let arn = image_arn("golden", 1);
    records.image("golden", 1, ImageStatus::Building, ago(900));
    let superseded = WorkflowExecution {
        retried: Some(true),
        ..execution(WorkflowStatus::Failed, 900)
    };
    records.execution(1, &arn, superseded);
    records.execution(2, &arn, execution(WorkflowStatus::Running, 100));
    let known = records.known();
    assert_eq!(states(&known), [("golden".to_owned(), BuildState::Running)]);
    let ids = [workflow_id(2), workflow_id(1)].map(|id| id.to_string());
    let json = json_of(&known, "");
    assert_eq!(all(&json, "executions", "workflow_execution_id"), ids);
}

#[test]
fn failed_step_fails_its_workflow_unless_it_continues_or_the_step_is_retried() {
    for (on_failure, attempt, expected) in [
        (Some(OnFailure::Abort), None, BuildState::Failed),
        (None, None, BuildState::Failed),
        (Some(OnFailure::Continue), None, BuildState::Running),
        (Some(OnFailure::Abort), Some(1), BuildState::Running),
        (Some(OnFailure::Abort), Some(3), BuildState::Failed),
    ] {
        let mut records = TargetRecords::default();
        let arn = image_arn("golden", 1);
        records.execution(1, &arn, execution(WorkflowStatus::Running, 60));
        let step = StepExecution {
            on_failure: on_failure.clone(),
            attempt,
            max_attempts: attempt.map(|_| 3),
            ..named("Apply", StepStatus::Failed)
        };
        records.step(1, &arn, step);
        let state = states(&records.known())[0].1;
        assert_eq!(state, expected, "{on_failure:?} {attempt:?}");
    }
}

#[test]
fn steps_are_ordered_by_start_across_targets() {
    let mut production = TargetRecords::default();
    let arn = image_arn("golden", 1);
    production.execution(1, &arn, execution(WorkflowStatus::Running, 60));
    let begun = |name: &str, status, start: Option<i64>| StepExecution {
        start: start.map(ago),
        ..named(name, status)
    };
    production.step(1, &arn, begun("Third", StepStatus::Pending, None));
    production.step(1, &arn, begun("First", StepStatus::Completed, Some(60)));
    let mut other = TargetRecords {
        steps: 10,
        ..TargetRecords::default()
    };
    other.step(1, &arn, begun("Second", StepStatus::Running, Some(30)));
    let known = known([("other", other), ("production", production)]);
    let json = json_of(&known, "");
    assert_eq!(all(&json, "steps", "step"), ["First", "Second", "Third"]);
    assert_eq!(
        all(&json, "steps", "target"),
        ["production", "other", "production"]
    );
    assert_eq!(all(&json, "executions", "target"), ["production"]);
}

#[test]
fn listed_step_that_was_never_seen_has_its_own_build() {
    let mut records = TargetRecords::default();
    let unseen = records.unseen_step();
    let known = records.known();
    assert_eq!(states(&known), [("-".to_owned(), BuildState::Unseen)]);
    let json = json_of(&known, "");
    let step = &json["steps"][0];
    assert_eq!(step["step_execution_id"], unseen.id.to_string());
    assert_eq!(
        (&step["state"], &step["last_poll_success"]),
        (&"pending".into(), &false.into())
    );
    assert!(step.get("status").is_none());
    let page = page_of(&known, "");
    assert!(page.contains("Never seen"), "{page}");
    assert_eq!(json_of(&known, "status=unseen")["executions_matched"], 1);
}

/// Returns two builds: one that failed in its second step, and a running one.
fn two_builds() -> Known {
    let mut records = TargetRecords::default();
    let (linux, windows) = (image_arn("golden-linux", 1), image_arn("golden-windows", 7));
    records.image("golden-linux", 1, ImageStatus::Failed, ago(900));
    records.execution(1, &linux, execution(WorkflowStatus::Failed, 900));
    records.step(1, &linux, named("Launch", StepStatus::Completed));
    let failed = StepExecution {
        message: Some("Document INSTALL-agent failed".into()),
        action: Some("ExecuteComponents".into()),
        ..named("Apply", StepStatus::Failed)
    };
    records.step(1, &linux, failed);
    records.image("golden-windows", 7, ImageStatus::Building, ago(60));
    records.execution(2, &windows, execution(WorkflowStatus::Running, 60));
    records.step(2, &windows, named("Launch", StepStatus::Running));
    records.step(
        2,
        &windows,
        named("Apply", StepStatus::Unknown("WAITING".into())),
    );
    records.known()
}

#[test]
fn query_selects_by_status_image_and_every_word() {
    let known = two_builds();
    let steps = |query: &str| {
        let json = json_of(&known, query);
        let images = all(&json, "steps", "image").into_iter();
        let steps = images.zip(all(&json, "steps", "step"));
        steps
            .map(|(image, step)| format!("{image} {step}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(steps("").len(), 4);
    assert_eq!(steps("status=FAILED"), ["golden-linux Apply"]);
    assert_eq!(steps("status=other"), ["golden-windows Apply"]);
    let either = ["golden-linux Apply", "golden-windows Launch"];
    assert_eq!(steps("status=FAILED,RUNNING"), either);
    assert_eq!(steps("status=GONE"), [""; 0]);
    assert_eq!(steps("image=*-linux").len(), 2);
    assert_eq!(steps("image=GOLDEN-W*").len(), 2);
    assert_eq!(steps("image=golden"), [""; 0]);
    for (text, expected) in [
        ("install-AGENT document", &["golden-linux Apply"][..]),
        ("install-agent launch", &[]),
        ("executecomponents", &["golden-linux Apply"]),
        (
            "golden launch",
            &["golden-linux Launch", "golden-windows Launch"],
        ),
        (
            "wf-00000000-0000-0000-0000-000000000002",
            &["golden-windows Launch", "golden-windows Apply"],
        ),
        (
            "step-00000000-0000-0000-0000-000000000003",
            &["golden-windows Launch"],
        ),
        (
            "111122223333 apply",
            &["golden-linux Apply", "golden-windows Apply"],
        ),
        ("production us-west-2 build-image waiting", &[]),
    ] {
        assert_eq!(
            steps(&format!("q={}", text.replace(' ', "+"))),
            expected,
            "{text}"
        );
    }
    assert_eq!(steps("status=FAILED&image=*windows&q=apply"), [""; 0]);
}

#[test]
fn page_shows_all_steps_of_an_execution_if_one_matches() {
    let page = page_of(&two_builds(), "q=install-agent");
    assert!(
        page.contains("golden-linux") && page.contains(">Launch<"),
        "{page}"
    );
    assert!(
        !page.contains("id=\"arn:aws:imagebuilder:us-west-2:111122223333:image/golden-windows")
    );
}

#[test]
fn page_beyond_the_last_one_is_empty_and_links_to_the_first() {
    let known = two_builds();
    let json = json_of(&known, "page=3&per_page=1");
    assert_eq!(
        (&json["pages"], &json["executions_matched"]),
        (&2.into(), &2.into())
    );
    assert!(json["steps"].as_array().unwrap().is_empty() && json.get("next").is_none());
    let page = page_of(&known, "page=3&per_page=1");
    assert!(
        page.contains("There is no page 3: the last one is 2."),
        "{page}"
    );
    assert!(
        page.contains("href=\"?per_page=1\">First page</a>"),
        "{page}"
    );
    assert!(!page.contains("<nav"), "{page}");
    assert!(page_of(&known, "q=nowhere").contains("Nothing matches."));
    let nothing = TargetRecords::default().known();
    assert!(page_of(&nothing, "").contains("There is nothing to show"));
    let starting = Known {
        ready: false,
        ..nothing
    };
    assert!(page_of(&starting, "").contains("the first polls have not ended"));
    let more = "The first poll of some targets has not ended";
    let starting = Known {
        ready: false,
        ..known
    };
    assert!(page_of(&starting, "").contains(more));
    assert!(!page_of(&two_builds(), "").contains(more));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pages_together_show_each_execution_once_in_one_order(
        // The number of executions of each build; a build may have none.
        builds in proptest::collection::vec(0..5u32, 0..12),
        per_page in 1..9usize,
    ) {
        let records = TargetRecords::default();
        let mut id = 0;
        for (at, executions) in builds.iter().enumerate() {
            records.image("golden", at as u32 + 1, ImageStatus::Available, ago(at as i64));
            let arn = image_arn("golden", at as u32 + 1);
            for _ in 0..*executions {
                id += 1;
                records.execution(id, &arn, execution(WorkflowStatus::Completed, 10_000 - i64::from(id)));
            }
        }
        let known = records.known();
        let (mut query, mut executions, mut images) = (format!("per_page={per_page}"), Vec::new(), Vec::new());
        let everything = json_of(&known, "per_page=500");
        loop {
            let json = json_of(&known, &query);
            let here = all(&json, "executions", "workflow_execution_id");
            prop_assert!(here.len() <= per_page);
            executions.extend(here.into_iter().map(str::to_owned));
            images.extend(all(&json, "images", "image_build_version_arn").into_iter().map(str::to_owned));
            match json.get("next") {
                Some(next) => query = next.as_str().unwrap()[1..].to_owned(),
                None => break,
            }
        }
        prop_assert_eq!(executions, all(&everything, "executions", "workflow_execution_id"));
        // A build that continues on the next page is on both.
        images.dedup();
        prop_assert_eq!(images, all(&everything, "images", "image_build_version_arn"));
    }
}
