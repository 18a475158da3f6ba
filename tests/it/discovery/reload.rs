//! A reload keeps what both configurations name, and drops the rest at once.

use imagebuilder_exporter::simulator::Effect;

use super::{
    DISCOVERED, STEP_INFO, config, reload, set, start, target, until_discovered_again, values,
};
use crate::process::{Scrape, Simulated};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// Two pipelines, whose builds are at a step of this name.
fn scenario(step: &str) -> ScenarioText {
    let step = format!("{step}, action: RunCommand, duration: 2h");
    ScenarioText::of([
        PipelineText::new("golden")
            .with("tags: {Team: platform}")
            .workflow("make", [&step]),
        PipelineText::new("web")
            .with("tags: {Team: web}")
            .workflow("make", [&step]),
    ])
    .with("listed_after: 0s")
}

/// The series of a pipeline and of what it builds, but for those that grow with the clock.
fn of_image<'a>(scrape: &'a Scrape, name: &str) -> Vec<&'a str> {
    let image = format!("image=\"{name}\"");
    let pipeline = format!("pipeline=\"{name}\"");
    let lines = scrape.samples();
    lines
        .filter(|line| line.contains(&image) || line.contains(&pipeline))
        .filter(|line| !line.contains("_duration_seconds{") && !line.contains("_running_seconds{"))
        .collect()
}

#[tokio::test]
async fn resources_of_both_configurations_keep_their_state_and_others_are_dropped_at_once() {
    let simulated = Simulated::start(scenario("Build")).await;
    let configured =
        |keys: &[&str]| config(&[target(&simulated, "main", keys)]).replace("30s", "5s");
    let exporter = start(&configured(&["pipelines: [golden, web]"])).await;
    let images = |scrape: &Scrape| values(scrape, STEP_INFO, "image");
    exporter
        .until("both are known", |scrape| {
            images(scrape) == set(&["golden", "web"])
        })
        .await;
    exporter
        .until("both pipelines are known", |scrape| {
            let info = "imagebuilder_image_info{}";
            values(scrape, info, "pipeline") == set(&["golden", "web"])
        })
        .await;
    // From now on nothing is answered: what is shown was known before.
    simulated.spoil_all(Effect::NoAnswer);
    let before = exporter.scrape().await;
    reload(&exporter, &configured(&["pipelines: [golden]"])).await;
    let after = exporter.scrape().await;
    assert_eq!(of_image(&after, "golden"), of_image(&before, "golden"));
    let gone: Vec<_> = { of_image(&after, "web").into_iter() }
        .filter(|line| !line.contains("_finished_"))
        .collect();
    assert_eq!(gone, Vec::<&str>::new());
    let seen = "imagebuilder_workflow_step_last_success_timestamp_seconds{}";
    assert_eq!(after.series(seen).len(), 1);
    assert_eq!(after.value(DISCOVERED), before.value(DISCOVERED));
    let selectors = "imagebuilder_exporter_selector_matches{}";
    assert!(!values(&after, selectors, "selector").contains("web"));
    simulated.faults.clear();
    let asked = simulated.calls.of("GetWorkflowStepExecution");
    until_discovered_again(&exporter).await;
    assert_eq!(
        simulated.calls.of("GetWorkflowStepExecution"),
        asked,
        "one Get ever"
    );
}

#[tokio::test]
async fn target_with_a_changed_endpoint_starts_from_scratch() {
    let simulated = Simulated::start(scenario("Build")).await;
    let other = Simulated::start(scenario("Other")).await;
    let keys = ["pipelines: [golden]"];
    let exporter = start(&config(&[target(&simulated, "main", &keys)])).await;
    let steps = |scrape: &Scrape| values(scrape, STEP_INFO, "step");
    exporter
        .until("it is known", |scrape| steps(scrape) == set(&["Build"]))
        .await;
    reload(&exporter, &config(&[target(&other, "main", &keys)])).await;
    let scrape = exporter.scrape().await;
    assert!(!steps(&scrape).contains("Build"));
    exporter
        .until("the other is known", |scrape| {
            steps(scrape) == set(&["Other"])
        })
        .await;
}
