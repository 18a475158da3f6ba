//! An exporter that is restarted, and shards together, have the baselines that one exporter had.

use super::history::BUILDS;
use super::{SLOW_AFTER, TYPICAL};
use crate::process::{Exporter, PATIENCE, Setup, Simulated};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// Shard 0 of 2 polls the first, shard 1 the other one.
const REGIONS: [&str; 2] = ["us-west-2", "cn-north-1"];
const PARTITIONS: [&str; 2] = ["aws", "aws-cn"];
/// Builds of each region that have ended.
const OLD_BUILDS: usize = 4;

/// In each region an image whose steps take another time in each build. The last build runs since an
/// hour.
fn scenario() -> ScenarioText {
    let golden = |(region, partition)| {
        PipelineText::new("golden")
            .with(&format!("region: {region}"))
            .with(&format!("partition: {partition}"))
            .with(&format!("first: -{}h", 24 * OLD_BUILDS + 1))
            .with("every: 24h")
            .with(&format!("builds: {}", OLD_BUILDS + 1))
            .workflow(
                "make",
                [
                    "Launch, action: LaunchInstance, duration: 5m..20m",
                    "Build, action: ExecuteComponents, duration: 2h..3h, timeout: 4h",
                ],
            )
    };
    ScenarioText::of(REGIONS.into_iter().zip(PARTITIONS).map(golden))
}

async fn start(simulated: &Simulated, index: usize, total: usize) -> Exporter {
    let regions = format!("regions: [{}]", REGIONS.join(", "));
    let target = TargetText::new("main").at(&simulated.url).with(&regions);
    let config = ConfigText::of([target.with("images: ['*']")])
        .with("polling: {interval: 200ms, discovery_interval: 400ms, request_timeout: 30s}");
    Setup::exporter(&config.text())
        .arg(&format!("--shard.index={index}"))
        .arg(&format!("--shard.total={total}"))
        .start()
        .await
}

/// The typical durations and the limits of running steps, with their values, once the builds of so many
/// regions have been read.
async fn baselines(exporter: &Exporter, regions: usize) -> Vec<String> {
    let read = format!("{BUILDS}{{state=\"read\"}}");
    let steps = format!("{SLOW_AFTER}{{step=\"Build\"}}");
    let scrape = exporter.until("all builds are read", |scrape| {
        scrape.values(&read) == vec![OLD_BUILDS as f64; regions]
            && scrape.values(&steps).len() == regions
    });
    let scrape = scrape.await;
    let samples = scrape.samples();
    let own = samples.filter(|line| {
        [TYPICAL, SLOW_AFTER]
            .iter()
            .any(|name| line.starts_with(name))
    });
    let mut own: Vec<_> = own.map(str::to_owned).collect();
    own.sort_unstable();
    own
}

#[tokio::test]
async fn restarted_exporter_and_shards_have_the_same_baselines() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = start(&simulated, 0, 1).await;
    let expected = baselines(&exporter, REGIONS.len()).await;
    // Two typical durations and a running step of each region, each with its own value.
    assert_eq!(expected.len(), 3 * REGIONS.len(), "{expected:#?}");
    exporter.signal("TERM");
    assert_eq!(exporter.ended(PATIENCE).await.code, Some(0));
    let restarted = start(&simulated, 0, 1).await;
    assert_eq!(baselines(&restarted, REGIONS.len()).await, expected);
    let mut of_shards = Vec::new();
    for index in 0..REGIONS.len() {
        let shard = start(&simulated, index, REGIONS.len()).await;
        of_shards.extend(baselines(&shard, 1).await);
    }
    of_shards.sort_unstable();
    assert_eq!(of_shards, expected);
}
