//! The user's duration budgets, ready to be matched.

use std::time::Duration;

use globset::GlobMatcher;

use crate::config::DurationBudget;
use crate::snapshot::Observation;

/// The configured budgets in their order.
#[derive(Clone, Debug, Default)]
pub struct Budgets(Vec<Budget>);

#[derive(Clone, Debug)]
struct Budget {
    step: GlobMatcher,
    workflow: GlobMatcher,
    image: GlobMatcher,
    max_duration: Duration,
}

impl Budgets {
    pub fn new(budgets: &[DurationBudget]) -> Self {
        let ready = |budget: &DurationBudget| Budget {
            step: budget.step.compile_matcher(),
            workflow: budget.workflow.compile_matcher(),
            image: budget.image.compile_matcher(),
            max_duration: budget.max_duration,
        };
        Self(budgets.iter().map(ready).collect())
    }

    /// The budget of a step in milliseconds: the first whose globs all match. A name that is not
    /// known matches what matches the empty one.
    pub fn millis(&self, observed: &Observation) -> Option<i64> {
        let [step, workflow, image] = observed.names();
        let matches = |budget: &&Budget| {
            budget.step.is_match(step)
                && budget.workflow.is_match(workflow)
                && budget.image.is_match(image)
        };
        let budget = self.0.iter().find(matches)?;
        Some(budget.max_duration.as_millis() as i64)
    }
}
