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
    put_some(
        &mut members,
        "startTime",
        view.start.map(Timestamp::iso8601),
    );
    put_some(&mut members, "endTime", view.end.map(Timestamp::iso8601));
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
    put_some(
        &mut members,
        "startTime",
        view.start.map(Timestamp::iso8601),
    );
    put_some(&mut members, "endTime", view.end.map(Timestamp::iso8601));
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
            body["__type"] = format!("com.amazonaws.imagebuilder#{}", error.kind).into();
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

fn put(members: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    members.insert(name.to_owned(), value.into());
}

fn put_some(members: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(members, name, value);
    }
}
