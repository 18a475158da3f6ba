//! Credentials that a profile gets from a process, `credential_process`.

use std::time::Duration;

use super::{ANSWERED, scenario, with};
use crate::process::{Exporter, Setup, Simulated};

const CREDENTIALS: &str =
    r#"{"Version": 1, "AccessKeyId": "AKIDOFPROFILE", "SecretAccessKey": "s"}"#;

/// An exporter whose profile has this script for its process, which writes a line to `started` first.
async fn exporter(simulated: &Simulated, script: &str) -> (Exporter, std::path::PathBuf) {
    // A call waits for less time than the process takes.
    let config = with(simulated, "profile: slow").replace("30s", "2s");
    let setup = Setup::exporter(&config).without_credentials();
    let started = setup.files.write("started", "");
    let text = format!("echo $$ >> {}\n{script}\n", started.display());
    let script = setup.files.write("script", &text);
    let shared = format!(
        "[profile slow]\ncredential_process = sh {}\n",
        script.display()
    );
    let shared = setup.files.write("aws-config", &shared);
    let setup = setup.env("AWS_CONFIG_FILE", shared.to_str().unwrap());
    (setup.env("PATH", "/usr/bin:/bin").start().await, started)
}

/// Ids of the processes that were started.
fn ids(started: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(started).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn late_result_of_a_process_is_used_and_it_is_the_only_one() {
    let simulated = Simulated::start(scenario()).await;
    let script = format!("sleep 5; echo '{CREDENTIALS}'");
    let (exporter, started) = exporter(&simulated, &script).await;
    exporter.until_over(ANSWERED, 0.0).await;
    assert_eq!(ids(&started).len(), 1);
}

#[tokio::test]
async fn no_process_outlives_the_exporter() {
    let simulated = Simulated::start(scenario()).await;
    let (exporter, started) = exporter(&simulated, "sleep 1000; true").await;
    exporter
        .until_line(&["polling failed", "no response within"])
        .await;
    let ids = ids(&started);
    assert_eq!(ids.len(), 1, "one at a time");
    exporter.signal("TERM");
    exporter.ended(Duration::from_secs(5)).await;
    is_gone(&ids[0], Duration::from_secs(5)).await;
}

#[tokio::test]
async fn hanging_process_is_ended_with_its_children() {
    let simulated = Simulated::start(scenario()).await;
    let log_of_child = "sleep 1000 & echo $! >> $(dirname $0)/started; wait";
    let (exporter, started) = exporter(&simulated, log_of_child).await;
    exporter
        .until_line(&["polling failed", "no response within"])
        .await;
    let ids = ids(&started);
    assert_eq!(ids.len(), 2, "one at a time, and its child");
    for id in ids {
        is_gone(&id, Duration::from_secs(90)).await;
    }
    exporter
        .until_line(&[
            "level=warn",
            "no credentials within 60s; a credential_process was ended",
        ])
        .await;
}

#[tokio::test]
async fn process_that_prints_without_end_is_ended() {
    let simulated = Simulated::start(scenario()).await;
    let endless = "trap '' PIPE; while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done 2>&-";
    let (exporter, started) = exporter(&simulated, endless).await;
    exporter
        .until_line(&[
            "polling failed",
            "credential_process printed more than 65536 bytes, and was ended",
        ])
        .await;
    is_gone(&ids(&started)[0], Duration::from_secs(90)).await;
}

#[tokio::test]
async fn long_standard_error_does_not_stop_a_process() {
    let simulated = Simulated::start(scenario()).await;
    let script = format!("head -c 1000000 /dev/zero >&2; echo '{CREDENTIALS}'");
    let (exporter, _) = exporter(&simulated, &script).await;
    exporter.until_over(ANSWERED, 0.0).await;
}

#[tokio::test]
async fn each_profile_that_leads_to_a_process_uses_it() {
    let role = "role_arn = arn:aws:iam::111122223333:role/short";
    let process = format!("credential_process = echo '{CREDENTIALS}'");
    for (key, profiles) in [
        (
            "profile: role",
            format!("[profile role]\n{role}\nsource_profile = base\n[profile base]\n{process}\n"),
        ),
        (
            "profile: role",
            format!("[profile role]\n{role}\nsource_profile = role\n{process}\n"),
        ),
        ("labels: {team: a}", format!("[default]\n{process}\n")),
    ] {
        let simulated = Simulated::start(scenario()).await;
        let setup = Setup::exporter(&with(&simulated, key)).without_credentials();
        let shared = setup.files.write("aws-config", &profiles);
        let setup = setup
            .env("AWS_CONFIG_FILE", shared.to_str().unwrap())
            .env("AWS_ENDPOINT_URL_STS", &simulated.url)
            .env("PATH", "/usr/bin:/bin");
        setup.start().await.until_over(ANSWERED, 0.0).await;
        let log = simulated.calls.log();
        assert_eq!(log[0].access_key, "AKIDOFPROFILE", "{profiles}");
    }
}

/// Waits until a process has ended.
async fn is_gone(id: &str, within: Duration) {
    let is_alive = || {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    let gone = async {
        while is_alive() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let gone = tokio::time::timeout(within, gone).await;
    assert!(gone.is_ok(), "{id} is still there");
}
