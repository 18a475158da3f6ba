//! What a failed build says: the messages and outputs of its steps, and the reason of its image.

use serde_json::Value;

use super::*;
use imagebuilder_model::ImageStatus;

const ARN: &str = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1";

/// The only step of a build, once it ended.
fn only_step(step: &str) -> StepView {
    let world = one(
        "",
        &format!("steps: [{{name: Only, duration: 10s, {step}}}]"),
    );
    world.step(&ids(&world)[0].id, at(43_000)).unwrap()
}

fn outputs(step: &StepView) -> Value {
    serde_json::from_str(step.outputs.as_deref().unwrap()).unwrap()
}

#[test]
fn failed_component_step_has_its_error_in_its_outputs_and_no_message() {
    let step = only_step(
        "action: ExecuteComponents, outcome: failed, message: exit status 7, \
         component: {name: agent}",
    );
    assert_eq!((step.status.as_str(), &step.message), ("FAILED", &None));
    let outputs = outputs(&step);
    assert_eq!(outputs["error"], "exit status 7");
    assert_eq!(outputs["output"], PLANTED_SECRET);
    let summary = &outputs["summary"];
    let document = "arn:aws:imagebuilder:us-west-2:111122223333:component/agent/1.0.0/1";
    assert_eq!(
        summary["failureMessage"],
        format!("Document {document} failed!")
    );
    let bundle = format!(
        "s3://imagebuilder-logs-111122223333/golden/1.0.0/1/{}",
        step.workflow_execution_id
    );
    assert_eq!(summary["logUrl"], bundle.as_str());
    let readable = step.to_model().outputs.unwrap();
    assert_eq!(readable.error.as_deref(), Some("exit status 7"));
    assert_eq!(readable.log_url, Some(bundle));
    assert_eq!(
        readable.run_command_id.as_deref(),
        outputs["runCommandId"].as_str()
    );
}

#[test]
fn other_failed_steps_have_a_message_and_the_secret_in_their_outputs() {
    for (action, message) in [
        ("RunCommand", "The action RunCommand reported a failure."),
        ("RunSysPrep", "Sysprep failed on the instance."),
        (
            "SanitizeInstance",
            "The sanitize script failed on the instance.",
        ),
    ] {
        let step = only_step(&format!("action: {action}, outcome: failed"));
        assert_eq!(step.message.as_deref(), Some(message));
        assert_eq!(outputs(&step)["output"], PLANTED_SECRET, "{action}");
    }
}

#[test]
fn component_step_that_timed_out_has_a_message() {
    let step = only_step("action: ExecuteComponents, outcome: hang, timeout: 1m");
    assert_eq!(step.message.as_deref(), Some("The step timed out."));
    assert_eq!(outputs(&step)["error"], Value::Null);
}

#[test]
fn instance_that_launched_has_an_id_and_one_that_did_not_has_none() {
    let message = |step: &StepView| step.message.clone().unwrap_or_default();
    let launched = only_step("action: LaunchInstance");
    assert!(
        outputs(&launched)["instanceId"]
            .as_str()
            .unwrap()
            .starts_with("i-")
    );
    let refused = only_step("action: LaunchInstance, outcome: failed");
    assert_eq!(outputs(&refused)["instanceId"], Value::Null);
    assert!(message(&refused).starts_with("Instance failed to launch: "));
    let lost = only_step("action: LaunchInstance, outcome: hang");
    assert_eq!(
        outputs(&lost)["instanceId"],
        outputs(&launched)["instanceId"]
    );
    assert!(message(&lost).starts_with("The SSM Agent on the instance did not register"));
}

#[test]
fn skipped_step_ends_when_it_starts_and_has_no_message() {
    let step = only_step("action: RunCommand, outcome: skipped, message: not now");
    assert_eq!(step.status, StepStatus::Skipped);
    assert_eq!((step.message, step.outputs), (None, None));
    assert!(step.start.is_some() && step.start == step.end);
}

#[test]
fn reason_of_an_image_has_the_message_of_the_step_that_failed() {
    let world = one(
        "",
        "steps: [{name: Launch, action: LaunchInstance, outcome: failed}]",
    );
    let image = world.image(ARN, at(3600)).unwrap();
    let id = ids(&world)[0].workflow_execution_id;
    let start = format!("Workflow Execution ID: '{id}' failed with reason: Instance failed to ");
    assert!(image.reason.unwrap().starts_with(&start));
}

fn golden(keys: &str) -> String {
    format!("pipelines: [{{name: golden, account: '111122223333', region: us-west-2, {keys}}}]")
}

/// The image at each of its changes.
fn images(world: &World) -> Vec<ImageView> {
    let changes = world.changes_of_image(ARN).into_iter();
    changes.map(|at| world.image(ARN, at).unwrap()).collect()
}

const STEP: &str = "steps: [{name: Only, action: RunCommand, duration: 10s}]";

#[test]
fn retry_of_a_failed_distribution_runs_no_workflow_again() {
    let keys = format!(
        "retries: 1, distribution: [{{region: us-west-2}}, {{region: eu-west-1, outcome: failed, \
         account: '444455556666', configuration_step: EXPORT_AMI, error: no role}}], \
         workflows: [{{name: own, {STEP}}}]"
    );
    let images = images(&world(&golden(&keys), 1.0));
    let statuses: Vec<_> = images.iter().map(|image| image.status.as_str()).collect();
    let first = ["PENDING", "CREATING", "BUILDING", "DISTRIBUTING", "FAILED"];
    let retry = ["DISTRIBUTING", "INTEGRATING", "AVAILABLE"];
    assert_eq!(statuses, [&first[..], &retry].concat());
    let failed = images[4].to_model().unwrap().failure.unwrap();
    let error = "In region 'eu-west-1' - 'no role'";
    assert_eq!(failed.reason.as_deref(), Some(error));
    assert_eq!(failed.distribution_error.as_deref(), Some(error));
    let [region] = &failed.regions[..] else {
        panic!("{failed:?}")
    };
    assert_eq!(region.status.as_deref(), Some("FAILED"));
    assert_eq!(region.account_id.as_deref(), Some("444455556666"));
    assert_eq!(region.configuration_step.as_deref(), Some("EXPORT_AMI"));
    let regions = images[7].amis.iter().map(|ami| ami.region.as_str());
    assert_eq!(regions.collect::<Vec<_>>(), ["us-west-2", "eu-west-1"]);
    assert!(images[..7].iter().all(|image| image.amis.is_empty()));
}

#[test]
fn retry_runs_again_what_did_not_complete() {
    let failing = "steps: [{name: Only, action: RunCommand, duration: 10s, outcome: failed}]";
    let keys = format!(
        "retries: 1, workflows: [{{name: own, {STEP}}}, {{name: good, type: test, {STEP}}}, \
         {{name: bad, type: test, {failing}}}, {{name: last, type: test, {STEP}}}]"
    );
    let world = world(&golden(&keys), 1.0);
    let workflows = world.workflows_of(ARN, at(3600)).unwrap();
    let seen: Vec<_> = { workflows.iter() }
        .map(|one| {
            let name = one.workflow_arn.rsplit('/').nth(2).unwrap();
            (name, one.status.as_str(), one.retried)
        })
        .collect();
    let expected = [
        ("own", "COMPLETED", false),
        ("good", "COMPLETED", false),
        ("bad", "ROLLBACK_COMPLETED", true),
        ("last", "CANCELLED", true),
        ("bad", "COMPLETED", false),
        ("last", "COMPLETED", false),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn build_that_fails_in_its_build_stage_is_not_retried() {
    let failing = "steps: [{name: Only, action: RunCommand, outcome: failed}]";
    let keys = format!(
        "retries: 1, workflows: [{{name: own, {failing}}}, {{name: later, type: test, {STEP}}}]"
    );
    let images = images(&world(&golden(&keys), 1.0));
    assert_eq!(images.last().unwrap().status, ImageStatus::Failed);
}

#[test]
fn failed_integration_has_the_error_and_no_step() {
    let keys = format!(
        "integration: {{in_turn: [failed], error: no template}}, workflows: [{{name: own, {STEP}}}]"
    );
    let images = images(&world(&golden(&keys), 1.0));
    let failure = images.last().unwrap().failure.as_ref().unwrap();
    assert_eq!(failure.stage, ImageStatus::Integrating);
    assert_eq!(
        (failure.reason.as_str(), &failure.step),
        ("no template", &None)
    );
}

#[test]
fn imported_image_has_no_recipe_and_no_executions() {
    let keys = "without_pipeline: true, import: {build_type: IMPORT_ISO}";
    let world = world(&golden(keys), 1.0);
    let images = images(&world);
    let image = images.last().unwrap();
    assert_eq!(image.status, ImageStatus::Available);
    assert_eq!((image.build_type, &image.recipe_arn), ("IMPORT_ISO", &None));
    assert_eq!(world.workflows_of(ARN, at(10)), Some(Vec::new()));
    assert!(world.planned_steps(HOUR).is_empty());
}

#[test]
fn kept_instance_is_not_rolled_back() {
    let steps = "steps: [{name: ApplyBuildComponents, outcome: failed}]";
    let keys = format!("keep_instance: true, workflows: [{{managed: build-image, {steps}}}]");
    let world = world(&golden(&keys), 1.0);
    let launch = world.step(&ids(&world)[0].id, at(7200)).unwrap();
    assert_eq!(launch.rollback_status, Some(RollbackStatus::Skipped));
}

#[test]
fn what_the_service_does_not_do_is_a_mistake() {
    let build = format!("workflows: [{{name: own, {STEP}}}]");
    for (keys, mistake) in [
        (
            format!("retries: 1, {build}"),
            "retries: RetryImage takes images of type AMI",
        ),
        (
            format!("retries: 1, type: DOCKER, workflows: [{{name: own, type: test, {STEP}}}]"),
            "retries: RetryImage takes images of type AMI",
        ),
        (
            format!("workflows: [{{name: own, parallel_group: a, {STEP}}}]"),
            "parallel_group is for workflows of type test",
        ),
        (
            format!("import: {{build_type: IMPORT}}, {build}"),
            "import: an imported image is an AMI",
        ),
        (
            format!("distribution: [{{region: here}}], {build}"),
            "distribution: the region, account",
        ),
    ] {
        let error = Scenario::parse(&golden(&keys), "a.yaml")
            .unwrap_err()
            .to_string();
        assert!(error.contains(mistake), "{error}");
    }
}
