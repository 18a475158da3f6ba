//! Writes the series of finished steps.

use super::scrape::Scrape;
use super::text::{self, SampleValue};
use crate::family::Family;
use crate::finished::FinishedSeries;

/// Writes the sample of the counter.
pub(super) fn write_count(
    out: &mut Vec<u8>,
    family: &Family,
    scrape: &Scrape,
    series: &FinishedSeries,
) {
    begin(out, family, "", series);
    text::end_labels(out);
    text::value(out, SampleValue::Count(series.count(scrape.now)));
}

/// Writes the samples of the histogram, if the status has one.
pub(super) fn write_durations(
    out: &mut Vec<u8>,
    family: &Family,
    scrape: &Scrape,
    series: &FinishedSeries,
) {
    let Some(durations) = series.durations(scrape.now) else {
        return;
    };
    let bounds = scrape
        .finished
        .bounds
        .iter()
        .map(|bound| bound.as_secs_f64());
    let mut count = 0;
    for (bound, below) in bounds.chain([f64::INFINITY]).zip(durations.cumulative()) {
        begin(out, family, "_bucket", series);
        text::le(out, bound);
        text::end_labels(out);
        text::value(out, SampleValue::Count(below));
        count = below;
    }
    let sum = i64::try_from(durations.sum_millis()).unwrap_or(i64::MAX);
    for (suffix, value) in [
        ("_sum", SampleValue::Millis(sum)),
        ("_count", SampleValue::Count(count)),
    ] {
        begin(out, family, suffix, series);
        text::end_labels(out);
        text::value(out, value);
    }
}

/// Writes the name, and the labels that every sample of the series has.
fn begin(out: &mut Vec<u8>, family: &Family, suffix: &str, series: &FinishedSeries) {
    for part in [family.name, suffix, "{", series.labels.as_str()] {
        out.extend_from_slice(part.as_bytes());
    }
}
