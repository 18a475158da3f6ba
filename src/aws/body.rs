//! Reads the bodies of all responses: at most [`MAX_BODY_BYTES`] of one, and those of the service so
//! that one member of a wrong type does not spoil the rest.
//!
//! The SDK reads a body to its end, however long, and parses it as a whole. So this is a layer
//! between the SDK and the connection. It serves STS and the sources of credentials as well.

use std::fmt;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::shapes::{self, MemberShape};

/// The longest body that is read. A page of 100 images with long failures has less than 1 MiB.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// A response had a longer body than [`MAX_BODY_BYTES`].
#[derive(Debug)]
pub(super) struct BodyTooLong;

impl fmt::Display for BodyTooLong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "the body of the response is longer than {MAX_BODY_BYTES} bytes"
        )
    }
}

impl std::error::Error for BodyTooLong {}

/// Returns a client that reads bodies as this module says, through the connections of `inner`.
pub(super) fn checked(inner: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(CheckedClient(inner))
}

#[derive(Debug)]
struct CheckedClient(SharedHttpClient);

impl HttpClient for CheckedClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.0.http_connector(settings, components);
        SharedHttpConnector::new(CheckedConnector(inner))
    }
}

#[derive(Debug)]
struct CheckedConnector(SharedHttpConnector);

impl HttpConnector for CheckedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let path = request.uri().split('?').next().unwrap_or_default();
        let shape = shapes::of_response(path);
        let response = self.0.call(request);
        HttpConnectorFuture::new(async move { read(response.await?, shape).await })
    }
}

async fn read(
    mut response: HttpResponse,
    shape: Option<&'static MemberShape>,
) -> Result<HttpResponse, ConnectorError> {
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
    let bytes = match body {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(ConnectorError::other(BodyTooLong.into(), None));
        }
        Err(error) => return Err(ConnectorError::io(error)),
    };
    let shape = shape.filter(|_| response.status().is_success());
    *response.body_mut() = match shape.and_then(|shape| coerced(&bytes, shape)) {
        Some(coerced) => {
            // The SDK compares it with the length of the body.
            response.headers_mut().remove("content-length");
            SdkBody::from(coerced)
        }
        None => SdkBody::from(bytes),
    };
    Ok(response)
}

/// Returns the body as one of this shape; `None` where it is no JSON object, which the SDK reports.
fn coerced(bytes: &[u8], shape: &MemberShape) -> Option<Vec<u8>> {
    let mut body = serde_json::from_slice(bytes).ok()?;
    shape
        .coerce(&mut body)
        .then(|| body.to_string().into_bytes())
}
