//! Images and pipelines as the service writes them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::scenario::ImageKind;
use crate::view::{FailureView, ImageVersionView, ImageView, PipelineView, build_type};
use imagebuilder_model::{ImageStatus, Timestamp};

use super::{put, put_some};

/// The members of `GetImage`.
pub(crate) fn image(view: &ImageView) -> Map<String, Value> {
    let mut image = image_summary(view);
    // Only the recipe tells whose it is.
    image.remove("owner");
    put(
        &mut image,
        "enhancedImageMetadataEnabled",
        view.enhanced_metadata,
    );
    put(&mut image, "imageTestsConfiguration", tests());
    // The service no longer tells the pipeline's name for new images, and says so in its model.
    put_some(
        &mut image,
        "sourcePipelineArn",
        view.pipeline_arn.as_deref(),
    );
    let recipe = json!({
        "arn": view.recipe_arn,
        "name": view.name,
        "platform": view.platform.as_str(),
        "owner": view.account,
        "version": semantic(&view.version),
    });
    let member = match view.kind {
        ImageKind::Ami => "imageRecipe",
        ImageKind::Docker => "containerRecipe",
    };
    put(&mut image, member, recipe);
    let mut members = Map::new();
    put(&mut members, "image", image);
    put(&mut members, "latestVersionReferences", references(view));
    members
}

/// The members of one of `ListImageBuildVersions`' or `ListImagePipelineImages`' images.
pub(crate) fn image_summary(view: &ImageView) -> Map<String, Value> {
    let mut members = Map::new();
    put(&mut members, "arn", view.arn.as_str());
    put(&mut members, "name", view.name.as_str());
    put(&mut members, "type", view.kind.as_str());
    put(&mut members, "version", view.version.as_str());
    put(&mut members, "platform", view.platform.as_str());
    put(&mut members, "osVersion", view.os_version.as_str());
    put(&mut members, "state", state(view));
    put(&mut members, "owner", view.account.as_str());
    put_some(
        &mut members,
        "dateCreated",
        view.created.map(Timestamp::iso8601),
    );
    put_some(&mut members, "outputResources", outputs(view));
    put_tags(&mut members, "tags", &view.tags);
    put(&mut members, "buildType", build_type(view.scheduled));
    put(&mut members, "imageSource", "AMAZON_MANAGED");
    members
}

/// The members of one of `ListImages`' image versions; of all versions of a name where asked for.
pub(crate) fn image_version(view: &ImageVersionView, by_name: bool) -> Map<String, Value> {
    let mut members = Map::new();
    if by_name {
        // The model has no wildcard for the version, so there is none.
        let arn = view.arn.strip_suffix(view.version.as_str());
        let arn = arn.map(|arn| format!("{arn}x.x.x"));
        put_some(&mut members, "arn", arn);
    } else {
        put(&mut members, "arn", view.arn.as_str());
        put(&mut members, "version", view.version.as_str());
    }
    put(&mut members, "name", view.name.as_str());
    put(&mut members, "type", view.kind.as_str());
    put(&mut members, "platform", view.platform.as_str());
    put(&mut members, "osVersion", view.os_version.as_str());
    put(&mut members, "owner", view.account.as_str());
    put(&mut members, "dateCreated", view.created.iso8601());
    put(&mut members, "buildType", build_type(view.scheduled));
    put(&mut members, "imageSource", "AMAZON_MANAGED");
    members
}

/// The members of a pipeline, alone or in `ListImagePipelines`.
pub(crate) fn pipeline(view: &PipelineView) -> Map<String, Value> {
    let mut members = Map::new();
    put(&mut members, "arn", view.arn.as_str());
    put(&mut members, "name", view.name.as_str());
    put_some(&mut members, "description", view.description.as_deref());
    put(&mut members, "platform", view.platform.as_str());
    put(
        &mut members,
        "enhancedImageMetadataEnabled",
        view.enhanced_metadata,
    );
    let recipe = match view.kind {
        ImageKind::Ami => "imageRecipeArn",
        ImageKind::Docker => "containerRecipeArn",
    };
    put(&mut members, recipe, view.recipe_arn.as_str());
    put(
        &mut members,
        "infrastructureConfigurationArn",
        view.infrastructure_arn.as_str(),
    );
    put(
        &mut members,
        "distributionConfigurationArn",
        view.distribution_arn.as_str(),
    );
    put(&mut members, "imageTestsConfiguration", tests());
    put_some(&mut members, "schedule", schedule(view));
    put(&mut members, "status", view.status());
    put(&mut members, "dateCreated", view.created.iso8601());
    put(&mut members, "dateUpdated", view.updated.iso8601());
    put_some(
        &mut members,
        "dateLastRun",
        view.last_run.map(Timestamp::iso8601),
    );
    let status = view.last_run_status.as_ref().map(ImageStatus::as_str);
    put_some(&mut members, "lastRunStatus", status);
    put_some(
        &mut members,
        "dateNextRun",
        view.next_run.map(Timestamp::iso8601),
    );
    put_tags(&mut members, "tags", &view.tags);
    put_tags(&mut members, "imageTags", &view.image_tags);
    put(
        &mut members,
        "consecutiveFailures",
        view.consecutive_failures,
    );
    members
}

fn state(view: &ImageView) -> Value {
    let mut members = Map::new();
    put(&mut members, "status", view.status.as_str());
    put_some(&mut members, "reason", view.reason.as_deref());
    let failure = view.failure.as_ref().map(|failure| context(failure, view));
    put_some(&mut members, "failureContext", failure);
    Value::Object(members)
}

/// `ImageFailureContext`
fn context(failure: &FailureView, view: &ImageView) -> Value {
    let mut members = Map::new();
    put(&mut members, "imageStatus", failure.stage.as_str());
    let id = failure.workflow_execution_id.to_string();
    put(&mut members, "workflowExecutionId", id);
    put(&mut members, "workflowArn", failure.workflow_arn.as_str());
    let id = failure.step_execution_id.to_string();
    put(&mut members, "stepExecutionId", id);
    put(&mut members, "failedStep", failure.step.as_str());
    let component = failure.component.as_ref().map(|component| {
        json!({
            "componentArn": component.arn,
            "phaseName": component.phase,
            "stepName": component.step,
            "action": component.action,
            "errorMessage": component.error,
        })
    });
    put_some(&mut members, "componentFailure", component);
    if failure.stage == ImageStatus::Distributing {
        let status = if failure.timed_out {
            "TIMED_OUT"
        } else {
            "FAILED"
        };
        let region = view.arn.split(':').nth(3).unwrap_or_default();
        let distribution = json!({
            "errorMessage": format!("In region '{region}' - '{}'", failure.message),
            "regionFailures": [
                {"region": region, "status": status, "errorMessage": failure.message},
            ],
        });
        put(&mut members, "distributionFailure", distribution);
    }
    Value::Object(members)
}

fn outputs(view: &ImageView) -> Option<Value> {
    let output = view.output.as_deref()?;
    let region = view.arn.split(':').nth(3).unwrap_or_default();
    Some(match view.kind {
        ImageKind::Ami => json!({"amis": [{
            "region": region,
            "image": output,
            "name": format!("{} {}", view.name, view.version.replace('/', "-")),
            "accountId": view.account,
            "state": {"status": "AVAILABLE"},
        }]}),
        ImageKind::Docker => json!({"containers": [{"region": region, "imageUris": [output]}]}),
    })
}

/// The ARNs that stand for the newest of this version, this minor one, this major one, and of all.
fn references(view: &ImageView) -> Value {
    let name = view.arn.strip_suffix(view.version.as_str());
    let name = name.unwrap_or_default();
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

/// `1.0.0` of `1.0.0/1`.
fn semantic(version: &str) -> &str {
    version
        .split_once('/')
        .map_or(version, |(semantic, _)| semantic)
}

fn schedule(view: &PipelineView) -> Option<Value> {
    let mut members = Map::new();
    put(
        &mut members,
        "scheduleExpression",
        view.schedule.as_deref()?,
    );
    put_some(&mut members, "timezone", view.timezone.as_deref());
    put(
        &mut members,
        "pipelineExecutionStartCondition",
        "EXPRESSION_MATCH_ONLY",
    );
    Some(Value::Object(members))
}

/// What the service fills in where nobody says otherwise.
fn tests() -> Value {
    json!({"imageTestsEnabled": true, "timeoutMinutes": 720})
}

/// `TagMap` of the model has one tag at least.
fn put_tags(members: &mut Map<String, Value>, name: &str, tags: &BTreeMap<String, String>) {
    if !tags.is_empty() {
        put(members, name, json!(tags));
    }
}
