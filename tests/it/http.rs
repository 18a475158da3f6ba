//! The server over real sockets, with a program behind it that a test makes up.

use std::future::Future;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use imagebuilder_exporter::config::StatusFormat;
use imagebuilder_exporter::exposition::{Scrape, Source};
use imagebuilder_exporter::finished::FinishedSnapshot;
use imagebuilder_exporter::http::{Exporter, Reload, Server, bind};
use imagebuilder_exporter::labels::LabelText;
use imagebuilder_exporter::model::{StepExecution, StepStatus, Timestamp};
use imagebuilder_exporter::self_metrics::{PollerMetrics, ProcessMetrics};
use imagebuilder_exporter::status::{self, Known, Site};
use imagebuilder_exporter::store::{StepRecord, StepStore, StoreSnapshot};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::process::{PATIENCE, Port};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// More steps than fit into the buffers between two sockets.
const MANY: usize = 5_000;

/// As many as a compressor that is not optimized takes no seconds for.
const SOME: usize = 300;

/// Longer than anything is waited for: what ends only by this is seen to be late.
const LONG: Duration = Duration::from_secs(300);

struct Program {
    steps: StepStore,
    ready: AtomicBool,
    /// What a reload gives; `None` where it may not be asked for.
    reload: Option<Result<(), String>>,
    /// Lets a reload end.
    reload_may_end: Arc<Notify>,
    reload_ended: Arc<Notify>,
    /// How many pages are being made, how many were at most, and whether they may be finished.
    pages: Mutex<(usize, usize, bool)>,
    pages_changed: Condvar,
}

impl Program {
    fn with_steps(count: usize) -> Self {
        let records = (0..count).map(|at| {
            let id = format!("step-00000000-0000-0000-0000-{at:012}");
            let answer = StepExecution::with_status(StepStatus::Running);
            let record = StepRecord::unseen(id.parse().unwrap(), LabelText::new([]));
            StepRecord {
                full: true,
                ..record.answered(answer, "us-west-2", Timestamp::from_millis(0))
            }
        });
        Self {
            steps: StepStore::new(records),
            ready: AtomicBool::new(false),
            reload: None,
            reload_may_end: Arc::new(Notify::new()),
            reload_ended: Arc::new(Notify::new()),
            pages: Mutex::new((0, 0, true)),
            pages_changed: Condvar::new(),
        }
    }

    /// Holds a page until it may be finished.
    fn hold_page(&self) {
        let mut pages = self.pages.lock().unwrap();
        pages.0 += 1;
        pages.1 = pages.1.max(pages.0);
        self.pages_changed.notify_all();
        let held =
            { &self.pages_changed }.wait_timeout_while(pages, LONG, |(_, _, finish)| !*finish);
        let (mut pages, _) = held.unwrap();
        pages.0 -= 1;
    }
}

impl Exporter for Program {
    fn scrape(&self) -> Scrape {
        Scrape {
            now: Timestamp::from_millis(1_000),
            status_format: StatusFormat::Stateset,
            message_labels: false,
            sources: vec![Source {
                target: "production".into(),
                region: "us-west-2".into(),
                store: StoreSnapshot {
                    steps: self.steps.snapshot(),
                    ..StoreSnapshot::default()
                },
                up: Some(true),
                metrics: Arc::new(PollerMetrics::new("production", "us-west-2")),
            }],
            finished: FinishedSnapshot::default(),
            process: Arc::new(ProcessMetrics::new(&[])),
        }
    }

    fn config(&self) -> String {
        "polling:\n  interval: 30s\n".to_owned()
    }

    fn status(&self) -> Known {
        self.hold_page();
        Known {
            now: Timestamp::from_millis(1_000),
            ready: self.ready(),
            shard: None,
            sources: vec![status::Source {
                target: "production".into(),
                region: "us-west-2".into(),
                store: StoreSnapshot {
                    steps: self.steps.snapshot(),
                    ..StoreSnapshot::default()
                },
                health: status::Health::default(),
            }],
        }
    }

    fn ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    fn reload(&self) -> Option<Reload> {
        let result = self.reload.clone()?;
        let (may_end, ended) = (self.reload_may_end.clone(), self.reload_ended.clone());
        Some(Box::pin(async move {
            may_end.notified().await;
            ended.notify_one();
            result
        }))
    }
}

fn site(telemetry_path: &str) -> Site {
    Site {
        telemetry_path: telemetry_path.to_owned(),
        external_url: None,
    }
}

struct Running {
    port: Port,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    program: Arc<Program>,
}

impl Running {
    async fn start(program: Program) -> Self {
        Self::start_with(program, "/metrics", LONG).await
    }

    async fn start_with(program: Program, path: &str, drain_timeout: Duration) -> Self {
        let port = Port::free();
        let listeners = bind(&port.address.to_string()).await.unwrap();
        let program = Arc::new(program);
        let server = Server {
            listeners,
            exporter: program.clone(),
            site: site(path),
            drain_timeout,
        };
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self {
            port,
            stop: Some(stop),
            server,
            program,
        }
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Once it no longer takes connections it has begun to stop.
    async fn stopped_listening(&self) {
        within(async {
            while TcpStream::connect(self.port.address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.port.address).await.unwrap()
    }

    /// One request on a connection of its own. `headers` are whole lines.
    async fn request(&self, line: &str, headers: &str) -> Answer {
        let mut stream = self.connect().await;
        send(
            &mut stream,
            line,
            &format!("connection: close\r\n{headers}"),
        )
        .await;
        Answer::read(&mut stream).await
    }
}

async fn send(stream: &mut TcpStream, line: &str, headers: &str) {
    let request = format!("{line} HTTP/1.1\r\nhost: exporter\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// A test that would hang fails instead.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("in time")
}

struct Answer {
    status: u16,
    /// Names are in lower case.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// Reads to the end of the connection.
    async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        within(stream.read_to_end(&mut bytes)).await.unwrap();
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let mut answer = Self {
            status: status.parse().unwrap(),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: bytes[end + 4..].to_vec(),
        };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = unchunked(&answer.body);
        }
        answer
    }

    fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&header.1)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// What whole chunks hold. An answer that was cut off panics; one without a body stays so.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while !rest.is_empty() {
        let end = rest.windows(2).position(|w| w == b"\r\n").unwrap();
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body.extend_from_slice(&rest[end + 2..][..size]);
        rest = &rest[end + 2 + size + 2..];
        if size == 0 {
            assert!(rest.is_empty());
            return body;
        }
    }
    body
}

#[tokio::test]
async fn metrics_are_text_unless_open_metrics_is_asked_for() {
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
async fn health_and_readiness_are_told_apart() {
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
        // How the body is sent says nothing where none is.
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
async fn browser_takes_no_answer_for_another_type_and_loads_nothing_for_it() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_made_one_after_the_other_and_hold_up_no_scrape() {
    let running = Arc::new(Running::start(Program::with_steps(1)).await);
    running.program.pages.lock().unwrap().2 = false;
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let running = running.clone();
            tokio::spawn(async move { running.request("GET /", "").await.status })
        })
        .collect();
    // The others have their chance to begin as well while answers come and go beside them.
    within(async {
        while running.program.pages.lock().unwrap().0 == 0 {
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
    running.program.pages.lock().unwrap().2 = true;
    running.program.pages_changed.notify_all();
    for status in asked {
        assert_eq!(within(status).await.unwrap(), 200);
    }
    assert_eq!(running.program.pages.lock().unwrap().1, 1);
}

#[tokio::test]
async fn reload_answers_with_what_came_of_it() {
    let reload = |result| Program {
        reload: result,
        ..Program::with_steps(0)
    };
    let off = Running::start(reload(None)).await;
    let answer = off.request("POST /-/reload", "").await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.text(),
        "reloading over HTTP is off; --web.enable-lifecycle turns it on\n"
    );
    for (result, status, text) in [
        (Ok(()), 200, "reloaded\n"),
        (Err("a.yaml:1:2: no".to_owned()), 500, "a.yaml:1:2: no\n"),
    ] {
        let running = Running::start(reload(Some(result))).await;
        running.program.reload_may_end.notify_one();
        // A body is of no use to it, and no hindrance.
        let answer = running
            .request("POST /-/reload", "content-length: 5\r\n\r\nhello")
            .await;
        assert_eq!((answer.status, answer.text()), (status, text));
    }
}

#[tokio::test]
async fn reload_ends_also_where_who_asked_for_it_has_gone() {
    let running = Running::start(Program {
        reload: Some(Ok(())),
        ..Program::with_steps(0)
    })
    .await;
    let mut stream = running.connect().await;
    send(&mut stream, "POST /-/reload", "").await;
    drop(stream);
    running.program.reload_may_end.notify_one();
    within(running.program.reload_ended.notified()).await;
}

#[tokio::test]
async fn connection_serves_request_after_request() {
    let running = Running::start(Program::with_steps(0)).await;
    let mut stream = running.connect().await;
    for _ in 0..3 {
        send(&mut stream, "GET /-/healthy", "").await;
        assert_eq!(read_healthy(&mut stream).await, 200);
    }
}

/// Reads one answer of `/-/healthy` and leaves the connection open.
async fn read_healthy(stream: &mut TcpStream) -> u16 {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"healthy\n") {
        bytes.push(within(stream.read_u8()).await.unwrap());
    }
    Answer::parse(&bytes).status
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
async fn client_that_leaves_or_sleeps_costs_no_other() {
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

#[tokio::test]
async fn scrape_in_flight_is_answered_whole_after_the_stop() {
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
async fn reader_that_does_not_read_holds_the_stop_up_no_longer_than_allowed() {
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
