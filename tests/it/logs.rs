//! What is said in the log: each change for the worse once, readable alone, and no secrets.

use std::collections::BTreeMap;

use imagebuilder_exporter::simulator::{Effect, ErrorResponse, PLANTED_SECRET};
use serde_json::{Value, json};

use crate::process::{Exporter, PATIENCE, Setup, Simulated, error};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// A build that fails at once and is rolled back, one that runs past its timeout, and one that
/// runs on.
fn scenario() -> ScenarioText {
    ScenarioText::of([
        PipelineText::new("golden").with("first: -10s").workflow(
            "failing",
            [
                "Launched, action: LaunchInstance, duration: 10s, rollback: completed, \
                 rollback_duration: 2s",
                "Failed, action: RunCommand, duration: 1s, outcome: failed, \
                 message: exit code 7",
            ],
        ),
        PipelineText::new("silver").workflow(
            "hanging",
            ["Hung, action: CreateImage, outcome: hang, timeout: 605s, \
              message: out of time"],
        ),
        PipelineText::new("bronze").workflow(
            "running",
            [
                "Done, action: LaunchInstance, duration: 10s",
                "Running, action: ExecuteComponents, duration: 2h",
            ],
        ),
    ])
}

const ANSWERED: &str = "imagebuilder_exporter_api_requests_total{\
    operation=\"GetWorkflowStepExecution\",result=\"ok\"}";

/// Waits until everything was asked for some more times.
async fn polled_on(exporter: &Exporter, times: f64) {
    let answered = exporter.scrape().await.value(ANSWERED).unwrap();
    exporter.until_over(ANSWERED, answered + times).await;
}

#[tokio::test]
async fn change_for_the_worse_is_one_line_for_ever() {
    let simulated = Simulated::start(scenario()).await;
    let steps = ["Launched", "Failed", "Hung", "Running"];
    let config = simulated.config(&steps);
    let setup = Setup::exporter(&config).arg("--web.enable-lifecycle");
    let exporter = setup.start().await;
    let failed = ["message=\"step failed\"", "step=Failed"];
    let rolled_back = ["message=\"step rollback started\"", "step=Launched"];
    let timed_out = ["message=\"step failed at its timeout\"", "step=Hung"];
    let of_failed = exporter.until_line(&failed).await;
    for part in [
        "level=info",
        "target=main",
        "region=us-west-2",
        "account_id=111122223333",
        "image=golden",
        "workflow=failing",
        "status=FAILED",
        "service_message=\"exit code 7\"",
    ] {
        assert!(of_failed.contains(part), "{part}\n{of_failed}");
    }
    let of_rolled_back = exporter.until_line(&rolled_back).await;
    assert!(of_rolled_back.contains("image=golden workflow=failing"));
    let of_timed_out = exporter.until_line(&timed_out).await;
    assert!(of_timed_out.contains("service_message=\"out of time\""));
    for _ in 0..3 {
        assert_eq!(exporter.post("/-/reload").await.status, 200);
        exporter.signal("HUP");
        polled_on(&exporter, 5.0).await;
    }
    // A failed poll between them makes nothing new.
    simulated.spoil_all(error("ServiceException"));
    exporter
        .until_value("imagebuilder_exporter_target_up{}", 0.0)
        .await;
    simulated.faults.clear();
    exporter
        .until_value("imagebuilder_exporter_target_up{}", 1.0)
        .await;
    polled_on(&exporter, 5.0).await;
    for once in [failed, rolled_back, timed_out] {
        assert_eq!(exporter.count_log(&once), 1, "{once:?}");
    }
    for step in ["Running", "Launched", "Failed"] {
        let of_it = exporter.count_log(&[&format!(" step={step} ")]);
        assert_eq!(of_it, usize::from(step != "Running"), "{step}");
    }
}

#[tokio::test]
async fn step_that_exceeds_its_timeout_is_logged_once() {
    let simulated = Simulated::start(scenario()).await;
    let short = BTreeMap::from([("timeoutSeconds".to_owned(), json!(60))]);
    simulated.spoil("Running", Effect::Replaced(short));
    let exporter = Setup::exporter(&simulated.config(&["Running"]))
        .start()
        .await;
    let line = exporter.until_line(&["step exceeded its timeout"]).await;
    assert!(line.contains("level=info"), "{line}");
    assert!(
        line.contains("image=bronze workflow=running step=Running"),
        "{line}"
    );
    polled_on(&exporter, 10.0).await;
    assert_eq!(exporter.count_log(&["step exceeded its timeout"]), 1);
}

#[tokio::test]
async fn denied_poll_of_workflow_executions_is_logged_once_and_steps_stay_exposed() {
    let simulated = Simulated::start(scenario()).await;
    let forbidden = imagebuilder_exporter::simulator::Fault::on(
        "GetWorkflowExecution",
        error("ForbiddenException"),
    );
    simulated.faults.set(vec![forbidden.unwrap()]);
    let exporter = Setup::exporter(&simulated.config(&["Done", "Running", "Hung"]))
        .start()
        .await;
    let told = ["level=warn", "imagebuilder:GetWorkflowExecution"];
    let line = exporter.until_line(&told).await;
    assert!(line.contains("target=main"), "{line}");
    exporter.until_over(ANSWERED, 20.0).await;
    assert_eq!(
        exporter.count_log(&["imagebuilder:GetWorkflowExecution"]),
        1
    );
    let scrape = exporter.scrape().await;
    let shown = scrape.labels("imagebuilder_workflow_step_info{}", "step");
    assert_eq!(shown, ["Done", "Running", "Hung"]);
    let successes = scrape.values("imagebuilder_workflow_step_last_poll_success{}");
    assert_eq!(successes, [1.0; 3]);
    // Twice: of each workflow once.
    assert_eq!(simulated.calls.of("GetWorkflowExecution"), 2);
    assert_eq!(scrape.value("imagebuilder_exporter_target_up{}"), Some(1.0));
}

/// Who is refused learns nothing of what would be allowed: the workflow execution is asked for on.
#[tokio::test]
async fn expired_token_is_not_taken_for_a_missing_permission() {
    let simulated = Simulated::start(scenario()).await;
    let expired = imagebuilder_exporter::simulator::Fault::on(
        "GetWorkflowExecution",
        error("ExpiredTokenException"),
    );
    simulated.faults.set(vec![expired.unwrap()]);
    let exporter = Setup::exporter(&simulated.config(&["Done"])).start().await;
    let forbidden = "imagebuilder_exporter_api_requests_total{\
        operation=\"GetWorkflowExecution\",result=\"forbidden\"}";
    exporter.until_over(forbidden, 2.0).await;
    simulated.faults.clear();
    let answered = forbidden.replace("forbidden", "ok");
    exporter.until_over(&answered, 0.0).await;
    let told = ["imagebuilder:GetWorkflowExecution"];
    assert_eq!(exporter.count_log(&told), 0, "{:#?}", exporter.log());
}

/// A configuration that follows no more than images, which are listed.
fn of_images(simulated: &Simulated) -> String {
    let config = simulated.config(&[]);
    let (config, _) = config.split_once("step_executions").unwrap();
    format!("{}\n    images: [golden]\n", config.trim_end())
}

#[tokio::test]
async fn expired_token_denies_no_list_of_the_account_and_is_logged_once() {
    let simulated = Simulated::start(scenario()).await;
    simulated.spoil_all(error("ExpiredTokenException"));
    let exporter = Setup::exporter(&of_images(&simulated)).start().await;
    let told = [
        "polling failed",
        "operation=ListImageBuildVersions result=forbidden",
        "ExpiredTokenException",
    ];
    exporter.until_line(&told).await;
    exporter.until_line(&["message=ready"]).await;
    assert_eq!(
        exporter.count_log(&["level=warn"]),
        1,
        "{:#?}",
        exporter.log()
    );
}

#[tokio::test]
async fn each_reason_why_a_target_is_down_is_logged_once() {
    let simulated = Simulated::start(scenario()).await;
    let (unavailable, expired) = ("ServiceUnavailableException", "ExpiredTokenException");
    simulated.spoil_all(error(unavailable));
    let config = of_images(&simulated).replace(
        "interval: 200ms",
        "interval: 200ms, discovery_interval: 200ms",
    );
    let exporter = Setup::exporter(&config).start().await;
    let down = "polling failed";
    let result = |result: &str| {
        format!(
            "imagebuilder_exporter_api_requests_total{{\
             operation=\"ListImageBuildVersions\",result=\"{result}\"}}"
        )
    };
    for (code, kind) in [
        (unavailable, "server_error"),
        (expired, "forbidden"),
        (unavailable, "server_error"),
    ] {
        let before = exporter.scrape().await.value(&result(kind)).unwrap_or(0.0);
        simulated.spoil_all(error(code));
        exporter.until_over(&result(kind), before).await;
        let told = [down, &format!("result={kind}"), code];
        exporter.until_line(&told).await;
    }
    simulated.faults.clear();
    exporter
        .until_line(&["level=info", "polling succeeds again"])
        .await;
    let log = exporter.log();
    assert_eq!(exporter.count_log(&["level=warn"]), 2, "{log:#?}");
    assert_eq!(exporter.count_log(&["discovery succeeds again"]), 0);
}

/// What somebody might write into a message to make a log say what is not so.
const HOSTILE: &str = "done\nlevel=error message=\"forged\"\r\n{\"level\":\"ERROR\"}\t\u{1b}[31mred\u{7}\u{0}\u{85}\u{2028}ends \\\" with é";

async fn hostile(format: &str) -> (Vec<String>, String) {
    let simulated = Simulated::start(scenario()).await;
    let message = BTreeMap::from([
        ("message".to_owned(), json!(HOSTILE)),
        ("status".to_owned(), json!("FAILED")),
        ("name".to_owned(), json!("Run\nning\u{1b}[2J")),
    ]);
    simulated.spoil("Running", Effect::Replaced(message));
    let config = simulated.config(&["Running"]);
    let config = format!("metrics: {{message_labels: true}}\n{config}");
    let setup = Setup::exporter(&config).arg(&format!("--log.format={format}"));
    let exporter = setup.start().await;
    exporter.until_line(&["step failed"]).await;
    let scrape = exporter.scrape().await;
    exporter.signal("TERM");
    (exporter.ended(PATIENCE).await.stderr, scrape.text)
}

/// Nothing ends a line, and nothing steers a terminal.
fn is_harmless(text: &str) -> bool {
    text.chars()
        .all(|character| !character.is_control() && character != '\u{2028}')
}

#[tokio::test]
async fn hostile_message_is_one_line_of_logfmt() {
    let (log, text) = hostile("logfmt").await;
    for line in &log {
        assert!(line.starts_with("ts="), "{log:#?}");
        assert!(is_harmless(line), "{line:?}");
    }
    let told: Vec<_> = log.iter().filter(|l| l.contains("step failed")).collect();
    assert_eq!(told.len(), 1, "{log:#?}");
    assert!(
        told[0].contains("\\nlevel=error message=\\\"forged\\\"\\r\\n"),
        "{}",
        told[0]
    );
    assert!(told[0].contains("with é\""), "{}", told[0]);
    for line in text.lines() {
        assert!(
            line.starts_with("# ")
                || line.starts_with("imagebuilder_")
                || line.starts_with("process_"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn hostile_message_is_one_line_of_json() {
    let (log, _) = hostile("json").await;
    for line in &log {
        assert!(
            serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object()),
            "{line}"
        );
        assert!(is_harmless(line), "{line:?}");
    }
    let told = log
        .iter()
        .find(|line| line.contains("step failed"))
        .unwrap();
    let told: Value = serde_json::from_str(told).unwrap();
    assert_eq!(told["service_message"], HOSTILE);
    assert_eq!(told["level"], "INFO");
    assert_eq!(told["step"], "Run\nning\u{1b}[2J");
}

#[tokio::test]
async fn message_of_an_error_is_as_long_as_is_fit_for_a_line() {
    let simulated = Simulated::start(scenario()).await;
    let endless = ErrorResponse::new("ClientException", "x".repeat(1_000_000));
    simulated.spoil("Running", Effect::Error(endless));
    let exporter = Setup::exporter(&simulated.config(&["Running"]))
        .start()
        .await;
    let line = exporter.until_line(&["ClientException"]).await;
    assert!(line.len() < 5_000, "{} characters", line.len());
}

#[tokio::test]
async fn secrets_in_inputs_and_outputs_are_neither_exposed_nor_logged() {
    let simulated = Simulated::start(scenario()).await;
    for format in ["logfmt", "json"] {
        let steps = ["Launched", "Failed", "Done", "Running"];
        let config = simulated.config(&steps);
        let setup = Setup::exporter(&format!("metrics: {{message_labels: true}}\n{config}"))
            .arg("--log.level=trace")
            .arg(&format!("--log.format={format}"));
        let exporter = setup.start().await;
        exporter.until_ready().await;
        simulated.spoil_all(Effect::Truncated);
        // Once seen, the steps are refreshed by Lists.
        let failed = "imagebuilder_exporter_api_requests_total{\
                      operation=\"ListWorkflowStepExecutions\",result=\"parse_error\"}";
        let scrape = exporter.until_over(failed, 0.0).await;
        simulated.faults.clear();
        assert!(!scrape.text.contains(PLANTED_SECRET));
        assert!(!scrape.text.contains("secret-of-the-test"));
        exporter.signal("TERM");
        let log = exporter.ended(PATIENCE).await.stderr.join("\n");
        assert!(log.contains("call failed"), "{log}");
        assert!(!log.contains(PLANTED_SECRET), "{log}");
        assert!(!log.contains("secret-of-the-test"), "{log}");
    }
}
