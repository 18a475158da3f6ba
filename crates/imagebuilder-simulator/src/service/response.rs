//! HTTP responses in the service's forms.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::error::{ErrorForm, ErrorResponse};

pub(crate) type HttpResponse = Response<Full<Bytes>>;

pub(crate) fn json(value: Value, request_id: &str) -> HttpResponse {
    raw(200, "application/json", value.to_string(), request_id)
}

pub(crate) fn raw(status: u16, kind: &'static str, body: String, request_id: &str) -> HttpResponse {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-RequestId", value);
    }
    response
}

pub(crate) fn error(error: &ErrorResponse, request_id: &str) -> HttpResponse {
    let mut body = json!({"message": error.message});
    match error.form {
        ErrorForm::Header => {}
        ErrorForm::Type => {
            body["__type"] = format!("com.amazonaws.imagebuilder#{}", error.kind).into();
        }
        ErrorForm::Code => body["code"] = error.kind.as_str().into(),
    }
    let body = body.to_string();
    let mut response = raw(error.status, "application/json", body, request_id);
    if error.form == ErrorForm::Header
        && let Ok(kind) = HeaderValue::from_str(&error.kind)
    {
        response.headers_mut().insert("x-amzn-ErrorType", kind);
    }
    response
}
