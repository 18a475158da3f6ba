//! When what runs is expected to end, from what its steps usually take.
//!
//! A pure decision over the records of a snapshot: the steps of a workflow execution follow each
//! other, and so do the executions of an image, apart from those of one parallel group.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::{Baseline, BaselineSnapshot};
use crate::model::{
    ImageArn, OnFailure, StepStatus, Timestamp, WorkflowExecutionId, WorkflowStatus,
};
use crate::snapshot::{
    Chunk, Chunks, Group, ImageRecord, Observation, Snapshot, StepRecord, WorkflowObservation,
};

/// The expected ends of everything that runs, at one moment. None of them is before that.
#[derive(Clone, Debug, Default)]
pub struct ExpectedEnds {
    executions: HashMap<WorkflowExecutionId, Timestamp>,
    images: HashMap<ImageArn, Timestamp>,
}

impl ExpectedEnds {
    /// Reads only what can still change. A step counts for its execution also where another target
    /// polls it.
    pub fn of<'a>(
        snapshots: impl Iterator<Item = &'a Snapshot> + Clone,
        baselines: &BaselineSnapshot,
        now: Timestamp,
    ) -> Self {
        if baselines.known.records().is_empty() {
            return Self::default();
        }
        let mut works = HashMap::new();
        for snapshot in snapshots.clone() {
            for workflow in moving(&snapshot.workflows) {
                if let Some(observed) = &workflow.observed {
                    works.insert(workflow.id, Work::new(observed));
                }
            }
        }
        if works.is_empty() {
            return Self::default();
        }
        for snapshot in snapshots {
            for record in moving(snapshot.steps.records()) {
                let Some(observed) = &record.observed else {
                    continue;
                };
                let id = observed.subject.workflow_execution_id;
                if let Some(work) = id.and_then(|id| works.get_mut(&id)) {
                    work.add(Part::of(record, observed, baselines, now));
                }
            }
        }
        let running = works.iter().filter(|(_, work)| work.is_running());
        let executions = running.filter_map(|(id, work)| Some((*id, end(now, work.left()?))));
        Self {
            executions: executions.collect(),
            images: images(works.values(), now),
        }
    }

    /// `None` for an execution that does not run, or has a part without a baseline.
    pub fn of_execution(&self, id: WorkflowExecutionId) -> Option<Timestamp> {
        self.executions.get(&id).copied()
    }

    /// `None` for a build that does not run, or has a part without a baseline.
    pub fn of_image(&self, image: &ImageRecord) -> Option<Timestamp> {
        let ends = (!image.status.is_terminal()).then_some(&self.images)?;
        ends.get(&image.arn).copied()
    }
}

fn moving<R>(records: &Chunks<R>) -> impl Iterator<Item = &R> {
    let chunks = records.groups().flat_map(Group::chunks);
    let moving = chunks.filter(|chunk| chunk.is_moving());
    moving.flat_map(Chunk::records)
}

fn end(now: Timestamp, left: i64) -> Timestamp {
    Timestamp::from_millis(now.millis().saturating_add(left))
}

/// What one step still takes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Ended,
    /// In milliseconds, 0 of a step that overruns.
    Left(i64),
    /// It has no baseline, or its execution will not go on as usual.
    Unknown,
}

impl Part {
    fn of(
        record: &StepRecord,
        observed: &Observation,
        baselines: &BaselineSnapshot,
        now: Timestamp,
    ) -> Self {
        let baseline = || baselines.of(observed);
        let left = match observed.values.status {
            StepStatus::Completed | StepStatus::Skipped => return Self::Ended,
            StepStatus::Failed
                if observed.definition.on_failure == Some(OnFailure::Continue)
                    && !observed.will_be_retried() =>
            {
                return Self::Ended;
            }
            StepStatus::Pending => baseline().and_then(Baseline::to_come_millis),
            StepStatus::Running => baseline()
                .and_then(Baseline::typical_millis)
                .zip(record.running_millis(now))
                .map(|(typical, runs)| typical.saturating_sub(runs).max(0)),
            _ => None,
        };
        left.map_or(Self::Unknown, Self::Left)
    }
}

/// A workflow execution that has not ended, and what its steps still take.
#[derive(Clone, Copy, Debug)]
struct Work<'a> {
    observed: &'a WorkflowObservation,
    /// How many of its steps are known.
    steps: u32,
    /// In milliseconds; `None` once a part is unknown.
    left: Option<i64>,
}

impl<'a> Work<'a> {
    fn new(observed: &'a WorkflowObservation) -> Self {
        Self {
            observed,
            steps: 0,
            left: Some(0),
        }
    }

    fn add(&mut self, part: Part) {
        self.steps += 1;
        self.left = match part {
            Part::Ended => self.left,
            Part::Left(millis) => self.left.map(|left| left.saturating_add(millis)),
            Part::Unknown => None,
        };
    }

    fn is_running(&self) -> bool {
        self.observed.status == WorkflowStatus::Running
    }

    /// What all its steps still take, if all are known.
    fn left(&self) -> Option<i64> {
        let is_usual = self.is_running() || self.observed.status == WorkflowStatus::Pending;
        let is_listed = self.steps >= self.observed.planned.unwrap_or(1).max(1);
        self.left.filter(|_| is_usual && is_listed)
    }

    /// Those that are equal run at the same time.
    fn group(&self) -> Option<&'a str> {
        self.observed.parallel_group.as_deref()
    }
}

/// The expected ends of the images of these executions.
fn images<'a>(
    works: impl Iterator<Item = &'a Work<'a>>,
    now: Timestamp,
) -> HashMap<ImageArn, Timestamp> {
    let counting = works.filter(|work| work.observed.retried != Some(true));
    let mut sorted: Vec<_> = counting
        .filter_map(|work| Some((work.observed.image.as_ref()?, work)))
        .collect();
    sorted.sort_unstable_by_key(|(image, work)| (*image, work.group()));
    let images = sorted.chunk_by(|(one, _), (other, _)| one == other);
    let ends = images.filter_map(|works| {
        let (image, _) = works.first()?;
        Some(((*image).clone(), end(now, image_left(works)?)))
    });
    ends.collect()
}

/// What the executions of one image still take: those that run, and after them each parallel group,
/// or each execution without one.
fn image_left(works: &[(&ImageArn, &Work<'_>)]) -> Option<i64> {
    let (mut running, mut to_come) = (0, 0_i64);
    let groups = works
        .chunk_by(|(_, one), (_, other)| one.group().is_some() && one.group() == other.group());
    for group in groups {
        let mut longest = 0;
        for (_, work) in group {
            longest = work.left()?.max(longest);
        }
        match group.iter().any(|(_, work)| work.is_running()) {
            true => running = longest.max(running),
            false => to_come = to_come.saturating_add(longest),
        }
    }
    Some(running.saturating_add(to_come))
}
