//! `demo` and `simulate` as people run them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::process::{Exporter, PATIENCE, Scrape, Setup};

fn demo() -> Setup {
    // Whatever the environment says, the demo reaches nothing but its own simulator.
    let elsewhere = "http://127.0.0.1:1";
    let setup = Setup::new()
        .without_credentials()
        .env("AWS_ENDPOINT_URL", elsewhere)
        .env("AWS_ENDPOINT_URL_STS", elsewhere);
    setup.arg("demo").arg("--web.listen-address=127.0.0.1:0")
}

/// What the steps shown are doing: a line for each.
fn current(scrape: &Scrape) -> BTreeSet<String> {
    let status = "imagebuilder_workflow_step_status{}";
    let lines = scrape.series(status).into_iter();
    let current = lines.filter(|line| line.ends_with(" 1"));
    current.map(str::to_owned).collect()
}

fn count(scrape: &Scrape, selector: &str) -> usize {
    scrape
        .values(selector)
        .iter()
        .filter(|value| **value == 1.0)
        .count()
}

fn shows_all(scrape: &Scrape) -> bool {
    let statuses = scrape.labels("imagebuilder_workflow_step_status{}", "status");
    let statuses: BTreeSet<_> = statuses.into_iter().collect();
    let shown = |status: &&String| {
        count(
            scrape,
            &format!("imagebuilder_workflow_step_status{{status=\"{status}\"}}"),
        ) > 0
    };
    let rollback = ["RUNNING", "COMPLETED", "SKIPPED", "FAILED"]
        .iter()
        .any(|status| {
            let selector =
                format!("imagebuilder_workflow_step_rollback_status{{status=\"{status}\"}}");
            count(scrape, &selector) > 0
        });
    statuses.iter().filter(shown).count() >= 4
        && count(
            scrape,
            "imagebuilder_workflow_step_status{status=\"FAILED\"}",
        ) > 0
        && count(scrape, "imagebuilder_workflow_step_timeout_breached{}") > 0
        && rollback
}

async fn keeps_its_promise(exporter: &Exporter) {
    let scrape = exporter
        .until(
            "four statuses, a failure, a breach and a rollback are shown",
            shows_all,
        )
        .await;
    let before = current(&scrape);
    exporter
        .until("something moves", |scrape| current(scrape) != before)
        .await;
    let of_each = ["production", "staging"]
        .map(|target| format!("imagebuilder_workflow_step_info{{target=\"{target}\"}}"));
    let scrape = exporter
        .until("every target is up and shows steps", |scrape| {
            scrape.values("imagebuilder_exporter_target_up{}") == [1.0; 4] && { of_each.iter() }
                .all(|steps| !scrape.series(steps).is_empty())
        })
        .await;
    // The simulator shows an account to its role alone.
    for (of_target, account) in of_each.iter().zip(["111122223333", "444455556666"]) {
        let accounts = scrape.labels(of_target, "account_id");
        assert!(accounts.iter().all(|found| found == account), "{of_target}");
    }
    for result in [
        "forbidden",
        "parse_error",
        "credentials",
        "server_error",
        "network",
    ] {
        let failed = format!("imagebuilder_exporter_api_requests_total{{result=\"{result}\"}}");
        assert_eq!(scrape.values(&failed).iter().sum::<f64>(), 0.0, "{result}");
    }
}

#[tokio::test]
async fn demo_prints_the_addresses_of_its_metrics_and_its_page() {
    let exporter = demo().start().await;
    keeps_its_promise(&exporter).await;
    let address = exporter.addresses[0];
    let told = [
        format!("metrics: http://{address}/metrics"),
        format!("status page: http://{address}/"),
    ];
    exporter.until_stdout(&told).await;
    assert_eq!(exporter.stdout().len(), told.len());
    assert_eq!(exporter.get("/-/ready").await.status, 200);
    exporter.signal("INT");
    let ended = exporter.ended(PATIENCE).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn demo_takes_the_flags_of_the_web_and_of_the_log() {
    let setup = demo()
        .arg("--web.telemetry-path=/steps")
        .arg("--log.format=json");
    let exporter = setup.arg("--web.enable-lifecycle").start().await;
    assert_eq!(exporter.get("/steps").await.status, 200);
    assert!(exporter.log()[0].starts_with('{'));
    assert_eq!(exporter.post("/-/reload").await.status, 200);
    let told = format!("metrics: http://{}/steps", exporter.addresses[0]);
    exporter.until_stdout(&[told]).await;
}

#[tokio::test]
async fn exporter_tracks_the_simulator_with_the_configuration_of_the_demo() {
    let simulate = Setup::new()
        .arg("simulate")
        .arg("--listen-address=127.0.0.1:0");
    let simulator = simulate.start().await;
    let url = format!("http://{}", simulator.addresses[0]);
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.yaml");
    let setup = Setup::new()
        .arg(&format!("--config.file={}", config.display()))
        .arg("--web.listen-address=127.0.0.1:0")
        .env("IMAGEBUILDER_SIMULATOR_URL", &url)
        .env("AWS_ENDPOINT_URL_STS", &url);
    let exporter = setup.start().await;
    keeps_its_promise(&exporter).await;
}

#[tokio::test]
async fn simulator_plays_a_scenario_of_ones_own() {
    let setup = Setup::new();
    let scenario = "pipelines:\n  \
        - {name: own, account: \"111122223333\", region: eu-west-1, workflows: [{managed: test-image}]}\n";
    setup.files.write("own.yaml", scenario);
    let simulate = setup
        .arg("simulate")
        .arg("--listen-address=127.0.0.1:0")
        .arg("--scenario=own.yaml")
        .arg("--speed=2.5")
        .arg("--seed=9");
    let simulator = simulate.start().await;
    simulator
        .until_line(&["listening", "speed=2.5", "seed=9"])
        .await;
    let answer = simulator.get("/GetWorkflowStepExecution").await;
    assert_eq!(answer.status, 403, "unsigned");
}

#[tokio::test]
async fn every_shipped_configuration_is_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut setup = Setup::new().arg("check-config");
    let names = ["imagebuilder_exporter.yaml", "minimal.yaml", "demo.yaml"];
    let files = names.map(|name| root.join("config").join(name).display().to_string());
    for file in &files {
        setup = setup.arg(file);
    }
    let ended = setup.run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, files.map(|file| format!("{file}: OK")));
}
