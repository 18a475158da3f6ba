//! The state of reading one configuration: what values may refer to, and the problems so far.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;

use super::node::Position;
use super::problem::Problem;
use super::shape::Section;
use super::step_files::{Gathering, Pattern, StepFile, StepFiles};

/// Most problems that are returned. Of more, the rest is counted.
const MAX_PROBLEMS: usize = 100;
/// Most characters of a message: a file can have names of any length.
const MAX_MESSAGE: usize = 1_000;

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
    /// How many problems after these were dropped, and the place of the first.
    dropped: RefCell<Option<(Place, usize)>>,
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
            dropped: RefCell::default(),
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
        if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE) {
            message.truncate(end);
            message += "...";
        }
        self.problems.borrow_mut().push((place, message));
        // Rarely, as it sorts.
        if self.problems.borrow().len() >= 10 * MAX_PROBLEMS {
            self.drop_last_problems();
        }
    }

    /// Sorts the problems by their places, and keeps the first.
    fn drop_last_problems(&self) {
        let mut problems = self.problems.borrow_mut();
        problems.sort_by_key(|(place, _)| *place);
        let kept = problems.len().min(MAX_PROBLEMS);
        let rest = problems.split_off(kept);
        let Some((place, _)) = rest.first() else {
            return;
        };
        let mut dropped = self.dropped.borrow_mut();
        let (first, count) = dropped.get_or_insert((*place, 0));
        *first = (*place).min(*first);
        *count += rest.len();
    }

    /// Returns the step files that a pattern names, or why they cannot be found.
    pub(super) fn step_files(&self, pattern: Pattern) -> Result<Vec<StepFile>, String> {
        self.step_files.borrow_mut().files(pattern)
    }

    /// Whether there is no problem so far.
    pub(super) fn is_right(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// Returns the problems, file by file, each in its own order; and the step files that were read. Of
    /// more than [`MAX_PROBLEMS`], a last one has the number of the others.
    pub(super) fn done(self) -> (Vec<Problem>, StepFiles) {
        self.drop_last_problems();
        let mut problems = self.problems.into_inner();
        if let Some((place, count)) = self.dropped.into_inner() {
            problems.push((place, format!("... and {count} more")));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn problems(text: &str) -> Vec<String> {
        let read = Config::read("f", text, &|_| None);
        let problems = read.unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn first_problems_are_returned_and_the_others_are_counted() {
        let head = "targets:\n- name: a\n  regions: [us-west-2]\n  step_executions:\n";
        let with = |count| problems(&(head.to_owned() + &"  - nothing\n".repeat(count)));
        assert_eq!(with(MAX_PROBLEMS).len(), MAX_PROBLEMS);
        let all = with(100_000);
        assert_eq!(all.len(), MAX_PROBLEMS + 1);
        assert!(all[99].starts_with("f:104:5: targets[0].step_executions[99]"));
        assert_eq!(all[100], "f:105:5: ... and 99900 more");
    }

    #[test]
    fn message_about_an_endless_name_is_short() {
        let endless = "a".repeat(1 << 20);
        for text in [
            format!("{endless}: 1"),
            format!("targets: [{{{endless}: {{b: 1}}}}]"),
            format!("targets: [{{name: '${{{endless}}}'}}]"),
        ] {
            for problem in problems(&text) {
                assert!(problem.len() < MAX_MESSAGE + 20, "{} bytes", problem.len());
            }
        }
    }
}
