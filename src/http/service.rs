//! Answers a request: who may make it, how many are answered at once, and the headers of each response.

use std::sync::Arc;

use hyper::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use rustls::ServerConfig;

use super::body::Body;
use super::connections::{Connections, Request as InProgress};
use super::contained::contained;
use super::exporter::Exporter;
use super::response::{guard, text};
use super::routes::Routes;
use super::web::{WebFile, set_headers};
use crate::config::Web;

/// Seconds after which a client may repeat a request beyond a limit.
const RETRY_SECONDS: &str = "5";

/// What all connections share.
pub(super) struct Service<E> {
    pub routes: Routes<E>,
    pub web: Option<Arc<WebFile>>,
    pub connections: Arc<Connections>,
}

impl<E: Exporter> Service<E> {
    /// Returns the TLS server for a new connection; `None` for plain HTTP.
    pub(super) async fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.web.as_ref()?.current().await.tls.clone()
    }

    pub(super) async fn respond<B>(
        &self,
        request: &Request<B>,
        in_progress: &Arc<InProgress>,
    ) -> Response<Body> {
        let web = match &self.web {
            Some(file) => Some((file, file.current().await)),
            None => None,
        };
        let response = contained(self.unguarded(request, in_progress, &web)).await;
        let mut response = response.unwrap_or_else(|| self.routes.after_panic());
        guard(response.headers_mut());
        if let Some((_, web)) = &web {
            set_headers(web, response.headers_mut());
        }
        response
    }

    async fn unguarded<B>(
        &self,
        request: &Request<B>,
        in_progress: &Arc<InProgress>,
        web: &Option<(&Arc<WebFile>, Arc<Web>)>,
    ) -> Response<Body> {
        // A probe must succeed whatever others do, and has no password.
        if self.routes.is_health(request) {
            return self.routes.respond(request, in_progress).await;
        }
        if let Some((file, web)) = web {
            if !file.takes_token(web) {
                return text(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too many requests; the web configuration has a rate_limit",
                );
            }
            if !file.accepts(web, request.headers()).await {
                let mut response = text(
                    StatusCode::UNAUTHORIZED,
                    "a user and a password are required",
                );
                let basic = HeaderValue::from_static("Basic");
                response.headers_mut().insert(WWW_AUTHENTICATE, basic);
                return response;
            }
        }
        if !in_progress.admit() {
            return refused(self.connections.limits.requests);
        }
        self.routes.respond(request, in_progress).await
    }
}

/// Returns the response to a request beyond the limit.
fn refused(max_requests: usize) -> Response<Body> {
    let mut response = text(
        StatusCode::SERVICE_UNAVAILABLE,
        &format!(
            "{max_requests} requests are in progress, the limit of --web.max-requests; try again later"
        ),
    );
    let retry_after = HeaderValue::from_static(RETRY_SECONDS);
    response.headers_mut().insert(RETRY_AFTER, retry_after);
    response
}
