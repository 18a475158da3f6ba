//! The server over real sockets: paths, methods, headers and bodies.

mod connections;
mod limits;
mod program;
mod running;
mod stop;
mod web;

use std::io::Read;
use std::sync::atomic::Ordering;
use std::time::Duration;

use program::Program;
use running::{Answer, Running, send, within};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// More steps than fit into the buffers between two sockets.
const MANY: usize = 5_000;

/// Few enough that a compressor that is not optimized takes no seconds.
const SOME: usize = 300;

/// Longer than any test waits: what ends only by this timeout fails the test.
const LONG: Duration = Duration::from_secs(300);

#[tokio::test]
async fn metrics_are_text_unless_open_metrics_is_accepted() {
    let running = Running::start(Program::with_steps(1)).await;
    let text = running.request("GET /metrics?x=y", "").await;
    assert_eq!(text.status, 200);
    assert_eq!(text.header("content-type"), Some(TEXT));
    assert_eq!(text.header("vary"), Some("Accept, Accept-Encoding"));
    assert_eq!(text.header("content-encoding"), None);
    assert!(
        text.text()
            .contains("# TYPE imagebuilder_exporter_api_requests_total counter\n")
    );
    assert!(!text.text().contains("# EOF"));
    let accept = "accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let open_metrics = running.request("GET /metrics", accept).await;
    assert_eq!(open_metrics.header("content-type"), Some(OPEN_METRICS));
    assert!(open_metrics.text().ends_with("\n# EOF\n"));
}

#[tokio::test]
async fn gzip_holds_the_same_text() {
    let running = Running::start(Program::with_steps(SOME)).await;
    let plain = running.request("GET /metrics", "").await;
    let packed = running
        .request("GET /metrics", "accept-encoding: gzip\r\n")
        .await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("Accept, Accept-Encoding"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..])
        .read_to_string(&mut text)
        .unwrap();
    let steps = |text: &str| text.matches("imagebuilder_workflow_step_info{").count();
    assert_eq!(steps(&text), SOME);
    assert_eq!(text.lines().count(), plain.text().lines().count());
    assert!(packed.body.len() * 10 < text.len());
}

#[tokio::test]
async fn health_and_readiness_are_separate() {
    let running = Running::start(Program::with_steps(0)).await;
    assert_eq!(running.request("GET /-/healthy", "").await.status, 200);
    assert_eq!(running.request("GET /-/ready", "").await.status, 503);
    running.program.ready.store(true, Ordering::Relaxed);
    assert_eq!(running.request("GET /-/ready", "").await.status, 200);
}

#[tokio::test]
async fn status_page_links_to_the_metrics_wherever_they_are() {
    let running = Running::start_with(Program::with_steps(0), "/a\"<b", LONG).await;
    let page = running.request("GET /", "").await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(
        page.text().contains("<a href=\"./a&quot;&lt;b\">"),
        "{}",
        page.text()
    );
    assert_eq!(running.request("GET /metrics", "").await.status, 404);
}

#[tokio::test]
async fn metrics_can_be_at_the_root() {
    let running = Running::start_with(Program::with_steps(0), "/", LONG).await;
    let answer = running.request("GET /", "").await;
    assert_eq!(answer.header("content-type"), Some(TEXT));
}

#[tokio::test]
async fn unknown_paths_are_not_found_and_other_methods_not_allowed() {
    let running = Running::start(Program::with_steps(0)).await;
    for path in ["/metrics/", "/-/", "/-/reload/x", "/favicon.ico", "//"] {
        let answer = running.request(&format!("GET {path}"), "").await;
        assert_eq!(answer.status, 404, "{path}");
    }
    for (line, allowed) in [
        ("POST /metrics", "GET, HEAD"),
        ("DELETE /", "GET, HEAD"),
        ("POST /config", "GET, HEAD"),
        ("PUT /-/healthy", "GET, HEAD"),
        ("OPTIONS /-/ready", "GET, HEAD"),
        ("GET /-/reload", "POST"),
        ("HEAD /-/reload", "POST"),
    ] {
        let answer = running.request(line, "").await;
        assert_eq!(answer.status, 405, "{line}");
        assert_eq!(answer.header("allow"), Some(allowed), "{line}");
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let running = Running::start(Program::with_steps(MANY)).await;
    for path in [
        "/",
        "/metrics",
        "/config",
        "/-/healthy",
        "/-/ready",
        "/nothing",
    ] {
        let encoding = "accept-encoding: gzip\r\n";
        let get = running.request(&format!("GET {path}"), encoding).await;
        let head = running.request(&format!("HEAD {path}"), encoding).await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        // How a body is sent does not matter where there is none.
        let lasting = |answer: &Answer| {
            let passing = ["date", "transfer-encoding"];
            let headers = answer.headers.iter();
            headers
                .filter(|(name, _)| !passing.contains(&name.as_str()))
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(lasting(&head), lasting(&get), "{path}");
    }
}

#[tokio::test]
async fn browser_may_not_guess_the_type_of_a_response_nor_load_anything_for_it() {
    let running = Running::start(Program::with_steps(1)).await;
    for line in [
        "GET /",
        "GET /?page=0",
        "GET /api/v1/steps",
        "GET /metrics",
        "GET /config",
        "GET /-/status.css",
        "GET /-/healthy",
        "GET /-/ready",
        "GET /nothing",
        "GET /-/reload",
        "POST /-/reload",
    ] {
        let answer = running.request(line, "").await;
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{line}"
        );
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.starts_with("default-src 'none'; ")
                && policy.ends_with("frame-ancestors 'none'"),
            "{line}: {policy}"
        );
        let is_page = ["GET /", "GET /?page=0"].contains(&line);
        assert_eq!(policy.contains("script-src"), is_page, "{line}: {policy}");
    }
}

#[tokio::test]
async fn reload_responds_with_its_result() {
    let off = Running::start(Program::with_steps(0)).await;
    let answer = off.request("POST /-/reload", "").await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.text(),
        "reload over HTTP is disabled; enable it with --web.enable-lifecycle\n"
    );
    for (result, status, text) in [
        (Ok(()), 200, "reloaded\n"),
        (Err("a.yaml:1:2: no".to_owned()), 500, "a.yaml:1:2: no\n"),
    ] {
        let running = Running::start(Program::with_steps(0).with_reload(result)).await;
        running.program.reload_may_end.notify_one();
        // A body is ignored.
        let answer = running
            .request("POST /-/reload", "content-length: 5\r\n\r\nhello")
            .await;
        assert_eq!((answer.status, answer.text()), (status, text));
    }
}

#[tokio::test]
async fn reload_ends_although_its_client_has_gone() {
    let running = Running::start(Program::with_steps(0).with_reload(Ok(()))).await;
    let mut stream = running.connect().await;
    send(&mut stream, "POST /-/reload", "").await;
    drop(stream);
    running.program.reload_may_end.notify_one();
    within(running.program.reload_ended.notified()).await;
}

#[tokio::test]
async fn panic_fails_its_request_alone_and_is_counted() {
    let running = Running::start(Program::with_steps(1)).await;
    running.program.broken.store(true, Ordering::Relaxed);
    for path in ["/metrics", "/", "/api/v1/steps"] {
        let answer = running.request(&format!("GET {path}"), "").await;
        assert_eq!(answer.status, 500, "{path}");
        assert!(answer.text().contains("see the log"), "{}", answer.text());
    }
    assert_eq!(running.program.panics.load(Ordering::Relaxed), 3);
    running.program.broken.store(false, Ordering::Relaxed);
    assert_eq!(running.request("GET /metrics", "").await.status, 200);
}
