//! The record of a pipeline.

use super::known::value;
use super::table::Record;
use crate::labels::{LabelText, names};
use crate::model::{ImageStatus, Pipeline, PipelineArn, Timestamp};

/// A pipeline as in the last list of pipelines.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineRecord {
    pub arn: PipelineArn,
    /// The target's own labels.
    pub own_labels: LabelText,
    /// Its tags that are labels of the info series.
    pub info_labels: LabelText,
    pub enabled: Option<bool>,
    /// `None` also where it has never run.
    pub last_run_status: Option<ImageStatus>,
    pub last_run: Option<Timestamp>,
    pub next_run: Option<Timestamp>,
    pub consecutive_failures: Option<u32>,
    /// `account_id`, `region`, `pipeline`.
    pub identity: LabelText,
    /// What only the info series has: `platform`, `schedule`.
    pub details: LabelText,
}

impl PipelineRecord {
    /// `region` is the one polled.
    pub fn new(
        pipeline: &Pipeline,
        own_labels: LabelText,
        info_labels: LabelText,
        region: &str,
    ) -> Self {
        Self {
            own_labels,
            info_labels,
            enabled: pipeline.enabled,
            last_run_status: pipeline.last_run_status.clone(),
            last_run: pipeline.last_run,
            next_run: pipeline.next_run,
            consecutive_failures: pipeline.consecutive_failures,
            identity: LabelText::new([
                (names::ACCOUNT_ID, pipeline.arn.account_id()),
                (names::REGION, region),
                (names::PIPELINE, pipeline.arn.name()),
            ]),
            details: LabelText::new([
                (names::PLATFORM, value(&pipeline.platform)),
                (names::SCHEDULE, value(&pipeline.schedule)),
            ]),
            arn: pipeline.arn.clone(),
        }
    }
}

impl Record for PipelineRecord {
    type Key = PipelineArn;

    fn key(&self) -> &PipelineArn {
        &self.arn
    }
}
