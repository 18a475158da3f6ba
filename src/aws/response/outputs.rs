//! Reads the few values of a step's `outputs` that explain its failure.
//!
//! `outputs` is a string of JSON. Its members are undocumented, differ by action, and can hold
//! secrets. So a value is taken by the name of its member, at the top or in an object that reports a
//! failure, and everything else is dropped here. Text that is no JSON object is dropped as a whole.

use serde_json::{Map, Value};

use super::text::{head, present};
use crate::model::{StepOutputs, StepStatus};

/// Levels of objects that are read.
const MAX_DEPTH: usize = 4;

/// Members that have an error text, the most specific first. The summary of the on-instance runner
/// has `failureMessage`.
const ERROR: &[&str] = &[
    "errormessage",
    "failuremessage",
    "error",
    "failurereason",
    "message",
];
/// Members whose objects are read as well. Any other object can hold secrets under any name.
const CONTAINERS: &[&str] = &[
    "error", "errors", "failure", "failures", "result", "results", "summary",
];
const RUN_COMMAND_ID: &[&str] = &["runcommandid", "commandid"];
const LOG_URL: &[&str] = &["logurl", "s3logurl", "s3logpath", "logbundle"];
const INSTANCE_ID: &[&str] = &["instanceid"];

/// Returns the values that may be read from `outputs`: of a FAILED step all of [`StepOutputs`], of
/// any other step the instance that it launched.
pub(super) fn read(
    outputs: Option<&str>,
    status: &StepStatus,
    action: Option<&str>,
) -> Option<StepOutputs> {
    let failed = *status == StepStatus::Failed;
    let launches = action.is_some_and(|action| action == "LaunchInstance");
    if !failed && !launches {
        return None;
    }
    let levels = levels(serde_json::from_str(present(outputs)?).ok()?);
    let found = |names: &[&str], is_valid: fn(&str) -> bool| find(&levels, names, is_valid);
    let of_failed = |names, is_valid| failed.then(|| found(names, is_valid)).flatten();
    let read = StepOutputs {
        error: of_failed(ERROR, is_text),
        run_command_id: of_failed(RUN_COMMAND_ID, is_id),
        log_url: of_failed(LOG_URL, is_location),
        instance_id: found(INSTANCE_ID, is_instance),
    };
    (read != StepOutputs::default()).then_some(read)
}

/// Returns the objects that are read: the outer one, then level by level those in its containers.
fn levels(outputs: Map<String, Value>) -> Vec<Vec<Map<String, Value>>> {
    let mut levels = vec![vec![outputs]];
    while let Some(outer) = levels.last().filter(|_| levels.len() < MAX_DEPTH) {
        let inner: Vec<_> = outer.iter().flat_map(contained).collect();
        if inner.is_empty() {
            break;
        }
        levels.push(inner);
    }
    levels
}

/// Returns the objects in the containers of an object. A summary may be JSON in a string, within the
/// JSON in a string.
fn contained(members: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let containers = members.iter().filter(|(key, _)| {
        let key = plain(key);
        CONTAINERS.iter().any(|one| key.eq_ignore_ascii_case(one))
    });
    let values = containers.flat_map(|(_, value)| match value {
        Value::Array(entries) => entries.clone(),
        Value::String(text) => serde_json::from_str(text).into_iter().collect(),
        value => vec![value.clone()],
    });
    let objects = values.filter_map(|value| match value {
        Value::Object(members) => Some(members),
        _ => None,
    });
    objects.collect()
}

/// Finds the first valid text of a member with one of these names: outer objects before inner ones,
/// earlier names before later ones.
fn find(
    levels: &[Vec<Map<String, Value>>],
    names: &[&str],
    is_valid: fn(&str) -> bool,
) -> Option<String> {
    let in_level = |objects: &Vec<Map<String, Value>>| {
        let in_objects = |name: &&str| {
            let mut objects = objects.iter();
            objects.find_map(|members| member(members, name, is_valid))
        };
        names.iter().find_map(in_objects)
    };
    levels.iter().find_map(in_level)
}

/// Returns the name of a member without what differs between spellings of it.
fn plain(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn member(members: &Map<String, Value>, name: &str, is_valid: fn(&str) -> bool) -> Option<String> {
    let text = members.iter().find_map(|(key, value)| {
        let text = { value.as_str() }.filter(|_| plain(key).eq_ignore_ascii_case(name))?;
        is_valid(text).then_some(text)
    });
    text.map(|text| head(text).to_owned())
}

/// Returns whether it is plain text. A string can contain another object, which can hold anything.
fn is_text(text: &str) -> bool {
    let is_visible =
        |character: char| character.is_alphanumeric() || character.is_ascii_punctuation();
    text.contains(is_visible) && !text.trim_start().starts_with(['{', '['])
}

fn is_id(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(is_part)
}

fn is_instance(text: &str) -> bool {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    (8..=17).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns whether it is a path, or a URL of S3 without a user and a query, which may hold secrets.
fn is_location(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_graphic() && !b"?#@\"'`\\<>$".contains(&byte);
    let host = text
        .strip_prefix("https://")
        .and_then(|rest| rest.split('/').next());
    let is_s3 =
        |host: &str| host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
    (1..=1_024).contains(&text.len())
        && text.bytes().all(is_part)
        && (text.starts_with('/') || text.starts_with("s3://") || host.is_some_and(is_s3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(outputs: &str) -> Option<StepOutputs> {
        read(
            Some(outputs),
            &StepStatus::Failed,
            Some("ExecuteComponents"),
        )
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn values_of_a_failed_step_are_read_wherever_they_are_and_nothing_else() {
        let outputs = failed(
            r#"{"password": "hunter2", "runCommandId": "a7b4f0ce-1d6e-4b8a-9f4e-0d6f2c7f8a11",
                "error": {"code": 1, "errorMessage": "exit status 1"},
                "summary": "{\"status\": \"failed\", \"logUrl\": \"s3://bucket/logs/bundle.zip\"}"}"#,
        );
        assert_eq!(
            outputs,
            Some(StepOutputs {
                error: text("exit status 1"),
                run_command_id: text("a7b4f0ce-1d6e-4b8a-9f4e-0d6f2c7f8a11"),
                log_url: text("s3://bucket/logs/bundle.zip"),
                instance_id: None,
            })
        );
    }

    #[test]
    fn error_of_an_outer_object_comes_first() {
        let outputs = r#"{"results": [{"error": {"message": "inner"}}], "summary": {"failureMessage": "outer"}}"#;
        assert_eq!(failed(outputs).unwrap().error, text("outer"));
    }

    #[test]
    fn shapes_that_are_not_expected_give_nothing() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100));
        for outputs in ["", "hunter2", "[]", "7", r#"{"error": 7}"#, "{", &deep] {
            assert_eq!(failed(outputs), None, "{outputs}");
        }
        for secret in [
            r#"{"aws": {"credentials": {"message": "hunter2", "error": "hunter2"}}}"#,
            r#"[["{\"stdout\":\"{\\\"message\\\":\\\"hunter2\\\"}\"}"]]"#,
            r#"{"stdout": "{\"message\": \"hunter2\"}"}"#,
            r#"{"logBundle": "https://user:hunter2@bucket/x"}"#,
            r#"{"logBundle": "https://evil.example/x"}"#,
            "{\"error\": \"\u{a0}\u{200b}\", \"instanceId\": \"i-\"}",
        ] {
            assert_eq!(failed(secret), None, "{secret}");
        }
        let hostile = r#"{"logUrl": "https://bucket/x?X-Amz-Signature=1", "instanceId": "i-1;rm",
            "runCommandId": "$(id)", "error": "{\"password\": \"hunter2\"}"}"#;
        assert_eq!(failed(hostile), None);
    }

    #[test]
    fn step_that_did_not_fail_has_only_its_instance() {
        let outputs = Some(r#"{"instanceId": "i-0123456789abcdef0", "error": "none"}"#);
        let launched = read(outputs, &StepStatus::Completed, Some("LaunchInstance"));
        let instance = StepOutputs {
            instance_id: text("i-0123456789abcdef0"),
            ..StepOutputs::default()
        };
        assert_eq!(launched, Some(instance));
        assert_eq!(
            read(outputs, &StepStatus::Completed, Some("RunCommand")),
            None
        );
    }
}
