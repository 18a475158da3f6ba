//! Lists at their worst: short and empty pages, and tokens that expire half-way.

use std::time::Duration;

use imagebuilder_exporter::simulator::{Effect, Fault};

use super::{DISCOVERED, STEP_INFO, config, set, start, target, until_discovered_again, values};
use crate::process::{Scrape, Simulated};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// Thirty steps in one execution, three executions in one build, eight builds, six pipelines.
fn scenario(pages: &str) -> ScenarioText {
    let steps = |name: &str, count: usize| {
        let step = |number| format!("{name}{number}, action: RunCommand, duration: 2h");
        (1..=count).map(step).collect::<Vec<_>>()
    };
    let pipelines = (0..6).map(|number| {
        let (builds, ones) = if number == 0 { (3, 30) } else { (1, 2) };
        PipelineText::new(&format!("golden-{number}"))
            .with("every: 3m")
            .with(&format!("builds: {builds}"))
            .workflow("one, type: test, parallel_group: all", steps("One", ones))
            .workflow("two, type: test, parallel_group: all", steps("Two", 1))
            .workflow("three, type: test, parallel_group: all", steps("Two", 1))
    });
    ScenarioText::of(pipelines)
        .with("listed_after: 0s")
        .with(&format!("pages: {pages}"))
}

const PIPELINES: usize = 6;
const IMAGES: usize = 8;
const STEPS: usize = 3 * (30 + 2) + 5 * (2 + 2);

fn is_complete(scrape: &Scrape) -> bool {
    scrape.series("imagebuilder_pipeline_info{}").len() == PIPELINES
        && scrape.series("imagebuilder_image_info{}").len() == IMAGES
        && scrape
            .series("imagebuilder_workflow_execution_info{}")
            .len()
            == IMAGES * 3
        && scrape.series(STEP_INFO).len() == STEPS
}

#[tokio::test]
async fn pages_are_read_until_there_is_no_token_however_little_they_hold() {
    let simulated = Simulated::start(scenario("{max_size: 25, short: true, empty: true}")).await;
    let exporter = start(&config(&[target(
        &simulated,
        "main",
        &["pipelines: [\"*\"]"],
    )]))
    .await;
    exporter.until("all is there", is_complete).await;
    let scrape = until_discovered_again(&exporter).await;
    assert!(is_complete(&scrape), "and all stays there");
    // That 100 at once were too many is known after the first answers that say so.
    let refused = "imagebuilder_exporter_api_requests_total{result=\"client_error\"}";
    let refused = |scrape: &Scrape| scrape.values(refused).iter().sum::<f64>();
    let later = until_discovered_again(&exporter).await;
    assert_eq!(refused(&scrape), refused(&later));
}

#[tokio::test]
async fn token_that_expires_half_way_costs_the_pass_and_no_known_value() {
    let pages = "{max_size: 25, short: true, empty: true, token_lifetime: 5s}";
    let simulated = Simulated::start(scenario(pages)).await;
    let exporter = start(&config(&[target(
        &simulated,
        "main",
        &["pipelines: [\"*\"]"],
    )]))
    .await;
    exporter.until("all is there", is_complete).await;
    // Each page comes later than the token lives.
    let late = Fault::on("ListImage*", Effect::Late).unwrap();
    simulated
        .faults
        .set(vec![late.latency(Duration::from_secs(6))]);
    let expired = |operation: &str| {
        format!(
            "imagebuilder_exporter_api_requests_total{{operation=\"{operation}\",\
             result=\"client_error\"}}"
        )
    };
    let operations = ["ListImageBuildVersions", "ListImagePipelines"];
    let before = exporter.scrape().await;
    let scrape = exporter
        .until("tokens expire", |scrape| {
            operations.iter().all(|operation| {
                let failed = |scrape: &Scrape| scrape.value(&expired(operation)).unwrap();
                failed(scrape) >= failed(&before) + 2.0
            })
        })
        .await;
    assert!(is_complete(&scrape));
    assert_eq!(scrape.value("imagebuilder_exporter_target_up{}"), Some(1.0));
    assert_eq!(
        values(&scrape, "imagebuilder_exporter_selector_matches{}", "kind"),
        set(&["pipelines"])
    );
    let at = scrape.value(DISCOVERED).unwrap();
    simulated.faults.clear();
    let scrape = exporter.until_over(DISCOVERED, at).await;
    assert!(is_complete(&scrape));
}

#[tokio::test]
async fn list_whose_token_repeats_fails_at_the_repetition() {
    let simulated = Simulated::start(scenario("{empty: true, repeated: true}")).await;
    let exporter = start(&config(&[target(
        &simulated,
        "main",
        &["pipelines: [\"*\"]"],
    )]))
    .await;
    // The target counts as down or not, by which of the two lists failed last.
    let reason = "nextToken is one of an earlier page";
    let operation = "operation=ListImageBuildVersions";
    exporter.until_line(&[reason, operation]).await;
    let of = |result: &str| {
        format!(
            "imagebuilder_exporter_api_requests_total{{operation=\"ListImageBuildVersions\",\
             result=\"{result}\"}}"
        )
    };
    // Until the second pass has failed: a pass requests the page with the token four times.
    let scrape = exporter.until_over(&of("parse_error"), 7.5).await;
    assert_eq!(scrape.value(&of("ok")), Some(2.0));
    let failed = ["discovery failed", operation];
    assert!(exporter.count_log(&failed) <= 1);
}
