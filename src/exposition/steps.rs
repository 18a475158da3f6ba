//! How the series of steps are put together: which labels each kind has, record by record.
//!
//! Owns the labels; which families there are, and their values, stand in `families`.

use super::families::{Status, StepSeries};
use super::text::{self, Value};
use crate::config::StatusFormat;
use crate::family::Family;
use crate::labels::LabelText;
use crate::model::Timestamp;
use crate::store::{Observation, StepRecord};

/// Writes series of one family for steps of one source.
#[derive(Debug)]
pub struct StepWriter<'a> {
    pub family: &'static Family,
    pub now: Timestamp,
    pub status_format: StatusFormat,
    pub target: &'a str,
    pub source_labels: &'a LabelText,
    pub out: &'a mut Vec<u8>,
}

impl StepWriter<'_> {
    /// How many of the records are done when `out` holds `enough`.
    pub fn write(&mut self, series: StepSeries, records: &[StepRecord], enough: usize) -> usize {
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
                    this.status(status, record, observed);
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

    fn each(
        &mut self,
        records: &[StepRecord],
        enough: usize,
        mut write: impl FnMut(&mut Self, &StepRecord),
    ) -> usize {
        for (done, record) in records.iter().enumerate() {
            if self.out.len() >= enough {
                return done;
            }
            write(self, record);
        }
        records.len()
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

    /// The series of a status. Their labels up to the status are put together once and copied.
    fn status(&mut self, status: Status, record: &StepRecord, observed: &Observation) {
        let current = (status.current)(observed);
        let known = current.and_then(|current| status.known.iter().position(|s| *s == current));
        let start = self.out.len();
        if self.status_format == StatusFormat::Stateset {
            self.identity(record, observed);
            self.out.extend_from_slice(b"status=\"");
            let end = self.out.len();
            for (at, name) in status.known.iter().enumerate() {
                if at > 0 {
                    self.out.extend_from_within(start..end);
                }
                self.out.extend_from_slice(name.as_bytes());
                self.out.extend_from_slice(if known == Some(at) {
                    b"\"} 1\n"
                } else {
                    b"\"} 0\n"
                });
            }
        }
        if let Some(current) = current
            && (known.is_none() || self.status_format == StatusFormat::Sparse)
        {
            self.identity(record, observed);
            text::label(self.out, "status", current);
            text::end_labels(self.out);
            text::value(self.out, Value::Flag(true));
        }
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

/// The name, and labels that come ready.
pub fn begin(out: &mut Vec<u8>, family: &Family, labels: &[&LabelText]) {
    out.extend_from_slice(family.name.as_bytes());
    out.push(b'{');
    for labels in labels {
        push(out, labels);
    }
}

fn push(out: &mut Vec<u8>, labels: &LabelText) {
    out.extend_from_slice(labels.as_str().as_bytes());
}
