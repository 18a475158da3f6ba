//! What the server does with clients that are many, slow or silent.

use std::time::Duration;

use imagebuilder_exporter::http::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::program::Program;
use super::running::{Answer, Running, limits, read_healthy, send, within};
use super::{LONG, MANY};

/// A deadline that a test waits for.
const SHORT: Duration = Duration::from_millis(200);

async fn limited(program: Program, limits: Limits) -> Running {
    Running::start_limited(program, "/metrics", LONG, limits).await
}

/// Returns what comes until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Whether the end comes as one or as a reset is the system's choice.
    let _ = within(stream.read_to_end(&mut bytes)).await;
    bytes
}

/// A scrape whose text has begun to come, and is read no further.
async fn stalled(running: &Running) -> TcpStream {
    let mut stream = running.connect().await;
    send(&mut stream, "GET /metrics", "").await;
    within(stream.read_u8()).await.unwrap();
    stream
}

#[tokio::test]
async fn connection_beyond_the_limit_closes_the_one_that_is_idle_for_longest() {
    let limits = Limits {
        connections: 2,
        ..limits()
    };
    let running = limited(Program::with_steps(0), limits).await;
    let mut first = running.connect().await;
    send(&mut first, "GET /-/healthy", "").await;
    read_healthy(&mut first).await;
    let mut second = running.connect().await;
    send(&mut second, "GET /-/healthy", "").await;
    read_healthy(&mut second).await;
    let mut third = running.connect().await;
    send(&mut third, "GET /-/healthy", "").await;
    assert_eq!(read_healthy(&mut third).await, 200);
    assert!(rest(&mut first).await.is_empty());
    send(&mut second, "GET /-/healthy", "").await;
    assert_eq!(read_healthy(&mut second).await, 200);
}

#[tokio::test]
async fn idle_connection_is_closed_in_time() {
    let limits = Limits {
        idle_timeout: SHORT,
        ..limits()
    };
    let running = limited(Program::with_steps(0), limits).await;
    let mut stream = running.connect().await;
    send(&mut stream, "GET /-/healthy", "").await;
    read_healthy(&mut stream).await;
    assert!(rest(&mut stream).await.is_empty());
}

#[tokio::test]
async fn head_that_does_not_end_is_cut_off_in_time() {
    let limits = Limits {
        head_timeout: SHORT,
        ..limits()
    };
    let running = limited(Program::with_steps(0), limits).await;
    let mut silent = running.connect().await;
    let mut used = running.connect().await;
    send(&mut used, "GET /-/healthy", "").await;
    read_healthy(&mut used).await;
    used.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert!(rest(&mut silent).await.is_empty());
    assert!(rest(&mut used).await.is_empty());
    // Bytes that come one by one gain no time.
    let (mut reader, mut writer) = running.connect().await.into_split();
    let drip = tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 20).await;
        }
    });
    let mut bytes = Vec::new();
    let _ = within(reader.read_to_end(&mut bytes)).await;
    within(drip).await.unwrap();
}

#[tokio::test]
async fn head_that_is_too_long_is_refused() {
    let running = Running::start(Program::with_steps(0)).await;
    let long = |length: usize| format!("cookie: {}\r\n", "x".repeat(length));
    let answer = running.request("GET /-/healthy", &long(15_000)).await;
    assert_eq!(answer.status, 200);
    let mut stream = running.connect().await;
    let head = format!(
        "GET /-/healthy HTTP/1.1\r\nhost: exporter\r\n{}",
        long(17_000)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = vec![0; 64];
    let count = within(stream.read(&mut bytes)).await.unwrap();
    let line = String::from_utf8_lossy(&bytes[..count]);
    assert!(line.starts_with("HTTP/1.1 431 "), "{line}");
}

#[tokio::test]
async fn reader_that_stops_is_given_up_in_time() {
    let limits = Limits {
        write_timeout: SHORT,
        ..limits()
    };
    let mut running = limited(Program::with_steps(MANY), limits).await;
    let mut stream = stalled(&running).await;
    // The drain waits for responses in progress: it ends when this one is given up.
    running.stop();
    within(&mut running.server).await.unwrap();
    assert!(!rest(&mut stream).await.ends_with(b"0\r\n\r\n"));
}

#[tokio::test]
async fn request_beyond_the_limit_is_sent_away_unless_its_path_is_a_health_path() {
    let limits = Limits {
        requests: 2,
        ..limits()
    };
    let running = limited(Program::with_steps(MANY), limits).await;
    let (mut first, second) = (stalled(&running).await, stalled(&running).await);
    for path in ["/metrics", "/", "/config", "/nothing"] {
        let refused = running.request(&format!("GET {path}"), "").await;
        assert_eq!(refused.status, 503, "{path}");
        assert_eq!(refused.header("retry-after"), Some("5"), "{path}");
        assert_eq!(
            refused.text(),
            "2 requests are in progress, the limit of --web.max-requests; try again later\n"
        );
    }
    assert_eq!(running.request("GET /-/healthy", "").await.status, 200);
    // The connection stays open; what ends is its request.
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n0\r\n\r\n") {
        within(first.read_buf(&mut bytes)).await.unwrap();
    }
    assert_eq!(running.request("GET /metrics", "").await.status, 200);
    drop(second);
}

#[tokio::test]
async fn reader_that_stops_gives_way_when_requests_are_at_their_limit() {
    let limits = Limits {
        requests: 1,
        stalled_after: Duration::ZERO,
        ..limits()
    };
    let running = limited(Program::with_steps(MANY), limits).await;
    let mut first = stalled(&running).await;
    assert_eq!(running.request("GET /metrics", "").await.status, 200);
    assert!(!rest(&mut first).await.ends_with(b"0\r\n\r\n"));
}

#[tokio::test]
async fn request_without_exactly_one_host_is_refused() {
    let running = Running::start(Program::with_steps(0)).await;
    for (request, status) in [
        ("GET /-/healthy HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
        (
            "GET /-/healthy HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n",
            400,
        ),
        ("GET /metrics HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
        (
            "GET http://a/-/healthy HTTP/1.1\r\nconnection: close\r\n\r\n",
            400,
        ),
        ("GET /-/healthy HTTP/1.0\r\n\r\n", 200),
        (
            "GET /-/healthy HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            200,
        ),
    ] {
        let mut stream = running.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = Answer::read(&mut stream).await;
        assert_eq!(answer.status, status, "{request}");
    }
}

#[tokio::test]
async fn page_of_another_site_cannot_reload() {
    let running = Running::start(Program::with_steps(0).with_reload(Ok(()))).await;
    for (headers, status) in [
        ("sec-fetch-site: cross-site\r\n", 403),
        ("sec-fetch-site: same-site\r\n", 403),
        ("origin: http://evil.example.com\r\n", 403),
        ("origin: null\r\n", 403),
        ("origin: http://exporter\r\n", 200),
        ("sec-fetch-site: same-origin\r\n", 200),
        ("", 200),
    ] {
        running.program.reload_may_end.notify_one();
        let answer = running.request("POST /-/reload", headers).await;
        assert_eq!(answer.status, status, "{headers}");
        if status == 403 {
            assert_eq!(
                answer.text(),
                "the page of another site cannot reload the configuration; \
                 behind a proxy, set --web.external-url\n"
            );
        }
    }
}
