//! The HTTP server under any bytes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::config::StatusFormat;
use imagebuilder_exporter::exposition::Scrape;
use imagebuilder_exporter::finished::FinishedSnapshot;
use imagebuilder_exporter::http::{Exporter, Limits, Reload, Server, bind};
use imagebuilder_exporter::model::Timestamp;
use imagebuilder_exporter::self_metrics::ProcessMetrics;
use imagebuilder_exporter::snapshot::SeriesUsage;
use imagebuilder_exporter::status::{Known, Site};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// Longer than the server waits for a client.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sent at the end of the bytes, it ends a request that they may have begun.
const LAST: &[u8] = b"\r\n\r\nGET /-/healthy HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// A program without targets.
struct Empty {
    panics: AtomicUsize,
}

impl Exporter for Empty {
    fn scrape(&self) -> Scrape {
        let now = Clock::System.now().instant;
        Scrape {
            now: Timestamp::from_millis(1_000),
            status_format: StatusFormat::Stateset,
            message_labels: false,
            sources: Vec::new(),
            finished: FinishedSnapshot::empty(now),
            baselines: Default::default(),
            process: Arc::new(ProcessMetrics::new(&[])),
            series_limit: 0,
            derived: Default::default(),
        }
    }

    fn status(&self) -> Known {
        Known {
            now: Timestamp::from_millis(1_000),
            ready: true,
            shard: None,
            sources: Vec::new(),
            series: SeriesUsage::default(),
            baselines: Default::default(),
            ends: Default::default(),
        }
    }

    fn ready(&self) -> bool {
        true
    }

    fn config(&self) -> String {
        "targets: []\n".to_owned()
    }

    fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    fn reload(&self) -> Option<Reload> {
        Some(Box::pin(async { Ok(()) }))
    }
}

/// A server that runs as long as the process.
struct Running {
    runtime: Runtime,
    address: SocketAddr,
    program: Arc<Empty>,
}

fn running() -> &'static Running {
    static RUNNING: OnceLock<Running> = OnceLock::new();
    RUNNING.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime starts");
        let program = Arc::new(Empty {
            panics: AtomicUsize::new(0),
        });
        let bound = runtime.block_on(bind("127.0.0.1:0"));
        let listeners = bound.expect("loopback has a free port");
        let address = listeners[0].local_addr().expect("it is bound");
        let server = Server {
            listeners,
            exporter: program.clone(),
            site: Site {
                telemetry_path: "/metrics".to_owned(),
                external_url: None,
            },
            limits: Limits::default(),
            web: None,
            clock: Clock::System,
            drain_timeout: PATIENCE,
        };
        runtime.spawn(server.run(std::future::pending()));
        Running {
            runtime,
            address,
            program,
        }
    })
}

/// Whatever a client sends, what it gets is HTTP, the connection ends, the next client is served,
/// and nothing panics.
pub fn requests(bytes: &[u8]) {
    let running = running();
    let exchanges = async {
        let answer = exchange(running.address, bytes).await;
        let is_http = answer.is_empty() || answer.starts_with(b"HTTP/1.");
        assert!(is_http, "{}", String::from_utf8_lossy(&answer));
        let healthy = exchange(running.address, b"").await;
        assert!(healthy.starts_with(b"HTTP/1.1 200 "));
    };
    let ended =
        { &running.runtime }.block_on(async { tokio::time::timeout(PATIENCE, exchanges).await });
    assert!(ended.is_ok(), "a connection is still open");
    assert_eq!(running.program.panics.load(Ordering::Relaxed), 0);
}

/// What the server answers to the bytes and to [`LAST`], until it closes the connection. It may do so
/// before it has read everything.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(address).await;
    let (mut reader, mut writer) = stream.expect("the server accepts").into_split();
    let send = async {
        let _ = writer.write_all(bytes).await;
        if bytes.is_empty() {
            let _ = writer.write_all(&LAST[4..]).await;
        } else {
            let _ = writer.write_all(LAST).await;
            // They may have promised more. Without this the server waits for it.
            let _ = writer.shutdown().await;
        }
    };
    let mut answer = Vec::new();
    let _ = tokio::join!(send, reader.read_to_end(&mut answer));
    answer
}
