//! What is known of one image build version, and of all that have one name.

use std::sync::Arc;

use super::table::Record;
use crate::labels::{LabelText, names, push_label};
use crate::model::{Image, ImageArn, ImageFailure, ImageStatus, PipelineArn, Timestamp};

/// An image build version as the last answer told it, joined with what earlier ones knew of who it is.
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
    /// Where the build failed, as labels; only while it is FAILED, and this was told.
    pub failure: Option<LabelText>,
    /// `account_id`, `region`, `image`, `image_version`.
    pub identity: LabelText,
    /// What only the info series has: `pipeline`, `platform`, `type`, `build_type`,
    /// `image_build_version_arn`.
    pub details: LabelText,
    kind: Kind,
}

/// What an image is; what is once known of it stays.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kind {
    platform: Option<Arc<str>>,
    /// `AMI` or `DOCKER`
    kind: Option<Arc<str>>,
    build_type: Option<Arc<str>>,
}

impl ImageRecord {
    /// An image as it is first seen; `region` is the one polled.
    pub fn new(image: &Image, own_labels: LabelText, info_labels: LabelText, region: &str) -> Self {
        let unseen = Self {
            identity: LabelText::new([
                (names::ACCOUNT_ID, image.arn.account_id()),
                (names::REGION, region),
                (names::IMAGE, image.arn.name()),
                (names::IMAGE_VERSION, image.arn.version()),
            ]),
            arn: image.arn.clone(),
            own_labels,
            info_labels,
            status: image.status.clone(),
            created: None,
            pipeline: None,
            failure: None,
            details: LabelText::default(),
            kind: Kind::default(),
        };
        unseen.answered(image)
    }

    /// The record after another answer about the same image. What it is, what built it and when do
    /// not change, so they stay known where this answer lacks them; so does where it failed, for as
    /// long as it is FAILED.
    pub fn answered(&self, image: &Image) -> Self {
        let known = |new: &Option<String>, old: &Option<Arc<str>>| {
            let new = new.as_deref().filter(|text| !text.is_empty());
            new.map(Arc::from).or_else(|| old.clone())
        };
        let kind = Kind {
            platform: known(&image.platform, &self.kind.platform),
            kind: known(&image.kind, &self.kind.kind),
            build_type: known(&image.build_type, &self.kind.build_type),
        };
        let pipeline = image.pipeline.clone().or_else(|| self.pipeline.clone());
        let text = |text: &Option<Arc<str>>| text.clone().unwrap_or_default();
        let name = pipeline.as_ref().map_or("", PipelineArn::name);
        let failure = match image.status {
            ImageStatus::Failed => {
                let told = image.failure.as_ref().map(failure_labels);
                let told = told.filter(|labels| !labels.as_str().is_empty());
                told.or_else(|| self.failure.clone())
            }
            _ => None,
        };
        Self {
            status: image.status.clone(),
            created: image.created.or(self.created),
            failure,
            details: LabelText::new([
                (names::PIPELINE, name),
                (names::PLATFORM, &text(&kind.platform)),
                (names::TYPE, &text(&kind.kind)),
                (names::BUILD_TYPE, &text(&kind.build_type)),
                (names::IMAGE_BUILD_VERSION_ARN, self.arn.as_str()),
            ]),
            pipeline,
            kind,
            ..self.clone()
        }
    }
}

impl Record for ImageRecord {
    type Key = ImageArn;

    fn key(&self) -> &ImageArn {
        &self.arn
    }
}

fn failure_labels(failure: &ImageFailure) -> LabelText {
    let mut labels = String::new();
    let mut push = |name, value: &Option<String>| {
        push_label(&mut labels, name, value.as_deref().unwrap_or_default());
    };
    push(names::FAILED_STEP, &failure.step);
    push(
        names::STEP_EXECUTION_ID,
        &failure.step_execution_id.map(|id| id.to_string()),
    );
    push(names::COMPONENT, &failure.component);
    push(names::PHASE, &failure.phase);
    push(names::COMPONENT_STEP, &failure.component_step);
    push(names::COMPONENT_ACTION, &failure.component_action);
    LabelText::from_escaped(labels)
}

/// All builds of one name in one account.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageNameRecord {
    pub key: ImageName,
    /// The target's own labels.
    pub own_labels: LabelText,
    /// When the newest AVAILABLE build was made.
    pub last_available: Timestamp,
    /// `account_id`, `region`, `image`.
    pub identity: LabelText,
}

/// The account and the name of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
        last_available: Timestamp,
        region: &str,
    ) -> Self {
        Self {
            identity: LabelText::new([
                (names::ACCOUNT_ID, &*key.account_id),
                (names::REGION, region),
                (names::IMAGE, &*key.name),
            ]),
            key,
            own_labels,
            last_available,
        }
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
    fn what_an_image_is_stays_known_where_an_answer_lacks_it() {
        let pipeline = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/nightly";
        let told = new(&Image {
            platform: Some("Linux".into()),
            created: Some(Timestamp::from_millis(1)),
            pipeline: PipelineArn::parse(pipeline),
            ..image(ImageStatus::Building)
        });
        let later = told.answered(&image(ImageStatus::Available));
        assert_eq!(later.status, ImageStatus::Available);
        assert_eq!(
            (later.created, &later.pipeline, &later.details),
            (told.created, &told.pipeline, &told.details)
        );
        assert!(
            later
                .details
                .as_str()
                .starts_with(r#"pipeline="nightly",platform="Linux",image_build_version_arn="#)
        );
    }

    #[test]
    fn where_an_image_failed_is_known_until_it_is_built_again() {
        let failed = new(&failed_at("ApplyBuildComponents"));
        let listed = failed.answered(&image(ImageStatus::Failed));
        assert_eq!(
            listed.failure.as_ref().map(LabelText::as_str),
            Some("failed_step=\"ApplyBuildComponents\",")
        );
        let again = listed.answered(&image(ImageStatus::Building));
        assert_eq!(again.failure, None);
        assert_eq!(again.answered(&image(ImageStatus::Failed)).failure, None);
    }
}
