//! How the series of steps are put together: which labels each kind has, record by record.
//!
//! Owns the labels; which families there are, and their values, stand in `families`.

use super::series::{SeriesWriter, push};
use super::text::{self, SampleValue};
use crate::labels::names;
use crate::model::Timestamp;
use crate::snapshot::{Observation, StepRecord};

/// The families of a step: how its series are labelled, and the function that has their value.
#[derive(Clone, Copy, Debug)]
pub(super) enum StepSeries {
    /// One series, where there is a value.
    Value(fn(&StepRecord, &Observation, Timestamp) -> Option<SampleValue>),
    /// One series about the polling, also of a step never seen.
    Poll(fn(&StepRecord) -> Option<SampleValue>),
    /// One series a known status, or only the current one.
    Status {
        known: &'static [&'static str],
        current: fn(&Observation) -> Option<&str>,
    },
    /// 1, with what is known of the step as further labels.
    Info,
    /// 1, with the step's message; only where the configuration wants it.
    Message,
}

impl StepSeries {
    /// Writes the series of these records, and returns how many of them are done when `out` holds
    /// `enough`.
    pub(super) fn write(
        &self,
        writer: &mut SeriesWriter<'_>,
        records: &[StepRecord],
        enough: usize,
    ) -> usize {
        writer.each(records, enough, |writer, record| {
            match (self, &record.observed) {
                (Self::Poll(value), _) => poll(writer, record, value(record)),
                (_, None) => {}
                (Self::Value(value), Some(observed)) => {
                    if let Some(value) = value(record, observed, writer.now) {
                        identity(writer, record, observed);
                        writer.end(value);
                    }
                }
                (Self::Status { known, current }, Some(observed)) => {
                    writer.status(known, current(observed), |writer| {
                        identity(writer, record, observed);
                    });
                }
                (Self::Info, Some(observed)) if record.full => info(writer, record, observed),
                (Self::Info, Some(_)) => {}
                (Self::Message, Some(observed)) => message(writer, record, observed),
            }
        })
    }
}

fn poll(writer: &mut SeriesWriter<'_>, record: &StepRecord, value: Option<SampleValue>) {
    if let Some(value) = value {
        writer.begin(&[writer.source_labels]);
        step(writer.out, record);
        writer.end(value);
    }
}

fn info(writer: &mut SeriesWriter<'_>, record: &StepRecord, observed: &Observation) {
    identity(writer, record, observed);
    text::label(writer.out, names::TARGET, writer.target);
    push(writer.out, &observed.definition.details);
    push(writer.out, &observed.subject.details);
    push(writer.out, &record.info_labels);
    writer.end(SampleValue::Flag(true));
}

fn message(writer: &mut SeriesWriter<'_>, record: &StepRecord, observed: &Observation) {
    if let Some(message) = observed.reason() {
        identity(writer, record, observed);
        text::free_text_label(writer.out, names::MESSAGE, message);
        writer.end(SampleValue::Flag(true));
    }
}

/// The name, and the labels that every series of a seen step has.
fn identity(writer: &mut SeriesWriter<'_>, record: &StepRecord, observed: &Observation) {
    writer.begin(&[&observed.subject.identity, &observed.definition.identity]);
    step(writer.out, record);
}

fn step(out: &mut Vec<u8>, record: &StepRecord) {
    out.extend_from_slice(b"step_execution_id=\"step-");
    out.extend_from_slice(record.id.uuid_bytes());
    out.extend_from_slice(b"\",");
    push(out, &record.own_labels);
}
