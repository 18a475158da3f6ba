//! The service's clock, and what is told of it where it isn't ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::process::{Scrape, Setup, Simulated, error};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::scenario_text::{PipelineText, ScenarioText};

const SKEW: &str = "imagebuilder_exporter_clock_skew_seconds{target=\"main\",region=\"us-west-2\"}";

fn scenario(skew: &str) -> ScenarioText {
    let pipeline = PipelineText::new("golden");
    ScenarioText::of([pipeline.workflow("one", ["First, action: ExecuteComponents, duration: 2h"])])
        .with(&format!("clock_skew: {skew}"))
}

fn is_near(scrape: &Scrape, seconds: f64) -> bool {
    // Half a second, and half of what a call takes on a busy machine.
    scrape
        .value(SKEW)
        .is_some_and(|skew| (skew - seconds).abs() < 2.0)
}

#[tokio::test]
async fn clock_skew_in_both_directions_is_exposed() {
    for (skew, seconds) in [("90s", 90.0), ("-90s", -90.0), ("0", 0.0)] {
        let simulated = Simulated::start(scenario(skew)).await;
        let exporter = Setup::exporter(&simulated.config(&["First"])).start().await;
        exporter
            .until("the skew is shown", |scrape| is_near(scrape, seconds))
            .await;
    }
}

#[tokio::test]
async fn error_responses_are_used_for_the_clock_skew_too() {
    let simulated = Simulated::start(scenario("90s")).await;
    simulated.spoil_all(error("ForbiddenException"));
    let exporter = Setup::exporter(&simulated.config(&["First"])).start().await;
    exporter
        .until("the skew is shown", |scrape| is_near(scrape, 90.0))
        .await;
}

#[tokio::test]
async fn unknown_clock_skew_is_not_exposed() {
    let mut simulated = Simulated::start(scenario("0")).await;
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
async fn clock_that_is_too_far_off_costs_the_first_call_and_is_exposed() {
    let simulated = Simulated::start(scenario("-10m")).await;
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

/// Refuses each call, with a `Date` of long ago, and while it is a `cache` with an `Age`.
async fn refusing(listener: TcpListener, cache: Arc<AtomicBool>) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        // Whoever hangs up asks again.
        while !request.ends_with(b"\r\n\r\n")
            && client
                .read_buf(&mut request)
                .await
                .is_ok_and(|read| read > 0)
        {}
        let age = match cache.load(Ordering::Relaxed) {
            true => "age: 60\r\n",
            false => "",
        };
        let answer = format!(
            "HTTP/1.1 403 Forbidden\r\ndate: Wed, 09 Sep 2026 19:12:23 GMT\r\n{age}\
             x-amzn-errortype: ForbiddenException\r\ncontent-type: application/json\r\n\
             content-length: 2\r\nconnection: close\r\n\r\n{{}}"
        );
        let _ = client.write_all(answer.as_bytes()).await;
    }
}

/// It says when it was made, not when it was given.
#[tokio::test]
async fn response_of_a_cache_is_not_used_for_the_clock_skew() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let cache = Arc::new(AtomicBool::new(true));
    let service = tokio::spawn(refusing(listener, cache.clone()));
    let step = "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01";
    let config = ConfigText::of([TargetText::new("main").at(&url).steps([step])])
        .with("polling: {interval: 200ms}");
    let exporter = Setup::exporter(&config.text()).start().await;
    let refused = "imagebuilder_exporter_api_requests_total{\
        operation=\"GetWorkflowStepExecution\",result=\"forbidden\"}";
    let scrape = exporter.until_over(refused, 1.0).await;
    assert_eq!(scrape.value(SKEW), None);
    cache.store(false, Ordering::Relaxed);
    exporter
        .until("the skew is shown", |scrape| scrape.value(SKEW).is_some())
        .await;
    service.abort();
}
