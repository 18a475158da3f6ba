//! The table of families, a file for each kind of thing, and a plain function for each family.
//!
//! Owns names, help texts and values; `steps`, `objects` and `finished` put the series together, and
//! `text` has the letters. The exporter's own counters have their rows in `self_metrics`, and come
//! last.

mod exporter;
mod finished;
mod images;
mod pipelines;
mod steps;
mod workflows;

use super::Source;
use super::objects::ObjectSeries;
use super::steps::StepSeries;
use super::text::Value;
use crate::family::Family;
use crate::labels::LabelText;
use crate::model::Timestamp;
use crate::self_metrics;
use crate::store::{ImageNameRecord, ImageRecord, PipelineRecord, SelectorRecord, WorkflowRecord};

/// One family, and where its series come from.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub family: &'static Family,
    pub series: &'static Series,
}

#[derive(Debug)]
pub enum Series {
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

type Row = (Family, Series);

/// In the order of the text.
static TABLES: [&[Row]; 6] = [
    steps::FAMILIES,
    finished::FAMILIES,
    workflows::FAMILIES,
    images::FAMILIES,
    pipelines::FAMILIES,
    exporter::FAMILIES,
];

/// The family that stands at this place of the text; `None` behind the last.
pub fn entry(mut at: usize) -> Option<Entry> {
    for table in TABLES {
        if let Some((family, series)) = table.get(at) {
            return Some(Entry { family, series });
        }
        at -= table.len();
    }
    self_metrics::FAMILIES.get(at).map(|family| Entry {
        family,
        series: &Series::Gathered,
    })
}

fn time(at: Timestamp) -> Value {
    Value::Millis(at.millis())
}
