//! `/-/healthy` and `/-/ready`.

use imagebuilder_exporter::simulator::Effect;

use crate::process::{Setup, Simulated};
use crate::support::scenario_text::{PipelineText, ScenarioText};

fn scenario() -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden")
        .workflow(
            "one, type: test, parallel_group: both",
            ["Held, action: ExecuteComponents, duration: 2h"],
        )
        .workflow(
            "two, type: test, parallel_group: both",
            ["Answered, action: ExecuteComponents, duration: 2h"],
        )])
}

#[tokio::test]
async fn exporter_is_ready_when_the_first_attempt_for_every_step_has_ended_and_for_good() {
    let mut simulated = Simulated::start(scenario()).await;
    simulated.spoil("Held", Effect::NoAnswer);
    let config = simulated.config(&["Held", "Answered"]).replace("30s", "1h");
    let setup = Setup::exporter(&config).arg("--web.enable-lifecycle");
    let exporter = setup.start().await;
    let healthy = async || assert_eq!(exporter.get("/-/healthy").await.status, 200);
    healthy().await;
    let answered = "imagebuilder_workflow_step_info{step=\"Answered\"}";
    exporter.until_value(answered, 1.0).await;
    simulated.until_asked_for("Held").await;
    for _ in 0..5 {
        healthy().await;
        let answer = exporter.get("/-/ready").await;
        assert_eq!(answer.status, 503, "{}", answer.text());
    }
    assert_eq!(exporter.count_log(&["message=ready"]), 0);

    // An attempt that fails has ended as well.
    simulated.go_down().await;
    exporter.until_ready().await;
    exporter
        .until_value("imagebuilder_exporter_target_up{}", 0.0)
        .await;
    healthy().await;
    let unknown = "step_executions: [step-2e6fef0d-657c-4b7e-8706-ff24da9afa01, ";
    exporter.write_config(&config.replace("step_executions: [", unknown));
    assert_eq!(exporter.post("/-/reload").await.status, 200);
    assert_eq!(exporter.get("/-/ready").await.status, 200);
    exporter.until_line(&["message=ready"]).await;
    assert_eq!(exporter.count_log(&["message=ready"]), 1);
}

#[tokio::test]
async fn reload_removes_targets_that_readiness_waits_for() {
    let simulated = Simulated::start(scenario()).await;
    simulated.spoil("Held", Effect::NoAnswer);
    let config = simulated.config(&["Held", "Answered"]).replace("30s", "1h");
    let setup = Setup::exporter(&config).arg("--web.enable-lifecycle");
    let exporter = setup.start().await;
    exporter
        .until_value("imagebuilder_workflow_step_info{step=\"Answered\"}", 1.0)
        .await;
    assert_eq!(exporter.get("/-/ready").await.status, 503);
    exporter.write_config(&simulated.config(&["Answered"]));
    assert_eq!(exporter.post("/-/reload").await.status, 200);
    exporter.until_ready().await;
}

#[tokio::test]
async fn exporter_without_credentials_is_ready_and_healthy() {
    let simulated = Simulated::start(scenario()).await;
    let setup = Setup::exporter(&simulated.config(&["Held"])).without_credentials();
    let exporter = setup.start().await;
    exporter.until_ready().await;
    assert_eq!(exporter.get("/-/healthy").await.status, 200);
}

#[tokio::test]
async fn unknown_paths_and_disallowed_methods_are_reported() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&simulated.config(&["Answered"]))
        .start()
        .await;
    let client = exporter.client();
    for (method, path, status, allow) in [
        ("GET", "/", 200, None),
        ("HEAD", "/", 200, None),
        ("HEAD", "/-/healthy", 200, None),
        ("GET", "/nothing", 404, None),
        ("GET", "/metrics/", 404, None),
        ("POST", "/nothing", 404, None),
        ("GET", "/-/reload", 405, Some("POST")),
        ("POST", "/metrics", 405, Some("GET, HEAD")),
        ("DELETE", "/-/ready", 405, Some("GET, HEAD")),
    ] {
        let answer = client.ask(method, path, "").await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
        assert_eq!(method == "HEAD", answer.body.is_empty(), "{method} {path}");
    }
    let page = exporter.get("/").await;
    assert!(page.text().contains("href=\"./metrics\""));
}
