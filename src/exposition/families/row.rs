//! A row of the table: a family, and where its series come from.

use super::super::objects::ObjectSeries;
use super::super::scrape::Source;
use super::super::steps::StepSeries;
use super::super::text::Value;
use crate::family::Family;
use crate::labels::LabelText;
use crate::model::Timestamp;
use crate::snapshot::{
    ImageNameRecord, ImageRecord, PipelineRecord, SelectorRecord, WorkflowRecord,
};

pub(super) type Row = (Family, Series);

#[derive(Debug)]
pub(in crate::exposition) enum Series {
    /// Of every step.
    Step(StepSeries),
    /// Of every workflow execution.
    Workflow(ObjectSeries<WorkflowRecord>),
    /// Of every image build version.
    Image(ObjectSeries<ImageRecord>),
    /// Of all builds of a name.
    ImageName(ObjectSeries<ImageNameRecord>),
    Pipeline(ObjectSeries<PipelineRecord>),
    /// Of every pattern of a target, with the labels of the poller.
    Selector(fn(&SelectorRecord) -> Value),
    /// How many steps have finished.
    FinishedCount,
    /// How long they took.
    FinishedDurations,
    /// Of every target and region, whose labels come ready.
    Source(fn(&Family, &Source, &LabelText, &mut Vec<u8>)),
    /// What `self_metrics` gathers under the family's name.
    Gathered,
}

pub(super) fn time(at: Timestamp) -> Value {
    Value::Millis(at.millis())
}
