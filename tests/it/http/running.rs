//! A running server, and requests to it over real sockets.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::http::{Limits, Server, WebFile, bind};
use imagebuilder_exporter::status::Site;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::LONG;
use super::program::Program;
use crate::process::{PATIENCE, Port};

pub struct Running {
    port: Port,
    stop: Option<oneshot::Sender<()>>,
    pub server: JoinHandle<()>,
    pub program: Arc<Program>,
}

impl Running {
    pub async fn start(program: Program) -> Self {
        Self::start_with(program, "/metrics", LONG).await
    }

    pub async fn start_with(program: Program, path: &str, drain_timeout: Duration) -> Self {
        Self::start_limited(program, path, drain_timeout, limits()).await
    }

    pub async fn start_limited(
        program: Program,
        path: &str,
        drain_timeout: Duration,
        limits: Limits,
    ) -> Self {
        Self::start_guarded(program, path, drain_timeout, limits, None).await
    }

    pub async fn start_guarded(
        program: Program,
        path: &str,
        drain_timeout: Duration,
        limits: Limits,
        web: Option<Arc<WebFile>>,
    ) -> Self {
        let port = Port::free();
        let listeners = bind(&port.address.to_string()).await.unwrap();
        let program = Arc::new(program);
        let server = Server {
            listeners,
            exporter: program.clone(),
            site: site(path),
            limits,
            web,
            clock: Clock::System,
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

    pub fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Once it no longer takes connections it has begun to stop.
    pub async fn stopped_listening(&self) {
        within(async {
            while TcpStream::connect(self.port.address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.port.address).await.unwrap()
    }

    /// One request on a connection of its own. `headers` are whole lines.
    pub async fn request(&self, line: &str, headers: &str) -> Answer {
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

/// Limits whose timeouts no test reaches.
pub fn limits() -> Limits {
    Limits {
        head_timeout: LONG,
        idle_timeout: LONG,
        write_timeout: LONG,
        stalled_after: LONG,
        ..Limits::default()
    }
}

pub fn site(telemetry_path: &str) -> Site {
    Site {
        telemetry_path: telemetry_path.to_owned(),
        external_url: None,
    }
}

pub async fn send(stream: &mut TcpStream, line: &str, headers: &str) {
    let request = format!("{line} HTTP/1.1\r\nhost: exporter\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// A test that would hang fails instead.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("in time")
}

/// Reads one answer of `/-/healthy` and leaves the connection open.
pub async fn read_healthy(stream: &mut TcpStream) -> u16 {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"healthy\n") {
        bytes.push(within(stream.read_u8()).await.unwrap());
    }
    Answer::parse(&bytes).status
}

pub struct Answer {
    pub status: u16,
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads to the end of the connection.
    pub async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        within(stream.read_to_end(&mut bytes)).await.unwrap();
        Self::parse(&bytes)
    }

    pub fn parse(bytes: &[u8]) -> Self {
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

    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&header.1)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Returns what whole chunks hold; panics where an answer was cut off.
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
