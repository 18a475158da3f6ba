//! Values of a record that stay known where a later response lacks them.

use std::sync::Arc;

use crate::model::{ImageArn, WorkflowArn};

/// Returns `new`, or else the value of the earlier record.
pub(super) fn known<B, T: Clone>(
    new: Option<T>,
    before: Option<&B>,
    value: impl Fn(&B) -> &Option<T>,
) -> Option<T> {
    new.or_else(|| value(before?).clone())
}

/// Returns a text that is shared by copies of the record; an empty one counts as missing.
pub(super) fn text(text: Option<&str>) -> Option<Arc<str>> {
    text.filter(|text| !text.is_empty()).map(Arc::from)
}

/// Returns the value of a label: empty where it is unknown.
pub(super) fn value(text: &Option<impl AsRef<str>>) -> &str {
    text.as_ref().map_or("", AsRef::as_ref)
}

/// Returns account, name, version and text of an ARN for labels: empty where it is unknown.
pub(super) fn image_parts(image: &Option<ImageArn>) -> [&str; 4] {
    image.as_ref().map_or([""; 4], |arn| {
        [arn.account_id(), arn.name(), arn.version(), arn.as_str()]
    })
}

/// Returns name, type, version and text of an ARN for labels: empty where it is unknown.
pub(super) fn workflow_parts(workflow: &Option<WorkflowArn>) -> [&str; 4] {
    workflow.as_ref().map_or([""; 4], |arn| {
        [arn.name(), arn.kind(), arn.version(), arn.as_str()]
    })
}
