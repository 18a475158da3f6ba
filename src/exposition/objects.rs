//! How the series of workflow executions, images and pipelines are put together, record by record.
//!
//! Owns the labels; which families there are, and their values, stand in `families`.

use super::series::{SeriesWriter, begin, push};
use super::text::{self, Value};
use crate::labels::LabelText;
use crate::model::Timestamp;
use crate::store::{
    ImageNameRecord, ImageRecord, PipelineRecord, SelectorRecord, StepResults, WorkflowRecord,
};

/// The families of a kind of things: how its series are labelled, and the function that has their
/// value. Where that gives none there are no series.
#[derive(Debug)]
pub(super) enum ObjectSeries<R> {
    /// One series.
    Value(fn(&R, Timestamp) -> Option<Value>),
    /// One series a known status, or only the current one.
    Status {
        known: &'static [&'static str],
        current: fn(&R) -> Option<&str>,
    },
    /// 1, with the target's name and what is known of the thing as further labels.
    Info(fn(&R) -> Option<[&LabelText; 2]>),
    /// 1, with these labels.
    Detail(fn(&R) -> Option<&LabelText>),
    /// One series a result.
    Results(fn(&R) -> Option<StepResults>),
}

/// What there can be many of, each with labels of its own.
pub(super) trait Object {
    /// What says which one it is, and the target's own labels; `None` until that is known.
    fn identity(&self) -> Option<[&LabelText; 2]>;
}

impl Object for WorkflowRecord {
    fn identity(&self) -> Option<[&LabelText; 2]> {
        Some([&self.observed.as_ref()?.identity, &self.own_labels])
    }
}

impl Object for ImageRecord {
    fn identity(&self) -> Option<[&LabelText; 2]> {
        Some([&self.identity, &self.own_labels])
    }
}

impl Object for ImageNameRecord {
    fn identity(&self) -> Option<[&LabelText; 2]> {
        Some([&self.identity, &self.own_labels])
    }
}

impl Object for PipelineRecord {
    fn identity(&self) -> Option<[&LabelText; 2]> {
        Some([&self.identity, &self.own_labels])
    }
}

impl SeriesWriter<'_> {
    /// How many of the records are done when `out` holds `enough`.
    pub(super) fn objects<R: Object>(
        &mut self,
        series: &ObjectSeries<R>,
        records: &[R],
        enough: usize,
    ) -> usize {
        self.each(records, enough, |this, record| {
            if let Some(identity) = record.identity() {
                this.object(series, record, identity);
            }
        })
    }

    fn object<R>(&mut self, series: &ObjectSeries<R>, record: &R, identity: [&LabelText; 2]) {
        match series {
            ObjectSeries::Value(value) => {
                if let Some(value) = value(record, self.now) {
                    begin(self.out, self.family, &identity);
                    self.end(value);
                }
            }
            ObjectSeries::Status { known, current } => {
                if let Some(current) = current(record) {
                    self.status(known, Some(current), |this| {
                        begin(this.out, this.family, &identity);
                    });
                }
            }
            ObjectSeries::Info(details) => {
                if let Some(details) = details(record) {
                    begin(self.out, self.family, &identity);
                    text::label(self.out, "target", self.target);
                    for labels in &details {
                        push(self.out, labels);
                    }
                    self.end(Value::Flag(true));
                }
            }
            ObjectSeries::Detail(labels) => {
                if let Some(labels) = labels(record) {
                    begin(self.out, self.family, &identity);
                    push(self.out, labels);
                    self.end(Value::Flag(true));
                }
            }
            ObjectSeries::Results(results) => {
                if let Some(results) = results(record) {
                    for (result, count) in [
                        ("succeeded", results.succeeded),
                        ("failed", results.failed),
                        ("skipped", results.skipped),
                    ] {
                        begin(self.out, self.family, &identity);
                        text::label(self.out, "result", result);
                        self.end(Value::Count(count.into()));
                    }
                }
            }
        }
    }

    /// How many of the records are done when `out` holds `enough`.
    pub(super) fn selectors(
        &mut self,
        value: fn(&SelectorRecord) -> Value,
        records: &[SelectorRecord],
        enough: usize,
    ) -> usize {
        self.each(records, enough, |this, record| {
            begin(this.out, this.family, &[this.source_labels, &record.labels]);
            this.end(value(record));
        })
    }

    fn end(&mut self, value: Value) {
        text::end_labels(self.out);
        text::value(self.out, value);
    }
}
