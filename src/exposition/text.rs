//! The two text formats' letters: comments, labels and numbers, without an allocation of their own.
//!
//! Owns how a thing is written, not what is.

use std::io::Write;

use prometheus::proto::{LabelPair, Metric};

use crate::family::{Family, MetricType};
use crate::labels;

/// The longest free text that becomes a label's value, in characters.
const LONGEST: usize = 256;

/// The text formats. Their samples are the same; comments and the end differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A sample's value that an integer holds exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SampleValue {
    Count(u64),
    Flag(bool),
    /// Seconds, counted in milliseconds.
    Millis(i64),
}

/// `# HELP` and `# TYPE`. A family has them also while it has no series: that it exists is known.
pub(super) fn comments(out: &mut Vec<u8>, family: &Family, format: Format) {
    let name = match (format, family.metric_type) {
        (Format::OpenMetrics, MetricType::Counter) => family
            .name
            .strip_suffix("_total")
            .expect("a counter of the tables ends with _total"),
        _ => family.name,
    };
    for part in ["# HELP ", name, " ", family.help, "\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    for part in ["# TYPE ", name, " ", family.metric_type.as_str(), "\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// `name="value",`, or nothing where the value is empty.
pub(super) fn label(out: &mut Vec<u8>, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    labels::escape(value, |part| out.extend_from_slice(part.as_bytes()));
    out.extend_from_slice(b"\",");
}

/// Writes a label like [`label`] for untrusted text: cut to a maximum length, and without characters
/// that control a terminal.
pub(super) fn free_text_label(out: &mut Vec<u8>, name: &str, text: &str) {
    let cut = text.chars().nth(LONGEST).is_some();
    let kept = if cut { LONGEST - 1 } else { LONGEST };
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    for character in text.chars().take(kept) {
        let shown = if character.is_control() {
            ' '
        } else {
            character
        };
        let mut bytes = [0; 4];
        labels::escape(shown.encode_utf8(&mut bytes), |part| {
            out.extend_from_slice(part.as_bytes());
        });
    }
    if cut {
        out.extend_from_slice("…".as_bytes());
    }
    out.extend_from_slice(b"\",");
}

/// Ends labels that were written with a comma behind each, and begins the value.
#[inline]
pub(super) fn end_labels(out: &mut Vec<u8>) {
    match out.last_mut() {
        Some(last @ b',') => *last = b'}',
        _ => out.push(b'}'),
    }
    out.push(b' ');
}

/// The value, and the end of the sample.
#[inline]
pub(super) fn value(out: &mut Vec<u8>, value: SampleValue) {
    match value {
        SampleValue::Flag(flag) => out.push(b'0' + u8::from(flag)),
        SampleValue::Count(count) => integer(out, count),
        SampleValue::Millis(millis) => {
            if millis < 0 {
                out.push(b'-');
            }
            let millis = millis.unsigned_abs();
            integer(out, millis / 1_000);
            let fraction = (millis % 1_000) as u16;
            if fraction > 0 {
                let digit = |power: u16| b'0' + (fraction / power % 10) as u8;
                let digits = [b'.', digit(100), digit(10), digit(1)];
                let zeros = digits.iter().rev().take_while(|&&d| d == b'0').count();
                out.extend_from_slice(&digits[..digits.len() - zeros]);
            }
        }
    }
    out.push(b'\n');
}

/// Writes the only sample of a family without labels.
pub(super) fn sample_without_labels(out: &mut Vec<u8>, family: &Family, value: SampleValue) {
    out.extend_from_slice(family.name.as_bytes());
    out.push(b' ');
    self::value(out, value);
}

/// Writes a metric of the `prometheus` crate for one set of labels.
pub(super) fn gathered(out: &mut Vec<u8>, family: &Family, metric: &Metric) {
    let value = match family.metric_type {
        MetricType::Gauge => metric.get_gauge().get_value(),
        MetricType::Counter => metric.get_counter().get_value(),
        MetricType::Histogram => return histogram(out, family.name, metric),
    };
    sample(out, family.name, "", metric.get_label(), None, value);
}

fn histogram(out: &mut Vec<u8>, name: &str, metric: &Metric) {
    let (labels, histogram) = (metric.get_label(), metric.get_histogram());
    let count = histogram.get_sample_count() as f64;
    for bucket in histogram.get_bucket() {
        let below = bucket.cumulative_count() as f64;
        sample(
            out,
            name,
            "_bucket",
            labels,
            Some(bucket.upper_bound()),
            below,
        );
    }
    sample(out, name, "_bucket", labels, Some(f64::INFINITY), count);
    sample(out, name, "_sum", labels, None, histogram.get_sample_sum());
    sample(out, name, "_count", labels, None, count);
}

fn sample(
    out: &mut Vec<u8>,
    name: &str,
    suffix: &str,
    labels: &[LabelPair],
    le: Option<f64>,
    value: f64,
) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(suffix.as_bytes());
    if le.is_some() || !labels.is_empty() {
        out.push(b'{');
        for pair in labels {
            label(out, pair.name(), pair.value());
        }
        if let Some(le) = le {
            self::le(out, le);
        }
        end_labels(out);
    } else {
        out.push(b' ');
    }
    float(out, value);
    out.push(b'\n');
}

/// The label of a bucket, whose bound this is.
pub(super) fn le(out: &mut Vec<u8>, le: f64) {
    out.extend_from_slice(b"le=\"");
    bound(out, le);
    out.extend_from_slice(b"\",");
}

/// Writes the bound of a bucket. OpenMetrics requires `1.0` for an integer. Both formats have it,
/// because the bound is the value of a label and so identifies the series.
fn bound(out: &mut Vec<u8>, bound: f64) {
    if bound == f64::INFINITY {
        out.extend_from_slice(b"+Inf");
    } else {
        write!(out, "{bound:?}").expect("a Vec takes all that is written to it");
    }
}

fn float(out: &mut Vec<u8>, value: f64) {
    // `Display` writes the shortest digits that read back as the same number, and no exponent.
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else {
        write!(out, "{value}").expect("a Vec takes all that is written to it");
    }
}

#[inline]
fn integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn milliseconds_are_seconds_without_idle_zeros() {
        for (millis, expected) in [
            (0, "0\n"),
            (1, "0.001\n"),
            (10, "0.01\n"),
            (1_000, "1\n"),
            (-1_500, "-1.5\n"),
            (1_788_981_143_418, "1788981143.418\n"),
            (i64::MIN, "-9223372036854775.808\n"),
        ] {
            assert_eq!(
                written(|out| value(out, SampleValue::Millis(millis))),
                expected
            );
        }
    }

    #[test]
    fn floats_are_written_as_the_formats_spell_them() {
        for (number, expected) in [
            (0.0, "0"),
            (12.0, "12"),
            (0.1, "0.1"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(written(|out| float(out, number)), expected);
        }
        assert_eq!(written(|out| bound(out, 10.0)), "10.0");
        assert_eq!(written(|out| bound(out, 0.005)), "0.005");
        assert_eq!(written(|out| bound(out, f64::INFINITY)), "+Inf");
    }

    #[test]
    fn free_text_is_cut_and_loses_its_control_characters() {
        let short = "ü".repeat(LONGEST);
        assert_eq!(
            written(|out| free_text_label(out, "message", &short)),
            format!("message=\"{short}\",")
        );
        let long = "ü".repeat(LONGEST + 1);
        assert_eq!(
            written(|out| free_text_label(out, "message", &long)),
            format!("message=\"{}…\",", "ü".repeat(LONGEST - 1))
        );
        assert_eq!(
            written(|out| free_text_label(out, "message", "a\x1b[31m\nb\"c\\d\u{85}")),
            r#"message="a [31m b\"c\\d ","#
        );
    }
}
