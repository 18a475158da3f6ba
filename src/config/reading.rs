//! The state of reading one configuration: what values may refer to, and the problems so far.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;

use super::node::Position;
use super::problem::Problem;
use super::shape::Section;
use super::step_files::{Gathering, Pattern, StepFile, StepFiles};

/// A place in one of the files of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// In the order of reading: the file itself is 0, its step files follow.
    pub file: usize,
    pub at: Position,
}

/// Is shared by all code that reads a part of the configuration.
pub(super) struct Reading<'e> {
    /// Returns the value of a variable.
    pub env: &'e dyn Fn(&str) -> Option<String>,
    /// What the paths of step files are relative to.
    pub folder: PathBuf,
    /// What the file may hold.
    pub section: &'static Section,
    /// The places of values that have to be unique, by scope and key.
    seen: RefCell<HashMap<(String, String), Place>>,
    /// The names of the files read so far.
    files: RefCell<Vec<String>>,
    problems: RefCell<Vec<(Place, String)>>,
    step_files: RefCell<Gathering>,
}

impl<'e> Reading<'e> {
    pub(super) fn new(
        env: &'e dyn Fn(&str) -> Option<String>,
        folder: PathBuf,
        section: &'static Section,
    ) -> Self {
        Self {
            env,
            folder,
            section,
            seen: RefCell::default(),
            files: RefCell::default(),
            problems: RefCell::default(),
            step_files: RefCell::default(),
        }
    }

    /// Returns a reading of the same configuration, to discard its problems.
    pub(super) fn scratch(&self) -> Self {
        Self::new(self.env, self.folder.clone(), self.section)
    }

    /// Adds a file; returns its number.
    pub(super) fn add_file(&self, name: String) -> usize {
        let mut files = self.files.borrow_mut();
        files.push(name);
        files.len() - 1
    }

    /// Returns the first place with this key in the scope, if there was one before.
    pub(super) fn first(&self, scope: &str, key: String, place: Place) -> Option<Place> {
        match self.seen.borrow_mut().entry((scope.to_owned(), key)) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(none) => {
                none.insert(place);
                None
            }
        }
    }

    /// Notes a problem; where it repeats something, with the place of the first.
    pub(super) fn note(&self, place: Place, mut message: String, first: Option<Place>) {
        if let Some(Place { file, at }) = first {
            let Position { line, column } = at;
            message += &match file == place.file {
                true => format!("; the first is at line {line}, column {column}"),
                false => {
                    let file = &self.files.borrow()[file];
                    format!("; the first is at {file}:{line}:{column}")
                }
            };
        }
        self.problems.borrow_mut().push((place, message));
    }

    /// Returns the step files that a pattern names, or why they cannot be found.
    pub(super) fn step_files(&self, pattern: Pattern) -> Result<Vec<StepFile>, String> {
        self.step_files.borrow_mut().files(pattern)
    }

    /// Whether there is no problem so far.
    pub(super) fn is_right(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// Returns all problems, file by file, each in its own order; and the step files that were read.
    pub(super) fn done(self) -> (Vec<Problem>, StepFiles) {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(place, _)| *place);
        let files = self.files.into_inner();
        let problem = |(Place { file, at }, message)| Problem {
            file: files[file].clone(),
            line: at.line,
            column: at.column,
            message,
        };
        let problems = problems.into_iter().map(problem).collect();
        (problems, self.step_files.into_inner().done())
    }
}
