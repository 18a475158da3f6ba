//! What several targets name belongs to one of them: listed before discovered, then the order of
//! the file.

use std::collections::BTreeSet;

use super::{config, reload, set, start, target, until_discovered_again, values};
use crate::process::{Exporter, Scrape, Simulated};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// A build of two workflow executions at once, the shorter of which ends ten seconds from now.
fn scenario() -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden")
        .workflow(
            "long, type: test, parallel_group: both",
            [
                "Long, action: RunCommand, duration: 2h",
                "Never, action: RunCommand",
            ],
        )
        .workflow(
            "short, type: test, parallel_group: both",
            [
                "Short, action: RunCommand, duration: 610s",
                "Then, action: RunCommand, duration: 2h",
            ],
        )])
    .with("listed_after: 0s")
}

/// An image that is BUILDING, and whose tests wait.
fn building() -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden")
        .workflow(
            "build",
            [
                "Build, action: RunCommand, duration: 2h",
                "Never, action: RunCommand",
            ],
        )
        .workflow(
            "test, type: test",
            ["One, action: RunCommand", "Other, action: RunCommand"],
        )])
    .with("listed_after: 0s")
}

const INFOS: [&str; 4] = [
    "imagebuilder_workflow_step_info{}",
    "imagebuilder_workflow_execution_info{}",
    "imagebuilder_image_info{}",
    "imagebuilder_pipeline_info{}",
];

/// Waits until all there is is shown as this target's.
async fn until_all_is_of(exporter: &Exporter, target: &str) -> Scrape {
    let counts = [4, 2, 1, 1];
    exporter
        .until(&format!("all is of {target}"), |scrape| {
            INFOS.iter().zip(counts).all(|(info, count)| {
                scrape.series(info).len() == count
                    && values(scrape, info, "target") == set(&[target])
            })
        })
        .await
}

fn lists(target: &str) -> String {
    format!(
        "imagebuilder_exporter_api_requests_total{{target=\"{target}\",\
         operation=\"ListWorkflowStepExecutions\",result=\"ok\"}}"
    )
}

#[tokio::test]
async fn resource_that_two_targets_select_is_exposed_polled_and_counted_once_by_the_first() {
    let simulated = Simulated::start(scenario()).await;
    let follow = ["pipelines: [golden]", "images: [\"gold*\"]"];
    let exporter = start(&config(&[
        target(&simulated, "first", &follow),
        target(&simulated, "second", &follow),
    ]))
    .await;
    let scrape = until_all_is_of(&exporter, "first").await;
    let polled = |scrape: &Scrape, target| scrape.value(&lists(target)).unwrap();
    // What was under way has ended long before the first has polled so often.
    let some = polled(&scrape, "first") + 10.0;
    let before = exporter.until_over(&lists("first"), some).await;
    let more = polled(&before, "first") + 10.0;
    let after = exporter.until_over(&lists("first"), more).await;
    assert_eq!(polled(&after, "second"), polled(&before, "second"));

    let finished =
        "imagebuilder_workflow_steps_finished_total{step=\"Short\",status=\"COMPLETED\"}";
    exporter.until_over(finished, 0.0).await;
    let then = "imagebuilder_workflow_step_status{step=\"Then\",status=\"RUNNING\"}";
    let scrape = exporter.until_value(then, 1.0).await;
    assert_eq!(scrape.value(finished), Some(1.0));
    // Both find what they choose.
    let matches = "imagebuilder_exporter_selector_matches{}";
    assert_eq!(scrape.values(matches), [1.0; 4]);
}

#[tokio::test]
async fn second_target_takes_over_resources_that_a_reload_deselects_in_the_first() {
    let simulated = Simulated::start(scenario()).await;
    let first = target(&simulated, "first", &["pipelines: [golden]"]);
    let second = target(&simulated, "second", &["images: [golden]"]);
    let exporter = start(&config(&[first.clone(), second.clone()])).await;
    until_all_is_of(&exporter, "first").await;
    reload(&exporter, &config(std::slice::from_ref(&second))).await;
    let scrape = exporter.scrape().await;
    for info in INFOS {
        let targets = values(&scrape, info, "target");
        assert!(!targets.contains("first"), "{info} {targets:?}");
    }
    // It chooses no pipelines, only what they build.
    exporter
        .until("the other has what it chooses", |scrape| {
            INFOS[..3].iter().zip([4, 2, 1]).all(|(info, count)| {
                scrape.series(info).len() == count
                    && values(scrape, info, "target") == set(&["second"])
            })
        })
        .await;
    reload(&exporter, &config(&[first, second])).await;
    until_all_is_of(&exporter, "first").await;
}

#[tokio::test]
async fn order_of_the_file_decides_ownership_also_after_a_reload_reverses_it() {
    let simulated = Simulated::start(scenario()).await;
    let targets = ["one", "other"].map(|name| target(&simulated, name, &["pipelines: [golden]"]));
    let [one, other] = targets;
    let exporter = start(&config(&[one.clone(), other.clone()])).await;
    until_all_is_of(&exporter, "one").await;
    reload(&exporter, &config(&[other, one])).await;
    until_all_is_of(&exporter, "other").await;
}

#[tokio::test]
async fn listed_resource_belongs_to_the_target_that_lists_it() {
    let simulated = Simulated::start(scenario()).await;
    let planned = simulated.planned();
    let short = { planned.iter() }
        .find(|step| step.name == "Short")
        .unwrap();
    let workflow = short.workflow_execution_id;
    let exporter = start(&config(&[
        target(&simulated, "chooses", &["pipelines: [golden]"]),
        target(
            &simulated,
            "lists",
            &[&format!("step_executions: [{}]", simulated.id("Long"))],
        ),
        target(
            &simulated,
            "names",
            &[&format!("workflow_executions: [{workflow}]")],
        ),
    ]))
    .await;
    let whose = |scrape: &Scrape| {
        let mut whose: Vec<_> = { ["Long", "Never", "Short", "Then"].iter() }
            .map(|step| {
                let info = format!("imagebuilder_workflow_step_info{{step=\"{step}\"}}");
                scrape.labels(&info, "target")
            })
            .collect();
        let workflow = "imagebuilder_workflow_execution_info{workflow=\"short\"}";
        whose.push(scrape.labels(workflow, "target"));
        whose
    };
    let expected = ["lists", "chooses", "names", "names", "names"];
    let expected = expected.map(|target| vec![target.to_owned()]);
    let scrape = exporter
        .until("everything is whose it should be", |scrape| {
            whose(scrape) == expected
        })
        .await;
    let workflow = "imagebuilder_workflow_execution_info{workflow=\"long\"}";
    assert_eq!(scrape.labels(workflow, "target"), ["chooses"]);
    assert_eq!(scrape.labels(INFOS[2], "target"), ["chooses"]);
}

/// The samples of a scrape that stand in it more than once.
fn twice(scrape: &Scrape) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let series = { scrape.samples() }.map(|line| line.rsplit_once(' ').unwrap().0);
    series.filter(|series| !seen.insert(*series)).collect()
}

#[tokio::test]
async fn evicted_image_keeps_its_owner_while_a_failed_execution_of_it_is_exposed() {
    let scenario = ScenarioText::of([PipelineText::new("golden")
        .with("first: 10m")
        .with("retries: 1")
        .with("retry_after: 1m")
        .workflow(
            "make, type: test, rollback: none",
            ["Build, action: RunCommand, duration: 1m, outcome: failed"],
        )])
    .with("listed_after: 0s");
    let simulated = Simulated::at_speed(scenario, 60.0).await;
    let follow = ["pipelines: [golden]"];
    let config = config(&[
        target(&simulated, "first", &follow),
        target(&simulated, "second", &follow),
    ]);
    let kept = "metrics: {retention: 10s, retention_failed: 1h, ";
    let config = config.replace("metrics: {", kept);
    let exporter = start(&config).await;
    let image = "imagebuilder_image_status{status=\"AVAILABLE\"}";
    exporter.until_value(image, 1.0).await;
    exporter
        .until("the image has left", |scrape| {
            scrape.series("imagebuilder_image_info{}").is_empty()
        })
        .await;
    let only_of_the_first = |scrape: &Scrape| {
        assert_eq!(twice(scrape), [""; 0]);
        let retried = "imagebuilder_workflow_execution_info{}";
        assert_eq!(scrape.labels(retried, "target"), ["first"]);
    };
    only_of_the_first(&until_discovered_again(&exporter).await);
    only_of_the_first(&until_discovered_again(&exporter).await);
    reload(&exporter, &config).await;
    only_of_the_first(&until_discovered_again(&exporter).await);
    only_of_the_first(&until_discovered_again(&exporter).await);
}

#[tokio::test]
async fn image_passes_to_the_first_target_at_once_and_stays_there() {
    // Who chooses by the name alone knows first that it is wanted.
    let late = building().with("faults: [{operation: GetImage, latency: 1s}]");
    let simulated = Simulated::start(late).await;
    let exporter = start(&config(&[
        target(&simulated, "first", &["pipelines: [golden]"]),
        target(&simulated, "second", &["images: [golden]"]),
    ]))
    .await;
    until_all_is_of(&exporter, "first").await;
    let scrape = until_discovered_again(&exporter).await;
    let asked = "imagebuilder_exporter_api_requests_total{target=\"second\",\
                 operation=\"ListWorkflowExecutions\",result=\"ok\"}";
    let asked = scrape.value(asked).unwrap();
    assert!(asked <= 2.0, "the second listed executions {asked} times");
}
