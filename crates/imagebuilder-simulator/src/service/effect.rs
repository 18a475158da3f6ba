//! What a fault does to a response: to its members, its bytes, or the connection.

use std::collections::BTreeMap;

use http_body_util::{BodyExt, Full};
use hyper::Response;
use serde_json::Value;

use super::members::Members;
use super::response::{self, HttpResponse};
use crate::error::ErrorResponse;
use crate::fault::Effect;

/// The outcome of a call.
pub(crate) enum Reply {
    Response(HttpResponse),
    Reset,
}

/// Responds with what was found, or with the error, under a fault's effect.
pub(crate) async fn respond(
    effect: Effect,
    found: Result<Members, ErrorResponse>,
    request_id: &str,
) -> Reply {
    if let Effect::Error(scripted) = &effect {
        return Reply::Response(response::error(scripted, request_id));
    }
    let response = match found {
        Err(wrong) => response::error(&wrong, request_id),
        Ok(mut members) => {
            members.insert("requestId".to_owned(), request_id.into());
            let mut value = Value::Object(members);
            match &effect {
                Effect::Missing(names) => remove(&mut value, names),
                Effect::Replaced(members) => replace(&mut value, members),
                _ => {}
            }
            response::json(value, request_id)
        }
    };
    disrupt(effect, response, request_id).await
}

/// Carries out the effects on the response's bytes and on the connection.
pub(crate) async fn disrupt(effect: Effect, response: HttpResponse, request_id: &str) -> Reply {
    match effect {
        Effect::NoAnswer => std::future::pending().await,
        Effect::Reset => Reply::Reset,
        Effect::Truncated => Reply::Response(truncated(response).await),
        Effect::Html => {
            let page = "<!DOCTYPE html><html><body>Please log in.</body></html>".to_owned();
            Reply::Response(response::raw(200, "text/html", page, request_id))
        }
        Effect::Late | Effect::Error(_) | Effect::Missing(_) | Effect::Replaced(_) => {
            Reply::Response(response)
        }
    }
}

async fn truncated(response: HttpResponse) -> HttpResponse {
    let (head, body) = response.into_parts();
    let Ok(body) = body.collect().await;
    let bytes = body.to_bytes();
    let half = bytes.slice(..bytes.len() / 2);
    Response::from_parts(head, Full::new(half))
}

fn remove(value: &mut Value, names: &[String]) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !names.contains(name));
            members.values_mut().for_each(|value| remove(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| remove(value, names)),
        _ => {}
    }
}

fn replace(value: &mut Value, replaced: &BTreeMap<String, Value>) {
    for (name, new) in replaced {
        if !set(value, name, new)
            && let Value::Object(members) = value
        {
            members.insert(name.clone(), new.clone());
        }
    }
}

/// Sets the member wherever it occurs; returns whether it occurred.
fn set(value: &mut Value, name: &str, new: &Value) -> bool {
    match value {
        Value::Object(members) => {
            if let Some(old) = members.get_mut(name) {
                *old = new.clone();
                return true;
            }
            set_in_all(members.values_mut(), name, new)
        }
        Value::Array(items) => set_in_all(items.iter_mut(), name, new),
        _ => false,
    }
}

fn set_in_all<'a>(values: impl Iterator<Item = &'a mut Value>, name: &str, new: &Value) -> bool {
    let mut found = false;
    for value in values {
        found |= set(value, name, new);
    }
    found
}
