//! Tests what a filter finds.

use super::*;

fn matched(known: &Known, query: &str) -> u64 {
    json_of(known, query)["executions_matched"]
        .as_u64()
        .unwrap()
}

#[test]
fn image_is_found_by_any_status_of_the_service() {
    let records = TargetRecords::default();
    for (name, status) in [
        ("failed", ImageStatus::Failed),
        ("cancelled", ImageStatus::Cancelled),
        ("pending", ImageStatus::Pending),
        ("odd", ImageStatus::Unknown("EXPLODED".into())),
        ("available", ImageStatus::Available),
        ("deprecated", ImageStatus::Deprecated),
        ("testing", ImageStatus::Testing),
    ] {
        records.image(name, 1, status, ago(60));
    }
    let known = records.known();
    for (status, expected) in [
        ("FAILED", &["failed"][..]),
        ("CANCELLED", &["cancelled"]),
        ("PENDING", &["pending"]),
        ("OTHER", &["odd"]),
        ("COMPLETED", &["available", "deprecated"]),
        ("RUNNING", &["testing"]),
        ("SKIPPED", &[]),
        ("GONE", &[]),
    ] {
        let json = json_of(&known, &format!("status={status}"));
        let mut found = all(&json, "images", "image");
        found.sort_unstable();
        assert_eq!(found, expected, "{status}");
    }
}

#[test]
fn step_is_found_by_its_status_and_by_being_gone() {
    let mut records = TargetRecords::default();
    let arn = image_arn("golden", 1);
    let running = records.step(1, &arn, named("Gone", StepStatus::Running));
    records.store.borrow_mut().steps.put(StepRecord {
        phase: Phase::Gone,
        ..running
    });
    let odd = StepStatus::Unknown("EXPLODED".into());
    records.step(2, &arn, named("Odd", odd));
    let known = records.known();
    for (status, expected) in [
        ("GONE", &["Gone"][..]),
        ("RUNNING", &["Gone"]),
        ("OTHER", &["Odd"]),
        ("FAILED", &[]),
    ] {
        let json = json_of(&known, &format!("status={status}"));
        assert_eq!(all(&json, "steps", "step"), expected, "{status}");
    }
}

#[test]
fn build_without_steps_is_found_by_its_image_and_execution() {
    let records = TargetRecords::default();
    let arn = image_arn("golden", 1);
    let failed = Image {
        failure: Some(ImageFailure {
            component: Some("install-agent".into()),
            ..ImageFailure::default()
        }),
        platform: Some("Linux".into()),
        ..Image::with_status(arn.clone(), ImageStatus::Failed)
    };
    records.put_image(&failed);
    records.execution(1, &arn, execution(WorkflowStatus::Failed, 60));
    let known = records.known();
    let id = workflow_id(1);
    for word in [
        "production",
        "us-west-2",
        "111122223333",
        "GOLDEN",
        "linux",
        "team",
        "install-agent",
        "build-image",
        &id.to_string(),
        // Of the execution the one, of the image the other.
        &format!("{id}+linux"),
    ] {
        assert_eq!(matched(&known, &format!("q={word}")), 1, "{word}");
        let also = matched(&known, &format!("q={word}+nowhere"));
        assert_eq!(also, 0, "{word}");
    }
}

#[test]
fn unseen_listed_step_is_found_by_its_configuration() {
    let mut records = TargetRecords::default();
    let mut unseen = records.unseen_step();
    unseen.set_own_labels(LabelText::new([("change", "CHG0042")]));
    records.store.borrow_mut().steps.put(unseen.clone());
    let known = records.known();
    let id = unseen.id.to_string();
    for word in ["production", "us-west-2", "chg0042", &id] {
        assert_eq!(matched(&known, &format!("q={word}")), 1, "{word}");
    }
    assert_eq!(matched(&known, "q=eu-west-1"), 0);
}

#[test]
fn search_ignores_case_in_any_script() {
    let mut records = TargetRecords::default();
    let step = StepExecution {
        message: Some("Größe ÜBER dem Limit".into()),
        ..named("Apply", StepStatus::Failed)
    };
    records.step(1, &image_arn("golden", 1), step);
    let known = records.known();
    for (word, expected) in [("über", 1), ("ÜBER", 1), ("LIMIT", 1), ("unter", 0)] {
        assert_eq!(matched(&known, &format!("q={word}")), expected, "{word}");
    }
}
