//! What is logged and exposed of a build that fails, and of an image that is imported.

use std::collections::BTreeSet;

use serde_json::json;

use super::{config, start, target, until_discovered_again};
use crate::process::{Exporter, Scrape, Simulated};
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

fn next_commands(command: &str, instance: &str, bundle: &str) -> serde_json::Value {
    json!({
        "logs": "aws logs filter-log-events --region us-west-2 \
                 --log-group-name=/aws/imagebuilder/golden --log-stream-names=1.0.0/1",
        "run_command": format!(
            "aws ssm get-command-invocation --region us-west-2 --command-id {command} \
             --instance-id {instance}"
        ),
        "log_bundle": format!("aws s3 ls --recursive {bundle}"),
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
    assert_eq!(
        failure["commands"],
        next_commands(command, instance, bundle)
    );
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

/// Two builds of an image: one that is AVAILABLE in three places, and one whose distribution reaches
/// only one of them, some seconds from now.
fn failing_distribution() -> ScenarioText {
    let failed = "{region: eu-west-1, in_turn: [completed, failed], \
                  configuration_step: EXPORT_AMI, error: no role}";
    let late = "{region: us-east-1, account: \"444455556666\", in_turn: [completed, hang], \
                error: too slow}";
    let pipeline = PipelineText::new("golden")
        .with("first: -770s")
        .with("every: 10m")
        .with("builds: 2")
        .with("log_group: /imagebuilder/golden")
        .with(&format!(
            "distribution: [{{region: us-west-2}}, {failed}, {late}]"
        ));
    ScenarioText::of([pipeline.workflow("make", ["Build, action: CreateImage, duration: 60s"])])
        .with("listed_after: 0s")
}

/// The values of these labels in each series, in their order.
fn rows<const N: usize>(scrape: &Scrape, selector: &str, labels: [&str; N]) -> Vec<[String; N]> {
    let series = scrape.series(selector).into_iter().map(|line| Scrape {
        text: line.to_owned(),
    });
    let value = |series: &Scrape, label| series.labels(selector, label).pop().unwrap_or_default();
    series
        .map(|series| labels.map(|label| value(&series, label)))
        .collect()
}

const DISTRIBUTION_ERROR: &str =
    "In region 'eu-west-1' - 'no role', In region 'us-east-1' - 'too slow'";

#[tokio::test]
async fn failed_distribution_is_explained_for_each_region() {
    let simulated = Simulated::start(failing_distribution()).await;
    let follow = target(&simulated, "main", &["pipelines: [golden]"]);
    let exporter = start(&config(&[follow])).await;
    let failed = ["message=\"image build failed\""];
    let line = exporter.until_line(&failed).await;
    for part in [
        "image_version=1.0.0/2",
        "stage=DISTRIBUTING",
        &format!(
            "distribution_error=\"{}\"",
            DISTRIBUTION_ERROR.replace('\'', r"\'")
        ),
    ] {
        assert!(line.contains(part), "{part}\n{line}");
    }
    let failure =
        "imagebuilder_image_failure_info{image_version=\"1.0.0/2\",stage=\"DISTRIBUTING\"}";
    let scrape = exporter
        .until("the failure is exposed", |scrape| {
            !scrape.series(failure).is_empty()
        })
        .await;
    let labels = ["target_region", "target_account_id", "configuration_step"];
    let expected = [
        ["eu-west-1", "111122223333", "EXPORT_AMI"],
        ["us-east-1", "444455556666", ""],
    ];
    assert_eq!(rows(&scrape, failure, labels), expected);
    expect_explained_in_json(&exporter).await;
    let page = exporter.get("/").await.text();
    for part in [
        "<b>eu-west-1</b>, account 111122223333: FAILED at EXPORT_AMI",
        "no role",
        "<b>us-east-1</b>, account 444455556666: TIMED OUT",
        "too slow",
        "--log-group-name=/imagebuilder/golden --log-stream-names=1.0.0/2",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

async fn expect_explained_in_json(exporter: &Exporter) {
    let json = exporter.get("/api/v1/steps").await.text();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut images = json["images"].as_array().unwrap().iter();
    let failed = images.find(|image| image["status"] == "FAILED").unwrap();
    let failure = &failed["failure"];
    assert_eq!(failure["distribution_error"], DISTRIBUTION_ERROR);
    assert_eq!(failure["log_group"], "/imagebuilder/golden");
    let regions = json!([
        {"target_region": "eu-west-1", "target_account_id": "111122223333", "status": "FAILED",
         "configuration_step": "EXPORT_AMI", "error": "no role"},
        {"target_region": "us-east-1", "target_account_id": "444455556666",
         "status": "TIMED_OUT", "error": "too slow"},
    ]);
    assert_eq!(failure["regions"], regions);
}

#[tokio::test]
async fn amis_of_the_newest_available_build_stay_exposed_after_a_failed_one() {
    let simulated = Simulated::start(failing_distribution()).await;
    let follow = target(&simulated, "main", &["pipelines: [golden]"]);
    let exporter = start(&config(&[follow])).await;
    let failed = "imagebuilder_image_status{image_version=\"1.0.0/2\",status=\"FAILED\"}";
    exporter.until_value(failed, 1.0).await;
    let scrape = until_discovered_again(&exporter).await;
    let all = "imagebuilder_image_output_info{}";
    let labels = ["image_version", "output_region", "output_account_id"];
    let expected = [
        ["1.0.0/1", "eu-west-1", "111122223333"],
        ["1.0.0/1", "us-east-1", "444455556666"],
        ["1.0.0/1", "us-west-2", "111122223333"],
    ];
    assert_eq!(rows(&scrape, all, labels), expected);
    let amis = scrape.labels(all, "ami_id").into_iter();
    let amis: BTreeSet<_> = amis.filter(|ami| ami.starts_with("ami-")).collect();
    assert_eq!(amis.len(), 3, "{amis:?}");
}

#[tokio::test]
async fn imported_image_is_exposed_and_misses_no_workflow_executions() {
    let imported = |name: &str, import: &str| {
        PipelineText::new(name)
            .with("without_pipeline: true")
            .with(&format!("import: {{duration: 1m, {import}}}"))
    };
    let scenario = ScenarioText::of([
        imported("golden", "build_type: IMPORT"),
        imported("installer", "build_type: IMPORT_ISO, error: no such file"),
    ]);
    let simulated = Simulated::start(scenario.with("listed_after: 0s")).await;
    let exporter = start(&config(&[target(&simulated, "main", &["images: ['*']"])])).await;
    exporter.until_ready().await;
    let scrape = until_discovered_again(&exporter).await;
    let info = "imagebuilder_image_info{}";
    let mut infos = rows(&scrape, info, ["image", "build_type", "pipeline"]);
    infos.sort();
    let expected = [["golden", "IMPORT", ""], ["installer", "IMPORT_ISO", ""]];
    assert_eq!(infos, expected);
    let of = |image, status| {
        let selector =
            format!("imagebuilder_image_status{{image=\"{image}\",status=\"{status}\"}}");
        scrape.value(&selector)
    };
    assert_eq!(of("golden", "AVAILABLE"), Some(1.0));
    assert_eq!(of("installer", "FAILED"), Some(1.0));
    let failure = "imagebuilder_image_failure_info{image=\"installer\",stage=\"CREATING\"}";
    assert_eq!(scrape.value(failure), Some(1.0));
    let output = "imagebuilder_image_output_info{output_region=\"us-west-2\"}";
    assert_eq!(scrape.labels(output, "image"), ["golden"]);
    let page = exporter.get("/").await.text();
    assert!(
        page.contains("golden") && page.contains("no such file"),
        "{page}"
    );
    assert!(!page.contains("No workflow executions are known"), "{page}");
}
