//! Which executions give an exporter its baselines: worked out apart from the exporter.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use imagebuilder_exporter::model::{
    ImageStatus, StepExecution, StepStatus, Timestamp, WorkflowStatus,
};

use super::super::truth::{HORIZON, ImageTruth, Truth, WorkflowTruth};
use super::{RETENTION, RETENTION_FAILED};
use crate::support::poller::EPOCH;

/// Baselines have so many executions.
const LEAST: usize = 3;
const MOST: usize = 10;

/// A step: region, image, workflow and name.
pub type Key = [String; 4];

/// An exporter begins to select an image, or to read the history again.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub at: Timestamp,
    /// The setting `baselines.history`.
    pub history: usize,
}

/// What happens in a world, and how late an exporter may know it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub truth: &'a Truth,
    pub unsure: Duration,
}

/// Executions that are fed for certain, and all that may be: their ends and durations.
#[derive(Debug, Default)]
pub struct Durations {
    pub certain: Vec<(Timestamp, i64)>,
    pub possible: Vec<(Timestamp, i64)>,
}

impl Facts<'_> {
    /// Whether an exporter that starts then, and polls until this moment, knows the steps of a workflow
    /// execution that COMPLETED; `None` where that cannot be said.
    pub fn is_fed(
        &self,
        start: Start,
        until: Timestamp,
        image: &ImageTruth,
        workflow: &WorkflowTruth,
    ) -> Option<bool> {
        let Self { truth, unsure } = *self;
        if workflow.end > until {
            return Some(false);
        }
        let sure = start.at.plus(unsure);
        if workflow.end > sure || until < sure {
            return Some(true).filter(|_| workflow.end < until.minus(unsure));
        }
        let is_failed = truth.image(image, start.at).status == ImageStatus::Failed;
        let retention = match is_failed || workflow.failed {
            true => RETENTION_FAILED,
            false => RETENTION,
        };
        if workflow.end.plus(retention) > sure {
            return Some(true);
        }
        let is_read = self.is_in_history(image, start.history, start.at);
        if is_read != self.is_in_history(image, start.history, sure) {
            return None;
        }
        // A build that ended just before, or is about to become AVAILABLE, may be known too.
        let mut changes = image.changes.iter().chain([&workflow.end]);
        let is_over = changes.all(|at| at.plus(retention + unsure) <= start.at);
        Some(is_read).filter(|_| is_read || is_over)
    }

    /// Whether the image is one of the newest AVAILABLE builds of its name.
    fn is_in_history(&self, image: &ImageTruth, history: usize, at: Timestamp) -> bool {
        let images = self.truth.images.iter();
        let mut newest: Vec<_> = images
            .filter(|one| one.arn.name() == image.arn.name())
            .filter(|one| one.arn.region() == image.arn.region() && one.begins <= at)
            .filter(|one| self.truth.image(one, at).status == ImageStatus::Available)
            .collect();
        newest.sort_by_key(|one| Reverse(one.begins));
        newest.iter().take(history).any(|one| one.arn == image.arn)
    }
}

/// The durations of each step, given which workflow executions are fed.
pub fn durations(
    truth: &Truth,
    fed: impl Fn(&ImageTruth, &WorkflowTruth, &Key) -> Option<bool>,
) -> BTreeMap<Key, Durations> {
    let mut all: BTreeMap<Key, Durations> = BTreeMap::new();
    for image in &truth.images {
        for workflow in &image.workflows {
            let last = truth.workflow(workflow, EPOCH.plus(HORIZON * 2));
            if last.status != WorkflowStatus::Completed || last.retried {
                continue;
            }
            for step in workflow.steps.iter().map(|step| &step.last) {
                let key = key(image, step);
                let fed = fed(image, workflow, &key);
                let Some(ended) = duration(step).filter(|_| fed != Some(false)) else {
                    continue;
                };
                let durations = all.entry(key).or_default();
                durations.possible.push(ended);
                if fed == Some(true) {
                    durations.certain.push(ended);
                }
            }
        }
    }
    all
}

pub fn key(image: &ImageTruth, step: &StepExecution) -> Key {
    let workflow = step.workflow.as_ref().map_or("", |arn| arn.name());
    let name = step.name.as_deref().unwrap_or_default();
    [image.arn.region(), image.arn.name(), workflow, name].map(str::to_owned)
}

/// The end and the duration of a step that COMPLETED at its first attempt.
fn duration(step: &StepExecution) -> Option<(Timestamp, i64)> {
    let (start, end) = (step.start?, step.end?);
    let is_typical = step.status == StepStatus::Completed
        && step.attempt.is_none_or(|attempt| attempt <= 1)
        && step.action.as_deref() != Some("WaitForAction");
    is_typical.then(|| (end, end.millis_since(start)))
}

/// The last durations in milliseconds, the shortest first; `None` if they are too few.
fn last(ended: &[(Timestamp, i64)]) -> Option<Vec<i64>> {
    let mut ended = ended.to_vec();
    ended.sort_unstable();
    let last = ended.len().saturating_sub(MOST);
    let mut millis: Vec<_> = ended[last..].iter().map(|(_, millis)| *millis).collect();
    millis.sort_unstable();
    (millis.len() >= LEAST).then_some(millis)
}

fn median_millis(last: &[i64]) -> i64 {
    (last[(last.len() - 1) / 2] + last[last.len() / 2]) / 2
}

/// The median of the last executions, in seconds.
pub fn median(ended: &[(Timestamp, i64)]) -> Option<f64> {
    Some(median_millis(&last(ended)?) as f64 / 1e3)
}

/// After how many seconds a step is slow, by the rule of docs/baselines.md.
pub fn slow_after(ended: &[(Timestamp, i64)]) -> Option<f64> {
    let last = last(ended)?;
    let seconds = |millis: i64| millis as f64 / 1e3;
    let (smallest, largest) = (seconds(last[0]), seconds(last[last.len() - 1]));
    let median = seconds(median_millis(&last));
    let ratio = largest.max(60.0) / smallest.max(60.0);
    let varied = ratio.powf(12.0 / (last.len() - 1) as f64).min(5.0);
    let limits = [3.0 * median, median + 300.0, largest * varied];
    limits.into_iter().reduce(f64::max)
}
