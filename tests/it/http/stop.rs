//! What a stop does to the connections: scrapes in flight are completed, the others are closed.

use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::MANY;
use super::program::Program;
use super::running::{Answer, Running, read_healthy, send, within};

#[tokio::test]
async fn scrape_in_flight_is_completed_after_the_stop() {
    let mut running = Running::start(Program::with_steps(MANY)).await;
    let mut stream = running.connect().await;
    let accept = "accept: application/openmetrics-text\r\n";
    send(&mut stream, "GET /metrics", accept).await;
    let mut bytes = vec![within(stream.read_u8()).await.unwrap()];
    running.stop();
    running.stopped_listening().await;
    assert!(!running.server.is_finished());
    within(stream.read_to_end(&mut bytes)).await.unwrap();
    assert!(Answer::parse(&bytes).body.ends_with(b"# EOF\n"));
    within(running.server).await.unwrap();
}

#[tokio::test]
async fn idle_connections_are_closed_at_the_stop() {
    let mut running = Running::start(Program::with_steps(0)).await;
    let mut used = running.connect().await;
    send(&mut used, "GET /-/healthy", "").await;
    read_healthy(&mut used).await;
    let mut silent = running.connect().await;
    // Answered, so the server has taken the one before it too.
    running.request("GET /-/healthy", "").await;
    running.stop();
    within(running.server).await.unwrap();
    let mut rest = Vec::new();
    within(used.read_to_end(&mut rest)).await.unwrap();
    within(silent.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn reader_that_does_not_read_delays_the_stop_up_to_the_drain_timeout() {
    let timeout = Duration::from_millis(100);
    let mut running = Running::start_with(Program::with_steps(MANY), "/metrics", timeout).await;
    let mut stream = running.connect().await;
    send(&mut stream, "GET /metrics", "").await;
    within(stream.read_u8()).await.unwrap();
    running.stop();
    within(running.server).await.unwrap();
    let mut bytes = Vec::new();
    // Whether the end comes as one or as a reset is the system's choice.
    let _ = within(stream.read_to_end(&mut bytes)).await;
    assert!(!bytes.ends_with(b"0\r\n\r\n"));
}
