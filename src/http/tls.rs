//! Begins TLS on a connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::stream::Watched;

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

/// The response to plain HTTP, as of Go's server.
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// Performs the handshake. A client that speaks plain HTTP gets a response that says what is wrong.
pub(super) async fn accept(
    server: Arc<ServerConfig>,
    mut stream: Watched,
    timeout: Duration,
) -> io::Result<TlsStream<Watched>> {
    let first = tokio::time::timeout(timeout, stream.first_byte()).await??;
    if first != HANDSHAKE {
        if first.is_ascii_uppercase() {
            stream.write_all(PLAIN_HTTP).await?;
            stream.shutdown().await?;
        }
        return Err(io::Error::other("the client does not use TLS"));
    }
    TlsAcceptor::from(server).accept(stream).await
}
