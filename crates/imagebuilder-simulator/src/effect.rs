//! What a fault does to an answer: to its members, its bytes, or the connection.

use std::collections::BTreeMap;

use http_body_util::{BodyExt, Full};
use hyper::Response;
use serde_json::{Map, Value};

use super::answer::{self, Answer};
use super::faults::{Effect, ErrorAnswer};
use super::service::Reply;

/// What the caller gets of what was found, or of the error, under a fault's effect.
pub(super) async fn suffer(
    effect: Effect,
    found: Result<Map<String, Value>, ErrorAnswer>,
    request_id: &str,
) -> Reply {
    if let Effect::Error(scripted) = &effect {
        return Reply::Answer(answer::error(scripted, request_id));
    }
    let answer = match found {
        Err(wrong) => answer::error(&wrong, request_id),
        Ok(mut members) => {
            members.insert("requestId".to_owned(), request_id.into());
            let mut value = Value::Object(members);
            match &effect {
                Effect::Missing(names) => remove(&mut value, names),
                Effect::Replaced(members) => replace(&mut value, members),
                _ => {}
            }
            answer::json(value, request_id)
        }
    };
    spoil(effect, answer, request_id).await
}

/// Effects on the answer's bytes and on the connection.
pub(super) async fn spoil(effect: Effect, answer: Answer, request_id: &str) -> Reply {
    match effect {
        Effect::NoAnswer => std::future::pending().await,
        Effect::Reset => Reply::Reset,
        Effect::Truncated => Reply::Answer(truncated(answer).await),
        Effect::Html => {
            let page = "<!DOCTYPE html><html><body>Please log in.</body></html>".to_owned();
            Reply::Answer(answer::raw(200, "text/html", page, request_id))
        }
        Effect::Late | Effect::Error(_) | Effect::Missing(_) | Effect::Replaced(_) => {
            Reply::Answer(answer)
        }
    }
}

async fn truncated(answer: Answer) -> Answer {
    let (head, body) = answer.into_parts();
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

/// Sets the member wherever it stands; whether it stood anywhere.
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
