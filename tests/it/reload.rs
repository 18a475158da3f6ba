//! SIGHUP and POST /-/reload: what stays keeps its state, what is gone is gone at once.

use std::collections::BTreeSet;
use std::time::Duration;

use imagebuilder_exporter::simulator::{Effect, Fault};

use crate::process::{Exporter, Scrape, Setup, Simulated};
use crate::support::scenario_text::{PipelineText, ScenarioText};

fn scenario() -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden")
        .workflow(
            "one, type: test, parallel_group: all",
            ["First, action: ExecuteComponents, duration: 2h"],
        )
        .workflow(
            "two, type: test, parallel_group: all",
            ["Second, action: ExecuteComponents, duration: 2h"],
        )
        .workflow(
            "three, type: test, parallel_group: all",
            ["Third, action: ExecuteComponents, duration: 2h"],
        )])
}

const SUCCESSFUL: &str = "imagebuilder_exporter_config_last_reload_successful{}";
const SUCCEEDED_AT: &str = "imagebuilder_exporter_config_last_reload_success_timestamp_seconds{}";
const STATUS: &str = "imagebuilder_workflow_step_status{status=\"RUNNING\"}";
const ANSWERED: &str = "imagebuilder_exporter_api_requests_total{\
    target=\"main\",operation=\"GetWorkflowStepExecution\",result=\"ok\"}";

async fn start(config: &str) -> Exporter {
    let setup = Setup::exporter(config).arg("--web.enable-lifecycle");
    let exporter = setup.start().await;
    exporter.until_ready().await;
    exporter
}

async fn reload(exporter: &Exporter, config: &str) {
    exporter.write_config(config);
    let answer = exporter.post("/-/reload").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The steps that are shown with their status.
fn steps(scrape: &Scrape) -> Vec<String> {
    scrape.labels(STATUS, "step")
}

/// A second target, which follows one step.
fn second_target(simulated: &Simulated, step: &str) -> String {
    let config = simulated.config(&[step]);
    let (_, target) = config.split_once("targets:\n").unwrap();
    target.replace("name: main", "name: second")
}

#[tokio::test]
async fn reload_over_http_is_off_unless_it_is_turned_on() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&simulated.config(&["First"])).start().await;
    let answer = exporter.post("/-/reload").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("--web.enable-lifecycle"));
    let answer = exporter.get("/-/reload").await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test]
async fn hangup_signal_reloads_even_without_reload_over_http() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&simulated.config(&["First"])).start().await;
    exporter.until_ready().await;
    exporter.write_config(&simulated.config(&["First", "Second"]));
    exporter.signal("HUP");
    exporter
        .until_line(&["level=info", "configuration reloaded"])
        .await;
    exporter
        .until("both are shown", |scrape| {
            steps(scrape) == ["First", "Second"]
        })
        .await;
    exporter.write_config("targets: []\n");
    exporter.signal("HUP");
    exporter.until_value(SUCCESSFUL, 0.0).await;
    assert_eq!(steps(&exporter.scrape().await), ["First", "Second"]);
}

#[tokio::test]
async fn steps_of_both_configurations_keep_their_state_without_a_poll() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = start(&simulated.config(&["First", "Second"])).await;
    let before = exporter.until_over(ANSWERED, 5.0).await;
    simulated.spoil_all(Effect::NoAnswer);
    reload(&exporter, &simulated.config(&["Third", "Second", "First"])).await;
    let after = exporter.scrape().await;
    assert_eq!(steps(&after), ["Second", "First"]);
    assert_eq!(after.value("imagebuilder_exporter_target_up{}"), Some(1.0));
    assert!(after.value(ANSWERED) >= before.value(ANSWERED));
    let pending = "imagebuilder_exporter_tracked_steps{state=\"pending\"}";
    assert_eq!(after.value(pending), Some(1.0));
    assert_eq!(exporter.get("/-/ready").await.status, 200);
    simulated.faults.clear();
}

#[tokio::test]
async fn removed_step_disappears_at_once_and_is_not_polled_again() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = start(&simulated.config(&["First", "Second"])).await;
    reload(&exporter, &simulated.config(&["First"])).await;
    let scrape = exporter.scrape().await;
    assert!(!scrape.text.contains(&simulated.id("Second")));
    // A call may have been under way.
    let asked = simulated.asked_for("Second");
    exporter
        .until_over(ANSWERED, scrape.value(ANSWERED).unwrap() + 10.0)
        .await;
    assert!(simulated.asked_for("Second") <= asked + 1);
    // What comes back is followed again.
    reload(&exporter, &simulated.config(&["First", "Second"])).await;
    exporter
        .until("both are shown", |scrape| {
            steps(scrape) == ["First", "Second"]
        })
        .await;
}

#[tokio::test]
async fn removed_target_disappears_at_once_with_all_its_series() {
    let simulated = Simulated::start(scenario()).await;
    let one = simulated.config(&["First"]);
    let both = one.clone() + &second_target(&simulated, "Second");
    let exporter = start(&both).await;
    let scrape = exporter.scrape().await;
    let of_second = |scrape: &Scrape| {
        let lines = scrape.samples();
        lines
            .filter(|line| line.contains("target=\"second\""))
            .count()
    };
    assert!(of_second(&scrape) > 20);
    assert_eq!(steps(&scrape), ["First", "Second"]);
    reload(&exporter, &one).await;
    let scrape = exporter.scrape().await;
    assert_eq!(of_second(&scrape), 0);
    assert_eq!(steps(&scrape), ["First"]);
    // Its counters begin anew with it.
    simulated.spoil_all(Effect::NoAnswer);
    reload(&exporter, &both).await;
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.value(&ANSWERED.replace("main", "second")), Some(0.0));
}

#[tokio::test]
async fn bad_file_changes_nothing_and_every_mistake_is_reported() {
    let simulated = Simulated::start(scenario()).await;
    let config = simulated.config(&["First"]);
    let exporter = start(&config).await;
    let before = exporter.scrape().await;
    assert_eq!(before.value(SUCCESSFUL), Some(1.0));
    exporter.write_config(
        &config
            .replace("interval: 200ms", "interval: 0s")
            .replace("main", "ma in"),
    );
    let answer = exporter.post("/-/reload").await;
    assert_eq!(answer.status, 500);
    let text = answer.text();
    let told: Vec<_> = text.lines().collect();
    assert_eq!(told.len(), 2, "{text}");
    assert!(told[0].contains("config.yaml:1:21: "), "{text}");
    assert!(told[1].contains("config.yaml:3:11: "), "{text}");
    let after = exporter.scrape().await;
    assert_eq!(after.value(SUCCESSFUL), Some(0.0));
    assert_eq!(after.value(SUCCEEDED_AT), before.value(SUCCEEDED_AT));
    assert_eq!(steps(&after), ["First"]);
    let kept = ["level=error", "configuration reload failed"];
    exporter
        .until_line(&[&kept[..], &[":3:11: "]].concat())
        .await;
    assert_eq!(exporter.count_log(&kept), 2);
    // It is polled on.
    exporter
        .until_over(ANSWERED, after.value(ANSWERED).unwrap())
        .await;

    std::fs::remove_file(exporter.files.path("config.yaml")).unwrap();
    let answer = exporter.post("/-/reload").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("the file does not exist"));

    reload(&exporter, &config).await;
    let after = exporter.scrape().await;
    assert_eq!(after.value(SUCCESSFUL), Some(1.0));
    assert!(after.value(SUCCEEDED_AT) > before.value(SUCCEEDED_AT));
}

#[tokio::test]
async fn target_with_another_endpoint_starts_from_scratch() {
    let simulated = Simulated::start(scenario()).await;
    let elsewhere = Simulated::start(scenario()).await;
    elsewhere.spoil_all(Effect::NoAnswer);
    let exporter = start(&simulated.config(&["First"])).await;
    exporter.until_over(ANSWERED, 5.0).await;
    let config = elsewhere.config(&["First"]).replace("30s", "5s");
    reload(&exporter, &config).await;
    let scrape = exporter.scrape().await;
    assert_eq!(steps(&scrape), [""; 0]);
    assert_eq!(scrape.value(ANSWERED), Some(0.0));
    assert_eq!(scrape.value("imagebuilder_exporter_target_up{}"), None);
    elsewhere.faults.clear();
    // A call may have been under way.
    let asked = simulated.asked_for("First");
    exporter.until_over(ANSWERED, 5.0).await;
    assert!(simulated.asked_for("First") <= asked + 1);
}

#[tokio::test]
async fn changed_polling_settings_are_effective_at_once() {
    let simulated = Simulated::start(scenario()).await;
    let seldom = simulated.config(&["First"]).replace("200ms", "1h");
    let exporter = start(&seldom).await;
    assert_eq!(simulated.asked_for("First"), 1);
    // Of a step that would be asked for in an hour.
    let often = simulated.config(&["First"]);
    let budget = "duration_budgets: [{max_duration: 1s}]\nmetrics: {status_format: sparse}\n";
    reload(&exporter, &format!("{budget}{often}")).await;
    let scrape = exporter.scrape().await;
    let exceeded = "imagebuilder_workflow_step_budget_exceeded{step=\"First\"}";
    assert_eq!(scrape.value(exceeded), Some(1.0));
    let statuses = scrape.labels("imagebuilder_workflow_step_status{}", "status");
    assert_eq!(statuses, ["RUNNING"]);
    exporter.until_over(ANSWERED, 5.0).await;
}

#[tokio::test]
async fn call_that_waits_for_the_rate_limit_waits_by_the_new_one() {
    let simulated = Simulated::start(scenario()).await;
    let fast = "{requests_per_second: 1000, burst: 100}";
    let slow = "{requests_per_second: 0.001, burst: 1}";
    let config = simulated.config(&["First"]);
    let exporter = start(&config.replace(fast, slow)).await;
    assert_eq!(simulated.asked_for("First"), 1);
    reload(&exporter, &config).await;
    exporter.until_over(ANSWERED, 5.0).await;
}

#[tokio::test]
async fn no_call_is_in_flight_twice_across_reloads() {
    let simulated = Simulated::start(scenario()).await;
    let late = Fault::on("*", Effect::Late).unwrap();
    simulated
        .faults
        .set(vec![late.latency(Duration::from_millis(150))]);
    let with = simulated.config(&["First", "Second"]);
    let without = simulated.config(&["Second"]);
    let exporter = start(&with).await;
    for round in 0..20 {
        let config = if round % 2 == 0 { &without } else { &with };
        reload(&exporter, config).await;
    }
    exporter.until_over(ANSWERED, 10.0).await;
    assert_eq!(simulated.calls.peak_alike(), 1);
}

#[tokio::test]
async fn no_scrape_is_ever_half_of_a_reload() {
    let simulated = Simulated::start(scenario()).await;
    let numbered = |number| numbered(&simulated, number);
    let exporter = start(&numbered(0)).await;
    let scraping = async {
        let mut last = 0;
        let mut seen = BTreeSet::new();
        while last < 50 {
            let number = checked(&exporter.scrape().await);
            assert!(number >= last, "{number} after {last}");
            last = number;
            seen.insert(number);
        }
        seen.len()
    };
    let reloading = async {
        for number in 1..=50 {
            reload(&exporter, &numbered(number)).await;
            assert_eq!(checked(&exporter.scrape().await), number);
        }
    };
    let both = async { tokio::join!(scraping, reloading) };
    let (seen, ()) = tokio::time::timeout(crate::process::PATIENCE * 2, both)
        .await
        .unwrap();
    assert!(seen > 10, "{seen}");
}

/// A configuration with a number in every label there can be; whether it is even decides the rest.
fn numbered(simulated: &Simulated, number: usize) -> String {
    let even = number.is_multiple_of(2);
    let labels = format!("    labels: {{v: \"{number}\"}}\n    step_executions:");
    let second = second_target(simulated, if even { "Second" } else { "Third" });
    let config = simulated.config(&["First"]) + &second;
    let format = if even { "sparse" } else { "stateset" };
    let third = if even {
        String::new()
    } else {
        second_target(simulated, "Second")
    };
    let config = config + &third.replace("name: second", "name: third");
    let config = config.replace("    step_executions:", &labels);
    format!("metrics: {{status_format: {format}}}\n{config}")
}

/// The number that everything in a scrape is of.
fn checked(scrape: &Scrape) -> usize {
    let polled = "imagebuilder_workflow_step_last_poll_success{}";
    let numbers: BTreeSet<_> = scrape.labels(polled, "v").into_iter().collect();
    let of_status = scrape.labels("imagebuilder_workflow_step_status{}", "v");
    assert_eq!(numbers.len(), 1, "{numbers:?}");
    let number = numbers.into_iter().next().unwrap();
    assert!(
        of_status.iter().all(|of| *of == number),
        "{of_status:?} {number}"
    );
    let even = number.parse::<usize>().unwrap().is_multiple_of(2);
    let targets = scrape.labels(polled, "target");
    let expected: &[&str] = if even {
        &["main", "second"]
    } else {
        &["main", "second", "third"]
    };
    assert_eq!(targets, expected, "{number}");
    let pending = "imagebuilder_exporter_tracked_steps{state=\"pending\"}";
    assert_eq!(scrape.labels(pending, "target"), expected, "{number}");
    let shown = scrape.labels(
        "imagebuilder_workflow_step_status{step=\"First\"}",
        "status",
    );
    assert_eq!(shown.len(), if even { 1 } else { 6 }, "{number}");
    number.parse().unwrap()
}

#[tokio::test]
async fn file_replaced_by_a_silent_pipe_fails_the_reload_and_later_ones_work() {
    let simulated = Simulated::start(scenario()).await;
    let config = simulated.config(&["First"]);
    let exporter = start(&config).await;
    let path = exporter.files.path("config.yaml");
    std::fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    exporter.signal("HUP");
    let given_up = ["level=error", "configuration reload failed", "within 10 s"];
    exporter.until_line(&given_up).await;
    exporter.until_value(SUCCESSFUL, 0.0).await;
    assert_eq!(steps(&exporter.scrape().await), ["First"]);
    std::fs::remove_file(&path).unwrap();
    reload(&exporter, &config).await;
    exporter.until_value(SUCCESSFUL, 1.0).await;
}

#[tokio::test]
async fn changed_file_is_reloaded_by_itself_and_a_broken_one_is_reported_once() {
    let simulated = Simulated::start(scenario()).await;
    let setup = Setup::exporter(&simulated.config(&["First"]));
    let exporter = setup.arg("--config.enable-auto-reload").start().await;
    exporter.until_ready().await;
    exporter.write_config("targets: []\n");
    exporter.until_value(SUCCESSFUL, 0.0).await;
    assert_eq!(steps(&exporter.scrape().await), ["First"]);
    exporter.write_config(&simulated.config(&["First", "Second"]));
    exporter.until_value(SUCCESSFUL, 1.0).await;
    exporter
        .until("both are shown", |scrape| {
            steps(scrape) == ["First", "Second"]
        })
        .await;
    assert_eq!(
        exporter.count_log(&["level=error", "configuration reload failed"]),
        1
    );
}
