//! What people and their scripts ask for: the status page, its JSON, the page's files, and the
//! configuration in force.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, HeaderValue, IF_NONE_MATCH,
    VARY,
};
use hyper::{HeaderMap, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use super::body::Body;
use super::exporter::Exporter;
use super::negotiation;
use super::response::{TEXT, text, unstored, with_body};
use crate::exposition::Encoding;
use crate::status::assets::Asset;
use crate::status::{self, Query, Site, Status};

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// A page may load what is ours and nothing else, is in nobody's frame, and sends nothing elsewhere.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// As for scrapes: this text repeats itself as much.
const LEVEL: u32 = 1;

/// What makes the answers that take time, one after the other: scrapes and probes shall find a
/// processor free however many people look.
pub(super) struct Pages<E> {
    exporter: Arc<E>,
    site: Site,
    /// Held while an answer is made.
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
        let answer = match Query::parse(request.uri().query().unwrap_or_default()) {
            Ok(query) => {
                let render =
                    |status: &Status<'_>, site: &Site| status::page(status, site).into_bytes();
                self.rendered(request.headers(), query, HTML, render).await
            }
            Err(faults) => text(StatusCode::BAD_REQUEST, &faults.join("\n")),
        };
        let mut answer = unstored(answer);
        let policy = HeaderValue::from_static(PAGE_POLICY);
        { answer.headers_mut() }.insert(CONTENT_SECURITY_POLICY, policy);
        answer
    }

    pub(super) async fn json<B>(&self, request: &Request<B>) -> Response<Body> {
        let answer = match Query::parse(request.uri().query().unwrap_or_default()) {
            Ok(query) => {
                self.rendered(request.headers(), query, JSON, status::json)
                    .await
            }
            Err(faults) => {
                let body = serde_json::json!({ "errors": faults });
                with_body(StatusCode::BAD_REQUEST, JSON, format!("{body}\n"))
            }
        };
        unstored(answer)
    }

    /// The configuration in force. As plain text, which browsers show, where they would store a type
    /// for YAML.
    pub(super) async fn config<B>(&self, request: &Request<B>) -> Response<Body> {
        let exporter = self.exporter.clone();
        let make = move || exporter.config().into_bytes();
        unstored(self.made(request.headers(), TEXT, make).await)
    }

    /// What is shown now.
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
        self.made(headers, content_type, make).await
    }

    /// A body that is made beside the connections: with many steps it takes some milliseconds.
    async fn made(
        &self,
        headers: &HeaderMap,
        content_type: &'static str,
        make: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> Response<Body> {
        let encoding = negotiation::encoding(headers);
        let turn = self.turn.clone().acquire_owned().await;
        let made = tokio::task::spawn_blocking(move || {
            // Held to the end, also where who asked has gone.
            let _turn = turn;
            let body = make();
            match encoding {
                Encoding::Identity => body,
                Encoding::Gzip => compressed(&body),
            }
        });
        let Ok(body) = made.await else {
            return text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "what is known could not be shown; the log says more",
            );
        };
        let mut answer = with_body(StatusCode::OK, content_type, body);
        let headers = answer.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if encoding == Encoding::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        answer
    }
}

/// A file of ours, which is kept for good under its own address.
pub(super) fn asset<B>(asset: &'static Asset, request: &Request<B>) -> Response<Body> {
    let tag = format!("\"{:016x}\"", asset.version);
    let known = request.headers().get_all(IF_NONE_MATCH).iter();
    let mut known = known.filter_map(|value| value.to_str().ok());
    let has_it = known.any(|tags| {
        tags.split(',')
            .any(|known| known.trim().trim_start_matches("W/") == tag)
    });
    let mut answer = match has_it {
        true => {
            let mut answer = Response::new(Body::Text(Bytes::new()));
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer
        }
        false => with_body(StatusCode::OK, asset.content_type, asset.content),
    };
    let own_address = request.uri().query() == Some(&asset.query());
    let cache = match own_address {
        true => "public, max-age=31536000, immutable",
        // A page of another version asks.
        false => "no-cache",
    };
    answer = unstored(answer);
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    answer
}

fn compressed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(LEVEL));
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.expect("a Vec takes all that is written to it")
}
