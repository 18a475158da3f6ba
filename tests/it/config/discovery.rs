//! What a target may follow beside single steps, and what else discovery is told.

use std::time::Duration;

use imagebuilder_exporter::config::{Origin, PipelineSelector};

use super::{accepted, lines, read, warnings};

const WORKFLOW: &str = "wf-165b1a2c-7d0e-4f36-9b58-0c6a4e2d7f10";

/// A configuration with one target in two regions.
fn target(keys: &str) -> String {
    format!("targets: [{{name: a, regions: [us-west-2, cn-north-1], {keys}}}]")
}

#[test]
fn what_is_left_out_of_discovery_takes_its_default() {
    let config = accepted(&target("pipelines: ['*']"));
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    assert_eq!(config.polling.discovery_interval, minutes(2));
    let metrics = &config.metrics;
    assert_eq!(metrics.retention, minutes(120));
    assert_eq!(metrics.retention_failed, minutes(24 * 60));
    assert_eq!(metrics.counter_warmup, minutes(2));
    assert_eq!(metrics.counter_retention, minutes(7 * 24 * 60));
    let buckets: Vec<u64> = metrics
        .duration_buckets
        .iter()
        .map(Duration::as_secs)
        .collect();
    assert_eq!(
        buckets,
        [
            15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 43_200
        ]
    );
    assert!(metrics.tag_labels.is_empty());
    let target = &config.targets[0];
    assert!(target.step_executions.is_empty());
    assert!(target.workflow_executions.is_empty());
    assert!(target.image_build_versions.is_empty());
    assert!(target.images.is_empty());
    assert!(target.tags.is_empty());
    assert_eq!(target.exclude, Default::default());
}

#[test]
fn what_to_keep_and_to_count_is_read() {
    let config = accepted(&format!(
        "polling: {{discovery_interval: 30s}}
metrics:
  retention: 1d
  retention_failed: 1w
  counter_warmup: 0s
  counter_retention: 0s
  duration_buckets: [500ms, 1h30m]
  tag_labels: [Team, 'cost-center', 'Übung:1']
{}",
        target("images: ['*']")
    ));
    assert_eq!(config.polling.discovery_interval, Duration::from_secs(30));
    let metrics = &config.metrics;
    assert_eq!(metrics.retention, Duration::from_secs(86_400));
    assert_eq!(metrics.retention_failed, Duration::from_secs(604_800));
    assert_eq!(metrics.counter_warmup, Duration::ZERO);
    assert_eq!(metrics.counter_retention, Duration::ZERO);
    let buckets = [Duration::from_millis(500), Duration::from_secs(5_400)];
    assert_eq!(metrics.duration_buckets, buckets);
    let labels: Vec<_> = metrics
        .tag_labels
        .iter()
        .map(|tag| (&tag.key[..], &tag.label[..]))
        .collect();
    assert_eq!(
        labels,
        [
            ("Team", "tag_Team"),
            ("cost-center", "tag_cost_center"),
            ("Übung:1", "tag__bung_1"),
        ]
    );
    assert_eq!(
        accepted(&format!(
            "metrics: {{counter_warmup: 0}}\n{}",
            target("images: ['*']")
        ))
        .metrics
        .counter_warmup,
        Duration::ZERO
    );
}

#[test]
fn each_list_alone_is_enough_to_follow_something() {
    for list in [
        "pipelines: ['golden-*']",
        "images: ['golden-*']",
        "image_build_versions: ['arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1']",
    ] {
        accepted(&target(list));
    }
    for list in [
        format!("workflow_executions: [{WORKFLOW}]"),
        "step_executions_files: [none.d/*.yaml]".to_owned(),
    ] {
        accepted(&format!(
            "targets: [{{name: a, regions: [us-west-2], {list}}}]"
        ));
    }
}

#[test]
fn pipelines_are_named_by_globs_or_by_arns_of_every_partition() {
    let arn = "arn:aws-cn:imagebuilder:cn-north-1:111122223333:image-pipeline/golden";
    let config = accepted(&target(&format!("pipelines: ['[a-f]*', '{arn}', 'arn*']")));
    let [
        PipelineSelector::Name(some),
        PipelineSelector::Arn(one),
        PipelineSelector::Name(other),
    ] = config.targets[0].pipelines.as_slice()
    else {
        panic!("{:?}", config.targets[0].pipelines);
    };
    assert_eq!(some.glob(), "[a-f]*");
    assert_eq!(one.as_str(), arn);
    assert_eq!(other.glob(), "arn*");
}

#[test]
fn what_is_excluded_and_which_tags_are_asked_for_is_read() {
    let config = accepted(&target(
        "pipelines: ['*'], images: ['*'], tags: {Team: 'plat*', Legacy: ''}, exclude: {pipelines: [x], images: ['y-*'], tags: {Stage: dev}}",
    ));
    let target = &config.targets[0];
    assert_eq!(target.tags["Team"].glob(), "plat*");
    assert!(target.tags["Legacy"].compile_matcher().is_match(""));
    assert!(!target.tags["Legacy"].compile_matcher().is_match("x"));
    assert_eq!(target.exclude.pipelines[0].glob(), "x");
    assert_eq!(target.exclude.images[0].glob(), "y-*");
    assert_eq!(target.exclude.tags["Stage"].glob(), "dev");
}

#[test]
fn two_targets_may_have_the_same_globs() {
    accepted(
        "targets:
  - {name: a, regions: [us-west-2], pipelines: ['golden-*']}
  - {name: b, regions: [us-east-1], pipelines: ['golden-*']}
",
    );
}

#[test]
fn regions_of_the_command_line_are_one_target_that_follows_everything() {
    let regions = ["us-west-2".to_owned(), "eu-west-1".to_owned()];
    let read = Origin::everything_in(&regions).read(&|_| None);
    let checked = read.unwrap_or_else(|invalid| panic!("{}", lines(&invalid.problems)));
    let same = accepted(
        "targets: [{name: default, regions: [us-west-2, eu-west-1], pipelines: ['*'], images: ['*']}]",
    );
    assert_eq!(checked.config, same);
    assert_eq!(checked.warnings, []);
    assert!(!checked.step_files.are_named());
}

#[test]
fn listed_workflow_executions_and_looks_for_images_count_for_the_rate_limit() {
    let text = |interval: &str, keys: &str| {
        format!(
            "polling: {{interval: 1s, discovery_interval: {interval}}}
targets: [{{name: a, regions: [us-west-2], rate_limit: {{requests_per_second: 0.5}}, {keys}}}]"
        )
    };
    assert_eq!(
        warnings(&text("1h", &format!("workflow_executions: [{WORKFLOW}]"))),
        "file.yaml:2:11: target a needs 1 requests/s to poll 1 listed workflow executions, but the rate limit allows 0.5, so polls will be overdue; increase the intervals to 2s or requests_per_second to 1\n"
    );
    assert_eq!(
        warnings(&text("1s", "pipelines: ['*'], images: ['*']")),
        "file.yaml:2:11: target a needs 2 requests/s to discover new images, but the rate limit allows 0.5, so polls will be overdue; increase the intervals to 4s or requests_per_second to 2\n"
    );
    assert_eq!(
        warnings(&text(
            "2s",
            &format!(
                "images: ['*'], workflow_executions: [{WORKFLOW}], step_executions: [step-00000000-0000-0000-0000-000000000001]"
            )
        )),
        "file.yaml:2:11: target a needs 2.5 requests/s to poll 1 listed steps and 1 listed workflow executions and discover new images, but the rate limit allows 0.5, so polls will be overdue unless they share workflow executions; increase the intervals to 6s or requests_per_second to 3\n"
    );
    assert_eq!(warnings(&text("2m", "pipelines: ['*'], images: ['*']")), "");
}

#[test]
fn all_that_a_target_follows_is_told_its_mistakes_at_once() {
    let problems = read(&target(
        "step_executions: [x], workflow_executions: [y], image_build_versions: [z], pipelines: [A], images: [B], tags: {}, exclude: {images: [C]}",
    ))
    .unwrap_err();
    // Both lists of ids are told that they need one region too.
    assert_eq!(problems.len(), 9, "{}", lines(&problems));
}
