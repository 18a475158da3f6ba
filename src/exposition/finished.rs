//! Writes the series of finished steps.

use super::series::{RecordSeries, SeriesWriter};
use super::text::{self, SampleValue};
use crate::finished::{FinishedSeries, Reading};

/// Writes the samples of a family. The reading has the time and the bounds of buckets.
pub(super) type WriteFinished = fn(&mut SeriesWriter<'_>, &FinishedSeries, &Reading);

/// The samples that a family has for finished steps.
#[derive(Debug)]
pub(super) struct FinishedSteps<'a> {
    pub write: WriteFinished,
    pub reading: &'a Reading,
}

impl RecordSeries for FinishedSteps<'_> {
    type Record = FinishedSeries;

    /// A new series shows 0 for a while.
    fn is_steady(&self) -> bool {
        false
    }

    fn write(&self, writer: &mut SeriesWriter<'_>, series: &FinishedSeries) {
        (self.write)(writer, series, self.reading);
    }
}

/// Writes the sample of the counter.
pub(super) fn write_count(
    writer: &mut SeriesWriter<'_>,
    series: &FinishedSeries,
    reading: &Reading,
) {
    writer.begin(&[&series.labels]);
    writer.end(SampleValue::Count(series.count(reading.now)));
}

/// Writes the samples of the histogram, if the status has one.
pub(super) fn write_durations(
    writer: &mut SeriesWriter<'_>,
    series: &FinishedSeries,
    reading: &Reading,
) {
    let Some(durations) = series.durations(reading.now) else {
        return;
    };
    let bounds = reading.bounds.iter().map(|bound| bound.as_secs_f64());
    let mut count = 0;
    for (bound, below) in bounds.chain([f64::INFINITY]).zip(durations.cumulative()) {
        writer.begin_with("_bucket", &[&series.labels]);
        writer.write(|out| text::le(out, bound));
        writer.end(SampleValue::Count(below));
        count = below;
    }
    let sum = i64::try_from(durations.sum_millis()).unwrap_or(i64::MAX);
    for (suffix, value) in [
        ("_sum", SampleValue::Millis(sum)),
        ("_count", SampleValue::Count(count)),
    ] {
        writer.begin_with(suffix, &[&series.labels]);
        writer.end(value);
    }
}
