//! The limit of series, with the program over HTTP.

use serde_json::Value;

use super::scenario;
use crate::process::{Exporter, Scrape, Setup, Simulated};

const EXPOSED: &str = "imagebuilder_exporter_series{}";
const LIMIT: &str = "imagebuilder_exporter_series_limit{}";
const DROPPED: &str = "imagebuilder_exporter_series_dropped{}";

async fn reload(exporter: &Exporter, config: &str, limit: usize) -> Scrape {
    exporter.write_config(&format!("metrics: {{series_limit: {limit}}}\n{config}"));
    let answer = exporter.post("/-/reload").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    exporter.scrape().await
}

/// Returns the series of resources and finished steps.
fn resources(scrape: &Scrape) -> Vec<&str> {
    let is_resource = |line: &&str| {
        line.starts_with("imagebuilder_") && !line.starts_with("imagebuilder_exporter_")
    };
    scrape.samples().filter(is_resource).collect()
}

fn of<'a>(scrape: &'a Scrape, id: &str) -> Vec<&'a str> {
    let lines = resources(scrape).into_iter();
    lines.filter(|line| line.contains(id)).collect()
}

async fn json(exporter: &Exporter) -> Value {
    let answer = exporter.get("/api/v1/steps").await;
    serde_json::from_str(&answer.text()).unwrap()
}

#[tokio::test]
async fn settled_step_is_kept_out_of_scrapes_until_a_reload_raises_the_limit() {
    let simulated = Simulated::start(scenario()).await;
    let (running, ended) = (simulated.id("BuildLinux"), simulated.id("CancelWeb"));
    let config = simulated.config(&["BuildLinux", "CancelWeb"]);
    let setup = Setup::exporter(&config).arg("--web.enable-lifecycle");
    let exporter = setup.start().await;
    let settled = format!("imagebuilder_workflow_step_settled{{step_execution_id=\"{ended}\"}}");
    exporter.until_value(&settled, 1.0).await;
    exporter.until_ready().await;
    let all = exporter.scrape().await;
    let total = resources(&all).len();
    assert_eq!(all.value(EXPOSED), Some(total as f64));
    assert_eq!(all.value(LIMIT), Some(2_000_000.0));
    assert_eq!(all.value(DROPPED), Some(0.0));
    let page = exporter.get("/").await.text();
    assert!(!page.contains("dropped-series"), "{page}");

    let limit = of(&all, &running).len();
    let limited = reload(&exporter, &config, limit).await;
    assert_eq!(resources(&limited).len(), limit);
    assert_eq!(of(&limited, &running).len(), limit);
    assert_eq!(of(&limited, &ended), Vec::<&str>::new());
    assert_eq!(limited.value(EXPOSED), Some(limit as f64));
    assert_eq!(limited.value(LIMIT), Some(limit as f64));
    assert_eq!(limited.value(DROPPED), Some((total - limit) as f64));
    exporter
        .until_line(&["level=warn", "metrics.series_limit keeps resources out"])
        .await;
    // The page shows the step, and says that the metrics lack something.
    let page = exporter.get("/").await.text();
    assert!(page.contains(&ended), "{page}");
    let expected = format!(
        "The limit of {limit} series is reached: {} series",
        total - limit
    );
    assert!(page.contains(&expected), "{page}");
    let series = json(&exporter).await["series"].take();
    assert_eq!(series["dropped"], total - limit);
    assert_eq!(series["limit"], limit);

    let again = reload(&exporter, &config, 0).await;
    assert_eq!(resources(&again).len(), total);
    assert_eq!(again.value(LIMIT), Some(0.0));
    assert_eq!(again.value(DROPPED), Some(0.0));
    assert_eq!(json(&exporter).await["series"]["exposed"], total);
    exporter
        .until_line(&["level=info", "metrics.series_limit no longer keeps"])
        .await;
}
