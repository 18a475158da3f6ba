//! The table of families, with a file for each kind of resource.
//!
//! Owns names, labels, HELP texts and values. `steps`, `objects` and `finished` write the series, and
//! `text` their characters. The exporter's own counters are declared in `self_metrics`, and come
//! last.

mod exporter;
mod finished;
mod images;
mod pipelines;
mod row;
mod steps;
mod workflows;

use super::steps::StepSeries;
use crate::family::Family;
use crate::self_metrics;

use row::Row;
pub(super) use row::Series;

/// A family and the source of its series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub family: &'static Family,
    pub series: &'static Series,
}

impl Entry {
    /// Whether the family is exposed, with or without messages.
    pub(super) fn is_exposed(&self, message_labels: bool) -> bool {
        message_labels || !matches!(self.series, Series::Step(StepSeries::Message))
    }
}

/// The tables in the order of the text.
static TABLES: [&[Row]; 6] = [
    steps::FAMILIES,
    finished::FAMILIES,
    workflows::FAMILIES,
    images::FAMILIES,
    pipelines::FAMILIES,
    exporter::FAMILIES,
];

/// Returns the family at this index of the text; `None` after the last one.
pub(super) fn entry(mut at: usize) -> Option<Entry> {
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
