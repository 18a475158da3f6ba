//! The user's own labels, and reserved label names.

use super::lists::Map;
use super::names::TAG_KEY;
use super::section::Kind;
use super::shape::Shape;
use super::values::{Single, Text, TextFault};
use crate::labels::names::RESERVED;

/// The prefix of the labels of tags.
const TAG_PREFIX: &str = "tag_";

/// A tag, and the label it becomes: `cost-center` and `tag_cost_center`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagLabel {
    pub key: String,
    pub label: String,
}

impl TagLabel {
    pub(super) fn of(key: String) -> Self {
        let letter = |c: char| match c.is_ascii_alphanumeric() {
            true => c,
            false => '_',
        };
        let label = TAG_PREFIX.chars().chain(key.chars().map(letter)).collect();
        Self { key, label }
    }
}

/// Keys of tags that become labels, no two of them the same.
pub(super) const TAG_LABELS: Single<Vec<TagLabel>> = Single {
    read: |field| {
        field.each("a list of tag keys, such as [Team]", |item| {
            let tag = TagLabel::of(TAG_KEY.read(item)?);
            item.once(
                &(item.list().to_owned() + " labels"),
                tag.label.clone(),
                "the tag {} becomes the same label as another tag, because _ replaces all characters except letters, digits and _; remove one of them",
            )?;
            Some(tag)
        })
    },
    write: |tags| tags.iter().map(|tag| TAG_KEY.write(&tag.key)).collect(),
    shape: || Shape::List {
        of: Box::new(TAG_KEY.shape()),
        least: 0,
        most: None,
        unique: true,
    },
};

/// Labels of the user's own.
pub(super) const LABELS: Map<Text<String>> = Map {
    of: Text::like("a string", "", |text| match text.text.as_ref() {
        "" => Err(TextFault::Says(
            "is empty, and Prometheus drops empty labels; write a value or remove the label"
                .to_owned(),
        )),
        text => Ok(text.to_owned()),
    }),
    wanted: "a mapping of label names to values, such as {team: platform}",
    key_fault: name_fault,
    empty: None,
    shape: Shape::Labels,
};

fn name_fault(name: &str) -> Option<&'static str> {
    if !is_label_name(name) {
        Some("this is not a label name; write letters, digits and _, and begin with no digit")
    } else if name.starts_with("__") {
        Some("label names that begin with __ are reserved for Prometheus; use another name")
    } else if name.starts_with(TAG_PREFIX) {
        Some(
            "label names that begin with tag_ are reserved for metrics.tag_labels; use another name",
        )
    } else if RESERVED.contains(&name) {
        Some("this label name is reserved for the exporter or Prometheus; use another name")
    } else {
        None
    }
}

fn is_label_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
