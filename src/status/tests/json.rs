//! Tests the fields of the JSON.

use std::collections::BTreeSet;

use super::baselines::slow_build;
use super::samples::{everything_known, failed_step, with_step};
use super::*;

#[test]
fn json_has_every_field_under_the_names_of_the_metrics() {
    let known = with_step(failed_step(), |mut record| {
        record.observed.as_mut().unwrap().values_mut().budget_millis = Some(2_700_000);
        record
    });
    let json = json_of(&known, "");
    assert_eq!(
        json["steps"][0],
        serde_json::json!({
            "target": "production",
            "region": "us-west-2",
            "account_id": "111122223333",
            "image": "golden",
            "image_build_version_arn": "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/3",
            "workflow": "build-image",
            "workflow_type": "build",
            "workflow_version": "1.0.3/1",
            "workflow_execution_id": "wf-00000000-0000-0000-0000-000000000001",
            "step": "ApplyBuildComponents",
            "step_execution_id": "step-00000000-0000-0000-0000-000000000001",
            "state": "active",
            "last_poll_success": true,
            "last_poll_result": "ok",
            "last_success_time": "2026-09-09T19:12:13.418Z",
            "action": "ExecuteComponents",
            "on_failure": "Abort",
            "status": "FAILED",
            "rollback_status": "FAILED",
            "start_time": "2026-09-09T17:56:23.418Z",
            "end_time": "2026-09-09T19:11:23.418Z",
            "duration_seconds": 4500.0,
            "timeout_seconds": 4500,
            "timeout_breached": true,
            "budget_seconds": 2700.0,
            "budget_exceeded": true,
            "attempt": 2,
            "max_attempts": 2,
            "waiting_for_action": false,
            "message": "Document failed",
        })
    );
    let image = &json["images"][0];
    assert_eq!(image["failure"]["component"], "install-agent");
    assert_eq!(
        (&image["platform"], &image["labels"]["team"]),
        (&"Linux".into(), &"platform".into())
    );
    assert_eq!(json["time"], "2026-09-09T19:12:23.418Z");
}

#[test]
fn json_omits_missing_values() {
    let mut records = TargetRecords::default();
    records.step(
        1,
        &image_arn("golden", 1),
        StepExecution::with_status(StepStatus::Pending),
    );
    let json = json_of(&records.known(), "");
    let step = json["steps"][0].as_object().unwrap();
    for absent in [
        "step",
        "message",
        "start_time",
        "duration_seconds",
        "attempt",
        "timeout_breached",
        "url",
        "labels",
    ] {
        assert!(!step.contains_key(absent), "{absent}");
    }
    assert!(json["images"][0].get("status").is_none());
}

/// Collects the names of all fields except those within `labels`, which users choose.
fn names_in(json: &serde_json::Value, names: &mut BTreeSet<String>) {
    match json {
        serde_json::Value::Array(entries) => {
            for entry in entries {
                names_in(entry, names);
            }
        }
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                names.insert(name.clone());
                if name != "labels" {
                    names_in(value, names);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn documented_fields_are_those_of_the_json() {
    let query = Query::parse("per_page=1").unwrap();
    let site = Site {
        external_url: Some("https://m.example.com/".parse().unwrap()),
        ..site()
    };
    let mut names = BTreeSet::new();
    for known in [everything_known(), slow_build()] {
        let rendered = json(&Status::of(&known, &query), &site);
        names_in(&serde_json::from_slice(&rendered).unwrap(), &mut names);
    }

    let page = include_str!("../../../docs/http.md");
    let (_, page) = page.split_once("## The JSON").unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    // Names are in the first column, those of nested fields in the second.
    let documented: BTreeSet<String> = rows
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .filter(|name| !name.starts_with("--") && !name.starts_with("imagebuilder_"))
        .map(str::to_owned)
        .collect();
    assert_eq!(names, documented);
}
