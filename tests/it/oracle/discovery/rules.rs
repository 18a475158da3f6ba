//! The rules that discovery keeps, one a file.

mod executions_are_exposed_until_retention_expires;
mod executions_have_current_values;
mod failures_are_exposed_until_they_are_resolved;
pub mod finished_steps_are_counted_once;
mod images_are_exposed_until_retention_expires;
mod images_have_current_values;
mod newest_available_build_of_each_name_is_exposed;
mod pipelines_are_exposed_while_they_are_selected;
mod selectors_count_their_matches;
pub mod settled_resources_are_not_polled;
pub mod steps_are_exposed_with_their_execution;
pub mod steps_are_listed_while_they_can_change;
mod steps_have_current_values;

use proptest::prelude::*;

use super::observation::Observation;

/// A rule about what is exposed at one moment.
type Rule = fn(&Observation<'_>) -> Result<(), TestCaseError>;

macro_rules! rules {
    ($($rule:ident),+ $(,)?) => { [$((stringify!($rule), $rule::check as Rule)),+] };
}

/// Checks every rule about what is exposed at one moment.
pub fn check(seen: &Observation<'_>) -> Result<(), TestCaseError> {
    let rules = rules![
        images_are_exposed_until_retention_expires,
        images_have_current_values,
        executions_are_exposed_until_retention_expires,
        executions_have_current_values,
        steps_are_exposed_with_their_execution,
        steps_have_current_values,
        failures_are_exposed_until_they_are_resolved,
        pipelines_are_exposed_while_they_are_selected,
        newest_available_build_of_each_name_is_exposed,
        selectors_count_their_matches,
    ];
    for (name, rule) in rules {
        rule(seen).map_err(|error| TestCaseError::fail(format!("{name}: {error}")))?;
    }
    Ok(())
}
