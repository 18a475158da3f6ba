//! What is logged and exposed of a build that fails.

use super::{config, start, target};
use crate::process::Simulated;
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
