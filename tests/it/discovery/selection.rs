//! What is followed, by names and by tags.

use super::{config, set, start, target, until_discovered_again, values};
use crate::process::{Scrape, Simulated};
use crate::support::scenario_text::{PipelineText, ScenarioText};

fn scenario() -> ScenarioText {
    ScenarioText::of([
        PipelineText::new("golden-linux")
            .with("display_name: Golden Linux")
            .with(r#"tags: {Team: platform, cost-center: "42"}"#)
            .workflow("make", ["Build, action: RunCommand, duration: 2h"]),
        PipelineText::new("golden-scratch")
            .with("tags: {Team: platform, Stage: dev-1}")
            .workflow("make", ["Build, action: RunCommand, duration: 2h"]),
        PipelineText::new("web-tier")
            .with("tags: {Team: web}")
            .with("image_tags: {Team: web, Stage: production}")
            .workflow("make", ["Build, action: RunCommand, duration: 2h"]),
        PipelineText::new("untagged")
            .with("without_pipeline: true")
            .workflow("make", ["Build, action: RunCommand, duration: 2h"]),
    ])
    .with("listed_after: 0s")
}

/// What a target with these keys shows: the images of its steps, its images and its pipelines.
async fn follows(keys: &[&str], images: &[&str], pipelines: &[&str]) -> Scrape {
    let simulated = Simulated::start(scenario()).await;
    let exporter = start(&config(&[target(&simulated, "main", keys)])).await;
    let found = |scrape: &Scrape| {
        [
            ("imagebuilder_workflow_step_info{}", "image"),
            ("imagebuilder_image_info{}", "image"),
            ("imagebuilder_pipeline_info{}", "pipeline"),
        ]
        .map(|(info, label)| values(scrape, info, label))
    };
    let expected = [set(images), set(images), set(pipelines)];
    exporter
        .until(&format!("{keys:?} is followed"), |scrape| {
            found(scrape) == expected
        })
        .await;
    // Nor does more come later.
    until_discovered_again(&exporter).await;
    let scrape = until_discovered_again(&exporter).await;
    assert_eq!(found(&scrape), expected, "{keys:?}");
    scrape
}

#[tokio::test]
async fn last_available_image_is_exposed_also_when_pipelines_are_listed_after_images() {
    let scenario = ScenarioText::of([PipelineText::new("golden")
        .with("first: -100h")
        .workflow("make", ["Build, action: RunCommand, duration: 1h"])])
    .with("listed_after: 0s")
    .with("faults: [{operation: ListImagePipelines, latency: 1s}]");
    let simulated = Simulated::start(scenario).await;
    let config = config(&[target(&simulated, "main", &["pipelines: [golden]"])]);
    let seldom = config.replace("discovery_interval: 400ms", "discovery_interval: 1h");
    let exporter = start(&seldom).await;
    exporter
        .until("the last good image is shown", |scrape| {
            let last = "imagebuilder_image_last_available_timestamp_seconds{image=\"golden\"}";
            scrape.value(last).is_some()
        })
        .await;
}

#[tokio::test]
async fn names_and_tags_select_and_exclude() {
    let all = ["golden-linux", "golden-scratch", "web-tier"];
    tokio::join!(
        follows(&["pipelines: [\"*\"]"], &all, &all),
        follows(
            &["images: [\"*-tier\", untagged]"],
            &["web-tier", "untagged"],
            &[]
        ),
        follows(
            &[
                "pipelines: [\"arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/web-tier\"]",
                "images: [untagged]",
            ],
            &["web-tier", "untagged"],
            &["web-tier"],
        ),
        follows(
            &["pipelines: [\"*\"]", "tags: {Team: plat*}"],
            &all[..2],
            &all[..2],
        ),
        follows(
            &[
                "pipelines: [\"*\"]",
                "exclude: {pipelines: [\"*-scratch\"]}"
            ],
            &["golden-linux", "web-tier"],
            &["golden-linux", "web-tier"],
        ),
        follows(
            &[
                "images: [\"*\"]",
                "exclude: {tags: {Stage: \"dev*\"}, images: [untagged]}"
            ],
            &["golden-linux", "web-tier"],
            &[],
        ),
    );
}

#[tokio::test]
async fn tags_become_labels_of_the_info_series_alone() {
    let keys = ["pipelines: [golden-linux]"];
    let scrape = follows(&keys, &["golden-linux"], &["golden-linux"]).await;
    for info in ["workflow_step", "workflow_execution", "image", "pipeline"] {
        let info =
            format!("imagebuilder_{info}_info{{tag_Team=\"platform\",tag_cost_center=\"42\"}}");
        assert_eq!(scrape.value(&info), Some(1.0), "{info}");
    }
    let others = scrape.samples().filter(|line| !line.contains("_info{"));
    assert_eq!(others.filter(|line| line.contains("tag_")).count(), 0);
}

#[tokio::test]
async fn selector_that_matches_nothing_is_a_gauge_and_one_line_of_the_log() {
    let simulated = Simulated::start(scenario()).await;
    let keys = [
        "pipelines: [golden-linux, prodution]",
        "images: [\"*-teir\"]",
    ];
    let exporter = start(&config(&[target(&simulated, "main", &keys)])).await;
    let matches = |kind: &str, selector: &str| {
        format!(
            "imagebuilder_exporter_selector_matches{{target=\"main\",region=\"us-west-2\",\
             kind=\"{kind}\",selector=\"{selector}\"}}"
        )
    };
    exporter
        .until_value(&matches("pipelines", "prodution"), 0.0)
        .await;
    exporter
        .until_value(&matches("images", "*-teir"), 0.0)
        .await;
    until_discovered_again(&exporter).await;
    let scrape = until_discovered_again(&exporter).await;
    assert_eq!(
        scrape.value(&matches("pipelines", "golden-linux")),
        Some(1.0)
    );
    let told = |selector| exporter.count_log(&["level=warn", "matches nothing", selector]);
    assert_eq!(told("selector=prodution"), 1);
    assert_eq!(told("selector=*-teir"), 1);
    assert_eq!(exporter.count_log(&["matches nothing"]), 2);
}

#[tokio::test]
async fn all_of_nothing_is_no_mistake_in_a_name() {
    let simulated = Simulated::start("{}").await;
    let keys = ["pipelines: [\"*\"]", "images: [\"*\"]"];
    let exporter = start(&config(&[target(&simulated, "main", &keys)])).await;
    for kind in ["images", "pipelines"] {
        let told = [
            "level=info",
            "selector * matches nothing in this account yet",
            &format!("kind={kind}"),
        ];
        exporter.until_line(&told).await;
    }
    assert_eq!(
        exporter.count_log(&["level=warn"]),
        0,
        "{:#?}",
        exporter.log()
    );
}
