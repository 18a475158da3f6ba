//! The table of families, a file for each kind of thing, and a plain function for each family.
//!
//! Owns names, help texts and values; `steps`, `objects` and `finished` put the series together, and
//! `text` has the letters. The exporter's own counters have their rows in `self_metrics`, and come
//! last.

mod exporter;
mod finished;
mod images;
mod pipelines;
mod row;
mod steps;
mod workflows;

use crate::family::Family;
use crate::self_metrics;

use row::Row;
pub(super) use row::Series;

/// One family, and where its series come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub family: &'static Family,
    pub series: &'static Series,
}

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
