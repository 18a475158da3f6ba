//! Many targets in one process: the failure of one costs that one alone.

use imagebuilder_exporter::simulator::{Effect, Fault};

use super::{config, set, start, target, target_in, until_discovered_again, values};
use crate::process::{Scrape, Setup, Simulated, error};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// The same in each region.
fn scenario(regions: &[&str]) -> ScenarioText {
    ScenarioText::of(regions.iter().map(|region| {
        PipelineText::new("golden")
            .with(&format!("region: {region}"))
            .workflow("make", ["Build, action: RunCommand, duration: 2h"])
    }))
}

const FOLLOW: &str = "pipelines: [\"*\"]";
const RUNNING: &str = "imagebuilder_workflow_step_status{status=\"RUNNING\"}";

fn up(target: &str) -> String {
    format!("imagebuilder_exporter_target_up{{target=\"{target}\"}}")
}

fn shown(scrape: &Scrape) -> std::collections::BTreeSet<String> {
    values(scrape, "imagebuilder_workflow_step_info{}", "target")
}

#[tokio::test]
async fn failing_targets_cost_themselves_alone_and_recover_when_their_fault_ends() {
    let regions = ["us-west-2", "us-east-1", "eu-west-1"];
    let simulated = Simulated::start(scenario(&regions)).await;
    let mut dead = Simulated::start(scenario(&["us-west-1"])).await;
    dead.go_down().await;
    let denied = "arn:aws:iam::111122223333:role/denied";
    let access = Fault::on("AssumeRole", error("AccessDenied")).unwrap();
    let broken = Fault::on("*", error("InternalFailure")).unwrap();
    simulated.faults.set(vec![
        access.id(denied).unwrap(),
        broken.region("eu-west-1").unwrap(),
    ]);
    let role = format!("assume_role: {{role_arn: \"{denied}\"}}");
    let config = config(&[
        target(&simulated, "sound", &[FOLLOW]),
        target_in("us-east-1", &simulated.url, "denied", &[&role, FOLLOW]),
        target_in("us-west-1", &dead.url, "dead", &[FOLLOW]),
        target_in("eu-west-1", &simulated.url, "broken", &[FOLLOW]),
    ]);
    let setup = Setup::exporter(&config).env("AWS_ENDPOINT_URL_STS", &simulated.url);
    let exporter = setup.start().await;

    let scrape = exporter
        .until("each target is as it should be", |scrape| {
            shown(scrape) == set(&["sound"])
                && scrape.value(&up("sound")) == Some(1.0)
                && ["denied", "dead", "broken"]
                    .iter()
                    .all(|target| scrape.value(&up(target)) == Some(0.0))
        })
        .await;
    assert_eq!(scrape.values(RUNNING), [1.0]);
    for (target, told) in [
        ("denied", denied),
        ("dead", "result=network"),
        ("broken", "result=server_error"),
    ] {
        let target = format!("target={target}");
        exporter
            .until_line(&["level=warn", &target, told, "polling failed"])
            .await;
    }
    // Their first attempts have ended as well.
    exporter.until_ready().await;

    simulated.faults.clear();
    dead.come_back().await;
    let scrape = exporter
        .until("all are well", |scrape| {
            shown(scrape) == set(&["sound", "denied", "dead", "broken"])
                && scrape.values("imagebuilder_exporter_target_up{}") == [1.0; 4]
        })
        .await;
    assert_eq!(scrape.values(RUNNING), [1.0; 4]);
}

#[tokio::test]
async fn images_are_discovered_without_access_to_pipelines_and_the_denied_action_is_logged() {
    let simulated = Simulated::start(scenario(&["us-west-2"])).await;
    let fault = Fault::on("ListImagePipelines", error("ForbiddenException")).unwrap();
    simulated.faults.set(vec![fault]);
    let keys = ["pipelines: [\"*\"]", "images: [\"*\"]"];
    let target = target_in("us-west-2", &simulated.url, "main", &keys);
    let exporter = start(&config(&[target])).await;
    let denied =
        "access denied (imagebuilder:ListImagePipelines): no new pipelines are discovered;";
    exporter.until_line(&["level=warn", denied]).await;
    exporter
        .until("images are found all the same", |scrape| {
            !scrape
                .series("imagebuilder_workflow_step_info{}")
                .is_empty()
        })
        .await;
    assert_eq!(exporter.count_log(&["nothing new is discovered"]), 0);
}

#[tokio::test]
async fn list_that_fails_beside_another_is_logged_once_and_so_is_its_recovery() {
    let simulated = Simulated::start(scenario(&["us-west-2"])).await;
    let fault = Fault::on("ListImagePipelines", error("ServiceException")).unwrap();
    simulated.faults.set(vec![fault]);
    let keys = ["pipelines: [\"*\"]", "images: [\"*\"]"];
    let target = target_in("us-west-2", &simulated.url, "main", &keys);
    let exporter = start(&config(&[target])).await;
    let failed = "no new pipelines are discovered; keeping the last known state and retrying";
    let operation = "operation=ListImagePipelines";
    exporter
        .until_line(&["level=warn", failed, operation, "result=server_error"])
        .await;
    simulated.faults.clear();
    exporter
        .until_line(&["level=info", "discovery succeeds again", operation])
        .await;
    assert_eq!(exporter.count_log(&[failed]), 1);
}

#[tokio::test]
async fn list_that_still_fails_when_the_target_is_up_again_is_logged_then() {
    let simulated = Simulated::start(scenario(&["us-west-2"])).await;
    simulated.spoil_all(error("ServiceException"));
    let keys = ["pipelines: [\"*\"]", "images: [\"*\"]"];
    let target = target_in("us-west-2", &simulated.url, "main", &keys);
    let exporter = start(&config(&[target])).await;
    for operation in ["ListImagePipelines", "ListImageBuildVersions"] {
        let failed = format!(
            "imagebuilder_exporter_api_requests_total{{\
             operation=\"{operation}\",result=\"server_error\"}}"
        );
        exporter.until_over(&failed, 1.0).await;
    }
    exporter.until_line(&["polling failed"]).await;
    assert_eq!(exporter.count_log(&["discovered"]), 0);
    let fault = Fault::on("ListImagePipelines", error("ServiceException")).unwrap();
    simulated.faults.set(vec![fault]);
    exporter.until_line(&["polling succeeds again"]).await;
    exporter
        .until_line(&["level=warn", "no new pipelines are discovered"])
        .await;
}

#[tokio::test]
async fn denied_call_is_logged_with_the_missing_permission() {
    let operations = [
        "ListImagePipelines",
        "ListImageBuildVersions",
        "GetImage",
        "ListWorkflowExecutions",
        "ListWorkflowStepExecutions",
        "GetWorkflowStepExecution",
    ];
    // A region for each, and one where all is allowed.
    let regions = [
        "us-west-1",
        "us-west-2",
        "us-east-1",
        "us-east-2",
        "eu-west-1",
        "eu-west-2",
    ];
    let all = [&regions[..], &["eu-central-1"]].concat();
    let simulated = Simulated::start(scenario(&all)).await;
    let faults = operations.iter().zip(regions).map(|(operation, region)| {
        let fault = Fault::on(operation, error("ForbiddenException")).unwrap();
        fault.region(region).unwrap()
    });
    simulated.faults.set(faults.collect());
    let targets = all.iter().map(|region| {
        let name = format!("in-{region}");
        target_in(region, &simulated.url, &name, &[FOLLOW])
    });
    let exporter = start(&config(&targets.collect::<Vec<_>>())).await;
    for (operation, region) in operations.iter().zip(regions) {
        let region = format!("region={region}");
        let denied = format!("access denied (imagebuilder:{operation})");
        exporter.until_line(&["level=warn", &region, &denied]).await;
        let told = exporter.count_log(&["level=warn", &region, &denied]);
        assert_eq!(told, 1, "{operation}");
    }
    // What is shown all the same: images, workflow executions, steps, and steps in full.
    let shown = |scrape: &Scrape| {
        [
            "imagebuilder_image_info{}",
            "imagebuilder_workflow_execution_info{}",
            "imagebuilder_workflow_step_settled{}",
            "imagebuilder_workflow_step_info{}",
        ]
        .map(|info| values(scrape, info, "region"))
    };
    let expected = [&all[3..], &all[4..], &all[5..], &all[6..]].map(set);
    exporter
        .until("each shows what it may", |scrape| shown(scrape) == expected)
        .await;
    // On a busy machine one that is denied may be all that was called for a while.
    exporter
        .until("what still answers is up", |scrape| {
            scrape.values("imagebuilder_exporter_target_up{}") == [1.0; 7]
        })
        .await;
}

#[tokio::test]
async fn known_steps_are_polled_by_single_gets_if_lists_are_denied() {
    let pipeline = PipelineText::new("golden").with("first: -1m").workflow(
        "make",
        [
            "First, action: RunCommand, duration: 68s",
            "Second, action: RunCommand, duration: 2h",
        ],
    );
    let simulated = Simulated::start(ScenarioText::of([pipeline])).await;
    let exporter = start(&config(&[target(&simulated, "main", &[FOLLOW])])).await;
    let known = |scrape: &Scrape| {
        values(scrape, "imagebuilder_workflow_step_info{}", "step") == set(&["First", "Second"])
    };
    exporter.until("both steps are known", known).await;
    let operation = "ListWorkflowStepExecutions";
    let fault = Fault::on(operation, error("ForbiddenException")).unwrap();
    simulated.faults.set(vec![fault]);
    let asked = simulated.asked_for("Second");
    exporter
        .until_line(&["level=warn", "steps are polled one by one", operation])
        .await;
    let second = "imagebuilder_workflow_step_status{step=\"Second\",status=\"RUNNING\"}";
    exporter
        .until("the next step is seen to run without a List", |scrape| {
            scrape.value(second) == Some(1.0) && simulated.asked_for("Second") > asked
        })
        .await;
    until_discovered_again(&exporter).await;
    assert_eq!(exporter.count_log(&["steps are polled one by one"]), 1);
    let failed = "imagebuilder_workflow_step_last_poll_success{}";
    exporter
        .until("both are asked for with success", |scrape| {
            scrape.values(failed) == [1.0, 1.0]
        })
        .await;
}

#[tokio::test]
async fn target_that_throttles_slows_down_alone() {
    let simulated = Simulated::start(scenario(&["us-west-2", "eu-west-1"])).await;
    let throttle = Fault::on("*", error("CallRateLimitExceededException")).unwrap();
    simulated
        .faults
        .set(vec![throttle.region("eu-west-1").unwrap()]);
    let exporter = start(&config(&[
        target(&simulated, "sound", &[FOLLOW]),
        target_in("eu-west-1", &simulated.url, "busy", &[FOLLOW]),
    ]))
    .await;
    exporter
        .until_line(&["level=warn", "target=busy", "API calls are throttled"])
        .await;
    exporter
        .until("the other is shown", |scrape| {
            shown(scrape) == set(&["sound"])
        })
        .await;
    simulated
        .faults
        .set(vec![Fault::on("*", Effect::Late).unwrap()]);
    exporter
        .until("both are shown", |scrape| {
            shown(scrape) == set(&["sound", "busy"])
        })
        .await;
    let throttled =
        "imagebuilder_exporter_api_requests_total{target=\"sound\",result=\"throttled\"}";
    let throttled = exporter.scrape().await.values(throttled);
    assert_eq!(throttled.iter().sum::<f64>(), 0.0);
}
