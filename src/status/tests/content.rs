//! Tests what the page and the JSON say about builds, executions and steps.

use super::samples::{everything_known, failed_step, with_step};
use super::*;
use crate::api::ErrorKind;

#[test]
fn failed_step_has_its_place_and_its_reason() {
    let known = with_step(failed_step(), |mut record| {
        record.observed.as_mut().unwrap().values_mut().budget_millis = Some(2_700_000);
        record
    });
    let page = page_of(&known, "");
    let text = text_of(&page);
    for said in [
        "golden 1.0.0/3 FAILED",
        "Failed at step ApplyBuildComponents , in component install-agent , in phase build , at its step StartAgent (ExecuteBash).",
        "ApplyBuildComponents FAILED 1h 15m of 1h 15m",
        "ran into its timeout over its budget of 45m 00s attempt 2 of 2 ends the workflow rollback FAILED",
        "Document failed",
        "Action ExecuteComponents On failure Abort",
        "Budget 45m 00s Last seen",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let console = "href=\"https://us-west-2.console.aws.amazon.com/imagebuilder/home?region=us-west-2\
                   #/images/arn%3Aaws%3Aimagebuilder%3Aus-west-2%3A111122223333%3Aimage%2Fgolden%2F1.0.0%2F3\
                   /details\"";
    assert!(page.contains(console), "{page}");
}

#[test]
fn permalinks_are_absolute_with_an_external_url_and_else_relative() {
    let known = with_step(failed_step(), |record| record);
    let query = Query::parse("q=golden").unwrap();
    let status = Status::of(&known, &query);
    let site = Site {
        external_url: Some("https://m.example.com/ib".parse().unwrap()),
        ..site()
    };
    let page = page(&status, &site);
    let here = "https://m.example.com/ib/?q=wf-00000000-0000-0000-0000-000000000001";
    assert!(
        page.contains(&format!("<a href=\"{here}\">Link to this execution</a>")),
        "{page}"
    );
    assert!(page.contains("<link rel=\"canonical\" href=\"https://m.example.com/ib/?q=golden\">"));
    let json: serde_json::Value = serde_json::from_slice(&json(&status, &site)).unwrap();
    assert_eq!(json["executions"][0]["url"], here);

    let page = page_of(&known, "q=golden");
    assert!(!page.contains("canonical"));
    let links = page
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());
    for link in links.filter(|link| !link.starts_with("https://us-west-2.console.aws")) {
        let relative = ["?", "./", "#"].iter().any(|start| link.starts_with(start));
        assert!(relative, "{link}");
    }
}

#[test]
fn target_that_is_down_has_the_time_the_reason_and_the_denied_actions() {
    let known = everything_known();
    let page = page_of(&known, "");
    assert!(page.contains("connection &lt;refused&gt;"), "{page}");
    let text = text_of(&page);
    for said in [
        "This is shard 1 of 3, counted from 0",
        "production us-west-2 down for 1m 30s last response 2m 00s ago lists read 2m 05s ago",
        "Labels change=CHG0042",
        "GetImage failed 5s ago (network): connection &lt;refused&gt;",
        "ListWorkflowExecutions has been denied since 19:02:23 ; allow imagebuilder:ListWorkflowExecutions . Next attempt at 20:02:23 .",
        "ListImagePipelines has been denied since 19:02:23 ; allow imagebuilder:ListImagePipelines . It is still called.",
        "The service throttles: 2.5 calls a second for now.",
        "a call has waited for 1m 15s.",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let json = json_of(&known, "");
    let target = &json["targets"][0];
    assert_eq!(target["up"], false);
    assert_eq!(
        target["denied"][0]["action"],
        "imagebuilder:ListWorkflowExecutions"
    );
    assert_eq!(
        target["denied"][0]["tried_again_time"],
        "2026-09-09T20:02:23.418Z"
    );
    assert!(target["denied"][1].get("tried_again_time").is_none());
    assert_eq!(target["newest_fault"]["message"], "connection <refused>");
    assert_eq!(
        (
            &target["behind_seconds"],
            &target["slowed_to_requests_per_second"]
        ),
        (&75.0.into(), &2.5.into())
    );
}

#[test]
fn step_with_failed_polls_is_marked_and_the_duration_of_a_gone_step_does_not_grow() {
    let running = StepExecution {
        start: Some(ago(600)),
        ..named("Apply", StepStatus::Running)
    };
    let seen =
        |change: fn(StepRecord) -> StepRecord| page_of(&with_step(running.clone(), change), "");
    let page = seen(|record| record);
    assert!(
        page.contains("data-since=\"1788980543418\">10m 00s<"),
        "{page}"
    );
    assert!(
        page.contains("data-from=\"1788980543418\" data-axis=\""),
        "{page}"
    );
    let page = seen(|record| {
        let failed = record.after_failure(ErrorKind::Network, ago(5));
        failed.after_failure(ErrorKind::Timeout, ago(2))
    });
    let note = "polls have failed for 5s: no response in time (timeout); last seen 10s ago";
    assert!(page.contains(note), "{page}");
    let page = seen(|record| StepRecord {
        phase: Phase::Gone,
        ..record
    });
    assert!(page.contains("the service no longer knows it"), "{page}");
    assert!(
        page.contains("<b>9m 50s</b>") && !page.contains("data-from"),
        "{page}"
    );
}

#[test]
fn unseen_step_has_the_start_and_the_reason_of_failed_polls() {
    let rendered = |polls: &[(ErrorKind, i64)]| {
        let mut records = TargetRecords::default();
        let unseen = records.unseen_step();
        let failed = { polls.iter() }.fold(unseen, |record, (kind, seconds)| {
            record.after_failure(*kind, ago(*seconds))
        });
        records.store.borrow_mut().steps.put(failed);
        let known = records.known();
        let json = json_of(&known, "")["steps"][0].take();
        (text_of(&page_of(&known, "")), json)
    };
    let (text, json) = rendered(&[]);
    assert!(text.contains("UNSEEN not polled yet"), "{text}");
    for absent in ["last_poll_result", "failing_since", "status"] {
        assert!(json.get(absent).is_none(), "{json}");
    }
    assert_eq!(json["last_poll_success"], false);
    for (kind, why) in [
        (ErrorKind::Throttled, "the service throttles (throttled)"),
        (ErrorKind::Forbidden, "access is denied (forbidden)"),
        (
            ErrorKind::Client,
            "the service doesn’t know it (client_error)",
        ),
        (
            ErrorKind::Rejected,
            "the service rejects the request (rejected)",
        ),
        (ErrorKind::Server, "the service has failed (server_error)"),
        (ErrorKind::Timeout, "no response in time (timeout)"),
        (ErrorKind::Network, "no connection (network)"),
        (
            ErrorKind::Parse,
            "the response could not be parsed (parse_error)",
        ),
        (
            ErrorKind::Credentials,
            "there are no valid credentials (credentials)",
        ),
    ] {
        // The reason is of the last failure, the time of the first.
        let (text, json) = rendered(&[(ErrorKind::Server, 300), (kind, 20)]);
        let note = format!("UNSEEN no poll has succeeded for 5m 00s: {why}");
        assert!(text.contains(&note), "{text}");
        assert_eq!(json["last_poll_result"], kind.as_str());
        assert_eq!(json["failing_since"], "2026-09-09T19:07:23.418Z");
    }
}

#[test]
fn settled_step_has_no_note_about_polls() {
    let ended = StepExecution {
        start: Some(ago(600)),
        end: Some(ago(300)),
        ..named("Apply", StepStatus::Completed)
    };
    let known = with_step(ended, |record| StepRecord {
        phase: Phase::Settled,
        ..record.after_failure(ErrorKind::Network, ago(5))
    });
    let page = page_of(&known, "");
    assert!(!page.contains("class=\"notes\""), "{page}");
}

#[test]
fn running_step_is_marked_near_and_past_its_timeout_and_while_it_waits_for_a_person() {
    let note = |took, action: &str| {
        let step = StepExecution {
            start: Some(ago(took)),
            timeout_seconds: Some(1_000),
            action: Some(action.into()),
            ..named("Apply", StepStatus::Running)
        };
        let page = page_of(&with_step(step, |record| record), "");
        match page.split("class=\"notes\">").nth(1) {
            Some(notes) => text_of(&format!("<>{}", notes.split("</summary>").next().unwrap())),
            None => String::new(),
        }
    };
    assert_eq!(note(799, "ExecuteComponents"), "");
    assert_eq!(note(800, "ExecuteComponents"), "near its timeout");
    assert_eq!(note(1_000, "ExecuteComponents"), "past its timeout");
    assert_eq!(note(5, "WaitForAction"), "waits for a person");
}

#[test]
fn unfinished_build_is_marked_while_its_target_is_down() {
    for (status, end, outdated) in [
        (WorkflowStatus::Running, None, true),
        (WorkflowStatus::RollbackInProgress, None, true),
        (WorkflowStatus::Completed, Some(ago(60)), false),
    ] {
        let records = TargetRecords::default();
        let execution = WorkflowExecution {
            end,
            ..execution(status, 600)
        };
        records.execution(1, &image_arn("golden", 3), execution);
        let mut known = records.known();
        let says = |known: &Known| {
            text_of(&page_of(known, ""))
                .contains("may be out of date: the target is down, last response 2m 00s ago")
        };
        assert!(!says(&known));
        known.sources[0].health = troubled();
        assert_eq!(says(&known), outdated, "{end:?}");
    }
}

#[test]
fn unseen_step_is_not_out_of_date() {
    let mut records = TargetRecords::default();
    records.unseen_step();
    let mut known = records.known();
    known.sources[0].health = troubled();
    let text = text_of(&page_of(&known, ""));
    assert!(text.contains("Unknown image us-west-2"), "{text}");
}

#[test]
fn empty_page_says_that_there_are_no_builds_only_if_all_targets_can_be_polled() {
    let said = |change: fn(&mut HealthView)| {
        let mut known = TargetRecords::default().known();
        change(&mut known.sources[0].health);
        text_of(&page_of(&known, ""))
    };
    let none = "no image is being built";
    let blind = "Nothing is known: not all targets can be polled";
    assert!(said(|_| {}).contains(none));
    for text in [
        said(|health| health.up = Some(false)),
        said(|health| health.up = None),
        said(|health| health.denied = troubled().denied),
    ] {
        assert!(text.contains(blind) && !text.contains(none), "{text}");
    }
}

#[test]
fn duration_of_a_rollback_grows_and_an_unknown_status_is_unfolded() {
    for (status, end, said, unfolded) in [
        (
            WorkflowStatus::RollbackInProgress,
            None,
            "for 10m 00s",
            true,
        ),
        (
            WorkflowStatus::RollbackInProgress,
            Some(ago(300)),
            "took 5m 00s",
            true,
        ),
        (
            WorkflowStatus::RollbackCompleted,
            Some(ago(300)),
            "took 5m 00s",
            true,
        ),
        (
            WorkflowStatus::Unknown("WAITING".into()),
            None,
            "started",
            true,
        ),
        (WorkflowStatus::Pending, None, "PENDING", false),
    ] {
        let records = TargetRecords::default();
        let execution = WorkflowExecution {
            end,
            start: unfolded.then(|| ago(600)),
            ..execution(status.clone(), 600)
        };
        records.execution(1, &image_arn("golden", 3), execution);
        let page = page_of(&records.known(), "");
        assert!(text_of(&page).contains(said), "{status:?}: {page}");
        let open = page.contains("id=\"wf-00000000-0000-0000-0000-000000000001\" open>");
        assert_eq!(open, unfolded, "{status:?}");
    }
}

#[test]
fn image_without_executions_is_noted_with_the_denied_operation() {
    let records = TargetRecords::default();
    records.image("golden", 3, ImageStatus::Failed, ago(600));
    let mut known = records.known();
    let none = "No workflow executions are known";
    assert!(text_of(&page_of(&known, "")).contains(&format!("{none}.")));
    known.sources[0].health = troubled();
    let denied = format!("{none}: ListWorkflowExecutions is denied.");
    assert!(text_of(&page_of(&known, "")).contains(&denied));
}

#[test]
fn execution_without_steps_is_noted_with_the_denied_operation() {
    let records = TargetRecords::default();
    let arn = image_arn("golden", 3);
    records.execution(1, &arn, execution(WorkflowStatus::Running, 600));
    let mut known = records.known();
    let none = "No steps are known yet";
    assert!(text_of(&page_of(&known, "")).contains(&format!("{none}.")));
    let operation = Operation::ListWorkflowStepExecutions;
    let denied = &mut known.sources[0].health.denied;
    denied.push(Denial {
        operation,
        since: ago(600),
        again: None,
    });
    let text = text_of(&page_of(&known, ""));
    assert!(text.contains(&format!("{none}: {} is denied.", operation.as_str())));
}

#[test]
fn long_message_is_cut_with_an_ellipsis() {
    let step = StepExecution {
        message: Some("ü".repeat(LONGEST_MESSAGE + 1)),
        ..failed_step()
    };
    let known = with_step(step, |record| record);
    let cut = "ü".repeat(LONGEST_MESSAGE);
    assert!(page_of(&known, "").contains(&format!(">{cut}…</p>")));
    assert_eq!(json_of(&known, "")["steps"][0]["message"], cut);
}

#[test]
fn build_that_ended_well_shows_no_failure_though_an_execution_failed() {
    let records = TargetRecords::default();
    let arn = image_arn("golden", 1);
    records.put_image(&Image::with_status(arn.clone(), ImageStatus::Available));
    records.execution(1, &arn, execution(WorkflowStatus::Failed, 60));
    let known = records.known();
    assert!(!page_of(&known, "").contains("class=\"failure\""));
    assert!(json_of(&known, "")["images"][0].get("failure").is_none());
}
