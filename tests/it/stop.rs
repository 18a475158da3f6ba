//! SIGTERM and SIGINT: everything ends soon, and scrapes under way are answered.

mod signals;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use imagebuilder_exporter::simulator::Effect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::process::{Exporter, PATIENCE, Setup, Simulated, parse};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// Promised are five seconds, of which answers under way get four; a busy machine takes longer for them.
/// What could hold the end up here would do so for good.
const WITHIN: Duration = Duration::from_secs(60);

fn scenario() -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden").workflow(
        "own-build",
        ["ApplyBuildComponents, action: ExecuteComponents, duration: 2h"],
    )])
}
const STEP: &str = "ApplyBuildComponents";

async fn ends_well(exporter: Exporter, signal: &str) {
    exporter.signal(signal);
    let ended = exporter.ended(WITHIN).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let last = ended.stderr.last().unwrap();
    assert!(last.contains("message=stopped"), "{ended:?}");
}

#[tokio::test]
async fn either_signal_ends_the_exporter() {
    for signal in ["TERM", "INT"] {
        let simulated = Simulated::start(scenario()).await;
        let exporter = Setup::exporter(&simulated.config(&[STEP])).start().await;
        exporter.until_ready().await;
        ends_well(exporter, signal).await;
    }
}

#[tokio::test]
async fn exporter_ends_while_aws_does_not_respond() {
    let simulated = Simulated::start(scenario()).await;
    simulated.spoil_all(Effect::NoAnswer);
    let config = simulated.config(&[STEP]).replace("30s", "1h");
    let exporter = Setup::exporter(&config).start().await;
    simulated.until_asked_for(STEP).await;
    ends_well(exporter, "TERM").await;
}

#[tokio::test]
async fn exporter_ends_while_sts_does_not_respond() {
    let simulated = Simulated::start(scenario()).await;
    let sts = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = TargetText::new("role").at(&simulated.url);
    let target = target
        .steps([simulated.id(STEP)])
        .with("assume_role: {role_arn: \"arn:aws:iam::111122223333:role/exporter\"}");
    let config = ConfigText::of([target])
        .with("polling: {interval: 200ms, request_timeout: 1h}")
        .text();
    let url = format!("http://{}", sts.local_addr().unwrap());
    let setup = Setup::exporter(&config).env("AWS_ENDPOINT_URL_STS", &url);
    let exporter = setup.start().await;
    let (mut asked, _) = tokio::time::timeout(PATIENCE, sts.accept())
        .await
        .unwrap()
        .unwrap();
    assert!(asked.read(&mut [0]).await.unwrap() > 0);
    ends_well(exporter, "TERM").await;
}

/// Sees to it that looking up a name without dots hangs. The resolver of glibc reads the file that
/// HOSTALIASES names before it asks a name server, and this one never ends: a pipe that nobody
/// writes to. Where a service of the system resolves names nothing hangs, and nothing is proven.
#[cfg(target_env = "gnu")]
struct NoNames {
    pipe: PathBuf,
}

#[cfg(target_env = "gnu")]
impl NoNames {
    fn of(setup: Setup) -> (Self, Setup) {
        let pipe = setup.files.path("aliases");
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let setup = setup.env("HOSTALIASES", pipe.to_str().unwrap());
        (Self { pipe }, setup)
    }

    /// Until a look-up hangs. A pipe opens when both ends do.
    async fn hang(self) -> File {
        let (opened, reader_came) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || opened.send(File::create(self.pipe)));
        reader_came.await.unwrap().unwrap()
    }
}

/// A thread that asks a name server ends when that answers, and nobody can stop it before.
#[cfg(target_env = "gnu")]
#[tokio::test]
async fn exporter_ends_while_a_name_server_does_not_respond() {
    let simulated = Simulated::start(scenario()).await;
    let config = simulated.config(&[STEP]);
    let config = config.replace(&simulated.url, "http://imagebuilder:80");
    let (names, setup) = NoNames::of(Setup::exporter(&config));
    let exporter = setup.start().await;
    let failed = "imagebuilder_exporter_api_requests_total{\
                  operation=\"GetWorkflowStepExecution\",result=\"network\"}";
    let _open = tokio::select! {
        open = names.hang() => Some(open),
        _ = exporter.until_over(failed, 0.0) => None,
    };
    ends_well(exporter, "TERM").await;
}

#[cfg(target_env = "gnu")]
#[tokio::test]
async fn signals_are_handled_while_the_exporter_starts() {
    let simulated = Simulated::start(scenario()).await;
    let setup = Setup::exporter(&simulated.config(&[STEP]));
    let setup = setup.arg("--web.listen-address=nowhere:0");
    let (names, setup) = NoNames::of(setup);
    let exporter = setup.start().await;
    let hanging = tokio::select! {
        open = names.hang() => Some(open),
        _ = exporter.until_line(&["cannot listen on nowhere:0"]) => None,
    };
    if hanging.is_some() {
        // Unheard, it would end the process.
        exporter.signal("HUP");
        exporter.signal("TERM");
        let ended = exporter.ended(WITHIN).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

/// A file system that does not answer holds a thread that nobody can stop.
#[tokio::test]
async fn exporter_serves_and_ends_while_a_file_of_the_credentials_cannot_be_read() {
    let simulated = Simulated::start(scenario()).await;
    let config = simulated.config(&[STEP]).replace("30s", "5s");
    let setup = Setup::exporter(&config).without_credentials();
    let token = setup.files.path("token");
    make_pipe(&token);
    let exporter = setup
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap())
        .env("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/reader")
        .start()
        .await;
    let _open = once_read(token).await;
    // Another thread can do the work of one that waits, but not of every one.
    let told = ["result=credentials", "no response within"];
    exporter.until_line(&told).await;
    assert_eq!(exporter.get("/-/healthy").await.status, 200);
    ends_well(exporter, "TERM").await;
}

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// The writing end of a pipe, once somebody reads it: it opens when both ends do.
async fn once_read(pipe: PathBuf) -> File {
    let (opened, reader_came) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || opened.send(File::create(pipe)));
    let writer = tokio::time::timeout(PATIENCE, reader_came).await;
    writer.expect("the file is read").unwrap().unwrap()
}

#[tokio::test]
async fn exporter_serves_and_ends_while_the_shared_aws_configuration_cannot_be_read() {
    let simulated = Simulated::start(scenario()).await;
    let setup = Setup::exporter(&simulated.config(&[STEP]).replace("30s", "5s"));
    let shared = setup.files.path("aws-config");
    make_pipe(&shared);
    let setup = setup.env("AWS_CONFIG_FILE", shared.to_str().unwrap());
    let exporter = setup.start().await;
    let _open = once_read(shared).await;
    let told = ["result=credentials", "the shared AWS configuration files"];
    exporter.until_line(&told).await;
    exporter.until_ready().await;
    ends_well(exporter, "TERM").await;
}

#[tokio::test]
async fn reload_that_cannot_read_its_file_holds_up_neither_polls_nor_the_end() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&simulated.config(&[STEP])).start().await;
    exporter.until_ready().await;
    let file = exporter.files.path("config.yaml");
    std::fs::remove_file(&file).unwrap();
    make_pipe(&file);
    exporter.signal("HUP");
    let _open = once_read(file).await;
    let asked = simulated.asked_for(STEP) as f64;
    let answered = "imagebuilder_exporter_api_requests_total{\
        operation=\"GetWorkflowStepExecution\",result=\"ok\"}";
    exporter.until_over(answered, asked + 3.0).await;
    ends_well(exporter, "TERM").await;
}

#[tokio::test]
async fn exporter_ends_while_its_first_configuration_cannot_be_read() {
    let (exporter, _open) = starting().await;
    exporter.signal("TERM");
    let ended = exporter.ended(WITHIN).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn hangup_while_the_exporter_starts_does_not_end_it() {
    let simulated = Simulated::start(scenario()).await;
    let (exporter, mut open) = starting().await;
    exporter.signal("HUP");
    open.write_all(simulated.config(&[STEP]).as_bytes())
        .unwrap();
    drop(open);
    exporter.until_line(&["message=listening"]).await;
}

/// An exporter that reads its configuration and has not come to its end.
async fn starting() -> (Exporter, File) {
    let setup = Setup::exporter("");
    let file = setup.files.path("config.yaml");
    std::fs::remove_file(&file).unwrap();
    make_pipe(&file);
    let exporter = setup.start_with_addresses(0).await;
    (exporter, once_read(file).await)
}

#[tokio::test]
async fn simulator_ends_as_well() {
    let setup = Setup::new().arg("simulate");
    let running = setup.arg("--listen-address=127.0.0.1:0").start().await;
    running.signal("TERM");
    let ended = running.ended(WITHIN).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// So much text that no socket takes it all at once: each series has a long label.
fn much(simulated: &Simulated, steps: usize) -> String {
    let filler = "x".repeat(4_000);
    let ids = (0..steps).map(|at| format!("step-00000000-0000-0000-0000-{at:012}"));
    let target = TargetText::new("main")
        .with(&format!("endpoint_url: {}", simulated.url))
        .with(&format!("labels: {{filler: {filler}}}"))
        .steps(ids);
    ConfigText::of([target])
        .with("polling: {interval: 1h}")
        .text()
}

/// A connection whose scrape has begun to come, and then waits to be read.
async fn begun_scrape(exporter: &Exporter) -> (TcpStream, Vec<u8>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(exporter.addresses[0]).await.unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: exporter\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut begin = vec![0; 1_024];
    let count = stream.read(&mut begin).await.unwrap();
    begin.truncate(count);
    (stream, begin)
}

#[tokio::test]
async fn scrape_in_progress_is_completed() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&much(&simulated, 700)).start().await;
    let (mut stream, mut bytes) = begun_scrape(&exporter).await;
    exporter.signal("TERM");
    exporter.until_line(&["message=stopping"]).await;
    stream.read_to_end(&mut bytes).await.unwrap();
    let whole = parse(&bytes, false).expect("the answer is whole");
    assert!(whole.body.len() > 5_000_000, "{}", whole.body.len());
    assert!(whole.text().ends_with('\n'));
    let ended = exporter.ended(WITHIN).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn scraper_that_does_not_read_holds_up_nothing() {
    let simulated = Simulated::start(scenario()).await;
    let exporter = Setup::exporter(&much(&simulated, 3_000)).start().await;
    let (_stream, _) = begun_scrape(&exporter).await;
    exporter.signal("TERM");
    let ended = exporter.ended(WITHIN).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = ended
        .stderr
        .iter()
        .any(|line| line.contains("closing the connections that are still open"));
    assert!(told, "{ended:?}");
}
