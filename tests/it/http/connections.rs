//! Several connections at a time: none delays another.

use std::sync::Arc;

use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::http::{Server, bind};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::program::Program;
use super::running::{Running, limits, read_healthy, send, site, within};
use super::{LONG, MANY};

#[tokio::test]
async fn connection_serves_request_after_request() {
    let running = Running::start(Program::with_steps(0)).await;
    let mut stream = running.connect().await;
    for _ in 0..3 {
        send(&mut stream, "GET /-/healthy", "").await;
        assert_eq!(read_healthy(&mut stream).await, 200);
    }
}

#[tokio::test]
async fn all_listeners_are_served() {
    let mut listeners = bind("127.0.0.1:0").await.unwrap();
    listeners.extend(bind("127.0.0.1:0").await.unwrap());
    let addresses: Vec<_> = listeners.iter().map(|l| l.local_addr().unwrap()).collect();
    let server = Server {
        listeners,
        exporter: Arc::new(Program::with_steps(0)),
        site: site("/metrics"),
        limits: limits(),
        web: None,
        clock: Clock::System,
        drain_timeout: LONG,
    };
    tokio::spawn(server.run(std::future::pending()));
    for address in addresses {
        let mut stream = TcpStream::connect(address).await.unwrap();
        send(&mut stream, "GET /-/healthy", "").await;
        assert_eq!(read_healthy(&mut stream).await, 200);
    }
}

#[tokio::test]
async fn client_that_leaves_or_sleeps_delays_no_other() {
    let running = Running::start(Program::with_steps(MANY)).await;
    let mut gone = running.connect().await;
    send(&mut gone, "GET /metrics", "").await;
    gone.read_u8().await.unwrap();
    drop(gone);
    let mut asleep = running.connect().await;
    send(&mut asleep, "GET /metrics", "").await;
    asleep.read_u8().await.unwrap();
    let answer = running.request("GET /metrics", "").await;
    assert_eq!(
        answer
            .text()
            .matches("imagebuilder_workflow_step_info{")
            .count(),
        MANY
    );
    drop(asleep);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_rendered_one_after_the_other_and_delay_no_scrape() {
    let running = Arc::new(Running::start(Program::with_steps(1)).await);
    running.program.hold_pages(true);
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let running = running.clone();
            tokio::spawn(async move { running.request("GET /", "").await.status })
        })
        .collect();
    // Meanwhile the others have the chance to begin as well, and other requests are answered.
    within(async {
        while running.program.pages_now() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for _ in 0..20 {
        for path in ["/metrics", "/-/healthy"] {
            let answer = running.request(&format!("GET {path}"), "").await;
            assert_eq!(answer.status, 200, "{path}");
        }
    }
    running.program.hold_pages(false);
    for status in asked {
        assert_eq!(within(status).await.unwrap(), 200);
    }
    assert_eq!(running.program.most_pages(), 1);
}
