//! What `doctor` says of access that is denied, and of the policies that would allow it.

use super::{ROLE, Run, own_role, scenario, with_role};
use crate::process::Simulated;

#[tokio::test]
async fn denied_action_is_reported_with_the_statement_that_allows_it() {
    let faults = r#"
faults:
  - operation: GetImage
    error: {type: ForbiddenException, message: "User: x is not authorized to perform: imagebuilder:GetImage because no identity-based policy allows the imagebuilder:GetImage action"}
  - {operation: ListWorkflowStepExecutions, error: {type: AccessDeniedException}}
"#;
    let simulated = Simulated::start(scenario().with(faults)).await;
    let run = Run::of(
        &simulated,
        &[("production", &own_role("images: [\"golden-*\"]"))],
    )
    .await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says(
        "  DENIED    GetImage                    HTTP 403 ForbiddenException: User: x is not authorized to perform: imagebuilder:GetImage because no identity-based policy allows the imagebuilder:GetImage action\n\
         \x20                                       without it, the pipeline that built an image is unknown: images selected by pipelines are not tracked, those selected by images are\n\
         \x20 allowed   ListWorkflowExecutions      2 workflow executions of golden-linux 1.0.0/",
    );
    run.says(
        "To allow the denied actions for target production in us-west-2, add this statement to the policies of \
         arn:aws:iam::111122223333:role/imagebuilder-exporter:\n\
         \n\
         {\n\
         \x20 \"Effect\": \"Allow\",\n\
         \x20 \"Action\": [\n\
         \x20   \"imagebuilder:GetImage\",\n\
         \x20   \"imagebuilder:ListWorkflowStepExecutions\"\n\
         \x20 ],\n\
         \x20 \"Resource\": \"*\"\n\
         }\n\
         \n\
         doctor: problems found for production in us-west-2\n",
    );
}

#[tokio::test]
async fn statement_is_for_the_regions_that_lack_it_alone() {
    let fault = "{operation: GetWorkflow*, region: eu-west-1, error: {type: ForbiddenException}}";
    let simulated = Simulated::start(scenario().with(&format!("faults: [{fault}]"))).await;
    let target = own_role("images: [\"*\"]").replace("[us-west-2]", "[us-west-2, eu-west-1]");
    let run = Run::of(&simulated, &[("production", &target)]).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says("To allow the denied actions for target production in eu-west-1, add");
    run.says(
        "    \"imagebuilder:GetWorkflowExecution\",\n\
         \x20   \"imagebuilder:GetWorkflowStepExecution\"\n\
         \x20 ],\n\
         \x20 \"Resource\": \"*\",\n\
         \x20 \"Condition\": {\n\
         \x20   \"StringEquals\": {\n\
         \x20     \"aws:RequestedRegion\": [\n\
         \x20       \"eu-west-1\"\n",
    );
    run.says("doctor: problems found for production in eu-west-1");
}

#[tokio::test]
async fn denial_by_another_policy_names_the_policy_to_change() {
    let message = "not authorized to perform: imagebuilder:GetImage because no permissions boundary allows the imagebuilder:GetImage action";
    let explicit = "not authorized to perform: imagebuilder:ListWorkflowExecutions with an explicit deny in a service control policy";
    let simulated = Simulated::start(scenario().with(&format!(
        "faults:\n  \
         - {{operation: GetImage, error: {{type: ForbiddenException, message: \"{message}\"}}}}\n  \
         - {{operation: ListWorkflowExecutions, error: {{type: ForbiddenException, message: \"{explicit}\"}}}}\n"
    )))
    .await;
    let run = Run::of(&simulated, &[("production", &own_role("images: [\"*\"]"))]).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    run.says("add this statement to the permissions boundary of the caller");
    run.says("A policy denies the action explicitly, as the service reports above. Remove that statement first:");
}

#[tokio::test]
async fn role_that_cannot_be_assumed_is_reported_with_both_policies_that_must_allow_it() {
    let simulated = Simulated::start(scenario()).await;
    for (external_id, hint) in [
        (
            ", external_id: another-id",
            "The configuration has an external_id: the trust policy must require the same one, or none.",
        ),
        (
            "",
            "The configuration has no external_id: if the trust policy has a condition on sts:ExternalId, set assume_role.external_id to its value.",
        ),
    ] {
        let role = format!("{{role_arn: \"{ROLE}\"{external_id}}}");
        let target = with_role(&role, "images: [\"*\"]");
        let run = Run::of(&simulated, &[("production", &target)]).await;
        assert_eq!(run.code, Some(1), "{}", run.text);
        run.says(&format!(
            "target production in us-west-2\n  ERROR     no credentials: assuming role {ROLE} failed: "
        ));
        run.says("the caller that assumes the role is arn:aws:iam::999999999999:user/simulated\n");
        run.says(&format!(
            "            Two policies must allow it. The policies of arn:aws:iam::999999999999:user/simulated:\n\
             \x20           {{\n\
             \x20             \"Effect\": \"Allow\",\n\
             \x20             \"Action\": [\n\
             \x20               \"sts:AssumeRole\"\n\
             \x20             ],\n\
             \x20             \"Resource\": \"{ROLE}\"\n\
             \x20           }}\n\
             \x20           The trust policy of {ROLE}:\n"
        ));
        run.says(hint);
        run.says(
            "  skipped   ListImageBuildVersions, GetImage, ListWorkflowExecutions, GetWorkflowExecution, \
             ListWorkflowStepExecutions, GetWorkflowStepExecution\n",
        );
        run.does_not_say("another-id");
    }
    assert_eq!(simulated.calls.of("ListImageBuildVersions"), 0);
}
