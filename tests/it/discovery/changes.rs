//! What changes after it was discovered: builds that are retried, pipelines that are deleted, and who
//! may see what.

use imagebuilder_exporter::simulator::Fault;

use super::{STEP_INFO, config, reload, set, start, target, until_discovered_again, values};
use crate::process::{Scrape, Setup, Simulated, error};
use crate::support::scenario_text::{PipelineText, ScenarioText};

/// A build that fails three seconds from now, and is retried half a minute later.
fn retried() -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden")
        .with("first: -1m")
        .with("retries: 1")
        .with("retry_after: 30s")
        .workflow(
            "make, type: test, rollback: none",
            [
                "Prepare, action: RunCommand, duration: 60s",
                "Build, action: RunCommand, duration: 3s, outcome: failed",
            ],
        )])
    .with("listed_after: 0s")
}

#[tokio::test]
async fn retried_build_is_tracked_again_and_superseded_executions_are_marked() {
    let simulated = Simulated::start(retried()).await;
    let keys = ["pipelines: [golden]"];
    let exporter = start(&config(&[target(&simulated, "main", &keys)])).await;
    let execution =
        |what: &str, status: &str| format!("imagebuilder_{what}_status{{status=\"{status}\"}}");
    let retried = "imagebuilder_workflow_execution_retried{}";
    let failure = "imagebuilder_image_failure_info{failed_step=\"Build\"}";
    exporter
        .until("the build has failed", |scrape| {
            scrape.values(&execution("workflow_execution", "FAILED")) == [1.0]
                && scrape.value(&execution("image", "FAILED")) == Some(1.0)
                && scrape.value(failure) == Some(1.0)
        })
        .await;
    let scrape = exporter
        .until("the retry runs", |scrape| {
            scrape.value(&execution("image", "TESTING")) == Some(1.0)
                && scrape.values(retried).len() == 2
                && scrape.values(retried).contains(&1.0)
        })
        .await;
    assert_eq!(scrape.value(failure), None);
    let of_retried = scrape.series(retried).into_iter();
    let superseded: Vec<_> = of_retried.filter(|line| line.ends_with(" 1")).collect();
    assert_eq!(superseded.len(), 1);
    let failed = scrape.series(&execution("workflow_execution", "FAILED"));
    let failed: Vec<_> = { failed.iter() }
        .filter(|line| line.ends_with(" 1"))
        .collect();
    let id = |line: &str| line.split("workflow_execution_id=").nth(1).unwrap()[..40].to_owned();
    assert_eq!(id(failed[0]), id(superseded[0]));
    exporter
        .until("the steps of both are shown", |scrape| {
            let running = "imagebuilder_workflow_step_status{step=\"Prepare\",status=\"RUNNING\"}";
            let mut running = scrape.values(running);
            running.sort_by(f64::total_cmp);
            running == [0.0, 1.0] && scrape.series(STEP_INFO).len() == 4
        })
        .await;
}

/// A pipeline that is deleted half a minute from now, while its build runs.
fn deleted() -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden")
        .without("builds")
        .with("every: 24h")
        .with("deleted_at: 30s")
        .workflow("make", ["Build, action: RunCommand, duration: 2h"])])
    .with("listed_after: 0s")
}

#[tokio::test]
async fn build_of_a_deleted_pipeline_stays_tracked() {
    let simulated = Simulated::start(deleted()).await;
    let keys = ["pipelines: [\"gold*\"]"];
    let exporter = start(&config(&[target(&simulated, "main", &keys)])).await;
    exporter.until_value(STEP_INFO, 1.0).await;
    let pipeline = "imagebuilder_pipeline_info{}";
    let scrape = exporter
        .until("the pipeline is gone", |scrape| {
            scrape.series(pipeline).is_empty()
        })
        .await;
    let seen = "imagebuilder_workflow_step_last_success_timestamp_seconds{}";
    let before = scrape.value(seen).unwrap();
    let scrape = exporter.until_over(seen, before).await;
    assert_eq!(
        scrape
            .series("imagebuilder_image_info{pipeline=\"golden\"}")
            .len(),
        1
    );
    let matches = "imagebuilder_exporter_selector_matches{selector=\"gold*\"}";
    exporter.until_value(matches, 0.0).await;
}

fn builds() -> ScenarioText {
    ScenarioText::of([PipelineText::new("golden")
        .with("every: 5m")
        .with("builds: 2")
        .workflow("make", ["Build, action: RunCommand, duration: 2h"])])
    .with("listed_after: 0s")
}

#[tokio::test]
async fn named_build_is_tracked_alone_until_its_name_is_removed() {
    let simulated = Simulated::start(builds()).await;
    let named = |builds: &[u32]| {
        let arns = { builds.iter() }.map(|build| {
            format!("arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/{build}")
        });
        let key = format!(
            "image_build_versions: [\"{}\"]",
            arns.collect::<Vec<_>>().join("\", \"")
        );
        config(&[target(&simulated, "main", &[&key])])
    };
    let shown = |scrape: &Scrape| {
        let families = [
            STEP_INFO,
            "imagebuilder_workflow_execution_info{}",
            "imagebuilder_image_info{}",
        ];
        families.map(|info| values(scrape, info, "image_version"))
    };
    let all_are = |versions: &[&str]| [(); 3].map(|()| set(versions));
    let exporter = start(&named(&[1])).await;
    exporter
        .until("the build is there", |scrape| {
            shown(scrape) == all_are(&["1.0.0/1"])
        })
        .await;
    reload(&exporter, &named(&[2, 1])).await;
    let kept = exporter.scrape().await;
    assert!(shown(&kept)[0].contains("1.0.0/1"), "{:?}", shown(&kept));
    exporter
        .until("both are there", |scrape| {
            shown(scrape) == all_are(&["1.0.0/1", "1.0.0/2"])
        })
        .await;
    reload(&exporter, &named(&[2])).await;
    assert_eq!(shown(&exporter.scrape().await), all_are(&["1.0.0/2"]));
    assert_eq!(simulated.calls.of("ListImageBuildVersions"), 0);
    assert_eq!(simulated.calls.of("ListImagePipelines"), 0);
}

#[tokio::test]
async fn target_without_access_leaves_its_resources_to_the_next_target_until_it_has_access() {
    let simulated = Simulated::start(builds()).await;
    let role = "arn:aws:iam::111122223333:role/late";
    let denied = Fault::on("AssumeRole", error("AccessDenied")).unwrap();
    simulated.faults.set(vec![denied.id(role).unwrap()]);
    let role = format!("assume_role: {{role_arn: \"{role}\"}}");
    let follow = "pipelines: [golden]";
    let config = config(&[
        target(&simulated, "first", &[&role, follow]),
        target(&simulated, "second", &[follow]),
    ]);
    let setup = Setup::exporter(&config).env("AWS_ENDPOINT_URL_STS", &simulated.url);
    let exporter = setup.start().await;
    let all_is_of = |scrape: &Scrape, target: &str| {
        let counts = [
            (STEP_INFO, 2),
            ("imagebuilder_image_info{}", 2),
            ("imagebuilder_pipeline_info{}", 1),
        ];
        counts.iter().all(|(info, count)| {
            scrape.series(info).len() == *count && values(scrape, info, "target") == set(&[target])
        })
    };
    exporter
        .until("all is of the second", |scrape| all_is_of(scrape, "second"))
        .await;
    let first = "imagebuilder_exporter_target_up{target=\"first\"}";
    exporter.until_value(first, 0.0).await;
    simulated.faults.clear();
    exporter
        .until("all is of the first", |scrape| all_is_of(scrape, "first"))
        .await;
    let scrape = until_discovered_again(&exporter).await;
    assert!(all_is_of(&scrape, "first"));
}
