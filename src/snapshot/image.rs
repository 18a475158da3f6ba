//! The record of an image build version, and of all builds of one image name.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::chunk::Record;
use super::known::{text, value};
use super::step::StepRecord;
use crate::labels::{LabelText, names};
use crate::model::{
    Ami, Image, ImageArn, ImageFailure, ImageStatus, PipelineArn, RegionFailure, Timestamp,
};

/// An image build version as in the last response, with properties from earlier responses.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageRecord {
    pub arn: ImageArn,
    /// The target's own labels.
    pub own_labels: LabelText,
    /// Its tags that are labels of the info series.
    pub info_labels: LabelText,
    pub status: ImageStatus,
    pub created: Option<Timestamp>,
    /// The pipeline that built it, once known.
    pub pipeline: Option<PipelineArn>,
    /// The name as it was given, with its case.
    pub name: Arc<str>,
    /// Why and where the build failed; only while it is FAILED, as far as the service says.
    pub failure: Option<Arc<FailureRecord>>,
    /// The labels of its unresolved failure: `failed_step`, `step_execution_id`. They do not change
    /// while it is exposed.
    pub unresolved: Option<LabelText>,
    /// The CloudWatch Logs group of the build, where it is not the default one.
    pub log_group: Option<Arc<str>>,
    /// `account_id`, `region`, `image`, `image_version`.
    pub identity: LabelText,
    /// What only the info series has: `pipeline`, `platform`, `type`, `build_type`,
    /// `image_build_version_arn`.
    pub details: LabelText,
    platform: Option<Arc<str>>,
    /// `AMI` or `DOCKER`
    kind: Option<Arc<str>>,
    build_type: Option<Arc<str>>,
}

/// Why and where the build of an image failed.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureRecord {
    pub failure: ImageFailure,
    /// The labels of the failure, a set for each series: one, or one for each failed region. Empty
    /// where the service sends none of them.
    pub labels: Vec<LabelText>,
}

impl ImageRecord {
    /// Returns the record of an image without an earlier response; `region` is the polled one.
    pub fn new(image: &Image, own_labels: LabelText, info_labels: LabelText, region: &str) -> Self {
        let unseen = Self {
            identity: LabelText::new([
                (names::ACCOUNT_ID, image.arn.account_id()),
                (names::REGION, region),
                (names::IMAGE, image.arn.name()),
                (names::IMAGE_VERSION, image.arn.version()),
            ]),
            name: Arc::from(image.arn.name()),
            log_group: None,
            arn: image.arn.clone(),
            own_labels,
            info_labels,
            status: image.status.clone(),
            created: None,
            pipeline: None,
            failure: None,
            unresolved: None,
            details: LabelText::default(),
            platform: None,
            kind: None,
            build_type: None,
        };
        unseen.after_response(image)
    }

    /// Returns what determines the labels of its series.
    fn labels(&self) -> impl PartialEq + '_ {
        let of_target = (&self.own_labels, &self.info_labels);
        (&self.arn, of_target, &self.identity, &self.details)
    }

    pub fn failed(&self) -> bool {
        self.status == ImageStatus::Failed
    }

    /// Whether the image was imported: no workflows build it.
    pub fn is_imported(&self) -> bool {
        matches!(self.build_type.as_deref(), Some("IMPORT" | "IMPORT_ISO"))
    }

    /// Returns the record after another response about the same image. Its properties do not change,
    /// so they stay known where this response lacks them. So does its failure while it is FAILED.
    pub fn after_response(&self, image: &Image) -> Self {
        let known = |new: &Option<String>, earlier: &Option<Arc<str>>| {
            text(new.as_deref()).or_else(|| earlier.clone())
        };
        let platform = known(&image.platform, &self.platform);
        let kind = known(&image.kind, &self.kind);
        let build_type = known(&image.build_type, &self.build_type);
        let pipeline = image.pipeline.clone().or_else(|| self.pipeline.clone());
        let pipeline_name = pipeline.as_ref().map_or("", PipelineArn::name);
        let failure = (image.status == ImageStatus::Failed).then(|| {
            let earlier = self.failure.as_ref().map(|record| &record.failure);
            FailureRecord::new(image.failure.clone().unwrap_or_default(), earlier)
        });
        Self {
            status: image.status.clone(),
            created: image.created.or(self.created),
            name: text(image.name.as_deref()).unwrap_or_else(|| self.name.clone()),
            log_group: known(&image.log_group, &self.log_group),
            failure: failure.flatten().map(Arc::new),
            unresolved: { self.unresolved.clone() }.filter(|_| image.status == ImageStatus::Failed),
            details: LabelText::new([
                (names::PIPELINE, pipeline_name),
                (names::PLATFORM, value(&platform)),
                (names::TYPE, value(&kind)),
                (names::BUILD_TYPE, value(&build_type)),
                (names::IMAGE_BUILD_VERSION_ARN, self.arn.as_str()),
            ]),
            pipeline,
            platform,
            kind,
            build_type,
            ..self.clone()
        }
    }

    /// Returns the labels of its unresolved failure, which the failure of `step` explains.
    pub fn unresolved_labels(&self, step: Option<&StepRecord>) -> LabelText {
        let named = self
            .failure
            .as_ref()
            .and_then(|record| record.failure.step.as_deref());
        let observed = step.and_then(|step| step.observed.as_ref());
        let name = named.or_else(|| observed?.definition.name.as_deref());
        let id = step.map(|step| step.id.to_string());
        LabelText::new([
            (names::FAILED_STEP, name.unwrap_or_default()),
            (names::STEP_EXECUTION_ID, value(&id)),
        ])
    }
}

impl Record for ImageRecord {
    type Key = ImageArn;

    fn key(&self) -> &ImageArn {
        &self.arn
    }

    /// A build that has not ended has an expected end.
    fn is_moving(&self) -> bool {
        !self.status.is_terminal()
    }

    fn has_labels_of(&self, before: &Self) -> bool {
        self.labels() == before.labels()
    }
}

impl FailureRecord {
    /// Returns the record of a failure, completed from an earlier response; `None` where neither says
    /// anything.
    fn new(failure: ImageFailure, earlier: Option<&ImageFailure>) -> Option<Self> {
        let failure = match earlier {
            Some(earlier) => failure.or(earlier),
            None => failure,
        };
        (failure != ImageFailure::default()).then(|| Self {
            labels: failure_labels(&failure),
            failure,
        })
    }
}

fn failure_labels(failure: &ImageFailure) -> Vec<LabelText> {
    let step_execution_id = failure.step_execution_id.map(|id| id.to_string());
    let labels = |region: &RegionFailure| {
        LabelText::new([
            (names::STAGE, value(&failure.stage)),
            (names::FAILED_STEP, value(&failure.step)),
            (names::STEP_EXECUTION_ID, value(&step_execution_id)),
            (names::COMPONENT, value(&failure.component)),
            (names::PHASE, value(&failure.phase)),
            (names::COMPONENT_STEP, value(&failure.component_step)),
            (names::COMPONENT_ACTION, value(&failure.component_action)),
            (names::TARGET_REGION, value(&region.region)),
            (names::TARGET_ACCOUNT_ID, value(&region.account_id)),
            (names::CONFIGURATION_STEP, value(&region.configuration_step)),
        ])
    };
    let regions = match failure.regions.is_empty() {
        true => &[RegionFailure::default()][..],
        false => &failure.regions,
    };
    let mut series: Vec<_> = regions.iter().map(labels).collect();
    series.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    series.dedup();
    series.retain(|labels| !labels.as_str().is_empty());
    series
}

/// All builds of one name in one account.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageNameRecord {
    pub key: ImageName,
    /// The target's own labels.
    pub own_labels: LabelText,
    /// The newest AVAILABLE build.
    pub newest: Arc<AvailableBuild>,
    /// `account_id`, `region`, `image`.
    pub identity: LabelText,
    /// The labels of the AMIs of the newest AVAILABLE build, a set for each series: `image_version`,
    /// `output_region`, `output_account_id`, `ami_id`.
    pub outputs: Vec<LabelText>,
}

/// An AVAILABLE build of an image. Of two, the newer one is greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AvailableBuild {
    pub created: Timestamp,
    /// `1.0.0/1`
    pub version: String,
    pub amis: BTreeSet<Ami>,
}

/// The account and the name of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageName {
    pub account_id: Arc<str>,
    pub name: Arc<str>,
}

impl ImageName {
    pub fn of(image: &ImageArn) -> Self {
        Self {
            account_id: Arc::from(image.account_id()),
            name: Arc::from(image.name()),
        }
    }
}

impl ImageNameRecord {
    /// `region` is the one polled.
    pub fn new(
        key: ImageName,
        own_labels: LabelText,
        newest: Arc<AvailableBuild>,
        region: &str,
    ) -> Self {
        Self {
            identity: LabelText::new([
                (names::ACCOUNT_ID, &*key.account_id),
                (names::REGION, region),
                (names::IMAGE, &*key.name),
            ]),
            outputs: newest.output_labels(),
            key,
            own_labels,
            newest,
        }
    }
}

impl AvailableBuild {
    /// `None` for a build that is not AVAILABLE or whose creation time is unknown.
    pub fn of(image: &Image) -> Option<Self> {
        Some(Self {
            created: image
                .created
                .filter(|_| image.status == ImageStatus::Available)?,
            version: image.arn.version().to_owned(),
            amis: image.amis.clone(),
        })
    }

    fn output_labels(&self) -> Vec<LabelText> {
        let labels = self.amis.iter().map(|ami| {
            LabelText::new([
                (names::IMAGE_VERSION, &*self.version),
                (names::OUTPUT_REGION, &*ami.region),
                (names::OUTPUT_ACCOUNT_ID, &*ami.account_id),
                (names::AMI_ID, &*ami.id),
            ])
        });
        labels.collect()
    }
}

impl Record for ImageNameRecord {
    type Key = ImageName;

    fn key(&self) -> &ImageName {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(status: ImageStatus) -> Image {
        let arn = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1";
        Image::with_status(ImageArn::parse(arn).unwrap(), status)
    }

    fn failed_at(step: &str) -> Image {
        Image {
            failure: Some(ImageFailure {
                step: Some(step.into()),
                ..ImageFailure::default()
            }),
            ..image(ImageStatus::Failed)
        }
    }

    fn new(image: &Image) -> ImageRecord {
        ImageRecord::new(image, LabelText::new([]), LabelText::new([]), "us-west-2")
    }

    #[test]
    fn properties_stay_known_where_a_response_lacks_them() {
        let pipeline = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/nightly";
        let first = new(&Image {
            platform: Some("Linux".into()),
            created: Some(Timestamp::from_millis(1)),
            pipeline: PipelineArn::parse(pipeline),
            ..image(ImageStatus::Building)
        });
        let later = first.after_response(&image(ImageStatus::Available));
        assert_eq!(later.status, ImageStatus::Available);
        assert_eq!(
            (later.created, &later.pipeline, &later.details),
            (first.created, &first.pipeline, &first.details)
        );
        assert!(
            later
                .details
                .as_str()
                .starts_with(r#"pipeline="nightly",platform="Linux",image_build_version_arn="#)
        );
    }

    fn labels(record: &ImageRecord) -> Vec<&str> {
        let failure = record.failure.iter();
        let labels = failure.flat_map(|failure| failure.labels.iter());
        labels.map(LabelText::as_str).collect()
    }

    #[test]
    fn where_an_image_failed_is_known_until_it_is_built_again() {
        let failed = new(&failed_at("ApplyBuildComponents"));
        let listed = failed.after_response(&image(ImageStatus::Failed));
        assert_eq!(labels(&listed), ["failed_step=\"ApplyBuildComponents\","]);
        let again = listed.after_response(&image(ImageStatus::Building));
        assert_eq!(again.failure, None);
        assert_eq!(
            again.after_response(&image(ImageStatus::Failed)).failure,
            None
        );
    }
}
