//! The members of the service's responses that are read, and what each must be.
//!
//! The SDK refuses a whole response for one member of another type: every step of an execution, or
//! all of discovery, would be lost for as long as it is there. [`MemberShape::coerce`] makes a response
//! one that the SDK can parse: members that are not read are dropped, and one of a wrong type
//! becomes a value of the right type that the exporter counts as unparsable. The rest is read.

use serde_json::Value;

/// What a value must be. The service model has further shapes; these are in what is read.
#[derive(Debug)]
pub(super) enum MemberShape {
    /// A text that is parsed; any other value becomes its JSON, which counts as unparsable.
    Text,
    /// A text that is kept as it is; an object or a list is dropped, since it can hold anything.
    Free,
    /// A text out of a fixed set, such as a status; any other value is dropped, since its JSON would
    /// count as an unknown one of the set.
    Word,
    /// An integer; any other value becomes -1, which no member that is read can be.
    Count,
    /// `true` or `false`; any other value is dropped.
    Flag,
    /// A map of texts; any other value is dropped, and so are entries of another type.
    Texts,
    /// A list; any other value is dropped.
    List(&'static MemberShape),
    /// The entries of a page; any other value stays, so that the SDK refuses the page: nothing known
    /// may be lost with its entries.
    Entries(&'static MemberShape),
    /// The members that are read.
    Structure(&'static [(&'static str, &'static MemberShape)]),
}

use MemberShape::{Count, Entries, Flag, Free, List, Structure, Text, Texts, Word};

macro_rules! shapes {
    ($($name:ident = $text:literal { $($member:literal: $shape:expr),+ $(,)? })+) => {
        $(static $name: MemberShape = Structure(&[$(($member, $shape)),+]);)+

        /// Every structure that is read, with its name in the service model.
        #[cfg(test)]
        static ALL: &[(&str, &MemberShape)] = &[$(($text, &$name)),+];
    };
}

shapes! {
    GET_STEP = "GetWorkflowStepExecutionResponse" {
        "stepExecutionId": &Text, "status": &Word, "rollbackStatus": &Word, "name": &Free,
        "action": &Free, "onFailure": &Text, "workflowExecutionId": &Text,
        "workflowBuildVersionArn": &Text, "imageBuildVersionArn": &Text, "startTime": &Text,
        "endTime": &Text, "timeoutSeconds": &Count, "attemptNumber": &Count,
        "maxAttempts": &Count, "message": &Free, "outputs": &Free,
    }
    LIST_STEPS = "ListWorkflowStepExecutionsResponse" {
        "steps": &Entries(&STEP), "workflowExecutionId": &Text, "workflowBuildVersionArn": &Text,
        "imageBuildVersionArn": &Text, "nextToken": &Text,
    }
    STEP = "WorkflowStepMetadata" {
        "stepExecutionId": &Text, "status": &Word, "rollbackStatus": &Word, "name": &Free,
        "action": &Free, "startTime": &Text, "endTime": &Text, "attemptNumber": &Count,
        "maxAttempts": &Count, "message": &Free, "outputs": &Free,
    }
    LIST_EXECUTIONS = "ListWorkflowExecutionsResponse" {
        "workflowExecutions": &Entries(&EXECUTION), "imageBuildVersionArn": &Text,
        "nextToken": &Text, "message": &Free,
    }
    EXECUTION = "WorkflowExecutionMetadata" {
        "workflowExecutionId": &Text, "workflowBuildVersionArn": &Text, "status": &Word,
        "message": &Free, "totalStepCount": &Count, "totalStepsSucceeded": &Count,
        "totalStepsFailed": &Count, "totalStepsSkipped": &Count, "startTime": &Text,
        "endTime": &Text, "parallelGroup": &Free, "retried": &Flag,
    }
    GET_EXECUTION = "GetWorkflowExecutionResponse" {
        "workflowExecutionId": &Text, "workflowBuildVersionArn": &Text,
        "imageBuildVersionArn": &Text, "status": &Word, "message": &Free,
        "totalStepCount": &Count, "totalStepsSucceeded": &Count, "totalStepsFailed": &Count,
        "totalStepsSkipped": &Count, "startTime": &Text, "endTime": &Text,
        "parallelGroup": &Free,
    }
    LIST_IMAGES = "ListImageBuildVersionsResponse" {
        "imageSummaryList": &Entries(&SUMMARY), "nextToken": &Text,
    }
    SUMMARY = "ImageSummary" {
        "arn": &Text, "name": &Free, "state": &STATE, "dateCreated": &Text, "platform": &Word,
        "type": &Word, "buildType": &Word, "tags": &Texts, "outputResources": &OUTPUTS,
        "loggingConfiguration": &LOGGING,
    }
    STATE = "ImageState" { "status": &Word, "reason": &Free, "failureContext": &FAILURE }
    FAILURE = "ImageFailureContext" {
        "imageStatus": &Word, "failedStep": &Free, "stepExecutionId": &Text,
        "componentFailure": &COMPONENT, "distributionFailure": &DISTRIBUTION,
    }
    COMPONENT = "ComponentFailureContext" {
        "componentArn": &Text, "phaseName": &Free, "stepName": &Free, "action": &Free,
        "errorMessage": &Free,
    }
    DISTRIBUTION = "DistributionFailureContext" {
        "errorMessage": &Free, "regionFailures": &List(&REGION),
    }
    REGION = "RegionFailure" {
        "region": &Free, "targetAccountId": &Free, "status": &Word,
        "imageConfigurationStep": &Word, "errorMessage": &Free,
    }
    OUTPUTS = "OutputResources" { "amis": &List(&AMI) }
    AMI = "Ami" {
        "region": &Free, "accountId": &Free, "image": &Free, "state": &STATE,
    }
    LOGGING = "ImageLoggingConfiguration" { "logGroupName": &Free }
    GET_IMAGE = "GetImageResponse" { "image": &IMAGE }
    IMAGE = "Image" {
        "arn": &Text, "name": &Free, "state": &STATE, "dateCreated": &Text, "platform": &Word,
        "type": &Word, "buildType": &Word, "tags": &Texts, "outputResources": &OUTPUTS,
        "loggingConfiguration": &LOGGING, "sourcePipelineArn": &Text,
    }
    LIST_PIPELINES = "ListImagePipelinesResponse" {
        "imagePipelineList": &Entries(&PIPELINE), "nextToken": &Text,
    }
    PIPELINE = "ImagePipeline" {
        "arn": &Text, "status": &Word, "schedule": &SCHEDULE, "lastRunStatus": &Word,
        "dateLastRun": &Text, "dateNextRun": &Text, "consecutiveFailures": &Count,
        "imageRecipeArn": &Text, "containerRecipeArn": &Text, "platform": &Word,
        "tags": &Texts,
    }
    SCHEDULE = "Schedule" { "scheduleExpression": &Free }
}

/// Returns the shape of the response to a request with this path.
pub(super) fn of_response(path: &str) -> Option<&'static MemberShape> {
    Some(match path.rsplit('/').next()? {
        "GetWorkflowStepExecution" => &GET_STEP,
        "GetWorkflowExecution" => &GET_EXECUTION,
        "ListWorkflowStepExecutions" => &LIST_STEPS,
        "ListWorkflowExecutions" => &LIST_EXECUTIONS,
        "ListImageBuildVersions" => &LIST_IMAGES,
        "ListImagePipelines" => &LIST_PIPELINES,
        "GetImage" => &GET_IMAGE,
        _ => return None,
    })
}

impl MemberShape {
    /// Makes a value one of this shape. Returns whether it is to be kept.
    pub(super) fn coerce(&self, value: &mut Value) -> bool {
        match (self, &mut *value) {
            (Text | Free | Word, Value::String(_)) | (Flag, Value::Bool(_)) => true,
            (_, Value::Null) | (Free, Value::Object(_) | Value::Array(_)) => false,
            (Text | Free, other) => {
                *value = Value::String(other.to_string());
                true
            }
            (Count, other) => {
                let count = other.as_i64().and_then(|count| i32::try_from(count).ok());
                *value = count.unwrap_or(-1).into();
                true
            }
            (Texts, Value::Object(texts)) => {
                texts.retain(|_, text| text.is_string());
                true
            }
            (List(shape) | Entries(shape), Value::Array(entries)) => {
                entries.retain_mut(|entry| shape.coerce(entry));
                true
            }
            (Structure(members), Value::Object(object)) => {
                object.retain(|name, value| {
                    let member = members.iter().find(|(member, _)| member == name);
                    member.is_some_and(|(_, shape)| shape.coerce(value))
                });
                true
            }
            (Entries(_), _) => true,
            (Word | Flag | Texts | List(_) | Structure(_), _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn coerced(shape: &MemberShape, mut value: Value) -> Value {
        assert!(shape.coerce(&mut value));
        value
    }

    #[test]
    fn member_of_a_wrong_type_costs_nothing_but_itself() {
        let page = json!({
            "steps": [
                {"stepExecutionId": "step-1", "status": "RUNNING", "attemptNumber": "two", "startTime": 7},
                {"stepExecutionId": "step-2", "status": 7, "inputs": {"a": 1}, "message": null},
                "step-3",
            ],
            "nextToken": 7,
        });
        let expected = json!({"nextToken": "7", "steps": [
            {"stepExecutionId": "step-1", "status": "RUNNING", "attemptNumber": -1, "startTime": "7"},
            {"stepExecutionId": "step-2"},
        ]});
        assert_eq!(coerced(&LIST_STEPS, page), expected);
        let images = json!({"imageSummaryList": [
            {"arn": "a", "tags": {"x": 1, "y": "z"}, "state": "FAILED", "outputResources": []},
        ]});
        let expected = json!({"imageSummaryList": [{"arn": "a", "tags": {"y": "z"}}]});
        assert_eq!(coerced(&LIST_IMAGES, images), expected);
    }

    #[test]
    fn members_are_those_that_the_documentation_calls_read() {
        let page = include_str!("../../docs/response-members.md");
        let sections = page.split("\n## ").skip(1).map(|section| {
            let (name, rows) = section.split_once('\n').unwrap();
            let rows = rows.lines().filter(|row| row.starts_with("| `"));
            let read = rows.filter(|row| !row.contains("| not read"));
            let members = read.flat_map(|row| {
                let members = row.split('|').nth(1).unwrap();
                members.split('`').skip(1).step_by(2)
            });
            (name.trim_matches('`'), members.collect::<BTreeSet<_>>())
        });
        let documented: BTreeMap<_, _> = sections.collect();
        let shapes = ALL.iter().filter_map(|(name, shape)| match shape {
            Structure(members) => {
                Some((*name, members.iter().map(|(member, _)| *member).collect()))
            }
            _ => None,
        });
        assert_eq!(documented, shapes.collect());
    }

    proptest! {
        #[test]
        fn coerced_value_stays_as_it_is(text in "\\PC{0,40}", number: i64) {
            let values = [json!(text), json!(number), json!([text]), json!({"status": number}), json!(0.5)];
            for value in values {
                for (_, shape) in ALL {
                    let mut once = json!({"steps": [value], "state": value, "tags": value, "arn": value});
                    prop_assert!(shape.coerce(&mut once));
                    let mut twice = once.clone();
                    prop_assert!(shape.coerce(&mut twice));
                    prop_assert_eq!(&once, &twice);
                }
            }
        }
    }
}
