//! The servers in this process.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::http::{Limits, Server, bind};
use imagebuilder_exporter::status::Site;
use prometheus::{Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::program::Program;

pub(crate) fn serve_exporter(runtime: &Runtime, exporter: Arc<Program>) -> SocketAddr {
    let listeners = runtime
        .block_on(bind("127.0.0.1:0"))
        .expect("loopback has a free port");
    let address = listeners[0].local_addr().expect("it is bound");
    let server = Server {
        listeners,
        exporter,
        site: Site {
            telemetry_path: "/metrics".to_owned(),
            external_url: None,
        },
        limits: Limits::default(),
        web: None,
        clock: Clock::System,
        drain_timeout: Duration::ZERO,
    };
    runtime.spawn(server.run(std::future::pending()));
    address
}

/// A server that has the whole answer ready.
pub(crate) fn serve_prebuilt(runtime: &Runtime, body: Bytes) -> SocketAddr {
    serve(runtime, move || body.clone())
}

/// A server that encodes what a registry has.
pub(crate) fn serve_crate(runtime: &Runtime, registry: Registry) -> SocketAddr {
    serve(runtime, move || {
        let text = TextEncoder::new().encode_to_string(&registry.gather());
        text.expect("all families have series").into()
    })
}

fn serve(
    runtime: &Runtime,
    body: impl Fn() -> Bytes + Clone + Send + Sync + 'static,
) -> SocketAddr {
    let listener = runtime
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let body = body.clone();
            let service = service_fn(move |_| {
                let body = body();
                async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}
