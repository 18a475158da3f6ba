//! The expected ends of a build that the simulator plays, after builds that took the same time.

use crate::process::{Scrape, Setup, Simulated};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::scenario_text::{PipelineText, ScenarioText};

const OF_EXECUTION: &str = "imagebuilder_workflow_execution_expected_end_timestamp_seconds{}";
const OF_IMAGE: &str = "imagebuilder_image_expected_end_timestamp_seconds{}";
const CREATED: &str = "imagebuilder_image_created_timestamp_seconds";

/// The simulator waits for two seconds between two steps or workflows, of which a build has six.
const GAPS: f64 = 12.0;

/// A build that runs since an hour, and four before it. One of the steps is skipped each time, and two
/// workflows run at the same time.
fn golden() -> PipelineText {
    let test = |name: &str| format!("{name}, type: test, parallel_group: tests");
    PipelineText::new("golden")
        .with("first: -97h")
        .with("every: 24h")
        .with("builds: 5")
        .workflow(
            "make",
            [
                "Launch, action: LaunchInstance, duration: 5m",
                "Build, action: ExecuteComponents, duration: 2h, timeout: 4h",
                "Scan, action: CollectImageScanFindings, outcome: skipped",
                "Publish, action: CreateImage, duration: 10m",
            ],
        )
        .workflow(&test("short"), ["Short, action: RunCommand, duration: 7m"])
        .workflow(&test("long"), ["Long, action: RunCommand, duration: 9m"])
}

#[tokio::test]
async fn running_build_ends_as_those_before_it() {
    let simulated = Simulated::start(ScenarioText::of([golden()])).await;
    let target = TargetText::new("main").at(&simulated.url);
    let config = ConfigText::of([target.with("images: ['*']")])
        .with("polling: {interval: 200ms, discovery_interval: 400ms, request_timeout: 30s}");
    let exporter = Setup::exporter(&config.text()).start().await;
    let has_ends = |scrape: &Scrape| scrape.values(OF_IMAGE).len() == 1;
    let scrape = exporter
        .until("the build has an expected end", has_ends)
        .await;
    let began = scrape.value(&format!("{CREATED}{{image_version=\"1.0.0/5\"}}"));
    let after = |selector: &str| {
        let ends = scrape.values(selector);
        assert_eq!(ends.len(), 1, "{selector}: {ends:?}");
        ends[0] - began.unwrap()
    };
    let make = 60.0 * (5.0 + 120.0 + 10.0);
    for (selector, expected) in [(OF_EXECUTION, make), (OF_IMAGE, make + 60.0 * 9.0)] {
        let error = after(selector) - expected;
        assert!(error.abs() <= GAPS, "{selector}: {error}");
    }
}
