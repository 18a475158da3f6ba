//! `--aws.region` in place of a configuration: all there is in a region is followed.

use crate::process::{Setup, Simulated};
use crate::support::scenario_text::{PipelineText, ScenarioText};

fn scenario() -> ScenarioText {
    ScenarioText::of([
        PipelineText::new("golden")
            .workflow("one", ["First, action: ExecuteComponents, duration: 2h"]),
        PipelineText::new("elsewhere")
            .with("region: us-east-1")
            .workflow("one", ["Second, action: ExecuteComponents, duration: 2h"]),
    ])
}

#[tokio::test]
async fn every_pipeline_and_image_of_the_region_is_tracked_without_a_configuration() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::new()
        .env("AWS_ENDPOINT_URL_IMAGEBUILDER", &simulated.url)
        .arg("--aws.region=us-west-2")
        .arg("--web.listen-address=127.0.0.1:0")
        .start()
        .await;
    let info = "imagebuilder_workflow_step_info{target=\"default\"}";
    let scrape = exporter
        .until("the step is there", |scrape| {
            !scrape.labels(info, "step").is_empty()
        })
        .await;
    assert_eq!(scrape.labels(info, "step"), ["First"]);
    let image = "imagebuilder_image_info{target=\"default\"}";
    assert_eq!(scrape.labels(image, "image"), ["golden"]);
}
