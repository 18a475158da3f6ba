//! The service's clock, and what is told of it where it isn't ours.

use crate::process::{Scrape, Setup, Simulated, error};

const SKEW: &str = "imagebuilder_exporter_clock_skew_seconds{target=\"main\",region=\"us-west-2\"}";

fn scenario(skew: &str) -> String {
    format!(
        r#"
clock_skew: {skew}
pipelines:
  - name: golden
    account: "111122223333"
    region: us-west-2
    first: -10m
    builds: 1
    workflows:
      - {{name: one, steps: [{{name: First, action: ExecuteComponents, duration: 2h}}]}}
"#
    )
}

fn is_near(scrape: &Scrape, seconds: f64) -> bool {
    // Half a second, and half of what a call takes on a busy machine.
    scrape
        .value(SKEW)
        .is_some_and(|skew| (skew - seconds).abs() < 2.0)
}

#[tokio::test]
async fn clock_that_is_ahead_or_behind_is_shown() {
    for (skew, seconds) in [("90s", 90.0), ("-90s", -90.0), ("0", 0.0)] {
        let simulated = Simulated::start(&scenario(skew)).await;
        let exporter = Setup::exporter(&simulated.config(&["First"])).start().await;
        exporter
            .until("the skew is shown", |scrape| is_near(scrape, seconds))
            .await;
    }
}

#[tokio::test]
async fn answers_that_are_errors_tell_the_time_too() {
    let simulated = Simulated::start(&scenario("90s")).await;
    simulated.spoil_all(error("ForbiddenException"));
    let exporter = Setup::exporter(&simulated.config(&["First"])).start().await;
    exporter
        .until("the skew is shown", |scrape| is_near(scrape, 90.0))
        .await;
}

#[tokio::test]
async fn nothing_is_shown_of_a_clock_nobody_told_of() {
    let mut simulated = Simulated::start(&scenario("0")).await;
    let config = simulated.config(&["First"]);
    simulated.go_down().await;
    let exporter = Setup::exporter(&config).start().await;
    let failed = "imagebuilder_exporter_api_requests_total{\
        operation=\"GetWorkflowStepExecution\",result=\"network\"}";
    let scrape = exporter.until_over(failed, 0.0).await;
    assert_eq!(scrape.value(SKEW), None);
}

/// The SDK signs by the service's clock as soon as an answer told of it.
#[tokio::test]
async fn clock_that_is_too_far_off_costs_the_first_call_and_is_shown() {
    let simulated = Simulated::start(&scenario("-10m")).await;
    let exporter = Setup::exporter(&simulated.config(&["First"])).start().await;
    let answered = "imagebuilder_exporter_api_requests_total{\
        operation=\"GetWorkflowStepExecution\",result=\"ok\"}";
    let scrape = exporter
        .until("calls are answered, and the skew is shown", |scrape| {
            scrape.value(answered) > Some(0.0) && is_near(scrape, -600.0)
        })
        .await;
    let refused = answered.replace("ok", "forbidden");
    assert!(scrape.value(&refused) > Some(0.0));
}
