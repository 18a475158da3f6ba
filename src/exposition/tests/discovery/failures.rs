//! The location of a build's failure.

use super::*;
use crate::model::RegionFailure;

fn failure(status: ImageStatus, failure: Option<ImageFailure>) -> Vec<String> {
    let record = image_record(&Image {
        failure,
        ..image(status)
    });
    let scrape = scrape_of(|store| store.images.put(record));
    behind_id(scrape, "imagebuilder_image_failure_info", IMAGE)
}

#[test]
fn failed_distribution_has_one_series_for_each_region_and_account() {
    let region = |region: &str| RegionFailure {
        region: Some(region.into()),
        account_id: Some("444455556666".into()),
        ..RegionFailure::default()
    };
    let distribution = ImageFailure {
        stage: Some("DISTRIBUTING".into()),
        regions: vec![
            region("eu-west-1"),
            RegionFailure {
                configuration_step: Some("EXPORT_AMI".into()),
                ..region("us-east-1")
            },
            region("eu-west-1"),
        ],
        ..ImageFailure::default()
    };
    assert_eq!(
        failure(ImageStatus::Failed, Some(distribution)),
        [
            r#"stage="DISTRIBUTING",target_region="eu-west-1",target_account_id="444455556666"} 1"#,
            concat!(
                r#"stage="DISTRIBUTING",target_region="us-east-1","#,
                r#"target_account_id="444455556666",configuration_step="EXPORT_AMI"} 1"#
            ),
        ]
    );
}

#[test]
fn failure_of_a_failed_image_is_exposed_as_far_as_the_service_reports_it() {
    let full = ImageFailure {
        step: Some("ApplyBuildComponents".into()),
        step_execution_id: ID.parse().ok(),
        component: Some("install-agent".into()),
        phase: Some("build".into()),
        component_step: Some("Fetch \"it\"".into()),
        component_action: Some("ExecuteBash".into()),
        ..ImageFailure::default()
    };
    assert_eq!(
        failure(ImageStatus::Failed, Some(full.clone())),
        [concat!(
            r#"failed_step="ApplyBuildComponents","#,
            r#"step_execution_id="step-2e6fef0d-657c-4b7e-8706-ff24da9afa01","#,
            r#"component="install-agent",phase="build","#,
            r#"component_step="Fetch \"it\"",component_action="ExecuteBash"} 1"#
        )]
    );
    let little = ImageFailure {
        phase: Some("test".into()),
        ..ImageFailure::default()
    };
    assert_eq!(
        failure(ImageStatus::Failed, Some(little)),
        [r#"phase="test"} 1"#]
    );
    let nothing = Some(ImageFailure::default());
    assert!(failure(ImageStatus::Failed, nothing).is_empty());
    assert!(failure(ImageStatus::Failed, None).is_empty());
    assert!(failure(ImageStatus::Building, Some(full)).is_empty());
}
