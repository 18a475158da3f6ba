//! `--shard.index` and `--shard.total`: several processes with one configuration.

use std::collections::BTreeSet;

use crate::process::{Exporter, LOOK_EVERY, PATIENCE, Scrape, Setup, Simulated};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::scenario_text::{PipelineText, ScenarioText};

const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];
const REGIONS: [&str; 3] = ["us-west-2", "us-east-1", "eu-west-1"];

/// In each account and region two pipelines, of whose builds nothing moves for two hours.
fn scenario() -> ScenarioText {
    let mut pipelines = Vec::new();
    for account in ACCOUNTS {
        for region in REGIONS {
            pipelines.extend(["golden", "silver"].map(|name| {
                PipelineText::new(name)
                    .with(&format!("account: \"{account}\""))
                    .with(&format!("region: {region}"))
                    .workflow(
                        "make",
                        [
                            "Prepare, action: RunCommand, duration: 1m",
                            "Build, action: RunCommand, duration: 2h",
                        ],
                    )
            }));
        }
    }
    ScenarioText::of(pipelines)
}

fn target(url: &str, name: &str, role: Option<&str>, regions: &[&str]) -> TargetText {
    let target = TargetText::new(name)
        .at(url)
        .with(&format!("regions: [{}]", regions.join(", ")));
    match role {
        Some(role) => target.with(&format!(
            "assume_role: {{role_arn: \"arn:aws:iam::{role}\"}}"
        )),
        None => target,
    }
}

/// What follows the same in several ways: two roles of one account, and what is named one by one by
/// credentials of which nobody knows the account.
fn overlapping(simulated: &Simulated) -> String {
    let url = &simulated.url;
    let planned = simulated.planned();
    let in_region = |region: &str| {
        let found = planned.iter().find(|step| step.region == region);
        found.unwrap()
    };
    let (step, whole) = (in_region("us-west-2"), in_region("us-east-1"));
    let lists_workflow = format!("workflow_executions: [{}]", whole.workflow_execution_id);
    let [one, two] = ACCOUNTS.map(|account| format!("{account}:role/one-{account}"));
    let other = format!("{}:role/other", ACCOUNTS[0]);
    let everything = |target: TargetText| target.with("pipelines: [\"*\"]").with("images: [\"*\"]");
    config(&[
        target(url, "first", Some(&one), &REGIONS).with("images: [golden]"),
        everything(target(url, "other-role", Some(&other), &REGIONS[1..])),
        everything(target(url, "again", Some(&one), &REGIONS)),
        everything(target(url, "second", Some(&two), &REGIONS)),
        target(url, "lists-step", None, &REGIONS[..1]).steps([step.id]),
        target(url, "lists-workflow", None, &REGIONS[1..2]).with(&lists_workflow),
    ])
}

fn config(targets: &[TargetText]) -> String {
    ConfigText::of(targets.to_vec())
        .with("polling: {interval: 200ms, discovery_interval: 400ms, request_timeout: 30s}")
        .text()
}

async fn start(simulated: &Simulated, config: &str, index: u32, total: u32) -> Exporter {
    let setup = Setup::exporter(config)
        .env("AWS_ENDPOINT_URL_STS", &simulated.url)
        .env("IMAGEBUILDER_EXPORTER_SHARD_TOTAL", &total.to_string())
        .arg("--web.enable-lifecycle")
        .arg(&format!("--shard.index={index}"));
    setup.start().await
}

/// All series without their values, in order, but for those of a process as such, and those of the
/// calls that happen to have been made.
fn series<'a>(scrapes: impl IntoIterator<Item = &'a Scrape>) -> Vec<&'a str> {
    const OTHERS: [&str; 7] = [
        "exporter_shards",
        "exporter_series",
        "build_info",
        "config_last_reload",
        "unparsable_fields",
        "panics",
        "api_request_duration",
    ];
    let samples = scrapes.into_iter().flat_map(Scrape::samples);
    let names = samples.map(|line| line.rsplit_once(' ').unwrap().0);
    let own = names.filter(|series| {
        let other = OTHERS.iter().any(|part| series.contains(part));
        series.starts_with("imagebuilder_") && !other
    });
    let mut own: Vec<&str> = own.collect();
    own.sort_unstable();
    own
}

async fn scrapes(exporters: &[Exporter]) -> Vec<Scrape> {
    let mut scrapes = Vec::new();
    for exporter in exporters {
        scrapes.push(exporter.scrape().await);
    }
    scrapes
}

/// Waits until all of them together show what one process does.
async fn until_shown(exporters: &[Exporter], expected: &[&str]) {
    let mut wrong = String::new();
    let waiting = async {
        loop {
            let scrapes = scrapes(exporters).await;
            let found = series(&scrapes);
            if found == expected {
                return;
            }
            wrong = difference(expected, &found);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
        panic!("never the same; at last {wrong}");
    }
}

/// Which series are on one side alone, or more often.
fn difference(expected: &[&str], found: &[&str]) -> String {
    let count = |of: &[&str], one: &str| of.iter().filter(|series| **series == one).count();
    let all: BTreeSet<&str> = expected.iter().chain(found).copied().collect();
    let of_each = all
        .into_iter()
        .map(|one| (count(expected, one), count(found, one), one));
    let lines = of_each.filter(|(expected, found, _)| expected != found);
    let lines = lines.map(|(expected, found, one)| format!("{found} of {expected} {one}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn shards_together_expose_each_step_of_a_single_process_once() {
    let simulated = Simulated::start(scenario()).await;
    let config = overlapping(&simulated);
    let one = start(&simulated, &config, 0, 1).await;
    let steps = ACCOUNTS.len() * REGIONS.len() * 2 * 2;
    let is_whole = |scrape: &Scrape| {
        scrape.series("imagebuilder_workflow_step_info{}").len() == steps
            && scrape.values("imagebuilder_exporter_target_up{}") == [1.0; 13]
            && scrape.series("imagebuilder_pipeline_info{}").len() == 12
            && scrape.labels("imagebuilder_image_info{}", "pipeline").len() == 12
    };
    let before = one.until("it shows everything", is_whole).await;
    let whole = in_the_end(&one, before).await;
    let expected = series([&whole]);
    for total in [2, 3, 7] {
        let mut exporters = Vec::new();
        for index in 0..total {
            exporters.push(start(&simulated, &config, index, total).await);
        }
        until_shown(&exporters, &expected).await;
        // Nor is anything come across a second time later.
        for exporter in &exporters {
            exporter.until_ready().await;
            discovered_again(exporter).await;
        }
        let scrapes = scrapes(&exporters).await;
        assert_eq!(series(&scrapes), expected, "{total} shards");
        let polling = { scrapes.iter() }.filter(|scrape| {
            !scrape
                .series("imagebuilder_exporter_target_up{}")
                .is_empty()
        });
        assert!(polling.count() > 1, "{total} shards");
    }
}

/// What is shown after each of the process's targets, if it has any, has looked for all there is
/// once more.
async fn discovered_again(exporter: &Exporter) -> Scrape {
    const DISCOVERED: &str = "imagebuilder_exporter_discovery_last_success_timestamp_seconds{}";
    let newest = |scrape: &Scrape| scrape.values(DISCOVERED).into_iter().reduce(f64::min);
    let before = newest(&exporter.scrape().await);
    let again = |scrape: &Scrape| before.is_none() || newest(scrape) > before;
    exporter.until("all is looked for again", again).await
}

/// What is shown once no look for what there is brings anything new: what is learned late, as which
/// of its pipelines built an image, is shown by then.
async fn in_the_end(exporter: &Exporter, mut before: Scrape) -> Scrape {
    loop {
        let after = discovered_again(exporter).await;
        if series([&before]) == series([&after]) {
            return after;
        }
        before = after;
    }
}

/// One that shard 0 of 3 polls.
fn own(simulated: &Simulated) -> TargetText {
    target(&simulated.url, "own", None, &["us-west-2"]).with("images: [\"*\"]")
}

/// One that shard 1 of 3 polls.
fn of_another(simulated: &Simulated) -> TargetText {
    target(&simulated.url, "other", None, &["cn-north-1"]).with("images: [\"*\"]")
}

#[tokio::test]
async fn shard_without_targets_is_ready_and_polls_targets_of_a_reload() {
    let simulated = Simulated::start(scenario()).await;
    let alone = config(&[own(&simulated)]);
    let exporter = start(&simulated, &alone, 1, 3).await;
    exporter.until_ready().await;
    assert_eq!(exporter.get("/-/healthy").await.status, 200);
    let nothing = ["level=info", "nothing to poll", "shard=\"1 of 3\"", "all=1"];
    exporter.until_line(&nothing).await;
    let scrape = exporter.scrape().await;
    assert!(!scrape.text.contains("target=\""), "{}", scrape.text);
    let shards = "imagebuilder_exporter_shards{shard=\"1\"}";
    assert_eq!(scrape.value(shards), Some(3.0));

    exporter.write_config("targets: []");
    assert_eq!(
        exporter.post("/-/reload").await.status,
        500,
        "it is checked as a whole"
    );
    exporter.write_config(&alone);
    assert_eq!(exporter.post("/-/reload").await.status, 200);
    assert_eq!(exporter.count_log(&nothing), 1, "it is said once");

    exporter.write_config(&config(&[own(&simulated), of_another(&simulated)]));
    assert_eq!(exporter.post("/-/reload").await.status, 200);
    let polls = [
        "level=info",
        "assigned to this shard",
        "pairs=other/cn-north-1",
        "polled=1",
        "all=2",
    ];
    exporter.until_line(&polls).await;
    let scrape = exporter.scrape().await;
    let tracked = "imagebuilder_exporter_tracked_steps{}";
    let targets: BTreeSet<String> = scrape.labels(tracked, "target").into_iter().collect();
    assert_eq!(targets, BTreeSet::from(["other".to_owned()]));
}

#[tokio::test]
async fn target_of_another_shard_appears_and_disappears_without_a_trace() {
    let simulated = Simulated::start(scenario()).await;
    let alone = config(&[own(&simulated)]);
    let exporter = start(&simulated, &alone, 0, 3).await;
    let infos = "imagebuilder_workflow_step_info{}";
    let all_steps = |scrape: &Scrape| scrape.series(infos).len() == 8;
    let before = exporter.until("its steps are there", all_steps).await;
    let before = in_the_end(&exporter, before).await;
    let both = config(&[own(&simulated), of_another(&simulated)]);
    for config in [both, alone] {
        exporter.write_config(&config);
        assert_eq!(exporter.post("/-/reload").await.status, 200);
        let scrape = exporter.scrape().await;
        assert_eq!(series([&scrape]), series([&before]));
    }
    assert_eq!(exporter.count_log(&["assigned to this shard"]), 1);
}

#[tokio::test]
async fn target_whose_new_region_is_another_shard_s_leaves_no_counter_behind() {
    let simulated = Simulated::start(scenario()).await;
    let here = config(&[own(&simulated)]);
    let exporter = start(&simulated, &here, 0, 3).await;
    let counters = "imagebuilder_workflow_steps_finished_total{}";
    let counts = |scrape: &Scrape| !scrape.series(counters).is_empty();
    exporter.until("its steps are counted", counts).await;
    exporter.write_config(&here.replace("us-west-2", "cn-north-1"));
    assert_eq!(exporter.post("/-/reload").await.status, 200);
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.series(counters), [""; 0]);
}

#[tokio::test]
async fn account_that_is_reached_in_two_ways_from_two_shards_is_warned_of_once() {
    let simulated = Simulated::start(scenario()).await;
    let role = format!("{}:role/one", ACCOUNTS[0]);
    let arn = format!(
        "pipelines: [\"arn:aws:imagebuilder:eu-west-1:{}:image-pipeline/golden\"]",
        ACCOUNTS[0]
    );
    let config = config(&[
        target(&simulated.url, "role", Some(&role), &REGIONS[2..]).with("images: [\"*\"]"),
        target(&simulated.url, "arn", None, &REGIONS[2..]).with(&arn),
    ]);
    let exporter = start(&simulated, &config, 0, 2).await;
    let warning = [
        "level=warn",
        "targets role and arn both poll account",
        "exposed twice",
    ];
    exporter.until_line(&warning).await;
    exporter.write_config(&(config + "metrics: {message_labels: true}\n"));
    assert_eq!(exporter.post("/-/reload").await.status, 200);
    assert_eq!(exporter.count_log(&warning), 1);
}

#[tokio::test]
async fn regions_without_a_configuration_are_shared_too() {
    let simulated = Simulated::start(scenario()).await;
    let mut shown = Vec::new();
    for index in 0..2 {
        let exporter = Setup::new()
            .env("AWS_ENDPOINT_URL_IMAGEBUILDER", &simulated.url)
            .env("IMAGEBUILDER_EXPORTER_SHARD_INDEX", &index.to_string())
            .arg("--shard.total=2")
            .arg("--aws.region=us-west-2,cn-north-1")
            .arg("--web.listen-address=127.0.0.1:0")
            .start()
            .await;
        exporter
            .until_line(&["assigned to this shard", "polled=1"])
            .await;
        let scrape = exporter.scrape().await;
        let regions = scrape.labels(
            "imagebuilder_exporter_tracked_steps{state=\"gone\"}",
            "region",
        );
        shown.push(regions);
    }
    assert_eq!(shown, [["us-west-2"], ["cn-north-1"]]);
}

#[tokio::test]
async fn invalid_shard_flags_are_reported_with_valid_ones_and_affect_no_other_command() {
    let wrong = Setup::new()
        .env("IMAGEBUILDER_EXPORTER_SHARD_INDEX", "3")
        .env("IMAGEBUILDER_EXPORTER_SHARD_TOTAL", "3");
    let file = wrong.files.path("config.yaml");
    wrong.files.write(
        "config.yaml",
        "targets: [{name: a, regions: [us-west-2], images: [a]}]",
    );
    let checked = wrong
        .arg("check-config")
        .arg(&file.display().to_string())
        .run()
        .await;
    assert_eq!(checked.code, Some(0), "{checked:?}");

    let ended = Setup::new()
        .arg("--shard.index=3")
        .arg("--shard.total=3")
        .run()
        .await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let told = "--shard.index is 3, but --shard.total is 3, so it must be from 0 to 2";
    assert!(ended.stderr[0].contains(told), "{ended:?}");
}
