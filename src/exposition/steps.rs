//! How the series of steps are put together: which labels each kind has, record by record.
//!
//! Owns the labels; which families there are, and their values, stand in `families`.

use super::series::{SeriesWriter, begin, push};
use super::text::{self, Value};
use crate::model::Timestamp;
use crate::store::{Observation, StepRecord};

/// The families of a step: how its series are labelled, and the function that has their value.
#[derive(Clone, Copy, Debug)]
pub(super) enum StepSeries {
    /// One series, where there is a value.
    Value(fn(&StepRecord, &Observation, Timestamp) -> Option<Value>),
    /// One series about the polling, also of a step never seen.
    Poll(fn(&StepRecord) -> Option<Value>),
    /// One series a known status, or only the current one.
    Status(Status),
    /// 1, with what is known of the step as further labels.
    Info,
    /// 1, with the step's message; only where the configuration wants it.
    Message,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub known: &'static [&'static str],
    pub current: fn(&Observation) -> Option<&str>,
}

impl SeriesWriter<'_> {
    /// How many of the records are done when `out` holds `enough`.
    pub(super) fn steps(
        &mut self,
        series: &StepSeries,
        records: &[StepRecord],
        enough: usize,
    ) -> usize {
        match series {
            StepSeries::Value(value) => {
                self.each_seen(records, enough, |this, record, observed| {
                    if let Some(value) = value(record, observed, this.now) {
                        this.identity(record, observed);
                        text::end_labels(this.out);
                        text::value(this.out, value);
                    }
                })
            }
            StepSeries::Poll(value) => self.each(records, enough, |this, record| {
                if let Some(value) = value(record) {
                    begin(this.out, this.family, &[this.source_labels]);
                    this.step(record);
                    text::end_labels(this.out);
                    text::value(this.out, value);
                }
            }),
            StepSeries::Status(status) => {
                self.each_seen(records, enough, |this, record, observed| {
                    let current = (status.current)(observed);
                    this.status(status.known, current, |this| {
                        this.identity(record, observed);
                    });
                })
            }
            StepSeries::Info => self.each_seen(records, enough, |this, record, observed| {
                if !record.full {
                    return;
                }
                this.identity(record, observed);
                let (definition, subject) = (&observed.definition, &observed.subject);
                text::label(this.out, "target", this.target);
                push(this.out, &definition.details);
                push(this.out, &subject.details);
                push(this.out, &record.info_labels);
                text::end_labels(this.out);
                text::value(this.out, Value::Flag(true));
            }),
            StepSeries::Message => self.each_seen(records, enough, |this, record, observed| {
                if let Some(message) = observed.message.as_deref().filter(|m| !m.is_empty()) {
                    this.identity(record, observed);
                    text::free_text_label(this.out, "message", message);
                    text::end_labels(this.out);
                    text::value(this.out, Value::Flag(true));
                }
            }),
        }
    }

    fn each_seen(
        &mut self,
        records: &[StepRecord],
        enough: usize,
        mut write: impl FnMut(&mut Self, &StepRecord, &Observation),
    ) -> usize {
        self.each(records, enough, |this, record| {
            if let Some(observed) = &record.observed {
                write(this, record, observed);
            }
        })
    }

    /// The name, and the labels that every series of a seen step has.
    fn identity(&mut self, record: &StepRecord, observed: &Observation) {
        let (subject, definition) = (&observed.subject.identity, &observed.definition.identity);
        begin(self.out, self.family, &[subject, definition]);
        self.step(record);
    }

    fn step(&mut self, record: &StepRecord) {
        self.out.extend_from_slice(b"step_execution_id=\"step-");
        self.out.extend_from_slice(record.id.uuid_bytes());
        self.out.extend_from_slice(b"\",");
        push(self.out, &record.own_labels);
    }
}
