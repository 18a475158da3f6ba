//! From a file's bytes to a checked [`Config`], or to everything that is wrong with it.

use std::io;
use std::path::Path;

use serde::Deserialize;

use super::node::Node;
use super::position::Positions;
use super::problem::{Draft, Problem};
use super::reader::{Field, Reading};
use super::{Config, limits, sections, syntax};

/// A configuration without mistakes.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    pub config: Config,
    /// What is allowed but will hardly do what was meant.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// Reads the file at the path. The environment answers `${VAR}`.
    ///
    /// # Errors
    ///
    /// Every problem of the file, in its order; one where it can't be read.
    pub fn load(
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Checked, Vec<Problem>> {
        let file = path.display().to_string();
        let problem = |line, column, message| {
            vec![Problem {
                file: file.clone(),
                line,
                column,
                message,
            }]
        };
        let bytes = std::fs::read(path).map_err(|error| problem(1, 1, unreadable(&error)))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let right = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let right = String::from_utf8_lossy(right);
            let line = right.rsplit('\n').next().unwrap_or_default();
            problem(
                right.matches('\n').count() + 1,
                line.chars().count() + 1,
                "this byte is not UTF-8; save the file in that encoding".to_owned(),
            )
        })?;
        Self::read(&file, &text, env)
    }

    /// Reads the text of a file. The environment answers `${VAR}`.
    ///
    /// # Errors
    ///
    /// Every problem of the text, in its order.
    pub fn read(
        file_name: &str,
        text: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Checked, Vec<Problem>> {
        let mut documents = serde_yaml::Deserializer::from_str(text);
        let node = match documents.next().map(Node::deserialize) {
            None => Node::Null,
            Some(Ok(node)) => node,
            Some(Err(error)) => return Err(vec![syntax::problem(file_name, text, &error)]),
        };
        let reading = Reading::new(env);
        let read = sections::file(Field::top(&node, &reading));
        let mut drafts = reading.into_drafts();
        // Only a text of one document ends here.
        let rest = documents.next().map(Node::deserialize);
        let checked = read.filter(|_| drafts.is_empty() && rest.is_none());
        if let Some((config, places)) = checked {
            drafts = limits::warnings(&config, &places);
            let warnings = match drafts.is_empty() {
                true => Vec::new(),
                false => Positions::read(text).problems(file_name, drafts),
            };
            return Ok(Checked { config, warnings });
        }
        Err(problems(file_name, text, drafts, rest))
    }
}

fn problems(
    file: &str,
    text: &str,
    drafts: Vec<Draft>,
    rest: Option<Result<Node, serde_yaml::Error>>,
) -> Vec<Problem> {
    let positions = Positions::read(text);
    let mut problems = positions.problems(file, drafts);
    match rest {
        None => {}
        Some(Err(error)) => problems.push(syntax::problem(file, text, &error)),
        Some(Ok(_)) => {
            let at = positions.document(1);
            problems.push(Problem {
                file: file.to_owned(),
                line: at.line,
                column: at.column,
                message: "a second document begins here; a file holds one".to_owned(),
            });
        }
    }
    problems
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file; name one that exists".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "the file may not be read; allow the exporter's user to read it".to_owned()
        }
        io::ErrorKind::IsADirectory => "this is a directory; name a file".to_owned(),
        _ => format!("the file can't be read: {error}"),
    }
}
