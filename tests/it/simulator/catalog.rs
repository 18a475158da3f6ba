//! Images and pipelines through the real SDK.

use std::collections::BTreeSet;

use aws_sdk_imagebuilder::types::{Filter, ImageStatus, PipelineStatus};

use super::*;

const IMAGE: &str = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1";
const PIPELINE: &str = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/golden";

/// Beside what every test here has: builds again and again, one retried, one of no pipeline, and
/// a pipeline that is disabled after failures.
fn scenario() -> ScenarioText {
    let more = [
        PipelineText::new("often-built")
            .with("display_name: Often Built")
            .with("tags: {Team: platform}")
            .with("first: -300m")
            .with("every: 5m")
            .managed("build-image"),
        PipelineText::new("broken")
            .with("first: -10h")
            .with("every: 2h")
            .with("disabled_at: -3h")
            .managed_with(
                "build-image",
                ["ApplyBuildComponents, outcome: failed, \
                  component: {name: agent, step: Install, error: exit status 7}"],
            ),
        PipelineText::new("again")
            .with("first: -1h")
            .with("every: 100d")
            .with("retries: 1")
            .with("retry_after: 10h")
            .workflow(
                "own, type: test",
                ["Fails, action: RunCommand, duration: 1m, outcome: failed"],
            ),
        PipelineText::new("one-off")
            .with("without_pipeline: true")
            .with("first: -10h")
            .with("every: 100d")
            .managed("build-image"),
    ];
    let more = more.map(|pipeline| pipeline.without("builds"));
    ScenarioText::of(pipelines().into_iter().chain(more)).with("listed_after: 0")
}

async fn start(options: &str) -> Running {
    Running::play(&scenario().with(options)).await
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

#[tokio::test]
async fn every_build_is_listed_once_through_short_and_empty_pages() {
    let running = start("pages: {short: true, empty: true}").await;
    let call = running.client().list_image_build_versions();
    let mut pages = call.into_paginator().send();
    let (mut arns, mut empty) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        empty += usize::from(page.image_summary_list().is_empty());
        let listed = page.image_summary_list().iter();
        arns.extend(listed.map(|image| image.arn().unwrap().to_owned()));
    }
    assert!(empty > 0);
    let expected = running.world.images(REGION, None, SystemTime::now().into());
    let expected: Vec<_> = expected.into_iter().map(|image| image.arn).collect();
    assert_eq!(arns, expected);
    assert_eq!(arns.iter().collect::<BTreeSet<_>>().len(), arns.len());
    assert!(arns.len() > 60, "{}", arns.len());
    assert!(running.calls.of("ListImageBuildVersions") > 5);
}

#[tokio::test]
async fn image_response_matches_the_world() {
    let running = start("").await;
    let client = running.client();
    let answer = client.get_image().image_build_version_arn(IMAGE);
    let answer = answer.send().await.unwrap();
    let (image, now) = (answer.image().unwrap(), SystemTime::now().into());
    let view = running.world.image(IMAGE, now).unwrap();
    assert_eq!(image.arn(), Some(IMAGE));
    let state = image.state().unwrap();
    assert_eq!(state.status(), Some(&ImageStatus::Available));
    let created = Timestamp::parse(image.date_created().unwrap());
    assert_eq!(created, view.created);
    assert_eq!(image.source_pipeline_arn(), Some(PIPELINE));
    let amis = image.output_resources().unwrap().amis();
    assert_eq!(amis[0].image(), view.output.as_deref());
    assert_eq!(running.calls.of_id("GetImage", IMAGE), 1);

    let one_off = IMAGE.replace("golden", "one-off");
    let answer = client.get_image().image_build_version_arn(one_off);
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.image().unwrap().source_pipeline_arn(), None);
}

#[tokio::test]
async fn failed_image_has_its_failure_context() {
    let running = start("").await;
    let arn = IMAGE.replace("golden", "broken");
    let call = running.client().get_image().image_build_version_arn(&arn);
    let answer = call.send().await.unwrap();
    let state = answer.image().unwrap().state().unwrap();
    let failure = state.failure_context().unwrap();
    assert_eq!(failure.image_status(), Some(&ImageStatus::Building));
    assert_eq!(failure.failed_step(), Some("ApplyBuildComponents"));
    let component = failure.component_failure().unwrap();
    assert_eq!(component.step_name(), Some("Install"));
    assert_eq!(component.error_message(), Some("exit status 7"));
    assert!(
        state
            .reason()
            .unwrap()
            .ends_with("component/agent/1.0.0/1 failed!")
    );
    let id = failure.step_execution_id().unwrap();
    let step = get(&running.client(), id).await.unwrap();
    assert_eq!(step.status().unwrap().as_str(), "FAILED");
}

#[tokio::test]
async fn pipelines_are_returned_alone_and_in_the_list() {
    let running = start("").await;
    let client = running.client();
    let listed = client.list_image_pipelines().into_paginator().items();
    let listed: Result<Vec<_>, _> = listed.send().collect().await;
    let listed = listed.unwrap();
    let names: BTreeSet<_> = listed.iter().filter_map(|p| p.name()).collect();
    assert_eq!(names, ["Often Built", "again", "broken", "golden"].into());
    for pipeline in &listed {
        let arn = pipeline.arn().unwrap();
        let answer = client.get_image_pipeline().image_pipeline_arn(arn);
        let answer = answer.send().await.unwrap();
        let got = answer.image_pipeline().unwrap();
        assert_eq!(got.date_next_run(), pipeline.date_next_run(), "{arn}");
        assert_eq!(got.tags(), pipeline.tags(), "{arn}");
    }
    let named = |name| listed.iter().find(|p| p.name() == Some(name)).unwrap();
    let often = named("Often Built");
    assert_eq!(often.tags().unwrap()["Team"], "platform");
    let schedule = often.schedule().unwrap().schedule_expression();
    assert_eq!(schedule, Some("rate(5 minutes)"));
    let broken = named("broken");
    assert_eq!(broken.status(), Some(&PipelineStatus::Disabled));
    assert_eq!(broken.consecutive_failures(), Some(4));
    assert_eq!(broken.last_run_status(), Some(&ImageStatus::Failed));
    assert_eq!(broken.date_next_run(), None);
}

#[tokio::test]
async fn images_of_a_pipeline_and_of_a_version_are_listed_alone() {
    let running = start("").await;
    let client = running.client();
    let call = client.list_image_pipeline_images();
    let call = call.image_pipeline_arn(PIPELINE).send().await.unwrap();
    let arns: Vec<_> = call.image_summary_list().iter().map(|i| i.arn()).collect();
    assert_eq!(arns, [Some(IMAGE)]);
    let version = IMAGE.strip_suffix("/1").unwrap();
    let call = client.list_image_build_versions();
    let call = call.image_version_arn(version).send().await.unwrap();
    let arns: Vec<_> = call.image_summary_list().iter().map(|i| i.arn()).collect();
    assert_eq!(arns, [Some(IMAGE)]);
    let unknown = PIPELINE.replace("golden", "unknown");
    let call = client.list_image_pipeline_images();
    let call = call.image_pipeline_arn(unknown).send().await.unwrap();
    assert!(call.image_summary_list().is_empty());
}

#[tokio::test]
async fn lists_are_filtered_and_unsupported_filters_refused() {
    let running = start("").await;
    let client = running.client();
    let images = |filter| client.list_images().filters(filter).send();
    let found = images(filter("name", "Often*")).await.unwrap();
    assert_eq!(found.image_version_list().len(), 1);
    let error = images(filter("status", "AVAILABLE")).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidRequestException"));
    let call = client.list_image_pipelines();
    let call = call.filters(filter("status", "DISABLED"));
    assert_eq!(call.send().await.unwrap().image_pipeline_list().len(), 1);
}

#[tokio::test]
async fn unknown_and_foreign_images_and_pipelines_are_not_found() {
    let running = start("").await;
    let client = running.client();
    let foreign = "arn:aws:imagebuilder:eu-west-1:444455556666:";
    for arn in [
        IMAGE.replace("golden", "unknown"),
        format!("{foreign}image/elsewhere/1.0.0/1"),
    ] {
        let call = client.get_image().image_build_version_arn(&arn);
        let error = call.send().await.unwrap_err();
        assert_eq!(error.code(), Some("ResourceNotFoundException"), "{arn}");
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 404);
    }
    let call = client.get_image_pipeline();
    let arn = format!("{foreign}image-pipeline/elsewhere");
    let error = call.image_pipeline_arn(arn).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
}

#[tokio::test]
async fn retried_build_moves_its_image_again() {
    let scenario = Scenario::parse(&scenario().to_string(), "test").unwrap();
    let arn = IMAGE.replace("golden", "again");
    let now = Timestamp::from(SystemTime::now());
    let world = World::new(scenario.clone(), 7, 1.0, now);
    // After PENDING, CREATING, TESTING and FAILED; the world is begun so long before now.
    let retry = world.changes_of_image(&arn)[4].millis_since(now);
    let start = Timestamp::from_millis(now.millis() - retry);
    let running = Running::serve(World::new(scenario, 7, 1.0, start)).await;
    let call = running.client().get_image().image_build_version_arn(&arn);
    let answer = call.send().await.unwrap();
    let state = answer.image().unwrap().state().unwrap();
    assert_ne!(state.status(), Some(&ImageStatus::Failed));
    let call = running.client().list_workflow_executions();
    let call = call.image_build_version_arn(&arn).send().await.unwrap();
    assert_eq!(call.workflow_executions()[0].retried(), Some(true));
}

#[tokio::test]
async fn faults_reach_images_and_pipelines_too() {
    let running = start("").await;
    let client = running.client();
    let refused = Effect::Error(ErrorResponse::new("ForbiddenException", "scripted"));
    running
        .faults
        .set(vec![Fault::on("ListImage*", refused).unwrap()]);
    let error = client.list_images().send().await.unwrap_err();
    assert_eq!(error.code(), Some("ForbiddenException"));
    let error = client.list_image_build_versions().send().await.unwrap_err();
    assert_eq!(error.code(), Some("ForbiddenException"));
    running.break_with(Effect::Missing(vec!["state".into()]));
    let answer = client.list_image_build_versions().send().await.unwrap();
    assert!(
        answer
            .image_summary_list()
            .iter()
            .all(|i| i.state().is_none())
    );
}
