//! Each step execution is counted once when it finishes, unless it ended before the exporter started.

use std::collections::BTreeMap;
use std::time::Duration;

use imagebuilder_exporter::model::StepExecution;
use proptest::prelude::*;

use crate::oracle::discovery::PASS;
use crate::oracle::discovery::case::Pace;
use crate::oracle::truth::{ImageTruth, Selectors, Truth, WorkflowTruth};
use crate::support::exposition::Sample;
use crate::support::poller::EPOCH;

/// By image, workflow, step and status, how many must have finished at least, and may have at most.
type Counts = BTreeMap<String, (u32, u32)>;

pub fn check(samples: &[Sample], expected: &Counts) -> Result<(), TestCaseError> {
    let metric = "imagebuilder_workflow_steps_finished_total";
    let mut exposed: BTreeMap<String, f64> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.name == metric) {
        let label = |name: &str| sample.labels.get(name).map_or("", String::as_str);
        let labels = ["image", "workflow", "step", "status"].map(label).join(" ");
        exposed.insert(labels, sample.value);
    }
    for (labels, (least, most)) in expected {
        let count = exposed.remove(labels).unwrap_or_default();
        let right = (f64::from(*least)..=f64::from(*most)).contains(&count);
        prop_assert!(
            right,
            "{labels}: {count} have finished, not {least} to {most}"
        );
    }
    let more: Vec<_> = exposed.iter().filter(|(_, count)| **count > 0.0).collect();
    prop_assert!(more.is_empty(), "never finished: {more:?}");
    Ok(())
}

/// The counts of a case with these selectors, one after the other.
pub fn expected(pace: Pace, truth: &Truth, selectors: &[Selectors]) -> Counts {
    let mut counts = Counts::new();
    for image in &truth.images {
        for workflow in &image.workflows {
            let verdicts: Vec<Option<bool>> = { selectors.iter() }
                .map(|selectors| is_tracked(pace, truth, selectors, image, workflow))
                .collect();
            for step in &workflow.steps {
                let listed = |selectors: &Selectors| selectors.listed.contains(&step.id);
                let last = &step.last;
                if !last.status.is_terminal() {
                    continue;
                }
                let always = verdicts.iter().all(|verdict| *verdict == Some(true))
                    || selectors.iter().all(listed);
                let ever = verdicts.iter().any(|verdict| *verdict != Some(false))
                    || selectors.iter().any(listed);
                let (least, most) = match last.end.or(last.start) {
                    // A step that was cancelled before it began has no time.
                    None => (0, u32::from(ever)),
                    Some(ended) if ended >= EPOCH => (u32::from(always), u32::from(ever)),
                    Some(_) => (0, 0),
                };
                let count = counts.entry(labels(image, last)).or_default();
                *count = (count.0 + least, count.1 + most);
            }
        }
    }
    counts
}

fn labels(image: &ImageTruth, step: &StepExecution) -> String {
    format!(
        "{} {} {} {}",
        image.arn.name(),
        step.workflow.as_ref().map_or("", |arn| arn.name()),
        step.name.as_deref().unwrap_or_default(),
        step.status
    )
}

/// Whether an execution is tracked when it ends; `None` where that cannot be said.
fn is_tracked(
    pace: Pace,
    truth: &Truth,
    selectors: &Selectors,
    image: &ImageTruth,
    workflow: &WorkflowTruth,
) -> Option<bool> {
    if selectors.named_workflows.contains(&workflow.id) {
        return Some(true);
    }
    match selectors.selects_image(truth, image, workflow.last_change) {
        Some(true) if may_be_missed(pace, truth, selectors, image, workflow) => None,
        verdict => verdict,
    }
}

/// Whether an execution may begin, end and be evicted between two polls of its image. These are seldom
/// where the image is named, nothing is selected, and the image had ended before.
fn may_be_missed(
    pace: Pace,
    truth: &Truth,
    selectors: &Selectors,
    image: &ImageTruth,
    workflow: &WorkflowTruth,
) -> bool {
    let before = workflow.from.minus(Duration::from_millis(1));
    let had_ended = before >= image.begins && truth.image(image, before).status.is_terminal();
    let polls_apart = pace.discovery * 12 + pace.interval + PASS;
    let evicted = workflow.end.plus(pace.retention(workflow.failed));
    had_ended && !selectors.discovers() && evicted < workflow.from.plus(polls_apart)
}
