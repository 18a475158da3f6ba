//! The series of steps.

use super::*;

#[test]
fn running_step_exposes_all_its_series() {
    let expected = "\
        imagebuilder_workflow_step_info{ID,target=\"production\",action=\"ExecuteComponents\",on_failure=\"Abort\",image_version=\"1.0.0/1\",workflow_type=\"build\",workflow_version=\"1.0.3/1\",workflow_execution_id=\"wf-165b0d0a-657c-4b7e-8706-ff24da9afa01\",image_build_version_arn=\"arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1\",workflow_build_version_arn=\"arn:aws:imagebuilder:us-west-2:aws:workflow/build/build-image/1.0.3/1\"} 1
        imagebuilder_workflow_step_status{ID,status=\"PENDING\"} 0
        imagebuilder_workflow_step_status{ID,status=\"SKIPPED\"} 0
        imagebuilder_workflow_step_status{ID,status=\"RUNNING\"} 1
        imagebuilder_workflow_step_status{ID,status=\"COMPLETED\"} 0
        imagebuilder_workflow_step_status{ID,status=\"FAILED\"} 0
        imagebuilder_workflow_step_status{ID,status=\"CANCELLED\"} 0
        imagebuilder_workflow_step_rollback_status{ID,status=\"RUNNING\"} 0
        imagebuilder_workflow_step_rollback_status{ID,status=\"COMPLETED\"} 0
        imagebuilder_workflow_step_rollback_status{ID,status=\"SKIPPED\"} 0
        imagebuilder_workflow_step_rollback_status{ID,status=\"FAILED\"} 0
        imagebuilder_workflow_step_running_seconds{ID} 1.25
        imagebuilder_workflow_step_start_time_seconds{ID} 1788981143.418
        imagebuilder_workflow_step_duration_seconds{ID} 1.25
        imagebuilder_workflow_step_timeout_seconds{ID} 60
        imagebuilder_workflow_step_timeout_breached{ID} 0
        imagebuilder_workflow_step_waiting_for_action{ID} 0
        "
    .replace("        ", "")
    .replace("{ID", &format!("{{{IDENTITY}"));
    assert_eq!(samples_of(scrape([running()], after(1_250))), expected);
}

#[test]
fn unresolved_failures_have_the_labels_they_began_with() {
    let failed = StepRecord {
        unresolved: Some(Arc::new(Unresolved {
            failure: Some(LabelText::new([
                ("on_failure", "Abort"),
                ("cause", "failure"),
            ])),
            rollback: Some(LabelText::new([("image_version", "1.0.0/1")])),
        })),
        ..ended(StepStatus::Failed, 1_250)
    };
    let text = samples_of(scrape([failed], after(1_250)));
    let unresolved: Vec<_> = text
        .lines()
        .filter(|line| line.contains("unresolved"))
        .collect();
    let expected = [
        format!("failure{{{IDENTITY},on_failure=\"Abort\",cause=\"failure\"}} 1"),
        format!("rollback_failure{{{IDENTITY},image_version=\"1.0.0/1\"}} 1"),
    ];
    let expected = expected.map(|rest| format!("imagebuilder_workflow_step_unresolved_{rest}"));
    assert_eq!(unresolved, expected);
    let resolved = samples_of(scrape([ended(StepStatus::Failed, 1_250)], after(1_250)));
    assert!(!resolved.contains("unresolved"));
}

#[test]
fn running_time_ends_with_the_evidence_for_it() {
    let running_at = |millis| values(scrape([running()], after(millis)), "running_seconds");
    // It was polled half a second after its start.
    assert_eq!(running_at(900_499), ["900.499"]);
    assert!(running_at(900_500).is_empty());
    let gone = StepRecord {
        phase: Phase::Gone,
        ..running()
    };
    assert!(values(scrape([gone], after(1_000)), "running_seconds").is_empty());
}

#[test]
fn unseen_step_exposes_only_its_polls() {
    assert_eq!(samples_of(scrape([unseen()], START)), "");
    assert_eq!(
        values(scrape([unseen()], START), "last_poll_success"),
        ["0"]
    );
    assert_eq!(values(scrape([unseen()], START), "settled"), ["0"]);
    let never = values(scrape([unseen()], START), "last_success_timestamp_seconds");
    assert!(never.is_empty());
}

#[test]
fn polls_of_seen_failed_and_settled_steps_are_exposed() {
    let failed = running().after_failure(ErrorKind::Timeout, START);
    assert_eq!(
        values(scrape([running()], START), "last_poll_success"),
        ["1"]
    );
    assert_eq!(
        values(scrape([failed.clone()], START), "last_poll_success"),
        ["0"]
    );
    assert_eq!(
        values(scrape([failed], START), "last_success_timestamp_seconds"),
        ["1788981143.918"]
    );
    for (phase, shown) in [
        (Phase::Active, "0"),
        (Phase::Settled, "1"),
        (Phase::Gone, "0"),
    ] {
        let record = StepRecord { phase, ..running() };
        assert_eq!(values(scrape([record], START), "settled"), [shown]);
    }
}

#[test]
fn duration_of_a_running_step_moves_with_the_scrape_and_stops_with_the_polling() {
    let duration = |record: StepRecord, millis| {
        values(scrape([record], after(millis)), "duration_seconds").join(" ")
    };
    assert_eq!(duration(running(), 1_000), "1");
    assert_eq!(duration(running(), 2_000), "2");
    let early = StepRecord {
        observed: running().observed.map(|observed| Observation {
            start: Some(after(5_000)),
            ..observed
        }),
        ..running()
    };
    assert_eq!(duration(early, 1_000), "0");
    let gone = StepRecord {
        phase: Phase::Gone,
        ..running()
    };
    assert_eq!(duration(gone, 2_000), "0.5");
    assert_eq!(
        duration(ended(StepStatus::Completed, 147_404), 999_000),
        "147.404"
    );
    assert_eq!(duration(seen(response(StepStatus::Completed)), 999_000), "");
}

#[test]
fn timeout_is_breached_while_running_and_by_failing_at_it() {
    let breached = |record: StepRecord, millis| {
        values(scrape([record], after(millis)), "timeout_breached").join(" ")
    };
    assert_eq!(breached(running(), 59_999), "0");
    assert_eq!(breached(running(), 60_000), "1");
    assert_eq!(breached(ended(StepStatus::Failed, 58_999), 0), "0");
    assert_eq!(breached(ended(StepStatus::Failed, 59_000), 0), "1");
    assert_eq!(breached(ended(StepStatus::Completed, 61_000), 0), "0");
    let without = StepExecution {
        timeout_seconds: None,
        ..response(StepStatus::Running)
    };
    assert_eq!(breached(seen(without.clone()), 60_000), "");
    let timeouts = values(scrape([seen(without)], START), "timeout_seconds");
    assert!(timeouts.is_empty());
}

#[test]
fn budget_is_exceeded_above_it() {
    let mut record = running();
    record.observed.as_mut().unwrap().values_mut().budget_millis = Some(45_000);
    let at = |millis| scrape([record.clone()], after(millis));
    assert_eq!(values(at(0), "budget_seconds"), ["45"]);
    assert_eq!(values(at(45_000), "budget_exceeded"), ["0"]);
    assert_eq!(values(at(45_001), "budget_exceeded"), ["1"]);
}

#[test]
fn attempts_and_waiting_are_exposed_if_reported() {
    let record = seen(StepExecution {
        action: Some("WaitForAction".into()),
        attempt: Some(2),
        max_attempts: Some(3),
        ..response(StepStatus::Running)
    });
    assert_eq!(values(scrape([record.clone()], START), "attempt"), ["2"]);
    assert_eq!(
        values(scrape([record.clone()], START), "max_attempts"),
        ["3"]
    );
    assert_eq!(values(scrape([record], START), "waiting_for_action"), ["1"]);
}

#[test]
fn unknown_status_is_exposed_as_written_besides_the_known_ones() {
    let record = seen(StepExecution {
        rollback_status: Some(RollbackStatus::parse("\"NEW\"")),
        ..response(StepStatus::parse("PAUSED"))
    });
    assert_eq!(
        values(scrape([record.clone()], START), "status"),
        [
            r#"status="PENDING"} 0"#,
            r#"status="SKIPPED"} 0"#,
            r#"status="RUNNING"} 0"#,
            r#"status="COMPLETED"} 0"#,
            r#"status="FAILED"} 0"#,
            r#"status="CANCELLED"} 0"#,
            r#"status="PAUSED"} 1"#,
        ]
    );
    assert_eq!(
        values(scrape([record], START), "rollback_status"),
        [
            r#"status="RUNNING"} 0"#,
            r#"status="COMPLETED"} 0"#,
            r#"status="SKIPPED"} 0"#,
            r#"status="FAILED"} 0"#,
            r#"status="\"NEW\""} 1"#,
        ]
    );
}

#[test]
fn sparse_format_exposes_only_the_current_status() {
    let sparse = |record| Scrape {
        status_format: StatusFormat::Sparse,
        ..scrape([record], START)
    };
    assert_eq!(
        values(sparse(running()), "status"),
        [r#"status="RUNNING"} 1"#]
    );
    assert!(values(sparse(running()), "rollback_status").is_empty());
    let record = seen(StepExecution {
        rollback_status: Some(RollbackStatus::Skipped),
        ..response(StepStatus::parse("PAUSED"))
    });
    assert_eq!(
        values(sparse(record.clone()), "status"),
        [r#"status="PAUSED"} 1"#]
    );
    assert_eq!(
        values(sparse(record), "rollback_status"),
        [r#"status="SKIPPED"} 1"#]
    );
}

#[test]
fn empty_labels_are_omitted_and_own_labels_are_added() {
    let own_labels = LabelText::new([("team", "a\"b"), ("change", "")]);
    let record = StepRecord::unseen(unseen().id, own_labels).after_response(
        StepExecution::with_status(StepStatus::Pending),
        "us-west-2",
        START,
    );
    let record = StepRecord {
        full: true,
        ..record
    };
    let text = rendered(scrape([record], START), Format::Text);
    for line in [
        r#"imagebuilder_workflow_step_info{region="us-west-2",step_execution_id="ID",team="a\"b",target="production"} 1"#,
        r#"imagebuilder_workflow_step_status{region="us-west-2",step_execution_id="ID",team="a\"b",status="PENDING"} 1"#,
        r#"imagebuilder_workflow_step_settled{target="production",region="us-west-2",step_execution_id="ID",team="a\"b"} 0"#,
    ] {
        let line = line.replace("\"ID\"", &format!("\"{ID}\""));
        assert!(text.contains(&format!("{line}\n")), "{line}\n{text}");
    }
}

#[test]
fn message_is_exposed_only_if_enabled() {
    let record = seen(StepExecution {
        message: Some("it \"failed\"\nbadly".into()),
        ..response(StepStatus::Failed)
    });
    let without = rendered(scrape([record.clone()], START), Format::Text);
    assert!(!without.contains("message"), "{without}");
    let with = |record| Scrape {
        message_labels: true,
        ..scrape([record], START)
    };
    assert_eq!(
        values(with(record), "message_info"),
        [r#"message="it \"failed\" badly"} 1"#]
    );
    assert!(values(with(running()), "message_info").is_empty());
}
