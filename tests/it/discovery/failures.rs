//! What is logged and exposed of a build that fails.

use serde_json::json;

use super::{config, start, target};
use crate::process::{Exporter, Simulated};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// A build that fails some seconds from now.
fn failing() -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden").with("first: -1m").workflow(
        "make, rollback: none",
        [
            "Prepare, action: RunCommand, duration: 60s",
            "Build, action: RunCommand, duration: 5s, outcome: failed, message: exit status 7",
        ],
    )])
    .with("listed_after: 0s")
}

#[tokio::test]
async fn failed_build_is_logged_once_with_the_reason_and_not_again_after_a_restart() {
    let simulated = Simulated::start(failing()).await;
    let config = config(&[target(&simulated, "main", &["pipelines: [golden]"])]);
    let exporter = start(&config).await;
    let failed = ["message=\"image build failed\""];
    let line = exporter.until_line(&failed).await;
    for part in [
        "level=info",
        "target=main",
        "region=us-west-2",
        "account_id=111122223333",
        "image=golden",
        "image_version=1.0.0/1",
        "stage=BUILDING",
        "failed_step=Build",
        "exit status 7",
    ] {
        assert!(line.contains(part), "{part}\n{line}");
    }
    let restarted = start(&config).await;
    let failure = "imagebuilder_image_failure_info{failed_step=\"Build\",stage=\"BUILDING\"}";
    restarted.until_value(failure, 1.0).await;
    assert_eq!(restarted.count_log(&failed), 0);
    assert_eq!(exporter.count_log(&failed), 1);
}

/// A component fails in the managed workflow some seconds from now.
fn failing_component() -> ScenarioText {
    let component =
        "{name: install-agent, version: 2.1.0/4, step: StartAgent, error: exit status 7}";
    let steps = [
        "LaunchBuildInstance, duration: 60s".to_owned(),
        format!(
            "ApplyBuildComponents, duration: 5s, outcome: failed, message: script failed, component: {component}"
        ),
    ];
    let pipeline = PipelineText::new("golden").with("first: -1m");
    ScenarioText::of([pipeline.managed_with("build-image", steps)]).with("listed_after: 0s")
}

async fn failed_step(exporter: &Exporter) -> serde_json::Value {
    let failed =
        "imagebuilder_workflow_step_status{step=\"ApplyBuildComponents\",status=\"FAILED\"}";
    exporter.until_value(failed, 1.0).await;
    let info = "imagebuilder_image_failure_info{failed_step=\"ApplyBuildComponents\"}";
    exporter.until_value(info, 1.0).await;
    let json = exporter.get("/api/v1/steps").await.text();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let steps = json["steps"].as_array().unwrap();
    let step = steps
        .iter()
        .find(|step| step["status"] == "FAILED")
        .unwrap();
    json!({"step": step, "failure": json["images"][0]["failure"]})
}

fn next_commands(command: &str, instance: &str) -> serde_json::Value {
    json!({
        "logs": "aws logs filter-log-events --region us-west-2 \
                 --log-group-name /aws/imagebuilder/golden --log-stream-names 1.0.0/1",
        "run_command": format!(
            "aws ssm get-command-invocation --region us-west-2 --command-id {command} \
             --instance-id {instance}"
        ),
        "instances": "aws ec2 describe-instances --region us-west-2 --filters \
                      Name=tag:Ec2ImageBuilderArn,Values=arn:aws:imagebuilder:us-west-2:111122223333:\
                      image/golden/1.0.0/1 \
                      Name=instance-state-name,Values=pending,running,stopping,stopped",
    })
}

#[tokio::test]
async fn failed_component_is_explained_with_its_error_and_the_next_commands() {
    let simulated = Simulated::start(failing_component()).await;
    let config = config(&[target(&simulated, "main", &["pipelines: [golden]"])]);
    let exporter = start(&config).await;
    let both = failed_step(&exporter).await;
    let (step, failure) = (&both["step"], &both["failure"]);
    assert_eq!(step["error"], "script failed");
    assert!(step.get("message").is_none(), "{step}");
    let text = |name: &str| {
        failure[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {failure}"))
    };
    let (command, instance) = (text("run_command_id"), text("instance_id"));
    let bundle = text("log_bundle");
    for (name, expected) in [
        ("stage", "BUILDING"),
        ("component", "install-agent"),
        ("component_step", "StartAgent"),
        ("component_error", "exit status 7"),
        ("step_error", "script failed"),
        ("log_group", "/aws/imagebuilder/golden"),
        ("log_stream", "1.0.0/1"),
    ] {
        assert_eq!(text(name), expected, "{name}");
    }
    assert!(
        text("reason").contains("/install-agent/2.1.0/4 failed!"),
        "{failure}"
    );
    assert_eq!(step["run_command_id"], command);
    assert_eq!(failure["commands"], next_commands(command, instance));
    let page = exporter.get("/").await.text();
    let logs = "cloudwatch/home?region=us-west-2#logsV2:log-groups/log-group/\
                $252Faws$252Fimagebuilder$252Fgolden/log-events/1.0.0$252F1";
    for part in [
        "exit status 7",
        "script failed",
        logs,
        command,
        instance,
        bundle,
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let failed = ["message=\"step failed\"", "step=ApplyBuildComponents"];
    let line = exporter.until_line(&failed).await;
    assert!(line.contains("service_message=\"script failed\""), "{line}");
    let scrape = exporter.scrape().await.text;
    assert!(
        !scrape.contains("script failed") && !scrape.contains(command),
        "{scrape}"
    );
}

#[tokio::test]
async fn outputs_stay_unread_without_failure_details() {
    let simulated = Simulated::start(failing_component()).await;
    let config = config(&[target(&simulated, "main", &["pipelines: [golden]"])]);
    let exporter = start(&config.replace("polling: {", "polling: {failure_details: false, ")).await;
    let both = failed_step(&exporter).await;
    for name in [
        "error",
        "run_command_id",
        "log_bundle",
        "instance_id",
        "step_error",
    ] {
        assert_eq!(both["step"].get(name), None, "{name}");
        assert_eq!(both["failure"].get(name), None, "{name}");
    }
    // The list of images still explains the failure.
    assert_eq!(both["failure"]["component_error"], "exit status 7");
}
