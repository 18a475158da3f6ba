//! What is known of one target and region: steps, workflow executions, images and pipelines.
//!
//! Owns the records and hands out snapshots of them; a record is replaced whole, never patched in
//! place, so a scrape sees each thing as one answer told it. Fed by `schedule`; read by `finished`
//! and `exposition`.

mod image;
mod pipeline;
mod selector;
mod step;
mod steps;
mod table;
mod workflow;

use std::sync::{PoisonError, RwLock};

pub use image::{ImageName, ImageNameRecord, ImageRecord};
pub use pipeline::PipelineRecord;
pub use selector::{SelectorKind, SelectorRecord};
pub use step::{Definition, Failing, Observation, Phase, StepRecord, Subject};
pub use steps::{StepSnapshot, StepStore};
pub use table::{Record, Rows, Snapshot, Table};
pub use workflow::{StepResults, WorkflowObservation, WorkflowRecord};

use crate::model::Timestamp;

/// What is known of one target and region.
#[derive(Debug, Default)]
pub struct Store {
    pub steps: StepStore,
    pub workflows: Table<WorkflowRecord>,
    pub images: Table<ImageRecord>,
    pub pipelines: Table<PipelineRecord>,
    /// Without retention: an image's name has one for as long as the target is followed.
    pub image_names: Table<ImageNameRecord>,
    pub selectors: Table<SelectorRecord>,
    discovered: RwLock<Option<Timestamp>>,
}

impl Store {
    /// A round of discovery has succeeded.
    pub fn discovered(&self, at: Timestamp) {
        *self
            .discovered
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Everything as it is now; later changes do not reach it.
    pub fn snapshot(&self) -> StoreSnapshot {
        StoreSnapshot {
            steps: self.steps.snapshot(),
            workflows: self.workflows.snapshot(),
            images: self.images.snapshot(),
            pipelines: self.pipelines.snapshot(),
            image_names: self.image_names.snapshot(),
            selectors: self.selectors.snapshot(),
            discovered: *self
                .discovered
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// A [`Store`] at one moment.
#[derive(Clone, Debug, Default)]
pub struct StoreSnapshot {
    pub steps: StepSnapshot,
    pub workflows: Snapshot<WorkflowRecord>,
    pub images: Snapshot<ImageRecord>,
    pub pipelines: Snapshot<PipelineRecord>,
    pub image_names: Snapshot<ImageNameRecord>,
    pub selectors: Snapshot<SelectorRecord>,
    /// When a round of discovery last succeeded.
    pub discovered: Option<Timestamp>,
}
