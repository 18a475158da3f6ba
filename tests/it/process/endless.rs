//! A server whose responses never end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running server; it ends with the value.
#[derive(Debug)]
pub struct Endless {
    pub url: String,
    server: JoinHandle<()>,
}

impl Endless {
    /// Responds to each request with this head and then a body without end.
    pub async fn start(head: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(respond(client, head));
            }
        });
        Self { url, server }
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Sends until the client hangs up.
async fn respond(mut client: TcpStream, head: &'static str) {
    let mut request = [0; 4_096];
    let _ = client.read(&mut request).await;
    let mut sent = client.write_all(head.as_bytes()).await;
    // A chunk of 64 KiB, which is part of a body with a length as well.
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    while sent.is_ok() {
        sent = client.write_all(&chunk).await;
    }
}
