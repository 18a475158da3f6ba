//! What `/metrics` exposes at one moment of a case, and how old it may be.

use std::collections::HashMap;
use std::time::Duration;

use imagebuilder_exporter::model::Timestamp;
use proptest::prelude::*;

use super::case::{Case, Pace};
use super::{ANSWERS, BACKOFF, HOUR, PASS};
use crate::oracle::exposed::{ExposedObject, ExposedStep};
use crate::oracle::truth::{ImageTruth, Selectors, Truth, WorkflowTruth};
use crate::support::exposition::Sample;
use crate::support::poller::EPOCH;

pub struct Observation<'a> {
    pub case: &'a Case,
    pub truth: &'a Truth,
    pub selectors: &'a Selectors,
    /// Since when these selectors are in force.
    pub since: Timestamp,
    pub now: Timestamp,
    /// Calls fail, or did a short while ago.
    pub faulty: bool,
    /// A token expired a short while ago.
    pub expired: bool,
    pub samples: Vec<Sample>,
    pub steps: HashMap<String, ExposedStep>,
    pub executions: HashMap<String, ExposedObject>,
    pub images: HashMap<String, ExposedObject>,
    pub pipelines: HashMap<String, ExposedObject>,
}

/// Whether a resource must be exposed, may be, or must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Must,
    May,
    MustNot,
}

impl Expected {
    pub fn check(self, exposed: bool, what: &str, life: &str) -> Result<(), TestCaseError> {
        prop_assert!(
            self != Self::Must || exposed,
            "{what} is not exposed; {life}"
        );
        prop_assert!(
            self != Self::MustNot || !exposed,
            "{what} is exposed; {life}"
        );
        Ok(())
    }
}

impl Observation<'_> {
    pub fn pace(&self) -> Pace {
        self.case.pace
    }

    pub fn ago(&self, by: Duration) -> Timestamp {
        self.now.minus(by)
    }

    /// How old a value may be that only discovery returns.
    pub fn lag(&self) -> Duration {
        let mut lag = self.pace().discovery + self.pace().interval + PASS;
        if self.expired {
            lag += self.pace().discovery;
        }
        if self.faulty {
            lag += BACKOFF;
        }
        lag
    }

    /// The same for an image, which is polled seldom where it is named and nothing is selected.
    pub fn image_lag(&self, image: &ImageTruth) -> Duration {
        let named = self.selectors.named_images.contains(&image.arn);
        match named && !self.selectors.discovers() {
            true => self.lag() + self.pace().discovery * 10,
            false => self.lag(),
        }
    }

    /// How old a step's values may be.
    pub fn step_lag(&self) -> Duration {
        self.pace().interval + ANSWERS
    }

    pub fn known_from(&self, image: &ImageTruth) -> Timestamp {
        match self.selectors.named_images.contains(&image.arn) {
            true => self.since.max(image.begins),
            false => self.since.max(image.listed_from),
        }
    }

    pub fn is_selected(&self, image: &ImageTruth) -> bool {
        self.selectors.selects_image(self.truth, image, self.now) == Some(true)
    }

    /// What is expected of an image, or of what belongs to it, that is not selected for certain.
    pub fn expected_of_unselected(
        &self,
        image: &ImageTruth,
        selected: Option<bool>,
        lag: Duration,
    ) -> Expected {
        // It may have been selected until a moment ago.
        if selected.is_none() || (self.ago(lag) < self.since && self.since > EPOCH) {
            return Expected::May;
        }
        let before = self.ago(lag);
        match self.selectors.selects_image(self.truth, image, before) {
            Some(false) => Expected::MustNot,
            _ => Expected::May,
        }
    }

    /// When the execution must have settled.
    pub fn settled_by(&self, image: &ImageTruth, workflow: &WorkflowTruth) -> Timestamp {
        let interval = self.pace().interval;
        let mut last = workflow.last_change;
        if workflow.leaves_steps_pending() {
            last = last.max(workflow.end.plus(HOUR));
        }
        // It may be tracked again when its image fails after all.
        let fails = image.changes.iter().filter(|at| **at <= self.now).max();
        let back = fails.copied().unwrap_or(last).plus(self.image_lag(image));
        let found = self
            .known_from(image)
            .max(workflow.from)
            .plus(self.image_lag(image));
        last.plus(interval * 4 + ANSWERS * 2).max(found).max(back)
    }

    /// What an image and its executions go through, for the reader of a failure.
    pub fn life(&self, image: &ImageTruth) -> String {
        let seconds = |at: Timestamp| at.millis_since(EPOCH) / 1_000;
        let mut text = format!("listed {}", seconds(image.listed_from));
        for at in &image.changes {
            text += &format!(", {} {}", seconds(*at), self.truth.image(image, *at).status);
        }
        for one in &image.workflows {
            let last = self.truth.workflow(one, one.last_change).status;
            let times = [
                one.from,
                one.start.unwrap_or(one.end),
                one.end,
                one.last_change,
            ];
            text += &format!("; {} {:?} {last}", one.id, times.map(seconds));
        }
        text
    }
}

pub fn near(exposed: Option<f64>, then: Option<Timestamp>) -> bool {
    let then = then.map(|then| then.millis() as f64 / 1_000.0);
    match (exposed, then) {
        (Some(exposed), Some(then)) => (exposed - then).abs() < 0.0015,
        (None, None) => true,
        _ => false,
    }
}
