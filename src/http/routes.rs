//! Selects the response to a request by its path and method.

use std::sync::Arc;

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, VARY};
use hyper::{Request, Response, StatusCode};

use super::body::{Body, Scraped};
use super::connections::Request as InProgress;
use super::exporter::Exporter;
use super::negotiation;
use super::origin::{has_host, is_cross_site};
use super::pages::{self, Pages};
use super::response::{set_encoding, text};
use crate::exposition::{Exposition, Frames, SharedFrames};
use crate::status::assets::Asset;
use crate::status::{CONFIG_PATH, JSON_PATH, PAGE_PATH, Site};

#[derive(Clone, Copy)]
enum Route {
    Metrics,
    Page,
    Json,
    Asset(&'static Asset),
    Config,
    Healthy,
    Ready,
    Reload,
}

impl Route {
    /// Returns the methods of the route, as the header `Allow` lists them. A HEAD is handled as a GET:
    /// hyper omits the body, and so never polls it.
    fn allowed(self) -> &'static str {
        match self {
            Self::Reload => "POST",
            _ => "GET, HEAD",
        }
    }
}

pub(super) struct Routes<E> {
    exporter: Arc<E>,
    telemetry_path: String,
    external_url: Option<String>,
    pages: Pages<E>,
    frames: SharedFrames,
}

impl<E: Exporter> Routes<E> {
    pub(super) fn new(exporter: Arc<E>, site: Site) -> Self {
        Self {
            telemetry_path: site.telemetry_path.clone(),
            external_url: site.external_url.as_ref().map(ToString::to_string),
            pages: Pages::new(exporter.clone(), site),
            exporter,
            frames: SharedFrames::default(),
        }
    }

    /// Returns whether the path of the request is a health path, which is not limited.
    pub(super) fn is_health<B>(&self, request: &Request<B>) -> bool {
        let route = self.route(request.uri().path());
        matches!(route, Some(Route::Healthy | Route::Ready))
    }

    pub(super) async fn respond<B>(
        &self,
        request: &Request<B>,
        in_progress: &Arc<InProgress>,
    ) -> Response<Body> {
        if !has_host(request) {
            return text(
                StatusCode::BAD_REQUEST,
                "the request must have one Host header, as HTTP/1.1 requires",
            );
        }
        let Some(route) = self.route(request.uri().path()) else {
            return text(StatusCode::NOT_FOUND, "not found");
        };
        let allowed = route.allowed();
        if !allowed.split(", ").any(|method| request.method() == method) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
            let allowed = HeaderValue::from_static(allowed);
            response.headers_mut().insert(ALLOW, allowed);
            return response;
        }
        match route {
            Route::Metrics => self.metrics(request),
            Route::Page => self.pages.page(request).await,
            Route::Json => self.pages.json(request).await,
            Route::Asset(asset) => pages::asset(asset, request),
            Route::Config => self.pages.config(request).await,
            Route::Healthy => text(StatusCode::OK, "healthy"),
            Route::Ready if self.exporter.ready() => text(StatusCode::OK, "ready"),
            Route::Ready => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "not ready: some listed steps have not been polled yet",
            ),
            Route::Reload => self.reload(request, in_progress).await,
        }
    }

    /// Counts a panic, and returns the response to its request.
    pub(super) fn after_panic(&self) -> Response<Body> {
        self.exporter.panicked();
        text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "a defect of the exporter prevented the response; see the log",
        )
    }

    fn route(&self, path: &str) -> Option<Route> {
        match path {
            "/-/healthy" => Some(Route::Healthy),
            "/-/ready" => Some(Route::Ready),
            "/-/reload" => Some(Route::Reload),
            path if path == self.telemetry_path => Some(Route::Metrics),
            PAGE_PATH => Some(Route::Page),
            JSON_PATH => Some(Route::Json),
            CONFIG_PATH => Some(Route::Config),
            path => Asset::at(path).map(Route::Asset),
        }
    }

    fn metrics<B>(&self, request: &Request<B>) -> Response<Body> {
        let format = negotiation::format(request.headers());
        let encoding = negotiation::encoding(request.headers());
        let exposition = Exposition::new(self.exporter.scrape(), format);
        let frames = Frames::new(exposition, encoding, &self.frames);
        let mut response = Response::new(Body::Scrape(Box::new(Scraped::new(frames))));
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(format.content_type()),
        );
        headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        set_encoding(headers, encoding);
        response
    }

    async fn reload<B>(
        &self,
        request: &Request<B>,
        in_progress: &Arc<InProgress>,
    ) -> Response<Body> {
        let Some(reload) = self.exporter.reload() else {
            return text(
                StatusCode::FORBIDDEN,
                "reload over HTTP is disabled; enable it with --web.enable-lifecycle",
            );
        };
        if is_cross_site(request.headers(), self.external_url.as_deref()) {
            return text(
                StatusCode::FORBIDDEN,
                "the page of another site cannot reload the configuration; \
                 behind a proxy, set --web.external-url",
            );
        }
        let in_progress = in_progress.clone();
        // A separate task continues if the client disconnects.
        let reloading = tokio::spawn(async move {
            let result = reload.await;
            // Until then the limit counts the request.
            drop(in_progress);
            result
        });
        match reloading.await {
            Ok(Ok(())) => text(StatusCode::OK, "reloaded"),
            Ok(Err(reason)) => text(StatusCode::INTERNAL_SERVER_ERROR, &reason),
            Err(_) => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the reload failed unexpectedly; see the log",
            ),
        }
    }
}
