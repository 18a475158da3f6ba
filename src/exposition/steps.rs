//! Writes the series of one step: the labels of each kind of series.
//!
//! `families` declares the families and the functions that return their values.

use super::series::{RecordSeries, SeriesWriter, push};
use super::text::{self, SampleValue};
use crate::labels::{LabelText, names};
use crate::model::Timestamp;
use crate::snapshot::{Chunks, Observation, Snapshot, StepRecord, Unresolved};

/// The series that a family has for a step, and the function that returns their value.
#[derive(Clone, Copy, Debug)]
pub(super) enum StepSeries {
    /// One series, if there is a value.
    Value(fn(&StepRecord, &Observation, Timestamp) -> Option<SampleValue>),
    /// One series about polling, also for a step that was never observed.
    Poll(fn(&StepRecord) -> Option<SampleValue>),
    /// One series for each known status, or for the current one alone.
    Status {
        known: &'static [&'static str],
        current: fn(&Observation) -> Option<&str>,
    },
    /// One series with the labels of an unresolved failure. Always 1.
    Unresolved(fn(&Unresolved) -> Option<&LabelText>),
    /// One series with static information about the step as further labels. Always 1.
    Info,
    /// One series with the step's message as a label. Always 1; only with `message_labels`.
    Message,
}

impl RecordSeries for StepSeries {
    type Record = StepRecord;

    fn records(snapshot: &Snapshot) -> &Chunks<StepRecord> {
        snapshot.steps.records()
    }

    fn write(&self, writer: &mut SeriesWriter<'_>, record: &StepRecord) {
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
            (Self::Unresolved(labels), Some(observed)) => {
                if let Some(labels) = record.unresolved.as_deref().and_then(labels) {
                    identity(writer, record, observed);
                    push(writer.out, labels);
                    writer.end(SampleValue::Flag(true));
                }
            }
            (Self::Info, Some(observed)) if record.full => info(writer, record, observed),
            (Self::Info, Some(_)) => {}
            (Self::Message, Some(observed)) => message(writer, record, observed),
        }
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

/// Writes the name, and the labels that every series of an observed step has.
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
