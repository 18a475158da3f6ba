//! What the rules about workflows work with beside steps and executions.

use std::time::Duration;

use tokio::time::Instant;

use super::changes::Changes;
use super::executions::Executions;
use super::images::Images;
use super::labels::Labels;
use super::listed::Listed;
use super::pace::Pace;
use super::queue::{Queue, Urgency};
use super::retention::Retention;
use crate::clock::Now;
use crate::labels::LabelText;
use crate::model::{ImageArn, Timestamp, WorkflowExecutionId, WorkflowStatus};

/// See the module.
pub(super) struct Context<'a> {
    pub queue: &'a mut Queue,
    pub retention: &'a mut Retention,
    pub images: &'a Images,
    pub labels: &'a Labels,
    /// What the configuration lists one by one, for whatever target.
    pub listed: &'a Listed,
    pub changes: &'a mut Changes,
    pub signals: &'a mut Vec<ImageSignal>,
    pub pace: Pace,
    /// When the tracker began.
    pub since: Timestamp,
    pub now: Now,
}

/// What happened to an execution that concerns its image.
#[derive(Debug)]
pub(super) enum ImageSignal {
    /// The image's executions are to be listed, no later than then.
    List {
        image: ImageArn,
        due: Instant,
        urgency: Urgency,
    },
    /// An execution of the image has settled.
    Settled(ImageArn),
}

impl Context<'_> {
    /// The image whose execution it is, where this target owns it: its list tells of the execution.
    pub(super) fn known_image(
        &self,
        executions: &Executions,
        id: WorkflowExecutionId,
    ) -> Option<ImageArn> {
        let image = executions.image_of(id)?;
        self.images.is_held(image).then(|| image.clone())
    }

    /// The labels of info series that the tags of the execution's image give.
    pub(super) fn info_labels(
        &self,
        executions: &Executions,
        id: WorkflowExecutionId,
    ) -> LabelText {
        let image = executions.image_of(id);
        let tags = image.and_then(|image| self.images.tags(image));
        tags.map(|tags| self.labels.tags(tags)).unwrap_or_default()
    }

    /// How long the execution is kept after its end.
    pub(super) fn retention_of(
        &self,
        executions: &Executions,
        id: WorkflowExecutionId,
    ) -> Duration {
        let failed = executions.status(id).is_some_and(is_failed);
        // What becomes of an image that another target has is not known here.
        let image = executions.image_of(id);
        let image_failed =
            image.is_some_and(|image| self.images.is_held(image) && self.images.failed(image));
        self.pace.retention(failed || image_failed)
    }
}

/// Whether an execution failed, and so is kept longer.
pub(super) fn is_failed(status: &WorkflowStatus) -> bool {
    matches!(
        status,
        WorkflowStatus::Failed | WorkflowStatus::RollbackCompleted
    )
}
