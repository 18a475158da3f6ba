//! What `docs/api-calls.md` says that each feature costs, on tokio's clock.

use std::ops::RangeInclusive;
use std::sync::Arc;

use imagebuilder_exporter::api::Operation;

use crate::support::busy_account::{BUILD_STEPS, BusyAccount, LISTED, Record, Shape, TEST_STEPS};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::poller::Polling;

const HOUR: f64 = 3_600.0;

/// When measuring begins: what there was at the beginning has been found.
const BEGINS: f64 = 600.0;

/// The paces that are tried: the default one, and a slower one.
const PACES: [Pace; 2] = [
    Pace {
        interval: 30.0,
        discovery_interval: 120.0,
    },
    Pace {
        interval: 60.0,
        discovery_interval: 300.0,
    },
];

#[derive(Clone, Copy, Debug)]
struct Pace {
    interval: f64,
    discovery_interval: f64,
}

impl Pace {
    /// A configuration of one target with these keys.
    fn config(self, keys: &[&str]) -> ConfigText {
        let (interval, discovery) = (self.interval, self.discovery_interval);
        let target = TargetText::new("t").unlimited();
        let target = keys.iter().fold(target, |target, key| target.with(key));
        let config = ConfigText::of([target]).with(&format!(
            "polling: {{interval: {interval}s, discovery_interval: {discovery}s}}"
        ));
        // What is read once is no regular call.
        config.with("baselines: {history: 0}")
    }

    /// So often an hour is something done that is done each interval, up to 5 % early.
    fn an_hour(interval: f64) -> f64 {
        HOUR / interval * 1.025
    }

    /// So often an hour the executions of a build are listed while it runs.
    fn seldom(self) -> f64 {
        HOUR / (6.0 * self.discovery_interval)
    }

    /// So often more while its tests run.
    fn during_tests(self) -> f64 {
        Self::an_hour(self.discovery_interval) - self.seldom()
    }

    /// The formula of the page, per hour: of `images` and `pipelines` in the account, so many builds
    /// of so many workflow executions and steps begin, and so many run and test at a time.
    fn calls(self, account: Account, builds: f64, running: f64, testing: f64) -> f64 {
        let Account {
            images,
            pipelines,
            workflows,
            steps,
        } = account;
        let pages = images.div_ceil(100) + pipelines.div_ceil(100);
        let (pages, steps, workflows) = (pages as f64, steps as f64, workflows as f64);
        Self::an_hour(self.discovery_interval) * pages
            + builds * (4.0 + steps + 5.0 * workflows)
            + running * (Self::an_hour(self.interval) + self.seldom())
            + testing * self.during_tests()
    }
}

#[derive(Clone, Copy, Debug)]
struct Account {
    images: usize,
    pipelines: usize,
    /// Of a build.
    workflows: usize,
    steps: usize,
}

/// Pipelines that build an image an hour, one after the other.
fn hourly(pipelines: usize, tested: f64) -> Shape {
    Shape {
        pipelines,
        period: 3_600,
        queued: 0.0,
        tested,
        timed_out: 0.0,
        throttled: 0.0,
    }
}

/// How an account is asked for so many hours.
async fn asked(account: &BusyAccount, config: &ConfigText, hours: f64) -> Record {
    let polling = Polling::start(&config.text(), Arc::new(account.clone()));
    polling.until(BEGINS).await;
    account.begin_record();
    polling.until(BEGINS + hours * HOUR).await;
    account.record()
}

/// Between these an hour is what is made each interval: at least once, and up to 5 % early.
const EACH_INTERVAL: RangeInclusive<usize> = 119..=127;

fn assert_calls(record: &Record, what: &str, expected: &[(Operation, RangeInclusive<usize>)]) {
    for operation in Operation::ALL {
        let found = record.of(operation);
        let range = { expected.iter() }.find(|(expected, _)| *expected == operation);
        let range = range.map_or(0..=0, |(_, range)| range.clone());
        assert!(
            range.contains(&found),
            "{what}: {found} {operation:?}, not {range:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn calls_an_hour_are_those_of_the_formula() {
    for (pace, pipelines, tested) in [
        (PACES[0], 3, 0.0),
        (PACES[0], 3, 1.0),
        (PACES[1], 3, 1.0),
        // A page of images is not enough.
        (PACES[1], 60, 0.0),
    ] {
        let hours = if pipelines > 10 { 1 } else { 3 };
        let account = BusyAccount::new(1, hourly(pipelines, tested));
        let config = pace.config(&["pipelines: ['*']"]);
        let record = asked(&account, &config, f64::from(hours)).await;
        let account = Account {
            images: pipelines * LISTED,
            pipelines,
            workflows: 1 + usize::from(tested > 0.0),
            steps: BUILD_STEPS + if tested > 0.0 { TEST_STEPS } else { 0 },
        };
        let what = format!("{pace:?}, {account:?}");
        let testing = 1.0 - BUILD_STEPS as f64 / account.steps as f64;
        let begun = pipelines as f64;
        // A build is found half a discovery interval after its start, on average.
        let running = begun * (1.0 - pace.discovery_interval / 2.0 / HOUR);
        let expected = pace.calls(account, begun, running, begun * testing);
        let found = record.all() as f64 / f64::from(hours);
        println!("{found:.0} calls an hour, {expected:.0} by the formula: {what}");
        assert!((found / expected - 1.0).abs() < 0.03, "{found}, {what}");

        let builds = pipelines * hours as usize;
        // A discovery pass finds all builds that have begun since the one before.
        let at_border = (begun * pace.discovery_interval / HOUR) as usize;
        let once = |each: usize| (builds - at_border) * each..=(builds + at_border) * each;
        let made = |each: f64| {
            let all = (builds as f64 * each) as usize;
            all * 9 / 10..=all * 11 / 10 + 1
        };
        let rounds = Pace::an_hour(pace.discovery_interval) * f64::from(hours);
        let pages = |listed: usize| {
            let pages = (rounds * listed.div_ceil(100) as f64) as usize;
            pages * 19 / 20..=pages * 21 / 20 + 1
        };
        let workflows = account.workflows as f64;
        let lists_of_executions = pace.seldom() + testing * pace.during_tests();
        let lists = Pace::an_hour(pace.interval) + 3.0 * workflows;
        assert_calls(
            &record,
            &what,
            &[
                (Operation::GetImage, once(1)),
                (Operation::GetWorkflowStepExecution, once(account.steps)),
                (Operation::ListWorkflowStepExecutions, made(lists)),
                (
                    Operation::ListWorkflowExecutions,
                    made(3.0 + workflows + lists_of_executions),
                ),
                (
                    Operation::GetWorkflowExecution,
                    builds / 2..=builds * account.workflows * 3 / 2,
                ),
                (Operation::ListImageBuildVersions, pages(account.images)),
                (Operation::ListImagePipelines, pages(pipelines)),
            ],
        );
    }
}

#[tokio::test(start_paused = true)]
async fn examples_of_the_page_match_the_formula() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api-calls.md"));
    let page = page.unwrap();
    for (name, images, pipelines, builds_a_day) in [
        ("10 pipelines", 300, 10, 10.0),
        ("100 pipelines", 1_000, 100, 400.0),
        ("5000 images", 5_000, 20, 20.0),
    ] {
        let account = Account {
            images,
            pipelines,
            workflows: 2,
            steps: BUILD_STEPS + TEST_STEPS,
        };
        // Each build takes 40 minutes.
        let (builds, running) = (builds_a_day / 24.0, builds_a_day * 40.0 / 1_440.0);
        let parts = [(account, 0.0, 0.0), (account, builds, running)];
        let tests = TEST_STEPS as f64 / (BUILD_STEPS + TEST_STEPS) as f64;
        let [idle, all] = parts.map(|(account, builds, running)| {
            PACES[0].calls(account, builds, running, running * tests)
        });
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| {name} |")));
        let row = row.unwrap_or_else(|| panic!("no row of {name}"));
        for figure in [
            format!("| {idle:.0} |"),
            format!("| {:.0} |", all - idle),
            format!("| {all:.0} |"),
            format!("| {:.2}/s |", all / HOUR),
        ] {
            assert!(row.contains(&figure), "{figure} is not in {row}");
        }
    }
}

/// A build of four hours, which is at its third hour when the account begins.
fn long_build() -> Shape {
    Shape {
        period: 14_400,
        ..hourly(1, 0.0)
    }
}

#[tokio::test(start_paused = true)]
async fn listed_resources_are_polled_while_they_run_and_rarely_afterwards() {
    use Operation::{
        GetImage, GetWorkflowExecution, GetWorkflowStepExecution, ListWorkflowExecutions,
        ListWorkflowStepExecutions,
    };
    let ids = steps_of(&BusyAccount::new(1, long_build()));
    let workflow = ids[0].replace("step-", "wf-");
    let arn = "arn:aws:imagebuilder:us-west-2:000000000001:image/golden-0/1.0.2/1";
    let (one, two) = (&ids[6], &ids[5]);
    for (keys, moving, ended) in [
        (
            format!("step_executions: [{one}]"),
            vec![
                (GetWorkflowStepExecution, EACH_INTERVAL),
                (GetWorkflowExecution, 12..=13),
            ],
            vec![],
        ),
        (
            format!("step_executions: [{two}, {one}]"),
            vec![
                (ListWorkflowStepExecutions, EACH_INTERVAL),
                (GetWorkflowExecution, 12..=13),
            ],
            vec![],
        ),
        (
            format!("workflow_executions: [{workflow}]"),
            vec![
                (ListWorkflowStepExecutions, EACH_INTERVAL),
                (GetWorkflowExecution, 12..=13),
            ],
            vec![(GetWorkflowExecution, 2..=4)],
        ),
        (
            format!("image_build_versions: ['{arn}']"),
            vec![
                (ListWorkflowStepExecutions, EACH_INTERVAL),
                (GetImage, 29..=32),
            ],
            vec![(GetImage, 2..=4)],
        ),
    ] {
        let [moves, after] = calls_around_the_end(&PACES[0].config(&[&keys])).await;
        assert_calls(&moves, &format!("{keys} moves"), &moving);
        assert_calls(&after, &format!("{keys} has ended"), &ended);
        assert_eq!(moves.of(ListWorkflowExecutions), 0);
    }
}

fn steps_of(account: &BusyAccount) -> Vec<String> {
    let build = account.running(0, account.now());
    build.steps.iter().map(|step| step.id.to_string()).collect()
}

/// The calls in an hour of the long build, and in an hour after its end.
async fn calls_around_the_end(config: &ConfigText) -> [Record; 2] {
    let account = BusyAccount::new(1, long_build());
    let polling = Polling::start(&config.text(), Arc::new(account.clone()));
    polling.until(BEGINS).await;
    account.begin_record();
    polling.until(BEGINS + HOUR).await;
    let moves = account.record();
    // It ends within the second hour, and stays for two more.
    polling.until(BEGINS + 2.0 * HOUR).await;
    account.begin_record();
    polling.until(BEGINS + 3.0 * HOUR).await;
    [moves, account.record()]
}

#[tokio::test(start_paused = true)]
async fn settings_that_only_change_the_output_cost_no_call() {
    let plain = PACES[0].config(&["pipelines: ['*']"]);
    let keys = [
        "pipelines: ['*']",
        "labels: {team: platform}",
        "exclude: {pipelines: [none], tags: {a: b}}",
    ];
    let rich = PACES[0]
        .config(&keys)
        .with("metrics: {message_labels: true, tag_labels: [Team], status_format: sparse, counter_warmup: 0s}")
        .with("duration_budgets: [{max_duration: 1m}]");
    let mut calls = Vec::new();
    for config in [&plain, &rich] {
        let account = BusyAccount::new(1, hourly(2, 1.0));
        calls.push(asked(&account, config, 2.0).await.calls);
    }
    assert_eq!(calls[0], calls[1]);
}
