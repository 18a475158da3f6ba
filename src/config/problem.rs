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
pub const MISSING_FILE: &str = "the file does not exist; create it, or correct the path";

/// Returns the message about a file that cannot be read.
pub(super) fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => MISSING_FILE.to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; allow the exporter's user to read the file".to_owned()
        }
        io::ErrorKind::IsADirectory => "this is a directory; name a file".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    }
}
