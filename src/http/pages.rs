//! Serves the status page, its JSON, the page's files, and the effective configuration.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderValue, IF_NONE_MATCH, VARY,
};
use hyper::{HeaderMap, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use super::body::{Body, Packed};
use super::exporter::Exporter;
use super::negotiation;
use super::response::{TEXT, set_encoding, text, unstored, with_body};
use crate::exposition::{Encoding, FRAME_SIZE};
use crate::status::assets::Asset;
use crate::status::{self, Query, Site, Status};

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// Lets a page load the exporter's own files alone, send data nowhere else, and be in no frame.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The level of scrapes, as this text is as repetitive.
const LEVEL: u32 = 1;

/// Renders the responses that take time, one after the other, so that scrapes and probes find a free
/// processor whatever the number of readers.
pub(super) struct Pages<E> {
    exporter: Arc<E>,
    site: Site,
    /// Held while a response is rendered.
    turn: Arc<Semaphore>,
}

impl<E: Exporter> Pages<E> {
    pub(super) fn new(exporter: Arc<E>, site: Site) -> Self {
        Self {
            exporter,
            site,
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    pub(super) async fn page<B>(&self, request: &Request<B>) -> Response<Body> {
        let response = match Query::parse(request.uri().query().unwrap_or_default()) {
            Ok(query) => {
                let render =
                    |status: &Status<'_>, site: &Site| status::page(status, site).into_bytes();
                self.rendered(request.headers(), query, HTML, render).await
            }
            Err(faults) => text(StatusCode::BAD_REQUEST, &faults.join("\n")),
        };
        let mut response = unstored(response);
        let policy = HeaderValue::from_static(PAGE_POLICY);
        { response.headers_mut() }.insert(CONTENT_SECURITY_POLICY, policy);
        response
    }

    pub(super) async fn json<B>(&self, request: &Request<B>) -> Response<Body> {
        let response = match Query::parse(request.uri().query().unwrap_or_default()) {
            Ok(query) => {
                self.rendered(request.headers(), query, JSON, status::json)
                    .await
            }
            Err(faults) => {
                let body = serde_json::json!({ "errors": faults });
                with_body(StatusCode::BAD_REQUEST, JSON, format!("{body}\n"))
            }
        };
        unstored(response)
    }

    /// Serves the effective configuration as plain text. Browsers display it, but would download a
    /// type for YAML.
    pub(super) async fn config<B>(&self, request: &Request<B>) -> Response<Body> {
        let exporter = self.exporter.clone();
        let make = move || exporter.config().into_bytes();
        unstored(self.render_body(request.headers(), TEXT, make).await)
    }

    /// Renders the status of this moment.
    async fn rendered(
        &self,
        headers: &HeaderMap,
        query: Query,
        content_type: &'static str,
        render: impl FnOnce(&Status<'_>, &Site) -> Vec<u8> + Send + 'static,
    ) -> Response<Body> {
        let (exporter, site) = (self.exporter.clone(), self.site.clone());
        let make = move || {
            let known = exporter.status();
            render(&Status::of(&known, &query), &site)
        };
        self.render_body(headers, content_type, make).await
    }

    /// Renders a body on a thread of its own, as it takes some milliseconds with many steps. A long
    /// one is kept compressed until the client has read it, as many clients can read slowly.
    async fn render_body(
        &self,
        headers: &HeaderMap,
        content_type: &'static str,
        make: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> Response<Body> {
        let encoding = negotiation::encoding(headers);
        let turn = self.turn.clone().acquire_owned().await;
        let rendering = tokio::task::spawn_blocking(move || {
            // Held to the end, also if the client has disconnected.
            let _turn = turn;
            let body = make();
            match encoding {
                Encoding::Identity if body.len() <= FRAME_SIZE => Body::Text(body.into()),
                Encoding::Identity => Body::Packed(Packed::new(compressed(&body), body.len())),
                Encoding::Gzip => Body::Text(compressed(&body).into()),
            }
        });
        let Ok(body) = rendering.await else {
            self.exporter.panicked();
            return text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the response could not be rendered; see the log",
            );
        };
        let mut response = with_body(StatusCode::OK, content_type, body);
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        set_encoding(headers, encoding);
        response
    }
}

/// Serves a file of the page, which browsers store forever under its versioned address.
pub(super) fn asset<B>(asset: &'static Asset, request: &Request<B>) -> Response<Body> {
    let tag = format!("\"{:016x}\"", asset.version);
    let known = request.headers().get_all(IF_NONE_MATCH).iter();
    let mut known = known.filter_map(|value| value.to_str().ok());
    let has_it = known.any(|tags| {
        tags.split(',')
            .any(|known| known.trim().trim_start_matches("W/") == tag)
    });
    let mut response = match has_it {
        true => {
            let mut response = Response::new(Body::Text(Bytes::new()));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        false => with_body(StatusCode::OK, asset.content_type, asset.content),
    };
    let own_address = request.uri().query() == Some(&asset.query());
    let cache = match own_address {
        true => "public, max-age=31536000, immutable",
        // The request comes from a page of another version.
        false => "no-cache",
    };
    response = unstored(response);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

fn compressed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(LEVEL));
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.expect("a Vec takes all that is written to it")
}
