//! Defines a row of the metric table: a family and the source of its series.

use super::super::finished::WriteFinished;
use super::super::objects::ObjectSeries;
use super::super::scrape::ScrapeSource;
use super::super::steps::{StepSeries, TypicalDuration};
use super::super::text::SampleValue;
use crate::family::Family;
use crate::model::Timestamp;
use crate::snapshot::{ImageNameRecord, ImageRecord, PipelineRecord, SeriesUsage, WorkflowRecord};

pub(super) type Row = (Family, Series);

#[derive(Debug)]
pub(in crate::exposition) enum Series {
    /// One or more series for each step.
    Step(StepSeries),
    /// Series for each workflow execution.
    Workflow(ObjectSeries<WorkflowRecord>),
    /// Series for each image build version.
    Image(ObjectSeries<ImageRecord>),
    /// Series for each image name, over all builds of that name.
    ImageName(ObjectSeries<ImageNameRecord>),
    /// Series for each pipeline.
    Pipeline(ObjectSeries<PipelineRecord>),
    /// One series for each selector of a target.
    SelectorMatches,
    /// Series about finished steps, which the function writes.
    Finished(WriteFinished),
    /// Series of the usual duration of each step.
    Typical(TypicalDuration),
    /// One series for each target and region.
    Source(fn(&ScrapeSource, Timestamp) -> Option<SampleValue>),
    /// One series for each target, region and phase of steps.
    TrackedSteps,
    /// One series for each target, region and state of the builds that are read for baselines.
    History,
    /// One series about the series of the scrape, without labels.
    Usage(fn(&SeriesUsage) -> u64),
    /// Series that `self_metrics` gathers under the name of the family.
    Gathered,
}

pub(super) fn time(at: Timestamp) -> SampleValue {
    SampleValue::Millis(at.millis())
}
