//! Which request gets which answer.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};

use super::Exporter;
use super::body::Body;
use super::negotiation;
use crate::exposition::{Encoding, Exposition, FramePool, Frames};

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

const GET: &str = "GET, HEAD";
const POST: &str = "POST";

#[derive(Clone, Copy)]
enum Route {
    Metrics,
    Landing,
    Config,
    Healthy,
    Ready,
    Reload,
}

impl Route {
    /// What it takes, as `Allow` says it.
    fn allowed(self) -> &'static str {
        match self {
            Self::Reload => POST,
            _ => GET,
        }
    }

    /// A HEAD is answered as a GET; hyper leaves the body out, and so never asks for it.
    fn takes(self, method: &Method) -> bool {
        match self {
            Self::Reload => method == Method::POST,
            _ => method == Method::GET || method == Method::HEAD,
        }
    }
}

pub struct Routes<E> {
    exporter: Arc<E>,
    telemetry_path: String,
    frames: Arc<FramePool>,
}

impl<E: Exporter> Routes<E> {
    pub fn new(exporter: Arc<E>, telemetry_path: String) -> Self {
        Self {
            exporter,
            telemetry_path,
            frames: Arc::default(),
        }
    }

    pub async fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        let Some(route) = self.route(request.uri().path()) else {
            return text(StatusCode::NOT_FOUND, "not found");
        };
        if !route.takes(request.method()) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
            let allowed = HeaderValue::from_static(route.allowed());
            answer.headers_mut().insert(ALLOW, allowed);
            return answer;
        }
        match route {
            Route::Metrics => self.metrics(request),
            Route::Landing => page(self.landing()),
            Route::Config => self.config(),
            Route::Healthy => text(StatusCode::OK, "healthy"),
            Route::Ready if self.exporter.ready() => text(StatusCode::OK, "ready"),
            Route::Ready => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "not ready: some listed steps have not been asked for yet",
            ),
            Route::Reload => self.reload().await,
        }
    }

    fn route(&self, path: &str) -> Option<Route> {
        match path {
            "/-/healthy" => Some(Route::Healthy),
            "/-/ready" => Some(Route::Ready),
            "/-/reload" => Some(Route::Reload),
            path if path == self.telemetry_path => Some(Route::Metrics),
            "/" => Some(Route::Landing),
            "/config" => Some(Route::Config),
            _ => None,
        }
    }

    fn metrics<B>(&self, request: &Request<B>) -> Response<Body> {
        let format = negotiation::format(request.headers());
        let encoding = negotiation::encoding(request.headers());
        let exposition = Exposition::new(self.exporter.scrape(), format);
        let frames = Frames::new(exposition, encoding, self.frames.clone());
        let mut answer = Response::new(Body::Scrape(Box::new(frames)));
        let headers = answer.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(format.content_type()),
        );
        headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        if encoding == Encoding::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        answer
    }

    /// As plain text, which browsers show, where they would store a type for YAML.
    fn config(&self) -> Response<Body> {
        let mut answer = with_body(StatusCode::OK, TEXT, self.exporter.config());
        let nosniff = HeaderValue::from_static("nosniff");
        answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, nosniff);
        answer
    }

    async fn reload(&self) -> Response<Body> {
        let Some(reload) = self.exporter.reload() else {
            return text(
                StatusCode::FORBIDDEN,
                "reloading over HTTP is off; --web.enable-lifecycle turns it on",
            );
        };
        // A task of its own goes on where the client does not wait.
        match tokio::spawn(reload).await {
            Ok(Ok(())) => text(StatusCode::OK, "reloaded"),
            Ok(Err(reason)) => text(StatusCode::INTERNAL_SERVER_ERROR, &reason),
            Err(_) => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the reload broke off; the log says more",
            ),
        }
    }

    fn landing(&self) -> String {
        let path = escape_html(&self.telemetry_path);
        format!(
            "<!DOCTYPE html>\n\
             <html lang=\"en\">\n\
             <head><meta charset=\"utf-8\"><title>imagebuilder_exporter</title></head>\n\
             <body>\n\
             <h1>imagebuilder_exporter {version}</h1>\n\
             <p>The step executions of EC2 Image Builder workflows, for Prometheus.</p>\n\
             <ul>\n\
             <li><a href=\"{path}\">Metrics</a></li>\n\
             <li><a href=\"/config\">Configuration</a></li>\n\
             <li><a href=\"/-/healthy\">Health</a></li>\n\
             <li><a href=\"/-/ready\">Readiness</a></li>\n\
             </ul>\n\
             </body>\n\
             </html>\n",
            version = env!("CARGO_PKG_VERSION"),
        )
    }
}

fn text(status: StatusCode, line: &str) -> Response<Body> {
    with_body(status, TEXT, format!("{line}\n"))
}

fn page(html: String) -> Response<Body> {
    with_body(StatusCode::OK, HTML, html)
}

fn with_body(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut answer = Response::new(Body::Text(Bytes::from(body)));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

fn escape_html(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
