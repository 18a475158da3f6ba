//! A step is exposed while its workflow execution is, and while the configuration lists it.

use std::collections::HashSet;

use proptest::prelude::*;

use super::executions_are_exposed_until_retention_expires as executions;
use crate::oracle::discovery::observation::{Expected, Observation};
use crate::oracle::truth::StepTruth;

pub fn check(seen: &Observation<'_>) -> Result<(), TestCaseError> {
    let mut known = HashSet::new();
    for image in &seen.truth.images {
        for workflow in &image.workflows {
            let of_execution = executions::expected(seen, image, workflow);
            for step in &workflow.steps {
                let id = step.id.to_string();
                let exposed = seen.steps.contains_key(&id);
                let what = format!("{id} of {}", workflow.id);
                expected(seen, step, of_execution).check(exposed, &what, &seen.life(image))?;
                known.insert(id);
            }
        }
    }
    for id in seen.steps.keys() {
        prop_assert!(known.contains(id), "{id} is of no build");
    }
    Ok(())
}

pub fn expected(seen: &Observation<'_>, step: &StepTruth, of_execution: Expected) -> Expected {
    match seen.selectors.listed.contains(&step.id) {
        true => Expected::Must,
        false => of_execution,
    }
}
