//! The configuration file as its users meet it: what is accepted, and what is warned of.

mod bad_files;
mod discovery;
mod mutations;
mod reference;
mod schema;
mod step_files;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use imagebuilder_exporter::config::{Checked, Config, Problem, StatusFormat, check_config};
use imagebuilder_exporter::labels::names::RESERVED;

const STEP: &str = "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The environment of the tests; `SECRET` must never be seen in a message.
fn env(name: &str) -> Option<String> {
    match name {
        "SECRET" => Some("hunter2".to_owned()),
        "NUMBER" => Some("8".to_owned()),
        "STEP" => Some(STEP.to_owned()),
        _ => None,
    }
}

fn read(text: &str) -> Result<Checked, Vec<Problem>> {
    Config::read("file.yaml", text, &env)
}

fn accepted(text: &str) -> Config {
    read(text)
        .unwrap_or_else(|problems| panic!("{}", lines(&problems)))
        .config
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect()
}

#[test]
fn what_is_left_out_takes_its_default() {
    let config = accepted(&format!(
        "targets: [{{name: a, regions: [us-west-2], step_executions: [{STEP}]}}]"
    ));
    assert_eq!(config.polling.interval, Duration::from_secs(30));
    assert_eq!(config.polling.request_timeout, Duration::from_secs(10));
    assert_eq!(config.polling.max_concurrent_requests.get(), 16);
    assert_eq!(config.metrics.status_format, StatusFormat::Stateset);
    assert!(!config.metrics.message_labels);
    assert!(config.duration_budgets.is_empty());
    let target = &config.targets[0];
    assert_eq!(target.assume_role, None);
    assert_eq!(target.profile, None);
    assert_eq!(target.endpoint_url, None);
    assert_eq!(target.rate_limit.requests_per_second, 5.0);
    assert_eq!(target.rate_limit.burst.get(), 10);
    assert!(target.labels.is_empty());
    assert_eq!(target.step_executions[0].id.to_string(), STEP);
    assert_eq!(
        target.step_executions[0].interval(&config.polling),
        Duration::from_secs(30)
    );
}

#[test]
fn a_listed_step_takes_the_polling_interval_unless_it_has_its_own() {
    let config = accepted(
        "polling: {interval: 1m30s}
targets:
  - name: a
    regions: [us-west-2]
    step_executions:
      - step-00000000-0000-0000-0000-000000000001
      - {id: step-00000000-0000-0000-0000-000000000002, interval: 500ms, labels: {change: CHG0042}}
",
    );
    let steps = &config.targets[0].step_executions;
    assert_eq!(steps[0].interval(&config.polling), Duration::from_secs(90));
    assert_eq!(
        steps[1].interval(&config.polling),
        Duration::from_millis(500)
    );
    assert_eq!(steps[1].labels.as_ref().unwrap()["change"], "CHG0042");
}

#[test]
fn a_substituted_value_is_read_as_what_is_wanted_there() {
    let config = accepted(
        "polling: {max_concurrent_requests: '${NUMBER}', interval: \"${ABSENT:-5}s\"}
metrics:
  message_labels: ${ABSENT:-true}
targets:
  - name: a-${NUMBER}
    regions: ['${REGION:-us-west-2}']
    rate_limit: {requests_per_second: \"${ABSENT:-2.5}\"}
    assume_role:
      role_arn: arn:aws:iam::111122223333:role/a
      external_id: ${SECRET}
    labels: {price: 5$$, eight: \"${NUMBER}\"}
    step_executions: [\"${STEP}\"]
",
    );
    assert_eq!(config.polling.max_concurrent_requests.get(), 8);
    assert_eq!(config.polling.interval, Duration::from_secs(5));
    assert!(config.metrics.message_labels);
    let target = &config.targets[0];
    assert_eq!(target.name, "a-8");
    assert_eq!(target.regions, ["us-west-2"]);
    assert_eq!(target.rate_limit.requests_per_second, 2.5);
    let role = target.assume_role.as_ref().unwrap();
    assert_eq!(role.external_id.as_deref(), Some("hunter2"));
    assert_eq!(role.session_name, "imagebuilder-exporter");
    assert_eq!(target.labels["price"], "5$");
    assert_eq!(target.labels["eight"], "8");
    assert_eq!(target.step_executions[0].id.to_string(), STEP);
}

#[test]
fn anchors_and_aliases_are_read() {
    let config = accepted(
        "targets:
  - name: a
    regions: &regions [us-west-2]
    labels: &labels {team: platform}
    step_executions: [step-00000000-0000-0000-0000-000000000001]
  - name: b
    regions: *regions
    labels: *labels
    step_executions: [step-00000000-0000-0000-0000-000000000002]
",
    );
    assert_eq!(config.targets[1].regions, ["us-west-2"]);
    assert_eq!(config.targets[1].labels["team"], "platform");
}

#[test]
fn budgets_match_by_glob() {
    let config = accepted(&format!(
        "duration_budgets:
  - {{step: '{{Apply,Run}}*', image: golden-*, max_duration: 45m}}
  - {{max_duration: 2h}}
targets: [{{name: a, regions: [us-west-2], step_executions: [{STEP}]}}]"
    ));
    let [first, second] = config.duration_budgets.as_slice() else {
        panic!("{:?}", config.duration_budgets)
    };
    assert!(
        first
            .step
            .compile_matcher()
            .is_match("ApplyBuildComponents")
    );
    assert!(!first.step.compile_matcher().is_match("CreateOutputAMI"));
    assert!(first.workflow.compile_matcher().is_match("anything"));
    assert!(first.image.compile_matcher().is_match("golden-linux"));
    assert_eq!(first.max_duration, Duration::from_secs(45 * 60));
    assert!(second.step.compile_matcher().is_match("CreateOutputAMI"));
}

#[test]
fn every_glob_that_is_accepted_compiles() {
    for glob in [
        "?".repeat(256),
        "{".repeat(128) + &"}".repeat(128),
        "[!a-z]".repeat(42),
        "{a,b}*".repeat(42),
        "\u{e9}".repeat(128),
        "a\\*".to_owned(),
    ] {
        let config = accepted(&format!(
            "duration_budgets: [{{step: '{glob}', max_duration: 1h}}]
targets: [{{name: a, regions: [us-west-2], step_executions: [{STEP}]}}]"
        ));
        config.duration_budgets[0].step.compile_matcher();
    }
}

fn warnings(text: &str) -> String {
    match read(text) {
        Ok(checked) => lines(&checked.warnings),
        Err(problems) => panic!("{}", lines(&problems)),
    }
}

#[test]
fn polling_beyond_the_rate_limit_is_warned_of_with_both_figures() {
    let text = |interval: &str| {
        format!(
            "polling: {{interval: {interval}}}
targets:
  - name: a
    regions: [us-west-2]
    rate_limit: {{requests_per_second: 0.5}}
    step_executions:
      - step-00000000-0000-0000-0000-000000000001
      - step-00000000-0000-0000-0000-000000000002
      - {{id: step-00000000-0000-0000-0000-000000000003, interval: 10s}}
"
        )
    };
    assert_eq!(
        warnings(&text("4s")),
        "file.yaml:3:5: target a needs 0.6 requests/s to poll 3 listed steps, but the rate limit allows 0.5, so polls will be overdue unless they share workflow executions; increase the intervals to 6s or requests_per_second to 1\n"
    );
    assert_eq!(warnings(&text("5s")), "");
}

#[test]
fn targets_of_one_limit_are_warned_of_together() {
    let text = "targets:
  - name: a
    regions: [us-west-2]
    profile: x
    rate_limit: {requests_per_second: 5}
    step_executions: [{id: step-00000000-0000-0000-0000-000000000001, interval: 1s}]
  - name: other-region
    regions: [us-east-1]
    profile: x
    rate_limit: {requests_per_second: 1}
    step_executions: [{id: step-00000000-0000-0000-0000-000000000002, interval: 1s}]
  - name: other-profile
    regions: [us-west-2]
    rate_limit: {requests_per_second: 1}
    step_executions: [{id: step-00000000-0000-0000-0000-000000000003, interval: 1s}]
  - name: other-role
    regions: [us-west-2]
    profile: x
    assume_role: {role_arn: arn:aws:iam::111122223333:role/a}
    rate_limit: {requests_per_second: 1}
    step_executions: [{id: step-00000000-0000-0000-0000-000000000005, interval: 1s}]
  - name: b
    regions: [us-west-2]
    profile: x
    rate_limit: {requests_per_second: 1}
    step_executions: [{id: step-00000000-0000-0000-0000-000000000004, interval: 1s}]
";
    assert_eq!(
        warnings(text),
        "file.yaml:2:5: targets a, b, which share one rate limit, need 2 requests/s to poll 2 listed steps, but the rate limit allows 1, so polls will be overdue unless they share workflow executions; increase the intervals to 2s or requests_per_second to 2\n"
    );
    let config = accepted(text);
    let keys: Vec<_> = config
        .targets
        .iter()
        .map(|target| target.limit_key(&target.regions[0]))
        .collect();
    assert_eq!(keys[0], keys[4]);
    assert_ne!(keys[0], keys[3]);
    assert_ne!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
}

#[test]
fn fractions_that_add_up_to_the_limit_are_no_reason_to_warn() {
    let steps: String = (0..50)
        .map(|n| format!("      - step-00000000-0000-0000-0000-{n:012}\n"))
        .collect();
    let text = format!(
        "polling: {{interval: 10s}}\ntargets:\n  - name: a\n    regions: [us-west-2]\n    step_executions:\n{steps}"
    );
    assert_eq!(warnings(&text), "");
}

#[test]
fn a_file_is_checked_from_its_path() {
    let directory = std::env::temp_dir().join(format!("config-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let good = root().join("config/minimal.yaml");
    let missing = directory.join("missing.yaml");
    let latin1 = directory.join("latin1.yaml");
    fs::write(&latin1, b"# one\nname: \xc3\xa9t\xe9\n").unwrap();
    let mut out = Vec::new();
    let files = [&good, &missing, &latin1, &directory];
    assert!(!check_config(&files, None, &env, &mut out).unwrap());
    let expected = format!(
        "{}: OK\n\
         {}:1:1: the file does not exist; create it, or correct the path\n\
         {}:2:9: this byte is not UTF-8; save the file as UTF-8\n\
         {}:1:1: this is a directory; name a file\n",
        good.display(),
        missing.display(),
        latin1.display(),
        directory.display()
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn warnings_of_a_file_come_before_its_ok() {
    let file = std::env::temp_dir().join(format!("warned-{}.yaml", std::process::id()));
    fs::write(
        &file,
        format!("targets: [{{name: a, regions: [us-west-2], step_executions: [{{id: {STEP}, interval: 100ms}}]}}]"),
    )
    .unwrap();
    let mut out = Vec::new();
    assert!(check_config(&[&file], None, &env, &mut out).unwrap());
    let out = String::from_utf8(out).unwrap();
    let out: Vec<&str> = out.lines().collect();
    assert_eq!(out.len(), 2, "{out:?}");
    assert!(
        out[0].starts_with(&format!(
            "{}:1:11: warning: target a needs 10 requests/s",
            file.display()
        )),
        "{out:?}"
    );
    assert_eq!(out[1], format!("{}: OK", file.display()));
    fs::remove_file(&file).unwrap();
}

#[test]
fn every_reserved_label_is_refused() {
    for label in RESERVED {
        let text = format!(
            "targets: [{{name: a, regions: [us-west-2], labels: {{{label}: x}}, step_executions: [{STEP}]}}]"
        );
        let problems = read(&text).unwrap_err();
        assert!(
            lines(&problems).contains(&format!("labels.{label}: this label name is reserved")),
            "{label}"
        );
    }
    let distinct: BTreeSet<_> = RESERVED.iter().collect();
    assert_eq!(distinct.len(), RESERVED.len());
}

#[test]
fn ten_thousand_steps_are_read_whole() {
    let steps: String = (0..10_000)
        .map(|n| format!("      - {{id: step-00000000-0000-0000-0000-{n:012x}, interval: 1h}}\n"))
        .collect();
    let config = accepted(&format!(
        "targets:\n  - name: a\n    regions: [us-west-2]\n    step_executions:\n{steps}"
    ));
    assert_eq!(config.targets[0].step_executions.len(), 10_000);
}
