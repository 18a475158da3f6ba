//! Earlier builds give the steps of a build baselines soon after the exporter has started.

use std::collections::BTreeMap;

use super::{SLOW, SLOW_AFTER, TYPICAL};
use crate::process::{Exporter, Scrape, Setup, Simulated};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::scenario_text::{PipelineText, ScenarioText};

pub const BUILDS: &str = "imagebuilder_exporter_baseline_history_builds";
const DAY: u64 = 24;

/// An image whose earlier builds succeeded, one a day. The last one runs since an hour.
fn golden(builds: u64) -> PipelineText {
    PipelineText::new("golden")
        .with(&format!("first: -{}h", (builds - 1) * DAY + 1))
        .with("every: 24h")
        .with(&format!("builds: {builds}"))
        .workflow(
            "make, version: 2.1.0/3",
            [
                "Launch, action: LaunchInstance, duration: 5m",
                "Build, action: ExecuteComponents, duration: 2h, timeout: 4h",
            ],
        )
}

async fn start(simulated: &Simulated, history: usize) -> Exporter {
    let target = TargetText::new("main").at(&simulated.url);
    let config = ConfigText::of([target.with("images: ['*']")])
        .with("polling: {interval: 200ms, discovery_interval: 400ms, request_timeout: 30s}")
        .with(&format!("baselines: {{history: {history}}}"));
    Setup::exporter(&config.text()).start().await
}

/// How many builds are in each state.
fn states(scrape: &Scrape) -> BTreeMap<String, f64> {
    let states = ["pending", "read", "failed"].into_iter();
    let builds = states.filter_map(|state| {
        let of_state = scrape.values(&format!("{BUILDS}{{state=\"{state}\"}}"));
        Some((state.to_owned(), *of_state.first()?))
    });
    builds.collect()
}

async fn until_read(exporter: &Exporter, builds: f64) -> Scrape {
    let what = "all builds are read";
    let scrape = exporter.until(what, |scrape| states(scrape).get("read") == Some(&builds));
    scrape.await
}

#[tokio::test]
async fn running_step_has_a_baseline_from_builds_of_days_ago() {
    let simulated = Simulated::start(ScenarioText::of([golden(5)])).await;
    let exporter = start(&simulated, 5).await;
    let scrape = until_read(&exporter, 4.0).await;
    assert_eq!(states(&scrape)["pending"], 0.0);
    assert_eq!(states(&scrape)["failed"], 0.0);
    let of_step = |name: &str, step: &str| scrape.values(&format!("{name}{{step=\"{step}\"}}"));
    assert_eq!(of_step(TYPICAL, "Launch"), [300.0]);
    assert_eq!(of_step(TYPICAL, "Build"), [7_200.0]);
    assert_eq!(of_step(SLOW, "Build"), [0.0]);
    assert_eq!(of_step(SLOW_AFTER, "Build"), [21_600.0]);
    // Nothing else of these builds shows.
    let info = "imagebuilder_workflow_step_info{}";
    let versions = scrape.labels(info, "image_version");
    assert!(versions.iter().all(|version| version == "1.0.0/5"));
    let finished = scrape.values("imagebuilder_workflow_step_finished_total{}");
    assert!(finished.iter().all(|count| *count == 0.0), "{finished:?}");
}
