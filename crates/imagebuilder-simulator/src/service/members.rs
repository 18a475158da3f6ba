//! The members of the service's responses, by the names of its model.

use std::collections::BTreeMap;

use imagebuilder_model::{ImageStatus, Timestamp};
use serde_json::{Map, Value, json};

use crate::scenario::ImageKind;
use crate::world::{
    FailureView, ImageVersionView, ImageView, PipelineView, StepView, WorkflowView,
};

pub(crate) type Members = Map<String, Value>;

/// The members of `GetWorkflowStepExecution`.
pub(crate) fn step(view: &StepView) -> Members {
    let mut step = step_metadata(view);
    step.extend(members(json!({
        "workflowBuildVersionArn": view.workflow_arn,
        "workflowExecutionId": view.workflow_execution_id.to_string(),
        "imageBuildVersionArn": view.image_arn,
        "onFailure": view.on_failure.as_str(),
        "timeoutSeconds": view.timeout_seconds,
    })));
    step
}

/// The members of one of `ListWorkflowStepExecutions`' steps.
pub(crate) fn step_metadata(view: &StepView) -> Members {
    members(json!({
        "stepExecutionId": view.id.to_string(),
        "name": view.name,
        "action": view.action,
        "description": view.description,
        "status": view.status.as_str(),
        "rollbackStatus": view.rollback_status.as_ref().map(|status| status.as_str()),
        "message": view.message,
        "inputs": view.inputs,
        "outputs": view.outputs,
        "startTime": view.start.map(Timestamp::iso8601),
        "endTime": view.end.map(Timestamp::iso8601),
        "attemptNumber": view.attempt,
        "maxAttempts": view.max_attempts,
    }))
}

/// The members of `GetWorkflowExecution`.
pub(crate) fn workflow(view: &WorkflowView) -> Members {
    let mut workflow = workflow_metadata(view);
    workflow.insert(
        "imageBuildVersionArn".to_owned(),
        view.image_arn.as_str().into(),
    );
    // Only the list has the member.
    workflow.remove("retried");
    workflow
}

/// The members of one of `ListWorkflowExecutions`' workflow executions; the image is a
/// member of the list.
pub(crate) fn workflow_metadata(view: &WorkflowView) -> Members {
    members(json!({
        "workflowBuildVersionArn": view.workflow_arn,
        "workflowExecutionId": view.id.to_string(),
        "type": view.kind.as_str().to_uppercase(),
        "status": view.status.as_str(),
        "message": view.message,
        "totalStepCount": view.total_steps,
        "totalStepsSucceeded": view.succeeded,
        "totalStepsFailed": view.failed,
        "totalStepsSkipped": view.skipped,
        "startTime": view.start.map(Timestamp::iso8601),
        "endTime": view.end.map(Timestamp::iso8601),
        "parallelGroup": view.parallel_group,
        "retried": view.retried,
    }))
}

/// The members of `GetImage`.
pub(crate) fn image(view: &ImageView) -> Members {
    let mut image = image_summary(view);
    // Only the recipe has the owner.
    image.remove("owner");
    let recipe = view.recipe_arn.as_ref().map(|arn| {
        json!({
            "arn": arn,
            "name": view.name,
            "platform": view.platform.as_str(),
            "owner": view.account,
            "version": semantic(&view.version),
        })
    });
    let infrastructure = view.infrastructure_arn.as_ref().map(|arn| {
        let name = arn.rsplit('/').next();
        json!({"arn": arn, "name": name, "terminateInstanceOnFailure": !view.keeps_instance})
    });
    let member = match view.kind {
        ImageKind::Ami => "imageRecipe",
        ImageKind::Docker => "containerRecipe",
    };
    image.extend(members(json!({
        "enhancedImageMetadataEnabled": view.enhanced_metadata,
        "imageTestsConfiguration": tests(),
        // `sourcePipelineName` is missing: by its model, the service no longer sends it for new
        // images.
        "sourcePipelineArn": view.pipeline_arn,
        member: recipe,
        "infrastructureConfiguration": infrastructure,
    })));
    members(json!({"image": image, "latestVersionReferences": references(view)}))
}

/// The members of one of `ListImageBuildVersions`' or `ListImagePipelineImages`' images.
pub(crate) fn image_summary(view: &ImageView) -> Members {
    members(json!({
        "arn": view.arn,
        "name": view.name,
        "type": view.kind.as_str(),
        "version": view.version,
        "platform": view.platform.as_str(),
        "osVersion": view.os_version,
        "state": members(json!({
            "status": view.status.as_str(),
            "reason": view.reason,
            "failureContext": view.failure.as_ref().map(failure_context),
        })),
        "owner": view.account,
        "dateCreated": view.created.map(Timestamp::iso8601),
        "outputResources": outputs(view),
        "tags": tags(&view.tags),
        "buildType": view.build_type,
        "imageSource": source(view.build_type),
        "loggingConfiguration": view.log_group.as_ref().map(|group| json!({"logGroupName": group})),
    }))
}

/// The members of one of `ListImages`' image versions; with `by_name`, of all versions of a name.
pub(crate) fn image_version(view: &ImageVersionView, by_name: bool) -> Members {
    let (arn, version) = match view.arn.strip_suffix(&view.version) {
        // The model has no wildcard for the version, so there is none.
        Some(image) if by_name => (format!("{image}x.x.x"), None),
        _ => (view.arn.clone(), Some(&view.version)),
    };
    members(json!({
        "arn": arn,
        "version": version,
        "name": view.name,
        "type": view.kind.as_str(),
        "platform": view.platform.as_str(),
        "osVersion": view.os_version,
        "owner": view.account,
        "dateCreated": view.created.iso8601(),
        "buildType": view.build_type,
        "imageSource": source(view.build_type),
    }))
}

/// The members of a pipeline, alone or in `ListImagePipelines`.
pub(crate) fn pipeline(view: &PipelineView) -> Members {
    let recipe = match view.kind {
        ImageKind::Ami => "imageRecipeArn",
        ImageKind::Docker => "containerRecipeArn",
    };
    members(json!({
        "arn": view.arn,
        "name": view.name,
        "description": view.description,
        "platform": view.platform.as_str(),
        "enhancedImageMetadataEnabled": view.enhanced_metadata,
        recipe: view.recipe_arn,
        "infrastructureConfigurationArn": view.infrastructure_arn,
        "distributionConfigurationArn": view.distribution_arn,
        "imageTestsConfiguration": tests(),
        "schedule": view.schedule.as_ref().map(|schedule| members(json!({
            "scheduleExpression": schedule,
            "timezone": view.timezone,
            "pipelineExecutionStartCondition": "EXPRESSION_MATCH_ONLY",
        }))),
        "status": view.status(),
        "dateCreated": view.created.iso8601(),
        "dateUpdated": view.updated.iso8601(),
        "dateLastRun": view.last_run.map(Timestamp::iso8601),
        "lastRunStatus": view.last_run_status.as_ref().map(ImageStatus::as_str),
        "dateNextRun": view.next_run.map(Timestamp::iso8601),
        "tags": tags(&view.tags),
        "imageTags": tags(&view.image_tags),
        "consecutiveFailures": view.consecutive_failures,
    }))
}

/// Turns a literal object into members: one that is null is absent, as the service leaves it out.
fn members(literal: Value) -> Members {
    match literal {
        Value::Object(mut members) => {
            members.retain(|_, value| !value.is_null());
            members
        }
        _ => Members::new(),
    }
}

/// `ImageFailureContext`
fn failure_context(failure: &FailureView) -> Members {
    let step = failure.step.as_ref();
    let regions = failure.regions.iter().map(|region| {
        members(json!({
            "region": region.region,
            "targetAccountId": region.account_id,
            "status": region.status,
            "imageConfigurationStep": region.configuration_step,
            "errorMessage": region.error,
        }))
    });
    let regions: Vec<Members> = regions.collect();
    members(json!({
        "imageStatus": failure.stage.as_str(),
        "workflowExecutionId": step.map(|step| step.workflow_execution_id.to_string()),
        "workflowArn": step.map(|step| &step.workflow_arn),
        "stepExecutionId": step.map(|step| step.step_execution_id.to_string()),
        "failedStep": step.map(|step| &step.name),
        "componentFailure": failure.component().map(|component| json!({
            "componentArn": component.arn,
            "phaseName": component.phase,
            "stepName": component.step,
            "action": component.action,
            "errorMessage": component.error,
        })),
        "distributionFailure": failure.distribution_error().map(|error| json!({
            "errorMessage": error,
            "regionFailures": regions,
        })),
    }))
}

fn outputs(view: &ImageView) -> Option<Value> {
    let (output, region) = (view.output.as_deref()?, region(view));
    let name = format!("{} {}", view.name, view.version.replace('/', "-"));
    let amis = view.amis.iter().map(|ami| {
        json!({
            "region": ami.region,
            "image": ami.id,
            "name": name,
            "accountId": ami.account_id,
            "state": {"status": "AVAILABLE"},
        })
    });
    Some(match view.kind {
        ImageKind::Ami => json!({"amis": amis.collect::<Vec<_>>()}),
        ImageKind::Docker => json!({"containers": [{"region": region, "imageUris": [output]}]}),
    })
}

/// `ImageSource` of the service's model.
fn source(build_type: &str) -> &'static str {
    match build_type.starts_with("IMPORT") {
        true => "IMPORTED",
        false => "AMAZON_MANAGED",
    }
}

/// The ARNs of the newest image of this version, this minor one, this major one, and of all.
fn references(view: &ImageView) -> Value {
    let name = view.arn.strip_suffix(&view.version).unwrap_or_default();
    let semantic = semantic(&view.version);
    let (major, rest) = semantic.split_once('.').unwrap_or_default();
    let minor = rest.split('.').next().unwrap_or_default();
    json!({
        "latestVersionArn": format!("{name}x.x.x"),
        "latestMajorVersionArn": format!("{name}{major}.x.x"),
        "latestMinorVersionArn": format!("{name}{major}.{minor}.x"),
        "latestPatchVersionArn": format!("{name}{semantic}"),
    })
}

fn region(view: &ImageView) -> &str {
    view.arn.split(':').nth(3).unwrap_or_default()
}

/// `1.0.0` of `1.0.0/1`.
fn semantic(version: &str) -> &str {
    version.split('/').next().unwrap_or(version)
}

/// The service's default.
fn tests() -> Value {
    json!({"imageTestsEnabled": true, "timeoutMinutes": 720})
}

/// `TagMap` of the model has one tag at least.
fn tags(tags: &BTreeMap<String, String>) -> Option<&BTreeMap<String, String>> {
    (!tags.is_empty()).then_some(tags)
}
