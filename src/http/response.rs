//! Builds responses, with the headers that restrict what a browser does with them.

use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Response, StatusCode};

use super::body::Body;
use crate::exposition::Encoding;

pub(super) const TEXT: &str = "text/plain; charset=utf-8";

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

pub(super) fn text(status: StatusCode, line: &str) -> Response<Body> {
    with_body(status, TEXT, format!("{line}\n"))
}

pub(super) fn with_body(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Forbids a browser to store the response or to share it with other origins.
pub(super) fn unstored(mut response: Response<Body>) -> Response<Body> {
    for (name, value) in [
        (REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Forbids a browser to guess the type of the response, and to load anything for it unless the
/// response has a policy of its own.
pub(super) fn guard(headers: &mut HeaderMap) {
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(nothing);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Names the encoding of the body, if it has one.
pub(super) fn set_encoding(headers: &mut HeaderMap, encoding: Encoding) {
    if encoding == Encoding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
}
