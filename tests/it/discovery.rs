//! Discovery as a user meets it: the program, the real SDK, and a simulator over sockets.

mod appears;
mod bodies;
mod changes;
mod failures;
mod overlaps;
mod pages;
mod reload;
mod selection;
mod targets;

use std::collections::BTreeSet;

use crate::process::{Exporter, Scrape, Setup, Simulated};
use crate::support::config_text::{ConfigText, TargetText};

const STEP_INFO: &str = "imagebuilder_workflow_step_info{}";
const DISCOVERED: &str = "imagebuilder_exporter_discovery_last_success_timestamp_seconds{}";

/// A configuration of these targets that discovers often and counts at once.
fn config(targets: &[TargetText]) -> String {
    ConfigText::of(targets.to_vec())
        .with("polling: {interval: 200ms, discovery_interval: 400ms, request_timeout: 30s}")
        .with("metrics: {counter_warmup: 0s, tag_labels: [Team, cost-center]}")
        .text()
}

/// A target of us-west-2 with these keys.
fn target(simulated: &Simulated, name: &str, keys: &[&str]) -> TargetText {
    target_in("us-west-2", &simulated.url, name, keys)
}

fn target_in(region: &str, url: &str, name: &str, keys: &[&str]) -> TargetText {
    let target = TargetText::new(name).at(url);
    let target = target.with(&format!("regions: [{region}]"));
    keys.iter().fold(target, |target, key| target.with(key))
}

/// The exporter, which may be told to reload.
async fn start(config: &str) -> Exporter {
    let setup = Setup::exporter(config).arg("--web.enable-lifecycle");
    setup.start().await
}

async fn reload(exporter: &Exporter, config: &str) {
    exporter.write_config(config);
    let answer = exporter.post("/-/reload").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The different values of a label.
fn values(scrape: &Scrape, selector: &str, label: &str) -> BTreeSet<String> {
    scrape.labels(selector, label).into_iter().collect()
}

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// Waits until discovery has succeeded anew, with what it found before the call or after it.
async fn until_discovered_again(exporter: &Exporter) -> Scrape {
    let newest = |scrape: &Scrape| {
        let times = scrape.values(DISCOVERED).into_iter();
        times.reduce(f64::min)
    };
    let before = newest(&exporter.scrape().await);
    exporter
        .until("discovery succeeds again", |scrape| newest(scrape) > before)
        .await
}
