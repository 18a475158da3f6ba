//! What is shown of steps in every state, as the text that Prometheus reads.

mod limit;
mod options;
mod timeout;

use std::collections::BTreeMap;
use std::time::Duration;

use imagebuilder_exporter::simulator::Effect;
use serde_json::json;

use crate::process::{Scrape, Setup, Simulated};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// Nothing changes in this world for an hour: each step is where it was when the test began.
fn scenario() -> ScenarioText {
    ScenarioText::of([
        PipelineText::new("golden-linux")
            .with("first: -1h")
            .workflow(
                "own-build, version: 1.2.0/4",
                [
                    "LaunchLinux, action: LaunchInstance, duration: 2m, timeout: 1h",
                    "ScanLinux, action: CollectImageScanFindings, timeout: 0, outcome: skipped",
                    "CheckLinux, action: RunCommand, duration: 1m, timeout: 30m, \
                     attempts: {max: 3, fails: 1}",
                    "BuildLinux, action: ExecuteComponents, duration: 2h, timeout: 3h, \
                     on_failure: Continue",
                    "EndLinux, action: TerminateInstance, timeout: 30m",
                ],
            ),
        PipelineText::new("golden-windows")
            .with("first: -2h")
            .workflow(
                "own-test, type: test",
                [
                    "LaunchWindows, action: LaunchInstance, duration: 2m, \
                     rollback_duration: 30s",
                    "InstallWindows, action: ExecuteComponents, duration: 2m, \
                     rollback: failed, rollback_duration: 30s",
                    "BuildWindows, action: CreateImage, outcome: hang, timeout: 10m",
                    "EndWindows, action: TerminateInstance",
                ],
            ),
        PipelineText::new("eks-node")
            .with(r#"account: "444455556666""#)
            .workflow(
                "release-gate, type: test",
                [
                    FAILED_STEP,
                    "ApproveEks, action: WaitForAction, duration: 10h, timeout: 12h",
                ],
            ),
        PipelineText::new("web-tier")
            .with(r#"account: "444455556666""#)
            .workflow(
                "own-build",
                ["CancelWeb, action: CreateImage, duration: 10s, outcome: cancelled"],
            ),
    ])
}

const FAILED_STEP: &str = r#"FailEks, action: RunCommand, duration: 10s, outcome: failed, on_failure: Continue, message: "it \"failed\"\nbadly""#;

/// What is shown of a step once it was seen, without what is shown of its polling; the parts that
/// each run has differently have names.
async fn shown(setup: Setup, simulated: &Simulated, step: &str) -> String {
    let exporter = setup.start().await;
    let id = simulated.id(step);
    let seen = format!("imagebuilder_workflow_step_info{{step_execution_id=\"{id}\"}}");
    let scrape = exporter.until_value(&seen, 1.0).await;
    text_of(&scrape, simulated, step)
}

fn text_of(scrape: &Scrape, simulated: &Simulated, step: &str) -> String {
    let id = simulated.id(step);
    let view = simulated.view(step);
    let image = view.image_arn.split('/').nth(1).unwrap();
    let workflow = view.workflow_arn.split('/').nth(2).unwrap();
    let account = view.image_arn.split(':').nth(4).unwrap();
    let identity = format!(
        "account_id=\"{account}\",region=\"us-west-2\",image=\"{image}\",workflow=\"{workflow}\",\
         step=\"{step}\",step_execution_id=\"{id}\""
    );
    let lines = scrape
        .samples()
        .filter(|line| line.contains(&id) && !line.contains("{target="))
        .map(|line| {
            line.trim_start_matches("imagebuilder_workflow_step_")
                .replace(&identity, "ID")
                .replace(&view.workflow_execution_id.to_string(), "WF")
        });
    lines.map(|line| line + "\n").collect()
}

/// The text of the lines, which stand indented.
fn lines(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

/// Unix time in seconds as the text has it.
fn seconds(millis: i64) -> String {
    (millis as f64 / 1_000.0).to_string()
}

fn of_status(status: &str) -> String {
    [
        "PENDING",
        "SKIPPED",
        "RUNNING",
        "COMPLETED",
        "FAILED",
        "CANCELLED",
    ]
    .map(|known| {
        let value = u8::from(known == status);
        format!("status{{ID,status=\"{known}\"}} {value}\n")
    })
    .concat()
}

fn of_rollback(status: &str) -> String {
    ["RUNNING", "COMPLETED", "SKIPPED", "FAILED"]
        .map(|known| {
            let value = u8::from(known == status);
            format!("rollback_status{{ID,status=\"{known}\"}} {value}\n")
        })
        .concat()
}

/// No retry and no later success resolve any failure of this account.
fn unresolved(name: &str, status: &str, rollback: &str, values: &str) -> String {
    let cause = match values.contains("timeout_breached{ID} 1") {
        true => "timeout",
        false => "failure",
    };
    let on_failure = if name == "FailEks" {
        "Continue"
    } else {
        "Abort"
    };
    let labels = "image_version=\"1.0.0/1\"";
    let mut text = String::new();
    if status == "FAILED" {
        let more = format!("on_failure=\"{on_failure}\",cause=\"{cause}\"");
        text += &format!("unresolved_failure{{ID,{labels},{more}}} 1\n");
    }
    if rollback == "FAILED" {
        text += &format!("unresolved_rollback_failure{{ID,{labels}}} 1\n");
    }
    text
}

fn times(simulated: &Simulated, step: &str) -> String {
    let view = simulated.view(step);
    let time = |name: &str, at: i64| format!("{name}_time_seconds{{ID}} {}\n", seconds(at));
    let start = view.start.map(|at| time("start", at.millis()));
    let end = view.end.map(|at| time("end", at.millis()));
    start.unwrap_or_default() + &end.unwrap_or_default()
}

#[tokio::test]
async fn completed_step_exposes_all_its_known_values() {
    let simulated = Simulated::start(scenario()).await;
    let setup = Setup::exporter(&simulated.config(&["LaunchLinux"]));
    let expected = lines(
        "info{ID,target=\"main\",action=\"LaunchInstance\",on_failure=\"Abort\",\
         image_version=\"1.0.0/1\",workflow_type=\"build\",workflow_version=\"1.2.0/4\",\
         workflow_execution_id=\"WF\",\
         image_build_version_arn=\"arn:aws:imagebuilder:us-west-2:111122223333:image/golden-linux/1.0.0/1\",\
         workflow_build_version_arn=\"arn:aws:imagebuilder:us-west-2:111122223333:workflow/build/own-build/1.2.0/4\"} 1",
    ) + &of_status("COMPLETED")
        + &of_rollback("")
        + &times(&simulated, "LaunchLinux")
        + &lines(
            "duration_seconds{ID} 120
             timeout_seconds{ID} 3600
             timeout_breached{ID} 0
             waiting_for_action{ID} 0",
        );
    assert_eq!(shown(setup, &simulated, "LaunchLinux").await, expected);
}

/// Steps that are not RUNNING: name, status, status of the rollback, and values.
const OTHER_STATES: [(&str, &str, &str, &str); 8] = [
    (
        "ScanLinux",
        "SKIPPED",
        "",
        "duration_seconds{ID} 0
         waiting_for_action{ID} 0",
    ),
    (
        "CheckLinux",
        "COMPLETED",
        "",
        "duration_seconds{ID} 60
         timeout_seconds{ID} 1800
         timeout_breached{ID} 0
         attempt{ID} 2
         max_attempts{ID} 3
         waiting_for_action{ID} 0",
    ),
    (
        "EndLinux",
        "PENDING",
        "",
        "timeout_seconds{ID} 1800
         timeout_breached{ID} 0
         waiting_for_action{ID} 0",
    ),
    (
        "BuildWindows",
        "FAILED",
        "",
        "duration_seconds{ID} 600
         timeout_seconds{ID} 600
         timeout_breached{ID} 1
         waiting_for_action{ID} 0",
    ),
    (
        "LaunchWindows",
        "COMPLETED",
        "COMPLETED",
        "duration_seconds{ID} 120
         timeout_seconds{ID} 4500
         timeout_breached{ID} 0
         waiting_for_action{ID} 0",
    ),
    (
        "InstallWindows",
        "COMPLETED",
        "FAILED",
        "duration_seconds{ID} 120
         timeout_seconds{ID} 43200
         timeout_breached{ID} 0
         waiting_for_action{ID} 0",
    ),
    (
        "FailEks",
        "FAILED",
        "",
        "duration_seconds{ID} 10
         timeout_seconds{ID} 43200
         timeout_breached{ID} 0
         waiting_for_action{ID} 0",
    ),
    (
        "CancelWeb",
        "CANCELLED",
        "",
        "duration_seconds{ID} 10
         timeout_seconds{ID} 43200
         timeout_breached{ID} 0
         waiting_for_action{ID} 0",
    ),
];

#[tokio::test]
async fn steps_in_every_other_state_expose_exactly_their_series() {
    let simulated = Simulated::start(scenario()).await;
    let names = OTHER_STATES.map(|(name, ..)| name);
    let exporter = Setup::exporter(&simulated.config(&names)).start().await;
    exporter.until_ready().await;
    let scrape = exporter.scrape().await;
    for (name, status, rollback, values) in OTHER_STATES {
        let text = text_of(&scrape, &simulated, name);
        let (info, rest) = text.split_once('\n').unwrap();
        assert!(
            info.starts_with("info{ID,target=\"main\","),
            "{name}\n{info}"
        );
        let expected = [
            of_status(status),
            of_rollback(rollback),
            unresolved(name, status, rollback, values),
            times(&simulated, name),
            lines(values),
        ];
        assert_eq!(rest, expected.concat(), "{name}");
    }
}

#[tokio::test]
async fn duration_of_a_running_step_grows_without_a_poll() {
    let simulated = Simulated::start(scenario()).await;
    let config = simulated.config(&["BuildLinux", "ApproveEks"]);
    let exporter = Setup::exporter(&config.replace("200ms", "1h"))
        .start()
        .await;
    exporter.until_ready().await;
    let duration = "imagebuilder_workflow_step_duration_seconds{step=\"BuildLinux\"}";
    let measured = async || {
        let before = crate::process::now();
        let value = exporter.scrape().await.value(duration).unwrap();
        let after = crate::process::now();
        let started = simulated.view("BuildLinux").start.unwrap();
        let since =
            |at: imagebuilder_exporter::model::Timestamp| at.millis_since(started) as f64 / 1_000.0;
        // It is the time of the scrape, rounded down to 10 ms.
        let before = since(before.minus(Duration::from_millis(10)));
        assert!(value > before && value <= since(after), "{value}");
        value
    };
    let first = measured().await;
    exporter.until_over(duration, first + 1.0).await;
    assert!(measured().await > first + 1.0);
    assert_eq!(simulated.asked_for("BuildLinux"), 1);

    let scrape = exporter.scrape().await;
    let value = |name: &str, step: &str| {
        scrape.value(&format!(
            "imagebuilder_workflow_step_{name}{{step=\"{step}\"}}"
        ))
    };
    assert_eq!(value("waiting_for_action", "BuildLinux"), Some(0.0));
    assert_eq!(value("waiting_for_action", "ApproveEks"), Some(1.0));
    assert_eq!(value("end_time_seconds", "BuildLinux"), None);
    assert_eq!(value("timeout_breached", "BuildLinux"), Some(0.0));
}

#[tokio::test]
async fn polling_of_known_unknown_and_settled_steps_is_exposed() {
    let simulated = Simulated::start(scenario()).await;
    let steps = ["BuildLinux", "EndLinux", "BuildWindows", "EndWindows"];
    let unknown = "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01";
    let config = simulated.config(&steps);
    let config = config.replace(
        "step_executions: [",
        &format!("step_executions: [{unknown}, "),
    );
    let exporter = Setup::exporter(&config).start().await;
    exporter.until_ready().await;
    let scrape = exporter
        .until("each is in its state", |scrape| {
            let of_state = |(state, count)| {
                let tracked = format!("imagebuilder_exporter_tracked_steps{{state=\"{state}\"}}");
                scrape.value(&tracked) == Some(count)
            };
            [
                ("pending", 1.0),
                ("active", 2.0),
                ("settled", 2.0),
                ("gone", 0.0),
            ]
            .into_iter()
            .all(of_state)
        })
        .await;
    let polls = |id: &str| {
        let of = format!("target=\"main\",region=\"us-west-2\",step_execution_id=\"{id}\"");
        let lines = scrape.samples().filter(|line| line.contains("{target="));
        let lines = lines.filter(|line| line.contains(&of));
        let lines = lines.map(|line| {
            line.replace(&of, "ID")
                .replace("imagebuilder_workflow_step_", "")
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(polls(unknown), ["last_poll_success{ID} 0", "settled{ID} 0"]);
    for (step, settled) in [
        ("BuildLinux", 0),
        ("EndLinux", 0),
        ("BuildWindows", 1),
        ("EndWindows", 1),
    ] {
        let lines = polls(&simulated.id(step));
        assert_eq!(lines[0], "last_poll_success{ID} 1");
        assert_eq!(lines[1], format!("settled{{ID}} {settled}"));
        assert!(lines[2].starts_with("last_success_timestamp_seconds{ID} "));
        assert_eq!(lines.len(), 3);
    }
}

#[tokio::test]
async fn unknown_status_is_exposed_as_the_service_wrote_it() {
    let simulated = Simulated::start(scenario()).await;
    let new = BTreeMap::from([
        ("status".to_owned(), json!("WAITING")),
        ("rollbackStatus".to_owned(), json!("HALTED")),
        ("onFailure".to_owned(), json!("CONTINUE")),
    ]);
    simulated.spoil("BuildLinux", Effect::Replaced(new));
    let setup = Setup::exporter(&simulated.config(&["BuildLinux"]));
    let text = shown(setup, &simulated, "BuildLinux").await;
    let expected = of_status("") + "status{ID,status=\"WAITING\"} 1\n";
    assert!(text.contains(&expected), "{text}");
    let expected = of_rollback("") + "rollback_status{ID,status=\"HALTED\"} 1\n";
    assert!(text.contains(&expected), "{text}");
}
