//! How the series of finished steps are written.

use super::text::{self, SampleValue};
use crate::family::Family;
use crate::finished::{FinishedSeries, FinishedSnapshot};
use crate::model::Timestamp;

/// The counter's sample.
pub(super) fn count(out: &mut Vec<u8>, family: &Family, series: &FinishedSeries, now: Timestamp) {
    begin(out, family, "", series);
    text::end_labels(out);
    text::value(out, SampleValue::Count(series.count(now)));
}

/// The histogram's samples, of a status that has one.
pub(super) fn durations(
    out: &mut Vec<u8>,
    family: &Family,
    finished: &FinishedSnapshot,
    series: &FinishedSeries,
    now: Timestamp,
) {
    let Some(durations) = series.durations(now) else {
        return;
    };
    let bounds = finished.bounds.iter().map(|bound| bound.as_secs_f64());
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

/// The name and the labels that every sample of the series has.
fn begin(out: &mut Vec<u8>, family: &Family, suffix: &str, series: &FinishedSeries) {
    for part in [family.name, suffix, "{", series.labels.as_str()] {
        out.extend_from_slice(part.as_bytes());
    }
}
