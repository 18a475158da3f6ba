//! What goes wrong between the exporter and the service, through the real SDK.

mod common_errors;
mod matrix;

use std::collections::BTreeMap;
use std::time::Duration;

use imagebuilder_exporter::simulator::{Effect, ErrorForm, ErrorResponse, Fault};
use serde_json::{Value, json};

use crate::process::{Exporter, Scrape, Setup, Simulated, error};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// Two steps that run for hours, and a build that is over and done with.
fn scenario() -> ScenarioText {
    ScenarioText::of([
        PipelineText::new("golden")
            .workflow(
                "one, type: test, parallel_group: both",
                ["Spoiled, action: ExecuteComponents, duration: 2h"],
            )
            .workflow(
                "other, type: test, parallel_group: both",
                ["Sound, action: ExecuteComponents, duration: 2h"],
            ),
        PipelineText::new("silver")
            .workflow("done", ["Settled, action: RunCommand, duration: 10s"]),
    ])
}

const UP: &str = "imagebuilder_exporter_target_up{}";

fn success(simulated: &Simulated, step: &str) -> String {
    let id = simulated.id(step);
    format!("imagebuilder_workflow_step_last_poll_success{{step_execution_id=\"{id}\"}}")
}

/// How many attempts to get a step had each result; those without any are left out.
fn results(scrape: &Scrape) -> BTreeMap<String, f64> {
    let attempts =
        "imagebuilder_exporter_api_requests_total{operation=\"GetWorkflowStepExecution\"}";
    let results = scrape.labels(attempts, "result").into_iter();
    let counted = results.zip(scrape.values(attempts));
    counted.filter(|(_, count)| *count > 0.0).collect()
}

/// What a fault comes to: the step's last values stay, it alone is marked, the attempt is counted
/// under the right result, and when the fault is over so is the mark.
async fn suffers(exporter: &Exporter, simulated: &Simulated, effect: Effect, result: &str) {
    let before = exporter.scrape().await;
    simulated.spoil("Spoiled", effect.clone());
    let during = exporter
        .until_value(&success(simulated, "Spoiled"), 0.0)
        .await;
    assert_eq!(during.value(&success(simulated, "Sound")), Some(1.0));
    let running = "imagebuilder_workflow_step_status{step=\"Spoiled\",status=\"RUNNING\"}";
    assert_eq!(during.value(running), Some(1.0), "{effect:?}");
    let start = "imagebuilder_workflow_step_start_time_seconds{step=\"Spoiled\"}";
    assert_eq!(during.value(start), before.value(start), "{effect:?}");
    let (counted, other) = (results(&during), results(&before));
    for (name, count) in &counted {
        let grown = *count > other.get(name).copied().unwrap_or(0.0);
        assert!(
            !grown || name == result || name == "ok",
            "{effect:?} {counted:?}"
        );
    }
    assert!(
        counted.get(result) > other.get(result),
        "{effect:?} {counted:?}"
    );
    assert_eq!(last_poll_result(exporter, simulated).await, result);
    simulated.faults.clear();
    exporter
        .until_value(&success(simulated, "Spoiled"), 1.0)
        .await;
    assert_eq!(last_poll_result(exporter, simulated).await, "ok");
}

/// What the JSON of the status page says of the spoiled step.
async fn last_poll_result(exporter: &Exporter, simulated: &Simulated) -> String {
    let query = format!("/api/v1/steps?q={}", simulated.id("Spoiled"));
    let answer: Value = serde_json::from_str(&exporter.get(&query).await.text()).unwrap();
    let result = answer["steps"][0]["last_poll_result"].as_str();
    result.expect("it has been asked for").to_owned()
}

#[tokio::test]
async fn every_fault_marks_its_step_alone_and_is_counted_by_its_result() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&simulated.config(&["Spoiled", "Sound"]))
        .start()
        .await;
    exporter.until_ready().await;
    let written = |kind: &str, status, form| {
        Effect::Error(ErrorResponse {
            status,
            form,
            ..ErrorResponse::new(kind, "as scripted")
        })
    };
    let replaced = |name: &str, value: &str| {
        Effect::Replaced(BTreeMap::from([(name.to_owned(), json!(value))]))
    };
    let other_id = "step-00000000-0000-0000-0000-000000000000";
    for (effect, result) in [
        (error("ServiceException"), "server_error"),
        (error("ServiceUnavailableException"), "server_error"),
        (error("ForbiddenException"), "forbidden"),
        (error("AccessDeniedException"), "forbidden"),
        (error("ExpiredTokenException"), "forbidden"),
        (
            written("ExpiredTokenException", 400, ErrorForm::Header),
            "forbidden",
        ),
        (
            written("UnrecognizedClientException", 401, ErrorForm::Type),
            "forbidden",
        ),
        (error("ClientException"), "client_error"),
        (error("InvalidRequestException"), "client_error"),
        (error("ResourceNotFoundException"), "client_error"),
        (
            written("InvalidRequestException", 400, ErrorForm::Type),
            "client_error",
        ),
        (
            written("InvalidRequestException", 400, ErrorForm::Code),
            "client_error",
        ),
        (error("CallRateLimitExceededException"), "throttled"),
        (error("ThrottlingException"), "throttled"),
        (
            written("ThrottlingException", 400, ErrorForm::Type),
            "throttled",
        ),
        (
            written("Unheard0fException", 429, ErrorForm::Code),
            "throttled",
        ),
        (Effect::Html, "parse_error"),
        (Effect::Truncated, "parse_error"),
        (Effect::Missing(vec!["status".to_owned()]), "parse_error"),
        (replaced("stepExecutionId", other_id), "parse_error"),
        (Effect::Reset, "network"),
    ] {
        suffers(&exporter, &simulated, effect, result).await;
    }
}

#[tokio::test]
async fn call_without_a_response_ends_with_its_timeout() {
    let simulated = Simulated::start(scenario()).await;
    let config = simulated.config(&["Spoiled", "Sound"]).replace("30s", "2s");
    let exporter = Setup::exporter(&config).start().await;
    exporter
        .until_value(&success(&simulated, "Spoiled"), 1.0)
        .await;
    exporter
        .until_value(&success(&simulated, "Sound"), 1.0)
        .await;
    simulated.spoil("Spoiled", Effect::NoAnswer);
    let during = exporter
        .until_value(&success(&simulated, "Spoiled"), 0.0)
        .await;
    assert!(
        results(&during).contains_key("timeout"),
        "{:?}",
        results(&during)
    );
    simulated.faults.clear();
    exporter
        .until_value(&success(&simulated, "Spoiled"), 1.0)
        .await;
}

#[tokio::test]
async fn invalid_members_are_omitted_and_counted() {
    let simulated = Simulated::start(scenario()).await;
    let nonsense = BTreeMap::from([
        ("startTime".to_owned(), json!("yesterday")),
        ("imageBuildVersionArn".to_owned(), json!("arn:nobody")),
        ("timeoutSeconds".to_owned(), json!(-5)),
    ]);
    simulated.spoil("Spoiled", Effect::Replaced(nonsense));
    let exporter = Setup::exporter(&simulated.config(&["Spoiled"]))
        .start()
        .await;
    let scrape = exporter
        .until_value(&success(&simulated, "Spoiled"), 1.0)
        .await;
    for (field, shown) in [
        ("startTime", true),
        ("imageBuildVersionArn", true),
        ("timeoutSeconds", true),
        ("endTime", false),
    ] {
        let count = format!("imagebuilder_exporter_unparsable_fields_total{{field=\"{field}\"}}");
        assert_eq!(scrape.value(&count).unwrap() > 0.0, shown, "{field}");
    }
    for absent in ["start_time_seconds", "duration_seconds", "timeout_seconds"] {
        let absent = format!("imagebuilder_workflow_step_{absent}{{}}");
        assert_eq!(scrape.value(&absent), None);
    }
    let status = "imagebuilder_workflow_step_status{status=\"RUNNING\"}";
    assert_eq!(scrape.labels(status, "image"), [""; 0]);
    assert_eq!(scrape.labels(status, "workflow"), ["one"]);
    // What was known once doesn't go because a later answer lacks it.
    simulated.faults.clear();
    let start = "imagebuilder_workflow_step_start_time_seconds{}";
    exporter.until_over(start, 0.0).await;
    simulated.spoil_all(Effect::Missing(vec![
        "name".to_owned(),
        "timeoutSeconds".to_owned(),
        "imageBuildVersionArn".to_owned(),
        "startTime".to_owned(),
    ]));
    let scrape = exporter
        .until("the start is gone", |scrape| scrape.value(start).is_none())
        .await;
    assert_eq!(scrape.labels(status, "image"), ["golden"]);
    assert_eq!(scrape.labels(status, "step"), ["Spoiled"]);
    assert!(
        scrape
            .value("imagebuilder_workflow_step_timeout_seconds{}")
            .is_some()
    );
}

#[tokio::test]
async fn target_is_down_while_its_endpoint_is_and_up_again_after() {
    let mut simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&simulated.config(&["Spoiled", "Sound"]))
        .start()
        .await;
    exporter.until_ready().await;
    assert_eq!(exporter.scrape().await.value(UP), Some(1.0));
    simulated.go_down().await;
    let down = exporter.until_value(UP, 0.0).await;
    assert!(
        results(&down).contains_key("network"),
        "{:?}",
        results(&down)
    );
    let running = "imagebuilder_workflow_step_status{status=\"RUNNING\"}";
    assert_eq!(down.values(running), [1.0, 1.0]);
    exporter
        .until_line(&["level=warn", "target=main", "polling failed"])
        .await;
    simulated.come_back().await;
    exporter.until_value(UP, 1.0).await;
    exporter
        .until_value(&success(&simulated, "Spoiled"), 1.0)
        .await;
    exporter
        .until_value(&success(&simulated, "Sound"), 1.0)
        .await;
    exporter
        .until_line(&["level=info", "target=main", "polling succeeds again"])
        .await;
    assert_eq!(exporter.count_log(&["polling failed"]), 1);
}

#[tokio::test]
async fn each_attempt_is_counted_and_there_are_no_others() {
    let simulated = Simulated::start(scenario()).await;
    let on = |effect| {
        Fault::on("GetWorkflowStepExecution", effect)
            .unwrap()
            .times(2)
    };
    let workflow = Fault::on("GetWorkflowExecution", error("ServiceUnavailableException"));
    simulated.faults.set(vec![
        on(error("ServiceException")),
        on(error("CallRateLimitExceededException")),
        on(Effect::Reset),
        on(Effect::Html),
        workflow.unwrap().times(2),
    ]);
    let exporter = Setup::exporter(&simulated.config(&["Settled"]))
        .start()
        .await;
    let settled = "imagebuilder_workflow_step_settled{}";
    let scrape = exporter.until_value(settled, 1.0).await;
    let counted = results(&scrape);
    for result in ["network", "parse_error", "server_error", "throttled"] {
        assert_eq!(counted.get(result), Some(&2.0), "{counted:?}");
    }
    let asked = simulated.asked_for("Settled");
    assert_eq!(counted.values().sum::<f64>(), asked as f64, "{counted:?}");
    let tried = "imagebuilder_exporter_api_requests_total{operation=\"GetWorkflowExecution\"}";
    let asked = simulated.calls.of("GetWorkflowExecution");
    assert_eq!(scrape.values(tried).iter().sum::<f64>(), asked as f64);
    assert!(asked >= 3, "two that failed, and one that told of the end");
}

#[tokio::test]
async fn settled_step_is_never_polled_again() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&simulated.config(&["Settled", "Sound"]))
        .start()
        .await;
    let id = simulated.id("Settled");
    let settled = format!("imagebuilder_workflow_step_settled{{step_execution_id=\"{id}\"}}");
    exporter.until_value(&settled, 1.0).await;
    let (asked, others) = (simulated.asked_for("Settled"), simulated.asked_for("Sound"));
    // The other step tells that time passes.
    let ok = "imagebuilder_exporter_api_requests_total{\
              operation=\"GetWorkflowStepExecution\",result=\"ok\"}";
    exporter.until_over(ok, (asked + others + 10) as f64).await;
    assert_eq!(simulated.asked_for("Settled"), asked);
    assert!(simulated.asked_for("Sound") >= others + 10);
}

#[tokio::test]
async fn no_call_repeats_one_that_is_in_flight() {
    let simulated = Simulated::start(scenario()).await;
    let late = Fault::on("*", Effect::Late).unwrap();
    simulated
        .faults
        .set(vec![late.latency(Duration::from_millis(300))]);
    let config = simulated
        .config(&["Spoiled", "Sound", "Settled"])
        .replace("200ms", "100ms");
    let exporter = Setup::exporter(&config).start().await;
    let ok = "imagebuilder_exporter_api_requests_total{\
              operation=\"GetWorkflowStepExecution\",result=\"ok\"}";
    exporter.until_over(ok, 10.0).await;
    assert_eq!(simulated.calls.peak_alike(), 1);
    assert!(simulated.calls.peak() > 1, "steps wait for one another");
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_the_configuration_allows() {
    let simulated = Simulated::start(scenario()).await;
    let late = Fault::on("*", Effect::Late).unwrap();
    simulated
        .faults
        .set(vec![late.latency(Duration::from_millis(100))]);
    let config = simulated.config(&["Spoiled", "Sound", "Settled"]);
    let config = config.replace("30s}", "30s, max_concurrent_requests: 2}");
    let exporter = Setup::exporter(&config).start().await;
    let ok = "imagebuilder_exporter_api_requests_total{\
              operation=\"GetWorkflowStepExecution\",result=\"ok\"}";
    exporter.until_over(ok, 10.0).await;
    assert_eq!(simulated.calls.peak(), 2);
}

#[tokio::test]
async fn unknown_step_exposes_only_its_polling() {
    let simulated = Simulated::start(scenario()).await;
    let unknown = "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01";
    let config = simulated
        .config(&["Sound"])
        .replace("executions: [", &format!("executions: [{unknown}, "));
    let exporter = Setup::exporter(&config).start().await;
    exporter.until_ready().await;
    let line = exporter
        .until_line(&["does not find this step execution"])
        .await;
    assert!(
        line.contains(&format!("step_execution_id={unknown}")),
        "{line}"
    );
    let scrape = exporter.scrape().await;
    let of_it = scrape
        .samples()
        .filter(|line| line.contains(unknown))
        .count();
    assert_eq!(of_it, 2, "last_poll_success and settled");
    assert_eq!(scrape.value(UP), Some(1.0));
    assert!(results(&scrape).contains_key("client_error"));
}
