use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use globset::{Glob, GlobBuilder};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::config::target::SECRET;
use crate::config::{
    AssumeRole, BaselineExclude, BaselineSettings, DurationBudget, Exclude, ListedStep, Metrics,
    PipelineSelector, Polling, RateLimit, StatusFormat, TagLabel, Target,
};
use crate::model::{ImageArn, PipelineArn};

const EXTERNAL_ID: &str = "the-external-id";

/// What is written, read.
fn read_back(config: &Config) -> Config {
    let written = config.effective();
    assert!(!written.contains(EXTERNAL_ID), "{written}");
    let with_secrets = written.replace(SECRET, EXTERNAL_ID);
    match Config::read("effective", &with_secrets, &|name| panic!("{name} is read")) {
        Ok(read) => read.config,
        Err(problems) => panic!("{problems:#?}\n{written}"),
    }
}

fn read(text: &str) -> Config {
    let env = |name: &str| (name == "HOME").then(|| "a$b".to_owned());
    match Config::read("written", text, &env) {
        Ok(read) => read.config,
        Err(problems) => panic!("{problems:#?}"),
    }
}

#[test]
fn every_default_is_written_in_the_order_of_the_reference() {
    let config = read("targets: [{regions: [us-west-2], images: ['*'], name: all}]");
    assert_eq!(
        config.effective(),
        "\
polling:
  interval: 30s
  discovery_interval: 2m
  request_timeout: 10s
  max_concurrent_requests: 16
  failure_details: true
metrics:
  status_format: stateset
  retention: 2h
  retention_failed: 1d
  counter_warmup: 2m
  counter_retention: 7d
  duration_buckets:
  - 15s
  - 30s
  - 1m
  - 2m
  - 5m
  - 10m
  - 20m
  - 30m
  - 1h
  - 2h
  - 4h
  - 12h
  tag_labels: []
  message_labels: false
  series_limit: 2000000
baselines:
  enabled: true
  history: 5
targets:
- name: all
  regions:
  - us-west-2
  rate_limit:
    requests_per_second: 5
    burst: 10
  images:
  - \"*\"
"
    );
}

#[test]
fn what_the_environment_held_stands_there_and_is_not_replaced_again() {
    let config = read(
        "targets: [{name: a, regions: [us-west-2], images: [a], labels: {home: '${HOME}', sum: '5$$'}}]",
    );
    let written = config.effective();
    assert!(written.contains("home: a$$b\n"), "{written}");
    assert!(written.contains("sum: \"5$$\"\n"), "{written}");
    assert_eq!(read_back(&config), config);
}

#[test]
fn external_id_is_a_secret() {
    let config = read(&format!(
        "targets: [{{name: a, regions: [us-west-2], images: [a], assume_role: {{external_id: {EXTERNAL_ID}, role_arn: 'arn:aws:iam::111122223333:role/a'}}}}]"
    ));
    let written = config.effective();
    let role = "  assume_role:\n    role_arn: arn:aws:iam::111122223333:role/a\n    external_id: <secret>\n    session_name: imagebuilder-exporter\n";
    assert!(written.contains(role), "{written}");
    assert_eq!(read_back(&config), config);
}

#[test]
fn line_separators_of_unicode_are_written_as_they_are() {
    let config = read(
        "targets: [{name: a, regions: [us-west-2], images: [a], labels: {a: \"1\u{2028} \\x812\u{feff}\"}}]",
    );
    assert_eq!(config.targets[0].labels["a"], "1\u{2028} \u{81}2\u{feff}");
    assert_eq!(read_back(&config), config);
}

#[test]
fn target_whose_step_files_hold_nothing_lists_nothing() {
    let config =
        read("targets: [{name: a, regions: [us-west-2], step_executions_files: [none.yaml]}]");
    let written = config.effective();
    assert!(
        written.ends_with("    burst: 10\n  step_executions: []\n"),
        "{written}"
    );
}

prop_compose! {
    fn durations()(milliseconds in 1..200_000_000_000_u64) -> Duration {
        Duration::from_millis(milliseconds)
    }
}

fn names() -> impl Strategy<Value = Glob> {
    // Some of which YAML would take for something else.
    let plain = prop_oneof!["[a-z0-9_-]{1,8}[*?]?", "[*]", "true|null|on|12|0x1f|1e3|-"];
    let class = "[a-z]{0,3}\\[!?[a-z0-9]{1,3}\\]";
    let either = "\\{[a-z]{1,3},[a-z*]{1,3}\\}";
    prop_oneof![plain, class, either].prop_filter_map("a glob", |text| built(&text))
}

fn built(text: &str) -> Option<Glob> {
    GlobBuilder::new(text).backslash_escape(true).build().ok()
}

fn any_globs() -> impl Strategy<Value = Glob> {
    "(?s).{1,12}".prop_filter_map("a glob", |text| built(&text))
}

fn tags() -> impl Strategy<Value = BTreeMap<String, Glob>> {
    btree_map("\\PC{1,10}", any_globs(), 0..3)
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    // A label's value may be any text, with line feeds and what no terminal shows.
    btree_map("own_[a-zA-Z0-9_]{0,5}", "(?s).{1,12}", 0..3)
}

fn once<T, K: PartialEq>(items: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for item in items {
        if kept.iter().all(|before| key(before) != key(&item)) {
            kept.push(item);
        }
    }
    kept
}

fn name_globs() -> impl Strategy<Value = Vec<Glob>> {
    vec(names(), 0..3).prop_map(|globs| once(globs, |glob| glob.glob().to_owned()))
}

prop_compose! {
    fn excludes()(pipelines in name_globs(), images in name_globs(), tags in tags()) -> Exclude {
        Exclude { pipelines, images, tags }
    }
}

prop_compose! {
    fn roles()(
        name in "[a-z]{1,9}",
        external_id in option::of(Just(EXTERNAL_ID.to_owned())),
        session_name in "[a-zA-Z0-9+=,.@-]{2,9}",
    ) -> AssumeRole {
        let role_arn = format!("arn:aws:iam::111122223333:role/{name}");
        AssumeRole { role_arn, external_id, session_name }
    }
}

fn rates() -> impl Strategy<Value = f64> {
    prop_oneof![
        0.001..100.0,
        (1..1_000_u32).prop_map(f64::from),
        Just(1e300),
        Just(1e16)
    ]
}

/// Ids and ARNs are of the target's number, as each occurs once in a file.
fn targets(at: usize, interval: Duration) -> impl Strategy<Value = Target> {
    let access = (
        option::of(roles()),
        option::of("[ -~]{1,9}"),
        option::of(Just(
            "https://imagebuilder.example.com:8443/$stage".to_owned(),
        )),
        rates(),
        1..u32::MAX,
        labels(),
    );
    let steps = vec((option::of(durations()), labels()), 0..3);
    let followed = (
        steps,
        0..2_u32,
        0..2_u32,
        option::of(names()),
        0..2_u32,
        name_globs(),
    );
    let chosen = (tags(), excludes());
    (access, followed, chosen).prop_map(move |(access, followed, chosen)| {
        let (assume_role, profile, endpoint_url, requests_per_second, burst, labels) = access;
        let (steps, workflows, builds, by_name, by_arn, images) = followed;
        let id = |n: u32| format!("{at:08x}-89ab-cdef-0123-{n:012}");
        let arn = |kind: &str, n| format!("arn:aws:imagebuilder:us-west-2:{at:012}:{kind}/a{n}");
        let steps = (0..).zip(steps).map(|(n, (own, labels))| ListedStep {
            id: format!("step-{}", id(n)).parse().unwrap(),
            interval: own.filter(|own| *own != interval).map(Box::new),
            labels: (!labels.is_empty()).then(|| Box::new(labels)),
        });
        let by_arn = (0..by_arn).map(|n| PipelineArn::parse(&arn("image-pipeline", n)).unwrap());
        let by_name = by_name.into_iter().map(PipelineSelector::Name);
        let builds = (0..builds).map(|n| ImageArn::parse(&(arn("image", n) + "/1.0.0/1")).unwrap());
        valid(Target {
            name: format!("t{at}"),
            regions: vec!["us-west-2".to_owned()],
            assume_role,
            profile,
            endpoint_url,
            rate_limit: RateLimit {
                requests_per_second,
                burst: NonZeroU32::new(burst).unwrap(),
            },
            labels,
            step_executions: steps.collect(),
            workflow_executions: (0..workflows)
                .map(|n| format!("wf-{}", id(n)).parse().unwrap())
                .collect(),
            image_build_versions: builds.collect(),
            pipelines: by_name.chain(by_arn.map(PipelineSelector::Arn)).collect(),
            images,
            tags: chosen.0,
            exclude: chosen.1,
        })
    })
}

/// Lets the target select something, and narrow only what it selects.
fn valid(mut target: Target) -> Target {
    let lists = target.write();
    if !LISTS
        .iter()
        .any(|list| lists.iter().any(|(key, _)| key == list))
    {
        target.images.push(built("*").unwrap());
    }
    if target.pipelines.is_empty() && target.images.is_empty() {
        target.tags.clear();
        target.exclude = Exclude::default();
    }
    target
}

prop_compose! {
    fn all_metrics()(
        sparse: bool,
        retention in durations(),
        retention_failed in durations(),
        counter_warmup in prop_oneof![Just(Duration::ZERO), durations()],
        counter_retention in prop_oneof![Just(0), 3_600..1_000_000_u64].prop_map(Duration::from_secs),
        duration_buckets in prop::collection::btree_set(durations(), 1..5),
        tag_labels in vec("\\PC{1,9}", 0..3),
        message_labels: bool,
        series_limit: u32,
    ) -> Metrics {
        let tags = tag_labels.into_iter().map(TagLabel::of);
        Metrics {
            status_format: if sparse { StatusFormat::Sparse } else { StatusFormat::Stateset },
            retention,
            retention_failed,
            counter_warmup,
            counter_retention,
            duration_buckets: duration_buckets.into_iter().collect(),
            tag_labels: once(tags.collect(), |tag| tag.label.clone()),
            message_labels,
            series_limit,
        }
    }
}

prop_compose! {
    fn budgets()(
        step in any_globs(),
        workflow in any_globs(),
        image in any_globs(),
        max_duration in durations(),
    ) -> DurationBudget {
        DurationBudget { step, workflow, image, max_duration }
    }
}

prop_compose! {
    fn left_out()(step in any_globs(), workflow in any_globs(), image in any_globs()) -> BaselineExclude {
        BaselineExclude { step, workflow, image }
    }
}

prop_compose! {
    fn baselines()(
        enabled: bool,
        history in 0..=50_usize,
        exclude in vec(left_out(), 0..3),
    ) -> BaselineSettings {
        BaselineSettings { enabled, history, exclude }
    }
}

prop_compose! {
    fn all_polling()(
        interval in durations(),
        discovery_interval in durations(),
        request_timeout in durations(),
        concurrent in 1..10_000_usize,
        failure_details: bool,
    ) -> Polling {
        Polling {
            interval,
            discovery_interval,
            request_timeout,
            max_concurrent_requests: NonZeroUsize::new(concurrent).unwrap(),
            failure_details,
        }
    }
}

fn configs() -> impl Strategy<Value = Config> {
    let parts = (
        all_polling(),
        all_metrics(),
        vec(budgets(), 0..3),
        baselines(),
    );
    parts.prop_flat_map(|(polling, metrics, duration_budgets, baselines)| {
        let interval = polling.interval;
        (targets(0, interval), option::of(targets(1, interval))).prop_map(move |(first, second)| {
            Config {
                polling: polling.clone(),
                metrics: metrics.clone(),
                duration_budgets: duration_budgets.clone(),
                baselines: baselines.clone(),
                targets: std::iter::once(first).chain(second).collect(),
            }
        })
    })
}

/// Texts that a reader of YAML 1.1 or 1.2 takes for another type, by the resolvers of both.
fn typed_texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "~|null|Null|NULL|y|Y|n|N|(yes|no|on|off|true|false)",
        "Yes|No|On|Off|True|False|YES|NO|ON|OFF|TRUE|FALSE|=|<<",
        "[-+]?(0b[01_]{1,4}|0x[0-9a-fA-F_]{1,4}|0o[0-7]{1,4}|0[0-7_]{0,4}|[1-9][0-9_]{0,4})",
        "[-+]?[1-9][0-9_]{0,2}(:[0-5]?[0-9]){1,3}(\\.[0-9_]{0,3})?",
        "[-+]?([0-9][0-9_]{0,3})?\\.[0-9_]{1,3}([eE][-+]?[0-9]{1,2})?",
        "[-+]?[0-9]{1,3}(\\.[0-9]{0,3})?[eE][-+]?[0-9]{1,2}",
        "[-+]?\\.(inf|Inf|INF)|\\.(nan|NaN|NAN)",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9]{2}:[0-9]{2}:[0-9]{2}Z)?",
    ]
}

proptest! {
    #[test]
    fn text_that_could_be_read_as_another_type_is_quoted(text in typed_texts()) {
        let env = |name: &str| (name == "TEXT").then(|| text.clone());
        let file = "targets: [{name: a, regions: [us-west-2], images: [a], labels: {own: '${TEXT}'}}]";
        let written = Config::read("written", file, &env).unwrap().config.effective();
        let line = written.lines().find_map(|line| line.trim().strip_prefix("own: "));
        let is_quoted = line.is_some_and(|value| value.starts_with(['"', '\'']));
        prop_assert!(is_quoted, "{}", written);
    }

    #[test]
    fn what_is_written_is_read_as_the_same_configuration(config in configs()) {
        prop_assert_eq!(read_back(&config), config);
    }
}
