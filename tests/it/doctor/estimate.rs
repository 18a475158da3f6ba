//! The estimate, held to what the exporter then does.

use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::api::{ApiError, Caller, ErrorKind, Parsed, ServiceClock};
use imagebuilder_exporter::config::Config;
use imagebuilder_exporter::doctor::{Access, Estimate, examine};
use imagebuilder_exporter::poller::RateLimiter;
use tokio::time::Instant;

use super::Run;
use crate::process::{Scrape, Simulated};
use crate::support::busy_account::{BusyAccount, Shape, clock};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::fleet::{Fleet, limit};
use crate::support::poller::Polling;
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// By how much the truth may differ from what was estimated.
const CALLS_WITHIN: f64 = 1.15;
const SERIES_WITHIN: f64 = 1.25;

#[track_caller]
fn is_within(factor: f64, estimated: f64, truth: f64, what: &str) {
    let ratio = truth / estimated;
    println!("{what}: {estimated:.0} estimated, {truth:.0} in truth, {ratio:.2}");
    assert!(
        (factor.recip()..=factor).contains(&ratio),
        "{what}: {estimated} estimated, {truth} in truth"
    );
}

/// A target with these lists.
fn following(lists: &str) -> String {
    ConfigText::of([TargetText::new("t").unlimited().with(lists)]).text()
}

/// What doctor reckons for a target that follows this of an account.
async fn estimated(account: &BusyAccount, lists: &str) -> Estimate {
    let yaml = following(lists);
    let config = Config::read("test.yaml", &yaml, &|_| None).unwrap().config;
    let target = &config.targets[0];
    let caller = Caller {
        account: "111122223333".to_owned(),
        arn: "arn:aws:iam::111122223333:user/test".to_owned(),
    };
    let access = Access {
        api: Arc::new(account.clone()),
        caller: Box::pin(async { Ok(Parsed::from(caller)) }),
        base: Box::pin(async { Err(ApiError::new(ErrorKind::Credentials, "no role")) }),
        service_clock: ServiceClock::default(),
    };
    let limiter = Arc::new(RateLimiter::new(limit(1e6, 1_000_000), Instant::now()));
    let findings = examine(&config, target, "us-west-2", access, limiter, clock()).await;
    assert!(findings.is_well(), "{findings:?}");
    findings.estimate.unwrap()
}

#[tokio::test(start_paused = true)]
async fn calls_are_about_as_many_as_doctor_estimates() {
    for (pipelines, tested) in [(1, 0.0), (50, 1.0), (100, 0.5)] {
        let shape = Shape {
            pipelines,
            period: 3_600,
            queued: 0.0,
            tested,
            timed_out: 0.0,
            throttled: 0.0,
        };
        let fleet = Fleet::start(1, shape, limit(1e6, 1_000_000));
        let account = &fleet.accounts[0];
        tokio::time::sleep(Duration::from_secs(5 * 60)).await;
        let estimate = estimated(account, "pipelines: ['*']").await;
        account.begin_record();
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        let truth = account.record().all() as f64;
        // Each pipeline begins a build an hour.
        let said = estimate.now + pipelines as f64 * estimate.build;
        is_within(
            CALLS_WITHIN,
            said,
            truth,
            &format!("calls an hour with {pipelines} builds, {tested} of them tested"),
        );
        fleet.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn calls_for_named_resources_are_about_as_many_as_doctor_estimates() {
    // A build of four hours, of which three are over.
    let shape = Shape {
        pipelines: 1,
        period: 14_400,
        queued: 0.0,
        tested: 0.0,
        timed_out: 0.0,
        throttled: 0.0,
    };
    let account = BusyAccount::new(1, shape);
    let build = account.running(0, account.now());
    let steps: Vec<String> = build.steps.iter().map(|step| step.id.to_string()).collect();
    let arn = "arn:aws:imagebuilder:us-west-2:000000000001:image/golden-0/1.0.2/1";
    let unknown = "step-00000000-0000-0000-0000-000000000000";
    for lists in [
        format!("step_executions: [{}]", steps[6]),
        format!("step_executions: [{}, {}]", steps[5], steps[6]),
        format!("step_executions: [{}]", steps.join(", ")),
        format!("step_executions: [{unknown}, {}]", steps[6]),
        format!(
            "workflow_executions: [{}]",
            steps[0].replace("step-", "wf-")
        ),
        format!("image_build_versions: ['{arn}']"),
    ] {
        let account = BusyAccount::new(1, shape);
        let polling = Polling::start(&following(&lists), Arc::new(account.clone()));
        polling.until(600.0).await;
        let said = estimated(&account, &lists).await.now;
        account.begin_record();
        polling.until(4_200.0).await;
        let truth = account.record().all() as f64;
        is_within(CALLS_WITHIN, said, truth, &lists);
    }
}

/// Three names, of which one builds more often than it is forgotten.
fn scenario() -> ScenarioText {
    ScenarioText::of([
        PipelineText::new("often")
            .without("builds")
            .with("first: -5h20m")
            .with("every: 50m")
            .managed("build-image")
            .managed("test-image"),
        PipelineText::new("daily")
            .without("builds")
            .with("first: -30m")
            .with("every: 24h")
            .managed("build-image")
            .managed("test-image"),
        PipelineText::new("old")
            .with("first: -50h")
            .managed("build-image"),
    ])
    .with("listed_after: 0")
}

#[tokio::test]
async fn series_are_about_as_many_as_doctor_estimates() {
    let simulated = Simulated::start(scenario()).await;
    for sparse in ["", "metrics: {status_format: sparse}\n"] {
        let target = TargetText::new("t").at(&simulated.url).unlimited();
        let config = ConfigText::of([target.with("pipelines: ['*']")])
            .with("polling: {interval: 1s, discovery_interval: 1s, request_timeout: 30s}")
            .with(sparse)
            .text();
        let setup = crate::process::Setup::new()
            .arg("doctor")
            .env("AWS_ENDPOINT_URL_STS", &simulated.url);
        setup.files.write("imagebuilder_exporter.yaml", &config);
        let run = Run::of_setup(setup, &simulated).await;
        assert_eq!(run.code, Some(0), "{}", run.text);
        let (_, rest) = run.text.split_once("  series    about ").unwrap();
        let said: f64 = rest.split_once(' ').unwrap().0.parse().unwrap();

        let exporter = crate::process::Setup::exporter(&config).start().await;
        exporter.until_ready().await;
        let known = |scrape: &Scrape, family: &str| scrape.series(family).len();
        let all_known = |scrape: &Scrape| {
            let steps = known(scrape, "imagebuilder_workflow_step_last_poll_success{}");
            steps > 20 && steps == known(scrape, "imagebuilder_workflow_step_info{}")
        };
        let scrape = exporter.until("all steps are known", all_known).await;
        let of_process = [
            "process_",
            "imagebuilder_exporter_build",
            "imagebuilder_exporter_config",
            "imagebuilder_exporter_unparsable",
        ];
        let own = scrape
            .samples()
            .filter(|line| !of_process.iter().any(|family| line.starts_with(family)));
        is_within(SERIES_WITHIN, said, own.count() as f64, "series");
    }
}
