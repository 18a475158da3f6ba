//! What is wrong with a file, and where.

use std::{fmt, io};

/// One mistake, or one warning, and its place.
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
        write!(f, "{}: {}", self.place(), self.message)
    }
}

impl Problem {
    /// Formats the problem as a warning.
    pub fn as_warning(&self) -> String {
        format!("{}: warning: {}", self.place(), self.message)
    }

    fn place(&self) -> String {
        format!("{}:{}:{}", self.file, self.line, self.column)
    }
}

impl std::error::Error for Problem {}

/// The message about a file that does not exist.
pub const MISSING_FILE: &str = "there is no such file; name one that exists";

/// Returns the message about a file that cannot be read.
pub(super) fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => MISSING_FILE.to_owned(),
        io::ErrorKind::PermissionDenied => {
            "the file may not be read; allow the exporter's user to read it".to_owned()
        }
        io::ErrorKind::IsADirectory => "this is a directory; name a file".to_owned(),
        _ => format!("the file can't be read: {error}"),
    }
}
