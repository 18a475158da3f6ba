//! Answers as the service writes them: JSON members by the names of its model, errors in its forms.

mod catalog;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use imagebuilder_model::Timestamp;

use super::faults::{ErrorAnswer, ErrorForm};
use super::view::{StepView, WorkflowView};

pub(super) use catalog::{image, image_summary, image_version, pipeline};

pub(super) type Answer = Response<Full<Bytes>>;

/// The members of `GetWorkflowStepExecution`.
pub(super) fn step(view: &StepView) -> Map<String, Value> {
    let mut members = step_metadata(view);
    put(
        &mut members,
        "workflowBuildVersionArn",
        view.workflow_arn.as_str(),
    );
    let workflow = view.workflow_execution_id.to_string();
    put(&mut members, "workflowExecutionId", workflow);
    put(
        &mut members,
        "imageBuildVersionArn",
        view.image_arn.as_str(),
    );
    put(&mut members, "onFailure", view.on_failure.as_str());
    put(&mut members, "timeoutSeconds", view.timeout_seconds);
    members
}

/// The members of one of `ListWorkflowStepExecutions`' steps.
pub(super) fn step_metadata(view: &StepView) -> Map<String, Value> {
    let mut members = Map::new();
    put(&mut members, "stepExecutionId", view.id.to_string());
    put(&mut members, "name", view.name.as_str());
    put(&mut members, "action", view.action.as_str());
    put(&mut members, "status", view.status.as_str());
    put(&mut members, "inputs", view.inputs.as_str());
    put_some(&mut members, "description", view.description.as_deref());
    let rollback = view.rollback_status.as_ref().map(|status| status.as_str());
    put_some(&mut members, "rollbackStatus", rollback);
    put_some(&mut members, "message", view.message.as_deref());
    put_some(&mut members, "outputs", view.outputs.as_deref());
    put_some(&mut members, "startTime", view.start.map(time));
    put_some(&mut members, "endTime", view.end.map(time));
    put_some(&mut members, "attemptNumber", view.attempt);
    put_some(&mut members, "maxAttempts", view.max_attempts);
    members
}

/// The members of `GetWorkflowExecution`.
pub(super) fn workflow(view: &WorkflowView) -> Map<String, Value> {
    let mut members = Map::new();
    put(
        &mut members,
        "workflowBuildVersionArn",
        view.workflow_arn.as_str(),
    );
    put(&mut members, "workflowExecutionId", view.id.to_string());
    put(
        &mut members,
        "imageBuildVersionArn",
        view.image_arn.as_str(),
    );
    put(&mut members, "type", view.kind.as_str().to_uppercase());
    put(&mut members, "status", view.status.as_str());
    put(&mut members, "totalStepCount", view.total_steps);
    put(&mut members, "totalStepsSucceeded", view.succeeded);
    put(&mut members, "totalStepsFailed", view.failed);
    put(&mut members, "totalStepsSkipped", view.skipped);
    put_some(&mut members, "message", view.message.as_deref());
    put_some(&mut members, "startTime", view.start.map(time));
    put_some(&mut members, "endTime", view.end.map(time));
    let group = view.parallel_group.as_deref();
    put_some(&mut members, "parallelGroup", group);
    members
}

/// The members of one of `ListWorkflowExecutions`' workflow executions.
pub(super) fn workflow_metadata(view: &WorkflowView) -> Map<String, Value> {
    let mut members = workflow(view);
    // The list says of which image they are, once for all.
    members.remove("imageBuildVersionArn");
    if view.retried {
        put(&mut members, "retried", true);
    }
    members
}

pub(super) fn json(value: Value, request_id: &str) -> Answer {
    raw(200, "application/json", value.to_string(), request_id)
}

pub(super) fn raw(status: u16, kind: &'static str, body: String, request_id: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-RequestId", value);
    }
    answer
}

pub(super) fn error(error: &ErrorAnswer, request_id: &str) -> Answer {
    let mut body = json!({"message": error.message});
    match error.form {
        ErrorForm::Header => {}
        ErrorForm::Type => {
            body["__type"] = format!("com.amazonaws.imagebuilder#{}", error.kind).into()
        }
        ErrorForm::Code => body["code"] = error.kind.as_str().into(),
    }
    let mut answer = raw(
        error.status,
        "application/json",
        body.to_string(),
        request_id,
    );
    if error.form == ErrorForm::Header
        && let Ok(kind) = HeaderValue::from_str(&error.kind)
    {
        answer.headers_mut().insert("x-amzn-ErrorType", kind);
    }
    answer
}

/// ISO 8601 with milliseconds, always three digits of them as the service writes it.
pub(super) fn time(at: Timestamp) -> String {
    let millis = at.millis();
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (seconds, millis) = (of_day / 1000 % 60, of_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
}

/// The date of a count of days since 1970-01-01, in the Gregorian calendar, whose years here begin
/// in March so that a leap day is a year's last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month, day)
}

fn put(members: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    members.insert(name.to_owned(), value.into());
}

fn put_some(members: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(members, name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_as_it_is_read() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2024-02-29T23:59:59.999Z",
            "2026-09-09T19:12:23.418Z",
            "2100-03-01T00:00:00.001Z",
        ] {
            let at = Timestamp::parse(text).unwrap();
            assert_eq!(time(at), text);
        }
    }
}
