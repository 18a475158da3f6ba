//! What images go through, and what the lists tell of them.

use proptest::prelude::*;

use super::*;
use imagebuilder_model::ImageStatus;

const ARN: &str = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1";

fn statuses(world: &World, arn: &str) -> Vec<String> {
    let changes = world.changes_of_image(arn).into_iter();
    let views = changes.map(|at| world.image(arn, at).unwrap());
    views.map(|view| view.status.to_string()).collect()
}

/// The image once nothing of it changes any more.
fn last(world: &World) -> ImageView {
    let at = *world.changes_of_image(ARN).last().unwrap();
    world.image(ARN, at).unwrap()
}

fn arns(images: &[ImageView]) -> Vec<&str> {
    images.iter().map(|image| image.arn.as_str()).collect()
}

#[test]
fn image_is_what_the_workflows_of_its_build_are_at() {
    let steps = "steps: [{name: Only, action: CreateImage}]";
    let text = format!(
        "pipelines: [{{name: golden, account: '111122223333', region: us-west-2, workflows: [\
         {{name: build, {steps}}}, {{name: one, type: test, {steps}}}, \
         {{name: two, type: test, {steps}}}]}}]"
    );
    let world = world(&text, 1.0);
    let moving = ["PENDING", "CREATING", "BUILDING", "TESTING"];
    let after = ["DISTRIBUTING", "INTEGRATING", "AVAILABLE"];
    assert_eq!(statuses(&world, ARN), [&moving[..], &after].concat());
    let image = last(&world);
    let made: serde_json::Value = {
        let id = &ids(&world)[2].id;
        let step = world.step(id, at(7200)).unwrap();
        serde_json::from_str(step.outputs.as_deref().unwrap()).unwrap()
    };
    assert_eq!(image.output.as_deref(), made["imageId"].as_str());
    assert_eq!(image.created, Some(START));
}

#[test]
fn failed_image_tells_the_step_and_the_component() {
    let world = one(
        "",
        "steps: [{name: First, action: RunCommand, outcome: failed, on_failure: Continue}, \
         {name: Apply, action: ExecuteComponents, outcome: failed, \
         component: {name: agent, step: Install, error: exit status 7}}]",
    );
    assert_eq!(
        statuses(&world, ARN),
        ["PENDING", "CREATING", "BUILDING", "FAILED"]
    );
    let (image, step) = (last(&world), &ids(&world)[1]);
    let failure = image.failure.unwrap();
    assert_eq!(failure.stage, ImageStatus::Building);
    assert_eq!(failure.step.as_ref().unwrap().step_execution_id, step.id);
    let component = failure.component().unwrap();
    assert_eq!(component.error, "exit status 7");
    let arn = "arn:aws:imagebuilder:us-west-2:111122223333:component/agent/1.0.0/1";
    assert_eq!(component.arn, arn);
    let id = step.workflow_execution_id;
    let reason =
        format!("Workflow Execution ID: '{id}' failed with reason: Document {arn} failed!");
    assert_eq!(image.reason, Some(reason));
    assert_eq!(image.output, None);
}

#[test]
fn step_that_timed_out_is_no_components_failure() {
    let step = "steps: [{name: Apply, action: ExecuteComponents, outcome: hang, timeout: 1m}]";
    let failure = last(&one("", step)).failure.unwrap();
    assert_eq!(failure.component(), None);
    assert!(
        failure
            .reason
            .ends_with("failed with reason: The step timed out.")
    );
}

#[test]
fn failed_image_moves_again_when_a_retry_begins() {
    let step = "type: test, \
                steps: [{name: Fails, action: RunCommand, duration: 10s, outcome: failed}]";
    let world = one("retries: 1, retry_after: 60s,", step);
    let run = ["PENDING", "CREATING", "TESTING", "FAILED"];
    let ends = ["TESTING", "DISTRIBUTING", "INTEGRATING", "AVAILABLE"];
    let expected = [&run[..], &ends].concat();
    assert_eq!(statuses(&world, ARN), expected);
    let image = |seconds| world.image(ARN, at(seconds)).unwrap();
    assert!(image(60).failure.is_some());
    assert!(image(80).failure.is_none() && image(80).reason.is_none());
}

#[test]
fn image_fails_with_its_workflow_although_steps_are_still_rolled_back() {
    let world = one(
        "",
        "rollback: while_failed, steps: [{name: First, action: LaunchInstance, rollback_duration: 10m}, \
         {name: Second, action: RunCommand, outcome: failed}]",
    );
    let failed = *world.changes_of_image(ARN).last().unwrap();
    let steps = ids(&world);
    let workflow = world.workflow(&steps[0].workflow_execution_id, failed);
    assert_eq!(workflow.unwrap().end, Some(failed));
    assert!(*world.changes_of_step(&steps[0].id).last().unwrap() > failed);
}

#[test]
fn cancelled_image_has_no_reason() {
    let world = one(
        "",
        "steps: [{name: First, action: RunCommand, outcome: cancelled}]",
    );
    let image = last(&world);
    assert_eq!(image.status, ImageStatus::Cancelled);
    assert_eq!((image.reason, image.failure), (None, None));
}

#[test]
fn image_grows_old_as_its_lifecycle_says() {
    let options = "lifecycle: [{after: 1d, status: DEPRECATED}, {after: 2d, status: DISABLED}, \
                   {after: 3d, status: DELETED}],";
    let world = one(options, "steps: [{name: Only, action: RunCommand}]");
    let after = ["AVAILABLE", "DEPRECATED", "DISABLED", "DELETED"];
    assert_eq!(statuses(&world, ARN)[5..], after);
}

const OFTEN: &str = "listed_after: 30s..90s\nkeep_images: 1d\npipelines: [\
    {name: golden, account: '111122223333', region: us-west-2, every: 10m, workflows: [{managed: build-image}]}, \
    {name: other, account: '444455556666', region: us-west-2, every: 10m, workflows: [{managed: build-image}]}, \
    {name: far, account: '111122223333', region: eu-west-1, every: 10m, workflows: [{managed: build-image}]}]";

#[test]
fn lists_tell_of_an_image_only_a_while_after_it_was_made() {
    let world = world(OFTEN, 1.0);
    let from = world.image_listed_from(ARN).unwrap();
    let delay = from.millis_since(START);
    assert!((30_000..90_000).contains(&delay), "{delay}");
    let listed = |now| world.images("us-west-2", Some("111122223333"), now);
    assert!(listed(from.plus_millis(-1)).is_empty());
    assert_eq!(arns(&listed(from)), [ARN]);
    assert!(world.image(ARN, START).is_some());
}

#[test]
fn lists_hold_what_the_region_and_the_account_have() {
    let world = world(OFTEN, 1.0);
    let count = |region, account| world.images(region, account, at(100)).len();
    assert_eq!(count("us-west-2", Some("111122223333")), 1);
    assert_eq!(count("us-west-2", None), 2);
    assert_eq!(count("eu-west-1", None), 1);
    assert_eq!(count("eu-west-1", Some("444455556666")), 0);
    assert_eq!(world.image_versions("us-west-2", None, at(100)).len(), 2);
}

#[test]
fn order_of_the_list_is_not_that_of_time_and_never_changes() {
    let world = world(OFTEN, 1.0);
    let now = world.images("us-west-2", None, at(20 * 600));
    let created: Vec<_> = now.iter().map(|image| image.created).collect();
    assert!(!created.is_sorted() && !created.iter().rev().is_sorted());
    let later = world.images("us-west-2", None, at(25 * 600));
    assert!(later.len() > now.len());
    let (now, mut later) = (arns(&now), arns(&later));
    later.retain(|arn| now.contains(arn));
    assert_eq!(now, later);
}

#[test]
fn image_leaves_the_lists_when_it_is_kept_no_longer() {
    let world = world(OFTEN, 1.0);
    let listed = |seconds| {
        let images = world.images("us-west-2", None, at(seconds));
        images.iter().any(|image| image.arn == ARN)
    };
    let day = 24 * 3600;
    assert_eq!([listed(day - 1), listed(day)], [true, false]);
    assert!(world.image(ARN, at(day)).is_none());
}

#[test]
fn version_stands_for_its_newest_available_build() {
    let world = world(OFTEN, 1.0);
    let now = at(3 * 3600);
    let all = world.images("us-west-2", Some("111122223333"), now);
    let available = all
        .iter()
        .filter(|image| image.status == ImageStatus::Available);
    let newest = available.max_by_key(|image| image.created).unwrap();
    assert!(all.iter().any(|image| image.created > newest.created));
    let image = ARN.strip_suffix("1.0.0/1").unwrap();
    for version in ["x.x.x", "1.x.x", "1.0.x", "1.0.0"] {
        let found = world.newest_available(&format!("{image}{version}"), now);
        assert_eq!(found.unwrap().arn, newest.arn, "{version}");
    }
    for unknown in [format!("{image}2.x.x"), image.replace("golden", "gold")] {
        assert!(world.newest_available(&unknown, now).is_none(), "{unknown}");
    }
}

#[test]
fn image_of_no_pipeline_names_none() {
    let world = one(
        "without_pipeline: true,",
        "steps: [{name: Only, action: RunCommand}]",
    );
    let image = world.image(ARN, at(10)).unwrap();
    assert_eq!(
        (image.pipeline_arn, image.build_type),
        (None, "USER_INITIATED")
    );
    assert!(world.pipelines("us-west-2", None, at(10)).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn image_moves_exactly_while_its_build_does(seed: u64, speed in 1.0..500.0f64) {
        let world = World::new(Scenario::demo(), seed, speed, START);
        let steps = world.planned_steps(Duration::from_secs_f64(6.0 * 3600.0 / speed));
        let images: BTreeSet<_> = steps.iter().map(|step| &step.image_arn).collect();
        for (nth, now) in moments(&world, &steps).into_iter().step_by(29).enumerate() {
            for arn in images.iter().skip(nth % 3).step_by(3) {
                let Some(image) = world.image(arn, now) else { continue };
                // After the workflows only what follows them still moves the image.
                let workflows = world.workflows_of(arn, now).unwrap();
                let over = workflows.iter().all(|workflow| workflow.status.is_terminal());
                let status = image.status;
                let follows = matches!(status, ImageStatus::Distributing | ImageStatus::Integrating);
                prop_assert!(status.is_terminal() == over || follows, "{arn} {status:?}");
                prop_assert_eq!(status == ImageStatus::Failed, image.failure.is_some());
                prop_assert!(image.created <= Some(now));
            }
        }
    }
}
