//! SIGTERM and SIGINT: everything ends within five seconds, and scrapes under way are answered.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use imagebuilder_exporter::simulator::Effect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::process::{Exporter, PATIENCE, Setup, Simulated, parse};

const WITHIN: Duration = Duration::from_secs(5);

const SCENARIO: &str = r#"
pipelines:
  - name: golden
    account: "111122223333"
    region: us-west-2
    first: -10m
    builds: 1
    workflows:
      - name: own-build
        steps:
          - {name: ApplyBuildComponents, action: ExecuteComponents, duration: 2h}
"#;
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
        let simulated = Simulated::start(SCENARIO).await;
        let exporter = Setup::exporter(&simulated.config(&[STEP])).start().await;
        exporter.until_ready().await;
        ends_well(exporter, signal).await;
    }
}

#[tokio::test]
async fn exporter_ends_while_aws_does_not_answer() {
    let simulated = Simulated::start(SCENARIO).await;
    simulated.spoil_all(Effect::NoAnswer);
    let config = simulated.config(&[STEP]).replace("5s", "1h");
    let exporter = Setup::exporter(&config).start().await;
    simulated.until_asked_for(STEP).await;
    ends_well(exporter, "TERM").await;
}

/// A file system or a name server that does not answer holds a thread that nobody can stop.
#[tokio::test]
async fn exporter_ends_while_a_file_of_the_credentials_cannot_be_read() {
    let simulated = Simulated::start(SCENARIO).await;
    let setup = Setup::exporter(&simulated.config(&[STEP])).without_credentials();
    let token = setup.files.path("token");
    let made = Command::new("mkfifo").arg(&token).status().unwrap();
    assert!(made.success());
    let exporter = setup
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap())
        .env("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/reader")
        .start()
        .await;
    // A pipe opens when both ends do; nothing is ever written to this one.
    let (opened, reader_came) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || opened.send(File::create(token)));
    let writer = tokio::time::timeout(PATIENCE, reader_came).await;
    let _open = writer.expect("the file is read").unwrap().unwrap();
    ends_well(exporter, "TERM").await;
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
fn much(simulated: &Simulated) -> String {
    let filler = "x".repeat(4_000);
    let ids: Vec<_> = (0..3_000)
        .map(|at| format!("step-00000000-0000-0000-0000-{at:012}"))
        .collect();
    format!(
        "polling: {{interval: 1h}}\n\
         targets:\n  \
           - name: main\n    \
             regions: [us-west-2]\n    \
             endpoint_url: {}\n    \
             labels: {{filler: {filler}}}\n    \
             step_executions: [{}]\n",
        simulated.url,
        ids.join(", ")
    )
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
async fn scrape_under_way_is_answered_to_its_end() {
    let simulated = Simulated::start(SCENARIO).await;
    let exporter = Setup::exporter(&much(&simulated)).start().await;
    let (mut stream, mut bytes) = begun_scrape(&exporter).await;
    exporter.signal("TERM");
    exporter.until_line(&["message=stopping"]).await;
    stream.read_to_end(&mut bytes).await.unwrap();
    let whole = parse(&bytes, false).expect("the answer is whole");
    assert!(whole.body.len() > 20_000_000, "{}", whole.body.len());
    assert!(whole.text().ends_with('\n'));
    let ended = exporter.ended(WITHIN).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn scraper_that_does_not_read_holds_up_nothing() {
    let simulated = Simulated::start(SCENARIO).await;
    let exporter = Setup::exporter(&much(&simulated)).start().await;
    let (_stream, _) = begun_scrape(&exporter).await;
    exporter.signal("TERM");
    let ended = exporter.ended(WITHIN).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = ended.stderr.iter().any(|line| line.contains("are cut off"));
    assert!(told, "{ended:?}");
}
