//! What is wrong with a file, and where.

use std::fmt;

/// One mistake, or one warning, and the place it stands at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as its reader named it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong and what would be right; one line, without the place.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
        } = self;
        write!(f, "{file}:{line}:{column}: {message}")
    }
}

impl Problem {
    /// The same where it is no mistake but hardly what was meant.
    pub fn as_warning(&self) -> String {
        let Self {
            file,
            line,
            column,
            message,
        } = self;
        format!("{file}:{line}:{column}: warning: {message}")
    }
}

impl std::error::Error for Problem {}

/// A node of a document, found by counting: the fifth entry's second item's key.
///
/// Counting serves better than names: it tells a duplicate key from its first, and both readings of
/// the file count alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which of the texts that were read, counted from 0: the file itself, then its step files.
    pub document: usize,
    pub ordinals: Vec<usize>,
    /// The key of the last ordinal's entry, not its value.
    pub key: bool,
}

/// A problem whose line and column are still to be looked up.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub place: Place,
    pub message: String,
    /// What this one repeats; named with its line and column behind the message.
    pub first: Option<Place>,
}
