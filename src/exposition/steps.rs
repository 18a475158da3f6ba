//! Writes the series of one step: the labels of each kind of series.
//!
//! `families` declares the families and the functions that return their values.

use super::series::{Mode, RecordSeries, SeriesWriter, SnapshotSeries};
use super::text::{self, SampleValue};
use crate::baseline::Baseline;
use crate::labels::{LabelText, names};
use crate::model::Timestamp;
use crate::snapshot::{Chunks, Observation, Snapshot, StepRecord, Unresolved};

/// The series that a family has for a step, and the function that returns their value.
#[derive(Clone, Copy, Debug)]
pub(super) enum StepSeries {
    /// One series, if there is a value.
    Value(fn(&Observation) -> Option<SampleValue>),
    /// One series with the value at this time, if it has one at any time.
    AtTime(fn(&StepRecord, Timestamp) -> Option<SampleValue>),
    /// One series about polling, also for a step that was never observed.
    Poll(fn(&StepRecord) -> SampleValue),
    /// One series with the time of the last successful poll.
    LastSuccess,
    /// One series with the elapsed time of a RUNNING step, while that is known.
    RunningTime,
    /// One series for each known status, or for the current one alone.
    Status {
        known: &'static [&'static str],
        current: fn(&Observation) -> Option<&str>,
    },
    /// One series for a RUNNING step with a baseline, from that and how long the step runs, in
    /// milliseconds.
    Baseline(fn(&Baseline, i64) -> Option<SampleValue>),
    /// One series with the labels of an unresolved failure. Always 1.
    Unresolved(fn(&Unresolved) -> Option<&LabelText>),
    /// One series with static information about the step as further labels. Always 1.
    Info,
    /// One series with the step's message as a label. Always 1; only with `message_labels`.
    Message,
}

impl RecordSeries for StepSeries {
    type Record = StepRecord;

    fn is_steady(&self) -> bool {
        !matches!(
            self,
            Self::AtTime(_) | Self::LastSuccess | Self::RunningTime | Self::Baseline(_)
        )
    }

    fn has_fixed_number(&self) -> bool {
        !matches!(self, Self::RunningTime | Self::Baseline(_))
    }

    #[inline]
    fn write(&self, writer: &mut SeriesWriter<'_>, record: &StepRecord) {
        match (self, &record.observed) {
            (Self::Poll(value), _) => poll(writer, record, Some(value(record))),
            (Self::LastSuccess, _) => {
                let at = record.last_success.map(Timestamp::millis);
                poll(writer, record, at.map(SampleValue::Millis));
            }
            (_, None) => {}
            (Self::Value(value), Some(observed)) => {
                sample(writer, record, observed, value(observed));
            }
            (Self::AtTime(value), Some(observed)) => {
                let value = value(record, writer.context.now());
                sample(writer, record, observed, value);
            }
            (Self::RunningTime, Some(observed)) => {
                let millis = record.running_millis(writer.context.now());
                sample(writer, record, observed, millis.map(SampleValue::Millis));
            }
            (Self::Baseline(value), Some(observed)) => {
                let runs = record.known_running_millis(writer.context.now());
                let value = runs.and_then(|runs| {
                    let baseline = writer.context.scrape.baselines.of(observed)?;
                    value(baseline, runs)
                });
                sample(writer, record, observed, value);
            }
            (Self::Status { known, current }, Some(observed)) => {
                writer.status(known, current(observed), |writer| {
                    identity(writer, record, observed);
                });
            }
            (Self::Unresolved(labels), Some(observed)) => {
                if let Some(labels) = record.unresolved.as_deref().and_then(labels) {
                    identity(writer, record, observed);
                    writer.push_changing(labels);
                    writer.end(SampleValue::Flag(true));
                }
            }
            (Self::Info, Some(observed)) if record.full => info(writer, record, observed),
            (Self::Info, Some(_)) => {}
            (Self::Message, Some(observed)) => message(writer, record, observed),
        }
    }
}

impl SnapshotSeries for StepSeries {
    fn records(snapshot: &Snapshot) -> &Chunks<StepRecord> {
        snapshot.steps.records()
    }
}

/// The usual duration of a step.
#[derive(Debug)]
pub(super) struct TypicalDuration;

impl RecordSeries for TypicalDuration {
    type Record = Baseline;

    fn is_steady(&self) -> bool {
        true
    }

    fn write(&self, writer: &mut SeriesWriter<'_>, baseline: &Baseline) {
        if let Some(millis) = baseline.exposed_millis() {
            for labels in baseline.labels() {
                writer.begin(&labels);
                writer.end(SampleValue::Millis(millis));
            }
        }
    }
}

#[inline]
fn sample(
    writer: &mut SeriesWriter<'_>,
    record: &StepRecord,
    observed: &Observation,
    value: Option<SampleValue>,
) {
    if let Some(value) = value {
        identity(writer, record, observed);
        writer.end(value);
    }
}

#[inline]
fn poll(writer: &mut SeriesWriter<'_>, record: &StepRecord, value: Option<SampleValue>) {
    if let Some(value) = value {
        writer.begin(&[writer.context.source_labels]);
        step(writer, record);
        writer.end(value);
    }
}

fn info(writer: &mut SeriesWriter<'_>, record: &StepRecord, observed: &Observation) {
    identity(writer, record, observed);
    writer.label(names::TARGET, writer.context.target);
    writer.push(&observed.definition.details);
    writer.push(&observed.subject.details);
    writer.push(&record.extra.info);
    writer.end(SampleValue::Flag(true));
}

fn message(writer: &mut SeriesWriter<'_>, record: &StepRecord, observed: &Observation) {
    if let Some(message) = observed.reason() {
        identity(writer, record, observed);
        writer.write(|out| text::free_text_label(out, names::MESSAGE, message));
        writer.end(SampleValue::Flag(true));
    }
}

/// Writes the name, and the labels that every series of an observed step has.
#[inline]
fn identity(writer: &mut SeriesWriter<'_>, record: &StepRecord, observed: &Observation) {
    writer.begin(&[&observed.identity, &observed.definition.identity]);
    step(writer, record);
}

#[inline]
fn step(writer: &mut SeriesWriter<'_>, record: &StepRecord) {
    if writer.mode == Mode::Text {
        writer.out.extend_from_slice(b"step_execution_id=\"step-");
        writer.out.extend_from_slice(record.id.uuid_bytes());
        writer.out.extend_from_slice(b"\",");
        writer.push(&record.extra.own);
    }
}
