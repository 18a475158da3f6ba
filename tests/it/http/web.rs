//! Passwords and rate limits of the web configuration, over real sockets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::http::{Limits, WebFile};
use tokio::io::AsyncReadExt;

use super::program::Program;
use super::running::{Running, limits, send, within};
use super::{LONG, MANY};
use crate::process::{Files, LOOK_EVERY};

/// The hash of "right" with the cost 10, which takes some time to check.
const HASH: &str = "$2y$10$UDv9eH7zWE6ZKpAh6ot8Sep4d2OYwLFC5um5vx/YDc8caIS4o0MY.";

struct Guarded {
    running: Running,
    files: Files,
}

async fn guarded(text: &str, limits: Limits) -> Guarded {
    let files = Files::new();
    let path = files.write("web.yaml", text);
    let web = WebFile::load(path, Clock::System).unwrap();
    let program = Program::with_steps(MANY);
    let running = Running::start_guarded(program, "/metrics", LONG, limits, Some(Arc::new(web)));
    Guarded {
        running: running.await,
        files,
    }
}

fn users() -> String {
    format!("basic_auth_users: {{someone: '{HASH}'}}")
}

/// The status of a request with these credentials in Base64.
async fn status(guarded: &Guarded, credentials: &str) -> u16 {
    let header = format!("authorization: Basic {credentials}\r\n");
    { &guarded.running }
        .request("GET /config", &header)
        .await
        .status
}

/// `someone:right`, `someone:wrong`, `nobody:right`.
const RIGHT: &str = "c29tZW9uZTpyaWdodA==";
const WRONG: &str = "c29tZW9uZTp3cm9uZw==";
const NOBODY: &str = "bm9ib2R5OnJpZ2h0";

#[tokio::test]
async fn result_of_a_password_is_kept_and_an_unknown_user_takes_as_long() {
    let guarded = guarded(&users(), limits()).await;
    for (credentials, expected) in [(RIGHT, 200), (WRONG, 401), (NOBODY, 401)] {
        let began = Instant::now();
        assert_eq!(status(&guarded, credentials).await, expected);
        let checked = began.elapsed();
        // The shortest of several, as the machine does other things too.
        let mut kept = Duration::MAX;
        for _ in 0..5 {
            let began = Instant::now();
            assert_eq!(status(&guarded, credentials).await, expected);
            kept = kept.min(began.elapsed());
        }
        assert!(kept * 3 < checked, "{credentials}: {checked:?} {kept:?}");
    }
}

#[tokio::test]
async fn renamed_user_is_accepted_and_its_old_name_refused() {
    let guarded = guarded(&users(), limits()).await;
    // Both results are kept.
    assert_eq!(status(&guarded, RIGHT).await, 200);
    assert_eq!(status(&guarded, NOBODY).await, 401);
    let renamed = users().replace("someone", "nobody");
    guarded.files.write("web.yaml", &renamed);
    within(async {
        while status(&guarded, NOBODY).await != 200 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
    .await;
    assert_eq!(status(&guarded, RIGHT).await, 401);
}

#[tokio::test]
async fn malformed_credentials_are_refused() {
    let guarded = guarded(&users(), limits()).await;
    let without = guarded.running.request("GET /config", "").await;
    assert_eq!(without.status, 401);
    assert_eq!(without.header("www-authenticate"), Some("Basic"));
    for header in [
        "Basic",
        "Basic !",
        "Basic c29tZW9uZQ==",
        "Bearer c29tZW9uZTpyaWdodA==",
        "Basic /zpyaWdodA==",
    ] {
        let header = format!("authorization: {header}\r\n");
        let answer = guarded.running.request("GET /config", &header).await;
        assert_eq!(answer.status, 401, "{header}");
    }
    let lower = format!("authorization: basic {RIGHT}\r\n");
    let answer = guarded.running.request("GET /config", &lower).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn request_without_a_password_takes_no_place_of_the_limit() {
    let limits = Limits {
        requests: 1,
        ..limits()
    };
    let guarded = guarded(&users(), limits).await;
    let mut stalled = guarded.running.connect().await;
    let header = format!("authorization: Basic {RIGHT}\r\n");
    send(&mut stalled, "GET /metrics", &header).await;
    within(stalled.read_u8()).await.unwrap();
    assert_eq!(status(&guarded, WRONG).await, 401);
    assert_eq!(status(&guarded, RIGHT).await, 503);
}

#[tokio::test]
async fn rate_limit_refuses_all_but_health_paths() {
    let guarded = guarded("rate_limit: {interval: 1h, burst: 2}", limits()).await;
    for expected in [200, 200, 429, 429] {
        assert_eq!(status(&guarded, RIGHT).await, expected);
    }
    let health = guarded.running.request("GET /-/healthy", "").await;
    assert_eq!(health.status, 200);
}
