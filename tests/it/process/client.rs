//! A small HTTP client that hides nothing: an answer that is cut off is an error.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::PATIENCE;

/// Asks one address, each time on a connection of its own.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub address: SocketAddr,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
    }
}

impl Client {
    pub async fn get(&self, path: &str) -> Response {
        self.ask("GET", path, "").await.unwrap()
    }

    pub async fn post(&self, path: &str) -> Response {
        self.ask("POST", path, "").await.unwrap()
    }

    /// `headers` are lines that end with CR LF.
    pub async fn ask(&self, method: &str, path: &str, headers: &str) -> io::Result<Response> {
        let asking = async {
            let mut stream = TcpStream::connect(self.address).await?;
            let head = format!(
                "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n",
                self.address
            );
            stream.write_all(head.as_bytes()).await?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await?;
            parse(&bytes, method == "HEAD").ok_or(io::ErrorKind::UnexpectedEof.into())
        };
        tokio::time::timeout(PATIENCE, asking).await?
    }
}

/// `None` where the answer is not whole.
pub fn parse(bytes: &[u8], without_body: bool) -> Option<Response> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut response = Response {
        head: String::from_utf8(bytes[..end].to_vec()).ok()?,
        body: bytes[end + 4..].to_vec(),
        status: 0,
    };
    response.status = response.head.split(' ').nth(1)?.parse().ok()?;
    if without_body {
        return Some(response);
    }
    if response.header("transfer-encoding") == Some("chunked") {
        response.body = dechunked(&response.body)?;
    } else {
        let length: usize = response.header("content-length")?.parse().ok()?;
        (response.body.len() == length).then_some(())?;
    }
    Some(response)
}

fn dechunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while !rest.is_empty() {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return (rest == b"\r\n").then_some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
    None
}
