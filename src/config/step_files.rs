//! Step files: found by their patterns, read within limits, compared with what they were.
//!
//! Knows nothing of what they hold, which `lists` reads like the lists of the file itself.

use std::ffi::OsString;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use globset::{Glob, GlobBuilder};

use super::problem::unreadable;

/// Some 20 000 ids. A larger file is probably no list of steps, and is read every few seconds.
const LARGEST_FILE: u64 = 1 << 20;
/// Of one configuration together.
const LARGEST_SUM: u64 = 16 << 20;
/// Of one configuration together.
const MOST_FILES: usize = 1_000;

/// The characters that make a glob of a file's name.
const WILDCARDS: [char; 4] = ['*', '?', '[', '{'];

/// Which files hold steps: one path, or those of one folder whose names match.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern {
    folder: PathBuf,
    name: Name,
}

#[derive(Clone, Debug, PartialEq)]
enum Name {
    Plain(OsString),
    Glob(Glob),
}

impl Pattern {
    /// Parses a path relative to the folder, or an absolute one, with wildcards in its last part.
    /// An error is worded to follow the text itself.
    pub(super) fn new(folder: &Path, text: &str) -> Result<Self, &'static str> {
        let (inner, name) = match text.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some((inner, name)) => (inner, name),
            None => ("", text),
        };
        if name.is_empty() {
            return Err("is not the path of a file; write a path such as steps.d/*.yaml");
        }
        if inner.contains(WILDCARDS) {
            return Err(
                "has a wildcard in a folder name; write wildcards only in the file name, such as steps.d/*.yaml",
            );
        }
        let name = match name.contains(WILDCARDS) {
            false => Name::Plain(OsString::from(name)),
            true => Name::Glob(
                GlobBuilder::new(name)
                    .backslash_escape(true)
                    .build()
                    .map_err(
                        |_| "is not a glob; write file names with *, ?, [a-z] or {one,other}",
                    )?,
            ),
        };
        let folder = match (folder.join(inner), inner) {
            // What is empty can't be opened.
            (joined, _) if joined.as_os_str().is_empty() => PathBuf::from("."),
            // What is joined with nothing ends in a slash.
            (_, "") => folder.to_owned(),
            (joined, _) => joined,
        };
        Ok(Self { folder, name })
    }

    /// The paths that there may be files at, in order.
    fn paths(&self, most: usize) -> Result<Vec<PathBuf>, String> {
        let glob = match &self.name {
            Name::Plain(name) => return Ok(vec![self.within(name)]),
            Name::Glob(glob) => glob,
        };
        let unreadable = |error| {
            format!(
                "the folder {} cannot be read: {error}",
                self.folder.display()
            )
        };
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            // It may come later, as its files may.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let matcher = glob.compile_matcher();
        let mut paths = Vec::new();
        for entry in entries {
            let name = entry.map_err(unreadable)?.file_name();
            // As in a shell: what editors and mounts keep beside the files is hidden so.
            let hidden = name.as_encoded_bytes().starts_with(b".");
            if matcher.is_match(&name) && (!hidden || glob.glob().starts_with('.')) {
                paths.push(self.within(&name));
            }
            if paths.len() > most {
                return Err(format!(
                    "there are more than {MOST_FILES} step files; merge some of them"
                ));
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn within(&self, name: impl AsRef<Path>) -> PathBuf {
        match self.folder.as_os_str() == "." {
            true => name.as_ref().to_owned(),
            false => self.folder.join(name),
        }
    }
}

/// A step file, or why it can't be read.
pub(super) struct StepFile {
    pub path: PathBuf,
    pub bytes: Result<Vec<u8>, String>,
}

/// Reads the files of one pattern after another.
#[derive(Default)]
pub(super) struct Gathering {
    patterns: Vec<Pattern>,
    files: usize,
    bytes: u64,
    hasher: DefaultHasher,
}

impl Gathering {
    /// The files that the pattern names, in the order of their paths; none of them is no mistake.
    ///
    /// # Errors
    ///
    /// Why the files cannot be found.
    pub(super) fn files(&mut self, pattern: Pattern) -> Result<Vec<StepFile>, String> {
        let read = self.read(&pattern);
        match &read {
            Err(fault) => fault.hash(&mut self.hasher),
            Ok(files) => {
                for StepFile { path, bytes } in files {
                    (path, bytes).hash(&mut self.hasher);
                }
            }
        }
        self.patterns.push(pattern);
        read
    }

    fn read(&mut self, pattern: &Pattern) -> Result<Vec<StepFile>, String> {
        let mut files = Vec::new();
        for path in pattern.paths(MOST_FILES - self.files)? {
            let left = LARGEST_SUM - self.bytes;
            let bytes = match bytes(&path, left) {
                Ok(bytes) => Ok(bytes),
                // It has gone since, or may come later.
                Err(Unread::Absent) => continue,
                Err(Unread::NoFile(_)) if matches!(pattern.name, Name::Glob(_)) => continue,
                Err(Unread::NoFile(fault) | Unread::Fault(fault)) => Err(fault),
            };
            self.bytes += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
            self.files += 1;
            files.push(StepFile { path, bytes });
        }
        Ok(files)
    }

    pub(super) fn done(self) -> StepFiles {
        StepFiles {
            fingerprint: self.hasher.finish(),
            patterns: self.patterns,
        }
    }
}

enum Unread {
    Absent,
    /// It is no regular file.
    NoFile(String),
    Fault(String),
}

/// Returns the content of the file, if it has at most `left` bytes.
fn bytes(path: &Path, left: u64) -> Result<Vec<u8>, Unread> {
    let fault = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unread::Absent,
        _ => Unread::Fault(unreadable(&error)),
    };
    // Checked first: opening a pipe waits for its writer.
    let metadata = std::fs::metadata(path).map_err(fault)?;
    if !metadata.is_file() {
        let what = match metadata.is_dir() {
            true => "this is a directory; name the files in it, such as steps.d/*.yaml",
            false => "this is not a regular file; name a regular file",
        };
        return Err(Unread::NoFile(what.to_owned()));
    }
    let most = LARGEST_FILE.min(left);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fault)?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 <= most {
        return Ok(bytes);
    }
    Err(Unread::Fault(match most {
        LARGEST_FILE => format!(
            "the file is larger than {} MiB, the maximum for a step file; split it, or remove entries",
            LARGEST_FILE >> 20
        ),
        _ => format!(
            "with this file, step files have more than {} MiB in total, the maximum; remove entries",
            LARGEST_SUM >> 20
        ),
    }))
}

/// The step files of a configuration as they were at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct StepFiles {
    patterns: Vec<Pattern>,
    /// Of the paths and contents, or why a file cannot be read.
    fingerprint: u64,
}

impl StepFiles {
    /// Whether the configuration names any, be they there or not.
    pub fn are_named(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// How they are now: the same value where nothing changed. Reads them all.
    pub fn look(&self) -> Self {
        let mut gathering = Gathering::default();
        for pattern in &self.patterns {
            // A fault is part of what is compared.
            let _ = gathering.files(pattern.clone());
        }
        gathering.done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Result<Pattern, &'static str> {
        Pattern::new(Path::new("conf"), text)
    }

    #[test]
    fn paths_are_relative_to_the_folder_of_the_configuration() {
        for (folder, text, path) in [
            ("conf", "a.yaml", "conf/a.yaml"),
            ("conf", "steps.d/a.yaml", "conf/steps.d/a.yaml"),
            ("conf", "/steps.d/a.yaml", "/steps.d/a.yaml"),
            ("conf", "/a.yaml", "/a.yaml"),
            ("", "a.yaml", "a.yaml"),
            ("", "steps.d/a.yaml", "steps.d/a.yaml"),
        ] {
            let paths = Pattern::new(Path::new(folder), text).unwrap().paths(9);
            assert_eq!(paths.unwrap(), [PathBuf::from(path)], "{folder} {text}");
        }
    }

    #[test]
    fn wildcards_stand_in_the_name_of_the_file_alone() {
        assert!(pattern("steps.d/[a-c]*.{yaml,yml}").is_ok());
        for text in ["", "steps.d/", "*/a.yaml", "a{b/c}.yaml", "steps.d/[.yaml"] {
            assert!(pattern(text).is_err(), "{text}");
        }
    }

    #[test]
    fn folder_that_is_not_there_has_no_files() {
        let mut gathering = Gathering::default();
        let files = gathering.files(pattern("none/*.yaml").unwrap());
        assert!(files.unwrap().is_empty());
        let step_files = gathering.done();
        assert!(step_files.are_named());
        assert_eq!(step_files.look(), step_files);
    }
}
