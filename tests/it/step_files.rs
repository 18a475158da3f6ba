//! Step files that change while the exporter runs: their steps come and go without a reload.

use imagebuilder_exporter::simulator::Effect;

use crate::process::{Exporter, Scrape, Setup, Simulated};
use crate::support::scenario_text::{PipelineText, ScenarioText};

fn scenario() -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden")
        .workflow("one", ["First, action: ExecuteComponents, duration: 2h"])
        .workflow(
            "two, type: test, parallel_group: all",
            ["Second, action: ExecuteComponents, duration: 2h"],
        )])
}

const SUCCESSFUL: &str = "imagebuilder_exporter_config_last_reload_successful{}";
const SUCCEEDED_AT: &str = "imagebuilder_exporter_config_last_reload_success_timestamp_seconds{}";
const POLLED: &str = "imagebuilder_workflow_step_last_poll_success{}";
const RELOADED: [&str; 2] = ["level=info", "step files reloaded"];
const FAILED: [&str; 2] = ["level=error", "step file reload failed"];

/// An exporter that lists the first step itself, and others in `steps.d`.
async fn start(simulated: &Simulated) -> Exporter {
    let config = simulated.config(&["First"]) + "    step_executions_files: ['steps.d/*.yaml']\n";
    let setup = Setup::exporter(&config).arg("--web.enable-lifecycle");
    std::fs::create_dir(setup.files.path("steps.d")).unwrap();
    let exporter = setup.start().await;
    exporter.until_ready().await;
    exporter
}

/// Waits until these are the steps that are tracked.
async fn until_tracked(exporter: &Exporter, simulated: &Simulated, steps: &[&str]) -> Scrape {
    let mut ids: Vec<_> = steps.iter().map(|step| simulated.id(step)).collect();
    ids.sort();
    let are_tracked = |scrape: &Scrape| {
        let mut tracked = scrape.labels(POLLED, "step_execution_id");
        tracked.sort();
        tracked == ids
    };
    exporter
        .until(&format!("{steps:?} are tracked"), are_tracked)
        .await
}

fn list(simulated: &Simulated, steps: &[&str]) -> String {
    let ids: Vec<String> = steps.iter().map(|step| simulated.id(step)).collect();
    format!("[{}]\n", ids.join(", "))
}

#[tokio::test]
async fn steps_come_and_go_with_their_files_and_the_others_keep_their_state() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = start(&simulated).await;
    until_tracked(&exporter, &simulated, &["First"]).await;
    let file = "steps.d/build.yaml";
    exporter.files.write(file, &list(&simulated, &["Second"]));
    let scrape = until_tracked(&exporter, &simulated, &["First", "Second"]).await;
    assert_eq!(scrape.value(SUCCESSFUL), Some(1.0));
    exporter.until_line(&RELOADED).await;
    // What is known of the other step needs no poll to be shown.
    let status = "imagebuilder_workflow_step_status{status=\"RUNNING\"}";
    exporter
        .until("both are shown", |scrape| {
            scrape.labels(status, "step").len() == 2
        })
        .await;
    simulated.spoil_all(Effect::NoAnswer);
    std::fs::remove_file(exporter.files.path(file)).unwrap();
    let scrape = until_tracked(&exporter, &simulated, &["First"]).await;
    assert_eq!(scrape.labels(status, "step"), ["First"]);
    simulated.faults.clear();
}

#[tokio::test]
async fn bad_step_file_is_logged_once_and_changes_nothing_until_it_is_valid_again() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = start(&simulated).await;
    let file = "steps.d/build.yaml";
    exporter.files.write(file, &list(&simulated, &["Second"]));
    let before = until_tracked(&exporter, &simulated, &["First", "Second"]).await;
    exporter.files.write(file, "- step-1\n- step-2\n");
    let refused = exporter.until_value(SUCCESSFUL, 0.0).await;
    assert_eq!(refused.value(SUCCEEDED_AT), before.value(SUCCEEDED_AT));
    let mut line = FAILED.to_vec();
    line.push("build.yaml:2:3: ");
    exporter.until_line(&line).await;
    assert_eq!(exporter.count_log(&FAILED), 2);
    until_tracked(&exporter, &simulated, &["First", "Second"]).await;
    // Who reloads is told as well, and the next look does not repeat it.
    let answer = exporter.post("/-/reload").await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.text().contains("build.yaml:1:3: "),
        "{}",
        answer.text()
    );
    exporter.files.write(file, &list(&simulated, &["First"]));
    let mut line = FAILED.to_vec();
    line.push("listed twice; keep one; the first is at ");
    exporter.until_line(&line).await;
    assert_eq!(exporter.count_log(&FAILED), 3);
    exporter.files.write(file, "[]\n");
    let good = exporter.until_value(SUCCESSFUL, 1.0).await;
    assert!(good.value(SUCCEEDED_AT) > before.value(SUCCEEDED_AT));
    until_tracked(&exporter, &simulated, &["First"]).await;
}

#[tokio::test]
async fn step_file_that_only_a_reload_saw_wrong_is_not_held_against_it() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = start(&simulated).await;
    let before = exporter.scrape().await.value(SUCCEEDED_AT).unwrap();
    let file = exporter.files.write("steps.d/build.yaml", "step-1\n");
    let answer = exporter.post("/-/reload").await;
    // At once, so that no look saw it, or one alone.
    std::fs::remove_file(file).unwrap();
    assert_eq!(answer.status, 500, "{}", answer.text());
    let scrape = exporter.until_over(SUCCEEDED_AT, before).await;
    assert_eq!(scrape.value(SUCCESSFUL), Some(1.0));
    assert_eq!(exporter.count_log(&FAILED), 0);
}

#[tokio::test]
async fn changed_step_file_does_not_put_a_changed_configuration_into_force() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = start(&simulated).await;
    let config = std::fs::read_to_string(exporter.files.path("config.yaml")).unwrap();
    exporter.write_config(&config.replace("name: main", "name: other"));
    exporter
        .files
        .write("steps.d/build.yaml", &list(&simulated, &["Second"]));
    let scrape = until_tracked(&exporter, &simulated, &["First", "Second"]).await;
    assert_eq!(scrape.labels(POLLED, "target"), ["main", "main"]);
    let answer = exporter.post("/-/reload").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let scrape = until_tracked(&exporter, &simulated, &["First", "Second"]).await;
    assert_eq!(scrape.labels(POLLED, "target"), ["other", "other"]);
    // The files are looked at on behalf of the new configuration.
    std::fs::remove_file(exporter.files.path("steps.d/build.yaml")).unwrap();
    let scrape = until_tracked(&exporter, &simulated, &["First"]).await;
    assert_eq!(scrape.labels(POLLED, "target"), ["other"]);
}

#[tokio::test]
async fn good_step_file_does_not_hide_that_the_configuration_was_refused() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = start(&simulated).await;
    let config = std::fs::read_to_string(exporter.files.path("config.yaml")).unwrap();
    exporter.write_config("targets: []\n");
    assert_eq!(exporter.post("/-/reload").await.status, 500);
    exporter
        .files
        .write("steps.d/build.yaml", &list(&simulated, &["Second"]));
    let scrape = until_tracked(&exporter, &simulated, &["First", "Second"]).await;
    assert_eq!(scrape.value(SUCCESSFUL), Some(0.0));
    exporter.write_config(&config);
    assert_eq!(exporter.post("/-/reload").await.status, 200);
    assert_eq!(exporter.scrape().await.value(SUCCESSFUL), Some(1.0));
}

#[tokio::test]
async fn bad_step_file_at_the_start_is_a_bad_configuration() {
    let simulated = Simulated::start(scenario()).await;
    let config = simulated.config(&["First"]) + "    step_executions_files: [steps.yaml]\n";
    let setup = Setup::exporter(&config);
    setup.files.write("steps.yaml", "steps\n");
    let ended = setup.run().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stderr.len(), 1, "{ended:?}");
    assert!(ended.stderr[0].contains("steps.yaml:1:1: the file must be a list"));
}
