//! What the configuration, and who scrapes, can have otherwise.

use std::io::Read;

use flate2::read::GzDecoder;

use super::{scenario, shown};
use crate::process::{PATIENCE, Scrape, Setup, Simulated};

#[tokio::test]
async fn sparse_format_exposes_the_current_status_alone() {
    let simulated = Simulated::start(scenario()).await;
    let config = simulated.config(&["LaunchWindows", "LaunchLinux"]);
    let config = format!("metrics: {{status_format: sparse}}\n{config}");
    let exporter = Setup::exporter(&config).start().await;
    exporter.until_ready().await;
    let scrape = exporter.scrape().await;
    let of_status = scrape.labels("imagebuilder_workflow_step_status{}", "status");
    assert_eq!(of_status, ["COMPLETED", "COMPLETED"]);
    let rollback = "imagebuilder_workflow_step_rollback_status{}";
    assert_eq!(scrape.labels(rollback, "status"), ["COMPLETED"]);
    assert_eq!(scrape.labels(rollback, "step"), ["LaunchWindows"]);
}

#[tokio::test]
async fn message_is_a_label_only_if_configured() {
    let simulated = Simulated::start(scenario()).await;
    let config = simulated.config(&["FailEks"]);
    let plain = shown(Setup::exporter(&config), &simulated, "FailEks").await;
    assert!(!plain.contains("message"), "{plain}");
    let with = format!("metrics: {{message_labels: true}}\n{config}");
    let with = shown(Setup::exporter(&with), &simulated, "FailEks").await;
    let expected = "message_info{ID,message=\"it \\\"failed\\\" badly\"} 1\n";
    assert!(with.contains(expected), "{with}");
}

#[tokio::test]
async fn own_labels_are_on_the_steps_series_and_not_on_the_exporters() {
    let simulated = Simulated::start(scenario()).await;
    let config = simulated.config(&["LaunchLinux"]).replace(
        "    step_executions: [",
        "    labels: {team: platform, tier: gold}\n    step_executions: [",
    );
    let listed = format!(
        "{{id: {}, labels: {{change: CHG0042, tier: lead}}}}",
        simulated.id("BuildLinux")
    );
    let config = config.replace(
        "step_executions: [",
        &format!("step_executions: [{listed}, "),
    );
    let exporter = Setup::exporter(&config).start().await;
    exporter.until_ready().await;
    let scrape = exporter.scrape().await;
    let mut count = 0;
    for line in scrape.samples() {
        let has = |label: &str| line.contains(label);
        if line.contains(&simulated.id("BuildLinux")) {
            assert!(has("team=\"platform\"") && has("tier=\"lead\""), "{line}");
            assert!(has("change=\"CHG0042\""), "{line}");
            count += 1;
        } else if line.contains(&simulated.id("LaunchLinux")) {
            assert!(has("team=\"platform\"") && has("tier=\"gold\""), "{line}");
            assert!(!has("change="), "{line}");
            count += 1;
        } else if has("_finished_") {
            assert!(has("team=\"platform\"") && has("tier=\"gold\""), "{line}");
            assert!(!has("change="), "{line}");
        } else {
            assert!(!has("team=") && !has("tier=") && !has("change="), "{line}");
        }
    }
    assert!(count > 30, "{count}");
}

#[tokio::test]
async fn first_budget_that_matches_is_the_steps() {
    let simulated = Simulated::start(scenario()).await;
    let budgets = "\
duration_budgets:
  - {step: \"Launch*\", image: \"golden-*\", max_duration: 119s}
  - {step: \"*\", workflow: own-build, max_duration: 1d}
";
    let config = simulated.config(&["LaunchLinux", "BuildLinux", "FailEks"]);
    let exporter = Setup::exporter(&format!("{budgets}{config}")).start().await;
    exporter.until_ready().await;
    let scrape = exporter.scrape().await;
    let of = |name: &str, step: &str| {
        scrape.value(&format!(
            "imagebuilder_workflow_step_{name}{{step=\"{step}\"}}"
        ))
    };
    for (step, budget, exceeded) in [
        ("LaunchLinux", Some(119.0), Some(1.0)),
        ("BuildLinux", Some(86_400.0), Some(0.0)),
        ("FailEks", None, None),
    ] {
        assert_eq!(of("budget_seconds", step), budget, "{step}");
        assert_eq!(of("budget_exceeded", step), exceeded, "{step}");
    }
}

#[tokio::test]
async fn both_formats_have_the_same_series_and_gzip_changes_nothing() {
    let simulated = Simulated::start(scenario()).await;
    let steps = ["LaunchLinux", "ScanLinux", "CheckLinux", "BuildWindows"];
    let exporter = Setup::exporter(&simulated.config(&steps)).start().await;
    exporter.until_ready().await;
    let client = exporter.client();
    let names = |text: String| {
        let scrape = Scrape { text };
        let series = scrape
            .samples()
            .map(|line| line.rsplit_once(' ').unwrap().0.to_owned());
        series.collect::<Vec<_>>()
    };
    let accept = "accept: application/openmetrics-text;version=1.0.0\r\n";
    let gzip = "accept-encoding: gzip\r\n";
    // The first call of an operation brings series, so all is asked between two answers alike.
    let asking = async {
        loop {
            let before = client.get("/metrics").await;
            let open = client.ask("GET", "/metrics", accept).await.unwrap();
            let packed = client.ask("GET", "/metrics", gzip).await.unwrap();
            let after = client.get("/metrics").await;
            if names(before.text()) == names(after.text()) {
                return (after, open, packed);
            }
        }
    };
    let asked = tokio::time::timeout(PATIENCE, asking).await;
    let (plain, open, packed) = asked.expect("at some moment no series is new");
    let kind = open.header("content-type").unwrap();
    assert!(
        kind.starts_with("application/openmetrics-text; version=1.0.0"),
        "{kind}"
    );
    assert!(open.text().ends_with("\n# EOF\n"));
    assert_eq!(
        plain.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut unpacked = String::new();
    GzDecoder::new(&packed.body[..])
        .read_to_string(&mut unpacked)
        .unwrap();

    let expected = names(plain.text());
    assert_eq!(names(open.text()), expected);
    assert_eq!(names(unpacked), expected);
    let mut once = expected.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), expected.len(), "a series stands there twice");

    let head = client.ask("HEAD", "/metrics", "").await.unwrap();
    assert_eq!(head.status, 200);
    assert!(head.body.is_empty());
}
