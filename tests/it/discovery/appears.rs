//! What is built appears by itself, is counted, and leaves.

use imagebuilder_exporter::simulator::{Effect, Fault};

use super::{STEP_INFO, config, set, start, target, until_discovered_again, values};
use crate::process::{Scrape, Simulated, now};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// One build that runs since ten minutes, and another that begins four seconds from now.
fn two_builds() -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden")
        .with("display_name: Golden")
        .with("image: golden-image")
        .with("tags: {Team: platform}")
        .with(r#"schedule: "cron(0 3 * * ? *)""#)
        .with("every: 604s")
        .with("builds: 2")
        .workflow(
            "make, version: 2.1.0/3",
            [
                "Launch, action: LaunchInstance, duration: 5m",
                "Build, action: ExecuteComponents, duration: 2h, timeout: 4h",
            ],
        )])
    .with("listed_after: 0s")
}

/// The one series that a selector matches.
fn line(scrape: &Scrape, selector: &str) -> String {
    let found = scrape.series(selector);
    assert_eq!(found.len(), 1, "{selector} matches {found:?}");
    found[0].to_owned()
}

const IMAGE_INFO: &str = "imagebuilder_image_info{image_version=\"1.0.0/1\",pipeline=\"golden\"}";

#[tokio::test]
async fn everything_of_a_pipeline_appears_by_itself() {
    let simulated = Simulated::start(two_builds()).await;
    let keys = ["labels: {team: base}", "pipelines: [golden]"];
    let exporter = start(&config(&[target(&simulated, "main", &keys)])).await;
    let older = "imagebuilder_workflow_step_info{image_version=\"1.0.0/1\"}";
    exporter
        .until("both steps of the older build are known", |scrape| {
            scrape.series(older).len() == 2
        })
        .await;
    let scrape = exporter.until_value(IMAGE_INFO, 1.0).await;

    let image = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden-image/1.0.0/1";
    let workflow = simulated.world.workflows_of(image, now()).unwrap()[0].id;
    let steps = simulated.world.steps_of(&workflow, now()).unwrap();
    let (workflow, step) = (workflow.to_string(), steps[1].id.to_string());
    assert_infos(&scrape, image, &workflow, &step);
    assert_values(&scrape, &workflow, &step);
}

fn assert_infos(scrape: &Scrape, image: &str, workflow: &str, step: &str) {
    let place = "account_id=\"111122223333\",region=\"us-west-2\"";
    let make = "arn:aws:imagebuilder:us-west-2:111122223333:workflow/build/make/2.1.0/3";
    let of_workflow = format!("{place},image=\"golden-image\",workflow=\"make\"");
    assert_eq!(
        line(
            scrape,
            "imagebuilder_workflow_step_info{step=\"Build\",image_version=\"1.0.0/1\"}"
        ),
        format!(
            "imagebuilder_workflow_step_info{{{of_workflow},step=\"Build\",\
             step_execution_id=\"{step}\",team=\"base\",target=\"main\",\
             action=\"ExecuteComponents\",on_failure=\"Abort\",image_version=\"1.0.0/1\",\
             workflow_type=\"build\",workflow_version=\"2.1.0/3\",\
             workflow_execution_id=\"{workflow}\",image_build_version_arn=\"{image}\",\
             workflow_build_version_arn=\"{make}\",tag_Team=\"platform\"}} 1"
        )
    );
    assert_eq!(
        line(
            scrape,
            "imagebuilder_workflow_execution_info{image_version=\"1.0.0/1\"}"
        ),
        format!(
            "imagebuilder_workflow_execution_info{{{of_workflow},\
             workflow_execution_id=\"{workflow}\",team=\"base\",target=\"main\",\
             workflow_type=\"build\",workflow_version=\"2.1.0/3\",image_version=\"1.0.0/1\",\
             image_build_version_arn=\"{image}\",workflow_build_version_arn=\"{make}\",\
             tag_Team=\"platform\"}} 1"
        )
    );
    assert_eq!(
        line(scrape, IMAGE_INFO),
        format!(
            "imagebuilder_image_info{{{place},image=\"golden-image\",image_version=\"1.0.0/1\",\
             team=\"base\",target=\"main\",pipeline=\"golden\",platform=\"Linux\",type=\"AMI\",\
             build_type=\"SCHEDULED\",image_build_version_arn=\"{image}\",\
             tag_Team=\"platform\"}} 1"
        )
    );
    assert_eq!(
        line(scrape, "imagebuilder_pipeline_info{}"),
        format!(
            "imagebuilder_pipeline_info{{{place},pipeline=\"golden\",team=\"base\",\
             target=\"main\",platform=\"Linux\",schedule=\"cron(0 3 * * ? *)\",\
             tag_Team=\"platform\"}} 1"
        )
    );
}

fn assert_values(scrape: &Scrape, workflow: &str, step: &str) {
    let older = format!("workflow_execution_id=\"{workflow}\"");
    for (selector, value) in [
        (
            format!(
                "imagebuilder_workflow_step_status{{step_execution_id=\"{step}\",status=\"RUNNING\"}}"
            ),
            1.0,
        ),
        (
            format!("imagebuilder_workflow_step_timeout_seconds{{step_execution_id=\"{step}\"}}"),
            14_400.0,
        ),
        (
            format!("imagebuilder_workflow_execution_status{{{older},status=\"RUNNING\"}}"),
            1.0,
        ),
        (
            format!("imagebuilder_workflow_execution_steps_planned{{{older}}}"),
            2.0,
        ),
        (
            format!("imagebuilder_workflow_execution_steps{{{older},result=\"succeeded\"}}"),
            1.0,
        ),
        (
            "imagebuilder_image_status{image_version=\"1.0.0/1\",status=\"BUILDING\"}".to_owned(),
            1.0,
        ),
        ("imagebuilder_pipeline_enabled{}".to_owned(), 1.0),
    ] {
        assert_eq!(scrape.value(&selector), Some(value), "{selector}");
    }
}

#[tokio::test]
async fn new_build_hides_no_older_one_that_still_runs() {
    let simulated = Simulated::start(two_builds()).await;
    let keys = ["pipelines: [golden]"];
    let exporter = start(&config(&[target(&simulated, "main", &keys)])).await;
    let running = |step: &str| {
        format!("imagebuilder_workflow_step_status{{step=\"{step}\",status=\"RUNNING\"}}")
    };
    let builds = "imagebuilder_image_status{status=\"BUILDING\"}";
    let workflows = "imagebuilder_workflow_execution_status{status=\"RUNNING\"}";
    exporter
        .until("both builds run, each at another step", |scrape| {
            scrape.values(&running("Build")).contains(&1.0)
                && scrape.values(&running("Launch")).contains(&1.0)
                && scrape.values(builds) == [1.0, 1.0]
                && scrape.values(workflows) == [1.0, 1.0]
        })
        .await;
}

/// Three builds, one after the other, that begin under the eyes of the exporter.
fn short_builds(every: &str) -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden")
        .with(&format!("first: {every}"))
        .with(&format!("every: {every}"))
        .with("builds: 3")
        .workflow(
            "make",
            [
                "Build, action: RunCommand, duration: 1s, in_turn: [completed, failed, \
completed]",
            ],
        )])
    .with("listed_after: 0s")
}

#[tokio::test]
async fn build_is_counted_once_and_evicted_after_its_retention() {
    let mut simulated = Simulated::start(short_builds("1h")).await;
    let target = target(&simulated, "main", &["pipelines: [golden]"]);
    let settings = "metrics: {retention: 10s, retention_failed: 1h, ";
    let config = config(&[target]).replace("metrics: {", settings);
    let exporter = start(&config).await;
    exporter.until_ready().await;
    simulated.begin_anew(short_builds("2s")).await;

    let shown = "imagebuilder_image_info{}";
    let versions = |scrape: &Scrape| values(scrape, shown, "image_version");
    exporter
        .until("the failed build alone is left", |scrape| {
            let finished = "imagebuilder_workflow_steps_finished_total{status=\"COMPLETED\"}";
            scrape.values(finished).contains(&2.0) && versions(scrape) == set(&["1.0.0/2"])
        })
        .await;
    // Nor does another look at the same list bring the others back, or count them again.
    let scrape = until_discovered_again(&exporter).await;
    assert_eq!(versions(&scrape), set(&["1.0.0/2"]));
    assert_eq!(
        values(&scrape, STEP_INFO, "image_version"),
        set(&["1.0.0/2"])
    );
    let workflows = "imagebuilder_workflow_execution_info{}";
    assert_eq!(
        values(&scrape, workflows, "image_version"),
        set(&["1.0.0/2"])
    );
    for (status, count) in [("COMPLETED", 2.0), ("FAILED", 1.0)] {
        let of = |name: &str| format!("imagebuilder_{name}{{status=\"{status}\",step=\"Build\"}}");
        let total = scrape.value(&of("workflow_steps_finished_total"));
        assert_eq!(total, Some(count), "{status}");
        let durations = scrape.value(&of("workflow_step_finished_duration_seconds_count"));
        assert_eq!(durations, Some(count), "{status}");
    }
    let last = "imagebuilder_image_last_available_timestamp_seconds{image=\"golden\"}";
    let made = simulated.world.start().millis() as f64 / 1000.0 + 6.0;
    assert_eq!(scrape.value(last), Some(made), "kept without retention");
}

#[tokio::test]
async fn exporter_is_ready_after_the_first_discovery_pass_even_if_that_failed() {
    let mut simulated = Simulated::start(two_builds()).await;
    let fault = Fault::on("ListWorkflowExecutions", Effect::NoAnswer).unwrap();
    simulated.faults.set(vec![fault]);
    let config = config(&[target(&simulated, "main", &["pipelines: [golden]"])]);
    let exporter = start(&config.replace("30s", "1h")).await;
    // All has been asked for but the executions of the image.
    exporter
        .until_over("imagebuilder_pipeline_enabled{}", 0.0)
        .await;
    exporter.until_over("imagebuilder_image_info{}", 0.0).await;
    let answer = exporter.get("/-/ready").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    simulated.go_down().await;
    exporter.until_ready().await;
}
