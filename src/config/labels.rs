//! Label names of the user's own, and those that are taken.

use std::collections::BTreeMap;

use super::field::Field;

/// Label names that a configuration may not use: every one of ours, also of metrics still to come,
/// and those that Prometheus gives a meaning.
pub const RESERVED_LABELS: &[&str] = &[
    // Prometheus's own
    "instance",
    "job",
    "le",
    "quantile",
    // of steps
    "account_id",
    "action",
    "image",
    "image_build_version_arn",
    "image_version",
    "message",
    "on_failure",
    "region",
    "status",
    "step",
    "step_execution_id",
    "target",
    "workflow",
    "workflow_build_version_arn",
    "workflow_execution_id",
    "workflow_type",
    "workflow_version",
    // of workflow executions, images and pipelines
    "build_type",
    "component",
    "component_action",
    "component_step",
    "failed_step",
    "parallel_group",
    "phase",
    "pipeline",
    "platform",
    "result",
    "schedule",
    "type",
    // of the exporter
    "field",
    "kind",
    "operation",
    "revision",
    "rustc_version",
    "selector",
    "shard",
    "state",
    "version",
];

/// What the labels of tags begin with, and no other.
const TAG_PREFIX: &str = "tag_";

/// The label that a tag becomes: `tag_cost_center` of `cost-center`.
pub(super) fn tag_label(key: &str) -> String {
    let letter = |c: char| match c.is_ascii_alphanumeric() {
        true => c,
        false => '_',
    };
    TAG_PREFIX.chars().chain(key.chars().map(letter)).collect()
}

/// Names and values of labels, all of them strings.
pub(super) fn labels(field: Field<'_>) -> Option<BTreeMap<String, String>> {
    let entries = field.entries("a mapping of label names to values, such as {team: platform}")?;
    let read: Vec<Option<(String, String)>> = entries
        .into_iter()
        .map(|(name, field)| {
            let name_is_right = name_is_right(name, field);
            let value = value(field)?;
            name_is_right.then(|| (name.to_owned(), value))
        })
        .collect();
    read.into_iter().collect()
}

fn name_is_right(name: &str, field: Field<'_>) -> bool {
    let message = if !is_label_name(name) {
        "this is not a label name; one is made of letters, digits and _, and no digit comes first"
    } else if name.starts_with("__") {
        "label names that begin with __ are Prometheus's own; choose another"
    } else if name.starts_with(TAG_PREFIX) {
        "label names that begin with tag_ are those of metrics.tag_labels; choose another"
    } else if RESERVED_LABELS.contains(&name) {
        "this label name is taken, by the exporter or by Prometheus; choose another"
    } else {
        return true;
    };
    field.key_problem(message);
    false
}

fn value(field: Field<'_>) -> Option<String> {
    let text = field.text("a string")?;
    if text.value.is_empty() {
        return field
            .problem("is empty, which to Prometheus is no label; give it a value or take it out");
    }
    Some(text.value.into_owned())
}

fn is_label_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
