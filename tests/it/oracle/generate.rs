//! Random workflows in the words of a scenario.

use std::ops::Range;

use proptest::prelude::*;

/// So many workflows of a pipeline.
pub fn workflows(count: Range<usize>) -> impl Strategy<Value = String> {
    let step = (
        prop_oneof![
            6 => Just("completed"),
            2 => Just("failed"),
            1 => Just("hang"),
            1 => Just("wait"),
            1 => Just("skipped"),
            1 => Just("cancelled"),
        ],
        1..300u32,
        60..900u32,
        prop_oneof![3 => Just("Abort"), 1 => Just("Continue")],
        prop_oneof![4 => Just(None), 1 => (2..4u32, 1..3u32).prop_map(Some)],
        prop_oneof![3 => Just("completed"), 1 => Just("failed"), 1 => Just("skipped"), 1 => Just("none")],
    );
    let workflow = (
        prop::collection::vec(step, 1..6),
        prop_oneof![3 => Just("announced"), 1 => Just("none"), 1 => Just("while_failed")],
        prop_oneof![3 => Just(""), 1 => Just("parallel_group: together, ")],
        prop_oneof![3 => Just("Abort"), 1 => Just("Continue")],
    );
    prop::collection::vec(workflow, count).prop_map(|workflows| {
        let mut text = String::new();
        for (at, (steps, rollback, group, on_failure)) in workflows.into_iter().enumerate()
        {
            let kind = ["build", "test", "test", "distribution"][at.min(3)];
            // The service has parallel groups for test workflows only.
            let group = if kind == "test" { group } else { "" };
            text += &format!(
                "{{name: own-{at}, type: {kind}, {group}on_failure: {on_failure}, \
                 rollback: {rollback}, steps: ["
            );
            for (at, (outcome, duration, timeout, on_failure, attempts, undone)) in
                steps.into_iter().enumerate()
            {
                text += &format!(
                    "{{name: Step{at}, action: RunCommand, outcome: {outcome}, duration: {duration}s, \
                     timeout: {timeout}s, on_failure: {on_failure}, rollback: {undone}, message: it ended"
                );
                if let Some((max, fails)) = attempts {
                    let fails = fails.min(max - 1);
                    text += &format!(", attempts: {{max: {max}, fails: {fails}, pause: 45s}}");
                }
                text += "},";
            }
            text += "]},";
        }
        text
    })
}
