//! What a failed build says: the messages and outputs of its steps, and the reason of its image.

use serde_json::Value;

use super::*;

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
