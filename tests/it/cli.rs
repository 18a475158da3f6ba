//! The command line: what is taken, what is refused, and how the program ends when it cannot start.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::process::{Ended, Setup};

/// One step nobody simulates: what needs no answer needs no simulator.
const CONFIG: &str = "\
targets:
  - name: main
    regions: [us-west-2]
    endpoint_url: http://127.0.0.1:9
    step_executions: [step-2e6fef0d-657c-4b7e-8706-ff24da9afa01]
";

const MISTAKES: &str = "\
polling:
  interval: 0s
targets:
  - name: main
    regions: [us-west-2]
    step_executions: [step-1]
    colour: blue
";

async fn run(arguments: &[&str]) -> Ended {
    let with_all = |setup: Setup, argument: &&str| setup.arg(argument);
    arguments.iter().fold(Setup::new(), with_all).run().await
}

#[tokio::test]
async fn help_and_version_are_printed_on_standard_output() {
    let help = run(&["--help"]).await;
    assert_eq!(help.code, Some(0));
    let text = help.stdout.join("\n");
    for told in [
        "check-config",
        "demo",
        "simulate",
        "--config.file",
        "[default: imagebuilder_exporter.yaml]",
        "--aws.region",
        "--shard.index",
        "--shard.total",
        "--web.listen-address",
        "[default: :10850]",
        "--web.telemetry-path",
        "[default: /metrics]",
        "--web.enable-lifecycle",
        "--log.level",
        "[possible values: error, warn, info, debug, trace]",
        "--log.format",
        "[possible values: logfmt, json]",
        "IMAGEBUILDER_EXPORTER_WEB_ENABLE_LIFECYCLE",
    ] {
        assert!(text.contains(told), "{told}\n{text}");
    }
    let version = run(&["--version"]).await;
    assert_eq!(version.code, Some(0));
    let name = concat!("imagebuilder_exporter ", env!("CARGO_PKG_VERSION"), " (");
    assert!(version.stdout[0].starts_with(name), "{version:?}");
}

#[tokio::test]
async fn unknown_flag_is_bad_usage() {
    for arguments in [
        &["--no.such-flag"][..],
        &["--aws.region=oregon"],
        &["--aws.region="],
        &["--aws.region=us-west-2,us-west-2"],
        &["--aws.region=us-west-2", "--aws.region=us-west-2"],
        &["--aws.region=us-west-2", "--config.file=config.yaml"],
        &["demo", "--aws.region=us-west-2"],
        &["--shard.index=1"],
        &["--shard.index=3", "--shard.total=3"],
        &["--shard.index=-1"],
        &["--shard.total=0"],
        &["--shard.total=101"],
        &["--shard.total="],
        &["demo", "--shard.total=2"],
        &["check-config", "--shard.total=2", "config.yaml"],
        &["--web.max-requests=many"],
        &["--web.external-url=localhost"],
        &["--web.external-url=https://localhost/?page=1"],
        &["--config.enable-auto-reload=often"],
        &["doctor", "config.yaml"],
        &["doctor", "--aws.region=oregon"],
        &["doctor", "--aws.region=us-west-2,us-west-2"],
        &[
            "doctor",
            "--aws.region=us-west-2",
            "--config.file=config.yaml",
        ],
        &["doctor", "--web.listen-address=:0"],
        &["check-config"],
        &["check-config", "--strict", "config.yaml"],
        &["simulate"],
        &["simulate", "--listen-address=localhost"],
        &["simulate", "--listen-address=127.0.0.1:0", "--seed=some"],
        &["simulate", "--listen-address=127.0.0.1:0", "--speed=fast"],
        &["--log.level=loud"],
        &["--log.format=xml"],
        &["--web.telemetry-path=metrics"],
        &["--web.telemetry-path=/-/metrics"],
        &["--web.telemetry-path=/api/v1/steps"],
        &["--web.telemetry-path=/config"],
        &["--web.enable-lifecycle=maybe"],
        &["demo", "--config.file=config.yaml"],
    ] {
        let ended = run(arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?} {ended:?}");
        assert!(ended.stdout.is_empty(), "{arguments:?} {ended:?}");
        let says = ended
            .stderr
            .first()
            .is_some_and(|l| l.starts_with("error:"));
        assert!(says, "{arguments:?} {ended:?}");
    }
}

#[tokio::test]
async fn invalid_value_is_reported_with_a_valid_example() {
    for (arguments, right) in [
        (
            &["simulate", "--listen-address=localhost"][..],
            "such as 127.0.0.1:10851 or",
        ),
        (&["simulate", "--speed=fast"], "a number such as 10"),
        (&["simulate", "--seed=some"], "a whole number such as"),
        (&["--shard.total=many"], "a whole number such as"),
    ] {
        let ended = run(arguments).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr[0].contains(right), "{ended:?}");
    }
}

#[tokio::test]
async fn check_config_reports_the_mistakes_of_each_file() {
    let setup = Setup::new();
    setup.files.write("good.yaml", CONFIG);
    setup.files.write("bad.yaml", MISTAKES);
    let fast = CONFIG.replacen("targets:", "polling: {interval: 100ms}\ntargets:", 1);
    setup.files.write("fast.yaml", &fast);
    let setup = setup.arg("check-config").arg("good.yaml").arg("bad.yaml");
    let ended = setup.arg("fast.yaml").arg("none.yaml").run().await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr, [""; 0]);
    let begins = [
        "good.yaml: OK",
        "bad.yaml:2:13: ",
        "bad.yaml:6:23: ",
        "bad.yaml:7:5: ",
        "fast.yaml:3:5: warning: target main needs 10 requests/s to poll 1 listed steps, but \
         the rate limit allows 5, ",
        "fast.yaml: OK",
        "none.yaml",
    ];
    assert_eq!(ended.stdout.len(), begins.len(), "{ended:?}");
    for (line, begin) in ended.stdout.iter().zip(begins) {
        assert!(line.starts_with(begin), "{begin}\n{ended:?}");
    }
}

#[tokio::test]
async fn check_config_succeeds_with_nothing_but_a_warning() {
    let setup = Setup::new();
    let fast = CONFIG.replacen("targets:", "polling: {interval: 100ms}\ntargets:", 1);
    setup.files.write("fast.yaml", &fast);
    let ended = setup.arg("check-config").arg("fast.yaml").run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout.len(), 2, "{ended:?}");
}

#[tokio::test]
async fn missing_configuration_is_reported_with_its_path() {
    let ended = run(&["--web.listen-address=127.0.0.1:0"]).await;
    assert_eq!(ended.code, Some(1));
    let line = ended.stderr.join("\n");
    assert!(line.contains("imagebuilder_exporter.yaml"), "{line}");
    assert!(line.contains("--aws.region=us-west-2"), "{line}");
    assert_eq!(ended.stderr.len(), 1, "{line}");
}

#[tokio::test]
async fn configuration_in_the_default_place_is_found() {
    let setup = Setup::new();
    setup.files.write("imagebuilder_exporter.yaml", CONFIG);
    let exporter = setup.arg("--web.listen-address=127.0.0.1:0").start().await;
    assert_eq!(exporter.get("/-/healthy").await.status, 200);
}

#[tokio::test]
async fn every_mistake_of_the_configuration_is_a_line_on_standard_error() {
    let ended = Setup::exporter(MISTAKES).run().await;
    assert_eq!(ended.code, Some(1));
    let places = [":2:13: ", ":6:23: ", ":7:5: "];
    assert_eq!(ended.stderr.len(), places.len(), "{ended:?}");
    for (line, place) in ended.stderr.iter().zip(places) {
        assert!(line.contains(&format!("config.yaml{place}")), "{ended:?}");
    }
}

#[tokio::test]
async fn port_in_use_is_reported_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let setup = Setup::exporter(CONFIG).env(
        "IMAGEBUILDER_EXPORTER_WEB_LISTEN_ADDRESS",
        &address.to_string(),
    );
    // What the command line says wins over the environment.
    let ended = setup
        .arg(&format!("--web.listen-address={address}"))
        .run()
        .await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let line = ended.stderr.last().unwrap();
    assert!(line.contains(&address.to_string()), "{ended:?}");
    assert!(line.contains("another process listens there"), "{ended:?}");
}

#[tokio::test]
async fn flags_are_read_from_the_environment() {
    let setup = Setup::new();
    setup.files.write("other.yaml", CONFIG);
    let exporter = setup
        .env("IMAGEBUILDER_EXPORTER_CONFIG_FILE", "other.yaml")
        .env(
            "IMAGEBUILDER_EXPORTER_WEB_LISTEN_ADDRESS",
            "127.0.0.1:0,localhost:0",
        )
        .env("IMAGEBUILDER_EXPORTER_WEB_TELEMETRY_PATH", "/steps")
        .env("IMAGEBUILDER_EXPORTER_WEB_ENABLE_LIFECYCLE", "true")
        .env("IMAGEBUILDER_EXPORTER_LOG_LEVEL", "debug")
        .env("IMAGEBUILDER_EXPORTER_LOG_FORMAT", "json")
        .start_with_addresses(2)
        .await;
    let begin = exporter.log()[0].clone();
    assert!(begin.starts_with('{'), "{begin}");
    for address in &exporter.addresses {
        let client = crate::process::Client { address: *address };
        assert_eq!(client.get("/steps").await.status, 200);
        assert_eq!(client.get("/metrics").await.status, 404);
    }
    assert_eq!(exporter.post("/-/reload").await.status, 200);
    exporter.until_line(&["call failed", "DEBUG"]).await;
}

#[tokio::test]
async fn switch_in_the_environment_is_true_or_false_and_nothing_else() {
    let switch = "IMAGEBUILDER_EXPORTER_WEB_ENABLE_LIFECYCLE";
    let off = Setup::exporter(CONFIG).env(switch, "false").start().await;
    assert_eq!(off.post("/-/reload").await.status, 403);
    for wrong in ["maybe", "1", ""] {
        let ended = Setup::exporter(CONFIG).env(switch, wrong).run().await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
    }
}

#[tokio::test]
async fn bad_value_in_the_environment_is_bad_usage() {
    for (variable, wrong) in [
        ("IMAGEBUILDER_EXPORTER_LOG_LEVEL", "loud"),
        ("IMAGEBUILDER_EXPORTER_LOG_FORMAT", "xml"),
        ("IMAGEBUILDER_EXPORTER_WEB_TELEMETRY_PATH", "metrics"),
    ] {
        let ended = Setup::exporter(CONFIG).env(variable, wrong).run().await;
        assert_eq!(ended.code, Some(2), "{variable} {ended:?}");
    }
}

#[tokio::test]
async fn regions_replace_a_configuration_file_and_conflict_with_one() {
    let variable = "IMAGEBUILDER_EXPORTER_AWS_REGION";
    for setup in [
        Setup::new()
            .arg("--aws.region=us-west-2")
            .arg("--aws.region=us-east-1"),
        Setup::new().env(variable, "us-west-2,us-east-1"),
    ] {
        // It is not even read.
        setup.files.write("imagebuilder_exporter.yaml", MISTAKES);
        let exporter = setup
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .arg("--web.listen-address=127.0.0.1:0")
            .start()
            .await;
        let scrape = exporter.scrape().await;
        let tracked = "imagebuilder_exporter_tracked_steps{target=\"default\",state=\"active\"}";
        assert_eq!(scrape.labels(tracked, "region"), ["us-west-2", "us-east-1"]);
        // There is nothing to read anew, and nothing wrong with that.
        exporter.signal("HUP");
        exporter.until_line(&["configuration reloaded"]).await;
        let successful = "imagebuilder_exporter_config_last_reload_successful{}";
        assert_eq!(exporter.scrape().await.value(successful), Some(1.0));
    }
    for setup in [
        Setup::exporter(CONFIG).env(variable, "us-west-2"),
        Setup::new()
            .arg("--aws.region=us-west-2")
            .env("IMAGEBUILDER_EXPORTER_CONFIG_FILE", "config.yaml"),
    ] {
        let ended = setup.run().await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        let line = &ended.stderr[0];
        assert!(line.contains("--aws.region replaces"), "{ended:?}");
        assert!(line.contains("--config.file"), "{ended:?}");
    }
}

#[tokio::test]
async fn environment_of_the_exporter_does_not_disturb_its_commands() {
    let setup = Setup::new()
        .env("IMAGEBUILDER_EXPORTER_CONFIG_FILE", "other.yaml")
        .env("IMAGEBUILDER_EXPORTER_AWS_REGION", "us-west-2,us-west-2")
        .env("IMAGEBUILDER_EXPORTER_WEB_LISTEN_ADDRESS", "127.0.0.1:0")
        .env("IMAGEBUILDER_EXPORTER_WEB_ENABLE_LIFECYCLE", "true")
        .env("IMAGEBUILDER_EXPORTER_LOG_LEVEL", "debug");
    setup.files.write("good.yaml", CONFIG);
    let ended = setup.arg("check-config").arg("good.yaml").run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, ["good.yaml: OK"]);
}

#[tokio::test]
async fn listen_address_may_be_repeated() {
    let setup = Setup::exporter(CONFIG).arg("--web.listen-address=127.0.0.1:0");
    let exporter = setup.start_with_addresses(2).await;
    assert_ne!(exporter.addresses[0], exporter.addresses[1]);
    for address in &exporter.addresses {
        let client = crate::process::Client { address: *address };
        assert_eq!(client.get("/-/healthy").await.status, 200);
    }
}

#[tokio::test]
async fn invalid_address_is_rejected_with_examples() {
    let ended = Setup::exporter(CONFIG)
        .arg("--web.listen-address=10850")
        .run()
        .await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let line = ended.stderr.last().unwrap();
    assert!(line.contains("like :10850, 127.0.0.1:10850"), "{ended:?}");
}

#[tokio::test]
async fn simulator_serves_this_machine_alone_and_needs_a_good_scenario() {
    let ended = run(&["simulate", "--listen-address=0.0.0.0:0"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr[0].contains("127.0.0.1:0"), "{ended:?}");
    let scenario = "--scenario=none.yaml";
    let ended = run(&["simulate", "--listen-address=127.0.0.1:0", scenario]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr[0].contains("none.yaml"), "{ended:?}");
}

#[test]
fn closed_pipe_is_no_error_and_a_full_disk_is_reported() {
    let setup = Setup::new();
    let file = setup.files.write("config.yaml", CONFIG);
    let check_into = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagebuilder_exporter"));
        let checked = command.arg("check-config").arg(&file).stdout(out).output();
        let checked = checked.unwrap();
        (
            checked.status.code(),
            String::from_utf8(checked.stderr).unwrap(),
        )
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(check_into(writer.into()), (Some(1), String::new()));
    let full = File::create("/dev/full").unwrap();
    let told = "cannot write to standard output: No space left on device (os error 28)\n";
    assert_eq!(check_into(full.into()), (Some(1), told.to_owned()));
}

#[tokio::test]
async fn invalid_proxy_is_reported_without_its_password() {
    for proxy in ["ftp://user:secret@proxy:21", "http://user:secret@"] {
        let ended = Setup::exporter(CONFIG)
            .env("https_proxy", proxy)
            .run()
            .await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let line = ended.stderr.last().unwrap();
        assert!(
            line.starts_with("https_proxy names no proxy: expected http://HOST:PORT"),
            "{line}"
        );
        assert!(!line.contains("secret"), "{line}");
    }
}
