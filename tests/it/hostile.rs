//! The exporter under clients that are many, slow or silent: scrapes go on, and memory stays bounded.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::process::{Exporter, LOOK_EVERY, PATIENCE, Setup, Simulated};
use crate::support::config_text::{ConfigText, TargetText};
use crate::support::scenario_text::{PipelineText, ScenarioText};

const STEP: &str = "ApplyBuildComponents";

/// Connections of each kind.
const EACH: usize = 200;

/// The promise of the documentation, in bytes.
const MEMORY: f64 = 150e6;

async fn simulated() -> Simulated {
    Simulated::start(ScenarioText::of([PipelineText::new("golden").workflow(
        "own-build",
        ["ApplyBuildComponents, action: ExecuteComponents, duration: 2h"],
    )]))
    .await
}

/// So many steps that neither a scrape nor a page fits into the buffers of a socket.
fn config(simulated: &Simulated) -> String {
    let ids = (0..600).map(|at| format!("step-00000000-0000-0000-0000-{at:012}"));
    let target = TargetText::new("main")
        .with(&format!("endpoint_url: {}", simulated.url))
        .with("rate_limit: {requests_per_second: 500, burst: 500}")
        .with(&format!("labels: {{filler: {}}}", "x".repeat(2_000)))
        .steps(ids);
    ConfigText::of([target])
        .with("polling: {interval: 1h}")
        .text()
}

/// Opens a connection that takes little at once, and sends something on it.
async fn open(exporter: &Exporter, text: &[u8]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(exporter.addresses[0]).await.unwrap();
    // The exporter may have closed it already, as there are too many.
    let _ = stream.write_all(text).await;
    stream
}

/// Opens connections of mixed kinds, in turn. They stay until they are dropped.
async fn attack(exporter: &Exporter) -> (Vec<TcpStream>, JoinSet<()>) {
    let scrape = b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n".to_vec();
    let page = b"GET /?per_page=500 HTTP/1.1\r\nhost: a\r\n\r\n".to_vec();
    let head = [b"GET / HTTP/1.1\r\nx: ", "x".repeat(16_000).as_bytes()].concat();
    let (mut held, mut drips) = (Vec::new(), JoinSet::new());
    for _ in 0..EACH {
        held.push(open(exporter, b"").await);
        for text in [&scrape, &page, &head] {
            held.push(open(exporter, text).await);
        }
        let mut drip = open(exporter, b"GET / HTTP/1.1\r\nhost: a\r\nx: ").await;
        drips.spawn(async move {
            while drip.write_all(b"x").await.is_ok() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
    }
    (held, drips)
}

/// The shortest of several scrapes: what the machine does besides makes others longer.
async fn shortest_scrape(exporter: &Exporter) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..40 {
        let began = Instant::now();
        exporter.scrape().await;
        shortest = shortest.min(began.elapsed());
    }
    shortest
}

/// Waits until a scrape is served: clients that do not read may have taken all requests.
async fn until_served(exporter: &Exporter) {
    let serving = async {
        while exporter.get("/metrics").await.status != 200 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, serving).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_hostile_connections_hardly_delay_a_scrape() {
    let simulated = simulated().await;
    let exporter = Setup::exporter(&config(&simulated)).start().await;
    exporter.until_ready().await;
    let usual = shortest_scrape(&exporter).await;
    let (held, drips) = attack(&exporter).await;
    until_served(&exporter).await;
    let attacked = shortest_scrape(&exporter).await;
    let memory = exporter
        .scrape()
        .await
        .value("process_resident_memory_bytes");
    let memory = memory.unwrap();
    println!("usual {usual:?}, attacked {attacked:?}, memory {memory}");
    assert!(attacked < 2 * usual, "{usual:?} {attacked:?}");
    assert!(memory < MEMORY, "{memory}");
    assert_eq!(exporter.get("/-/healthy").await.status, 200);
    drop((held, drips));
}

#[tokio::test]
async fn lack_of_descriptors_closes_idle_connections_and_is_logged_once() {
    let simulated = simulated().await;
    let setup = Setup::exporter(&simulated.config(&[STEP])).with_descriptors(20);
    let exporter = setup.start().await;
    exporter.until_ready().await;
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(open(&exporter, b"").await);
    }
    exporter
        .until_line(&["cannot accept connections", "failures=1"])
        .await;
    for _ in 0..5 {
        assert_eq!(exporter.get("/metrics").await.status, 200);
    }
    assert_eq!(exporter.count_log(&["cannot accept connections"]), 1);
}

#[tokio::test]
async fn idle_connections_leave_descriptors_for_calls() {
    let simulated = simulated().await;
    let setup = Setup::exporter(&simulated.config(&[STEP])).with_descriptors(64);
    let exporter = setup.start().await;
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(open(&exporter, b"").await);
    }
    let asked = simulated.asked_for(STEP) as f64;
    let answered = "imagebuilder_exporter_api_requests_total{\
        operation=\"GetWorkflowStepExecution\",result=\"ok\"}";
    exporter.until_over(answered, asked + 2.0).await;
    assert_eq!(exporter.count_log(&["cannot accept connections"]), 0);
}
