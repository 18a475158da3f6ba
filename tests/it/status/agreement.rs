//! The JSON of the page and the metrics say the same.

use std::collections::BTreeMap;

use imagebuilder_exporter::simulator::Effect;
use serde_json::Value;

use super::{builds, following, json};
use crate::process::{PATIENCE, Scrape, Simulated};

/// The values that the metrics have for one step, by family and, of the statuses, the one that is 1.
fn values(scrape: &Scrape, id: &str) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    let one =
        |family: &str| format!("imagebuilder_workflow_step_{family}{{step_execution_id=\"{id}\"}}");
    for (family, key) in [
        ("timeout_seconds", "timeout_seconds"),
        ("budget_seconds", "budget_seconds"),
        ("attempt", "attempt"),
        ("last_poll_success", "last_poll_success"),
        ("timeout_breached", "timeout_breached"),
        ("waiting_for_action", "waiting_for_action"),
    ] {
        if let Some(value) = scrape.value(&one(family)) {
            values.insert(key.to_owned(), value.into());
        }
    }
    for (family, key) in [("status", "status"), ("rollback_status", "rollback_status")] {
        let shown = scrape
            .series(&one(family))
            .into_iter()
            .find(|line| line.ends_with(" 1"));
        if let Some(line) = shown {
            let status = line
                .split("status=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap();
            values.insert(key.to_owned(), status.into());
        }
    }
    for label in [
        "target",
        "action",
        "on_failure",
        "workflow_type",
        "workflow_execution_id",
        "image",
        "workflow",
        "step",
        "account_id",
    ] {
        let found = scrape.labels(&one("info"), label);
        values.extend(
            found
                .into_iter()
                .map(|value| (label.to_owned(), value.into())),
        );
    }
    values
}

/// As [`values`], of an entry of the JSON: switches are numbers there.
fn as_metrics(step: &Value, keys: impl Iterator<Item = String>) -> BTreeMap<String, Value> {
    let value = |key: &str| match step.get(key)? {
        Value::Bool(value) => Some(Value::from(f64::from(u8::from(*value)))),
        Value::Number(number) => Some(number.as_f64().unwrap().into()),
        other => Some(other.clone()),
    };
    keys.filter_map(|key| Some((key.clone(), value(&key)?)))
        .collect()
}

#[tokio::test]
async fn json_agrees_with_the_metrics() {
    let simulated = Simulated::start(builds()).await;
    let exporter = following(&simulated).await;
    let complete = |scrape: &Scrape| scrape.series("imagebuilder_workflow_step_info").len() == 18;
    exporter.until("all steps have told all", complete).await;
    // A busy machine takes longer for three answers than the steps that run for their next polls.
    simulated.spoil_all(Effect::NoAnswer);
    // What moves in between, as calls under way end, is asked again.
    let agreeing = async {
        loop {
            let before = exporter.scrape().await;
            let json = json(&exporter, "").await;
            let after = exporter.scrape().await;
            let steps = json["steps"].as_array().unwrap();
            assert_eq!(steps.len(), 18);
            let id = |step: &Value| step["step_execution_id"].as_str().unwrap().to_owned();
            let still = |step: &&Value| values(&before, &id(step)) == values(&after, &id(step));
            for step in steps.iter().filter(still) {
                let expected = values(&after, &id(step));
                assert_eq!(
                    as_metrics(step, expected.keys().cloned()),
                    expected,
                    "{step}"
                );
                assert!(expected.len() >= 10, "{expected:?}");
            }
            if steps.iter().all(|step| still(&step)) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, agreeing)
        .await
        .expect("at some moment nothing moves");
    let failed = json(&exporter, "?status=FAILED").await;
    assert_eq!(failed["steps"].as_array().unwrap().len(), 1);
    assert_eq!(
        failed["images"][0]["failure"]["failed_step"],
        "ApplyBuildComponents"
    );
}
