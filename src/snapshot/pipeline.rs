//! The record of a pipeline.

use super::chunk::Record;
use super::known::value;
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
    /// When the list was read.
    pub observed_at: Timestamp,
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
        observed_at: Timestamp,
    ) -> Self {
        Self {
            own_labels,
            info_labels,
            enabled: pipeline.enabled,
            last_run_status: pipeline.last_run_status.clone(),
            last_run: pipeline.last_run,
            next_run: pipeline.next_run,
            consecutive_failures: pipeline.consecutive_failures,
            observed_at,
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

    /// Returns how long before the list its next run was due, in milliseconds; `None` where it was not
    /// due, has started or is not to start.
    pub fn overdue_millis(&self) -> Option<i64> {
        let due = self.next_run.filter(|_| self.enabled != Some(false))?;
        let started = self.last_run.is_some_and(|last| last >= due);
        let overdue = self.observed_at.millis_since(due);
        (overdue > 0 && !started).then_some(overdue)
    }
}

impl Record for PipelineRecord {
    type Key = PipelineArn;

    fn key(&self) -> &PipelineArn {
        &self.arn
    }
}
