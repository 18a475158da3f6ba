//! What pipelines tell of their runs.

use super::*;
use imagebuilder_model::ImageStatus;

const ARN: &str = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/golden";
const STEPS: &str = "steps: [{name: Only, action: RunCommand, duration: 10m, in_turn: \
                     [completed, failed, failed, failed]}]";

fn pipeline(world: &World, seconds: u64) -> PipelineView {
    world.pipeline(ARN, at(seconds)).unwrap()
}

#[test]
fn pipeline_tells_its_last_run_and_the_next() {
    let world = one("first: 1h, every: 1h,", STEPS);
    let new = pipeline(&world, 10);
    assert_eq!((new.last_run, new.last_run_status), (None, None));
    assert_eq!(new.next_run, Some(at(3600)));
    let running = pipeline(&world, 3700);
    assert_eq!(running.last_run, Some(at(3600)));
    assert_eq!(running.last_run_status, Some(ImageStatus::Building));
    assert_eq!(running.next_run, Some(at(7200)));
    assert_eq!(running.schedule.as_deref(), Some("rate(1 hour)"));
    let over = pipeline(&world, 7000);
    assert_eq!(over.last_run_status, Some(ImageStatus::Available));
}

#[test]
fn failures_in_a_row_are_counted_until_a_build_does_well() {
    let world = one("every: 1h,", STEPS);
    let failures = |hour: u64| pipeline(&world, hour * 3600 + 1800).consecutive_failures;
    assert_eq!([0, 1, 2, 3, 4, 5].map(failures), [0, 1, 2, 3, 0, 1]);
    // A build under way is neither.
    assert_eq!(pipeline(&world, 4 * 3600 + 60).consecutive_failures, 3);
}

#[test]
fn build_that_somebody_started_is_no_scheduled_failure() {
    let world = one("every: 1h, manual: true,", STEPS);
    let pipeline = pipeline(&world, 2 * 3600 + 1800);
    assert_eq!(pipeline.last_run_status, Some(ImageStatus::Failed));
    assert_eq!(pipeline.consecutive_failures, 0);
    assert_eq!((pipeline.schedule, pipeline.next_run), (None, None));
}

#[test]
fn disabled_pipeline_begins_no_build() {
    let world = one("every: 1h, disabled_at: 3h30m,", STEPS);
    assert!(pipeline(&world, 3 * 3600).enabled);
    let disabled = pipeline(&world, 9 * 3600);
    assert!(!disabled.enabled);
    assert_eq!(disabled.updated, at(3 * 3600 + 1800));
    assert_eq!(disabled.last_run, Some(at(3 * 3600)));
    assert_eq!(
        (disabled.next_run, disabled.consecutive_failures),
        (None, 3)
    );
    assert_eq!(world.images("us-west-2", None, at(9 * 3600)).len(), 4);
    assert_eq!(ids_until(&world, 9).len(), 4);
}

fn ids_until(world: &World, hours: u32) -> Vec<PlannedStep> {
    world.planned_steps(HOUR * hours)
}

#[test]
fn pipeline_is_there_from_when_it_was_made_until_it_is_gone_and_its_images_stay() {
    let world = one(
        "first: 2h, every: 1h, created_at: 1h, deleted_at: 4h,",
        STEPS,
    );
    let there = |seconds| world.pipelines("us-west-2", None, at(seconds)).len();
    assert_eq!([3599, 3600, 14_399, 14_400].map(there), [0, 1, 1, 0]);
    assert_eq!(world.pipeline(ARN, at(3600)).unwrap().created, at(3600));
    assert_eq!(world.images_of_pipeline(ARN, at(14_399)).len(), 2);
    assert!(world.images_of_pipeline(ARN, at(14_400)).is_empty());
    let images = world.images("us-west-2", None, at(9 * 3600));
    assert_eq!(images.len(), 2);
    assert_eq!(images[0].pipeline_arn.as_deref(), Some(ARN));
}

#[test]
fn names_are_those_people_gave() {
    let world = one(
        "display_name: Golden, image: gold-image, image_display_name: Gold Image, \
         tags: {Team: platform},",
        STEPS,
    );
    let pipeline = pipeline(&world, 0);
    assert_eq!((pipeline.name.as_str(), &*pipeline.arn), ("Golden", ARN));
    let images = world.images_of_pipeline(ARN, at(120));
    assert_eq!(images[0].name, "Gold Image");
    assert!(images[0].arn.ends_with(":image/gold-image/1.0.0/1"));
    assert_eq!(images[0].tags, pipeline.tags);
}

#[test]
fn mistakes_about_pipelines_and_images_are_told() {
    for (options, expected) in [
        (
            "display_name: Silver",
            "display name \"Silver\" is \"silver\" in the ARN, not \"golden\"",
        ),
        ("display_name: 'no'", "name \"no\" is none"),
        ("tags: {'aws:team': x}", "tag \"aws:team\" is none"),
        ("description: ''", "description has 1 to 1024 characters"),
        ("created_at: 1h", "created_at cannot be after first"),
        (
            "lifecycle: [{after: 2d, status: DISABLED}, {after: 1d, status: DELETED}]",
            "lifecycle: ",
        ),
        ("without_pipeline: true, manual: true", "without_pipeline: "),
    ] {
        let text = format!(
            "pipelines: [{{name: golden, account: '111122223333', region: us-west-2, {options}, \
             workflows: [{{name: own, {STEPS}}}]}}]"
        );
        let error = Scenario::parse(&text, "a").unwrap_err().to_string();
        assert!(error.contains(expected), "{options}: {error}");
    }
    let twice = "{name: golden, account: '111122223333', region: us-west-2, image: IMAGE, \
                 workflows: [{managed: build-image}]}";
    let other = twice.replace("IMAGE", "other");
    let text = format!("pipelines: [{}, {other}]", twice.replace("IMAGE", "one"));
    let error = Scenario::parse(&text, "a").unwrap_err().to_string();
    assert!(error.contains("pipeline golden: there is one in 111122223333 us-west-2 already"));
}
