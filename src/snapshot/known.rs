//! Values of a record that stay known where a later response lacks them.

use std::sync::Arc;

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

/// Returns a part of a resource for a label: empty where the resource is unknown.
pub(super) fn part<'a, T>(resource: &'a Option<T>, part: impl Fn(&'a T) -> &'a str) -> &'a str {
    resource.as_ref().map_or("", part)
}
