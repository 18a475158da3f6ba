//! How much of what is there a pattern of the configuration chooses.

use std::sync::Arc;

use super::chunk::Record;
use crate::labels::{LabelText, names};

/// One pattern or ARN of a target's `pipelines` or `images`.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectorRecord {
    /// What it chooses from, and its text in the configuration.
    pub key: (SelectorKind, Arc<str>),
    pub matches: usize,
    /// `kind`, `selector`.
    pub labels: LabelText,
}

/// What a pattern chooses from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SelectorKind {
    Pipelines,
    Images,
}

impl SelectorKind {
    /// The value of the label `kind`: the key of the configuration it stands under.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pipelines => "pipelines",
            Self::Images => "images",
        }
    }
}

impl SelectorRecord {
    pub fn new(kind: SelectorKind, selector: &str, matches: usize) -> Self {
        Self {
            key: (kind, Arc::from(selector)),
            matches,
            labels: LabelText::new([(names::KIND, kind.as_str()), (names::SELECTOR, selector)]),
        }
    }
}

impl Record for SelectorRecord {
    type Key = (SelectorKind, Arc<str>);

    fn key(&self) -> &Self::Key {
        &self.key
    }
}
