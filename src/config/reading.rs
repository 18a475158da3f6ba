//! One reading of a configuration: the file itself and its step files, and what is wrong with them.

use std::cell::{OnceCell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;

use serde::Deserialize;

use super::node::Node;
use super::position::{Position, Positions};
use super::problem::{Draft, Place, Problem};
use super::reader::Field;
use super::step_files::{Gathering, Pattern, StepFile, StepFiles};
use super::syntax;

/// A text that was read.
struct Document {
    name: String,
    text: String,
}

pub(super) struct Reading<'e> {
    pub env: &'e dyn Fn(&str) -> Option<String>,
    /// What the paths of step files are relative to.
    pub folder: PathBuf,
    documents: RefCell<Vec<Rc<Document>>>,
    drafts: RefCell<Vec<Draft>>,
    /// Those whose line and column are known, each with the number of its document.
    problems: RefCell<Vec<(usize, Problem)>>,
    step_files: RefCell<Gathering>,
}

impl<'e> Reading<'e> {
    pub fn new(env: &'e dyn Fn(&str) -> Option<String>, folder: PathBuf) -> Self {
        Self {
            env,
            folder,
            documents: RefCell::default(),
            drafts: RefCell::default(),
            problems: RefCell::default(),
            step_files: RefCell::default(),
        }
    }

    /// Reads a file's bytes, and hands its top to `read`.
    pub fn document<T>(
        &self,
        name: String,
        bytes: Result<Vec<u8>, String>,
        read: impl FnOnce(Field<'_>) -> Option<T>,
    ) -> Option<T> {
        let number = self.documents.borrow().len();
        let problem = |at: Position, message: String| Problem {
            file: name.clone(),
            line: at.line,
            column: at.column,
            message,
        };
        let text = bytes
            .map_err(|fault| problem(Position::START, fault))
            .and_then(|bytes| String::from_utf8(bytes).map_err(|error| not_utf8(&name, error)));
        let (text, fault) = match text {
            Ok(text) => (text, None),
            Err(fault) => (String::new(), Some(fault)),
        };
        let document = Rc::new(Document { name, text });
        self.documents.borrow_mut().push(document.clone());
        if let Some(fault) = fault {
            self.tell(number, fault);
            return None;
        }
        self.parsed(number, &document, read)
    }

    fn parsed<T>(
        &self,
        number: usize,
        document: &Document,
        read: impl FnOnce(Field<'_>) -> Option<T>,
    ) -> Option<T> {
        let Document { name, text } = document;
        let mut parsed = serde_yaml::Deserializer::from_str(text);
        let node = match parsed.next().map(Node::deserialize) {
            None => Node::Null,
            Some(Ok(node)) => node,
            Some(Err(error)) => {
                self.tell(number, syntax::problem(name, text, &error));
                return None;
            }
        };
        let value = read(Field::top(&node, number, self));
        // Only a text of one document ends here.
        let problem = match parsed.next().map(Node::deserialize) {
            None => return value,
            Some(Err(error)) => syntax::problem(name, text, &error),
            Some(Ok(_)) => {
                let at = Positions::read(text).document(1);
                Problem {
                    file: name.clone(),
                    line: at.line,
                    column: at.column,
                    message: "a second document begins here; a file holds one".to_owned(),
                }
            }
        };
        self.tell(number, problem);
        None
    }

    /// The step files of a pattern, or why it can't be told which there are.
    pub fn step_files(&self, pattern: Pattern) -> Result<Vec<StepFile>, String> {
        self.step_files.borrow_mut().files(pattern)
    }

    pub fn note(&self, draft: Draft) {
        self.drafts.borrow_mut().push(draft);
    }

    fn tell(&self, document: usize, problem: Problem) {
        self.problems.borrow_mut().push((document, problem));
    }

    /// Whether nothing is wrong so far.
    pub fn is_right(&self) -> bool {
        self.drafts.borrow().is_empty() && self.problems.borrow().is_empty()
    }

    /// All that is wrong, file by file, each in its own order; and the step files that were read.
    pub fn done(self) -> (Vec<Problem>, StepFiles) {
        let documents = self.documents.into_inner();
        let positions = AllPositions::new(&documents);
        let mut found: Vec<(usize, Option<Position>, Problem)> = Vec::new();
        for draft in self.drafts.into_inner() {
            let at = positions.of(&draft.place);
            found.push((draft.place.document, Some(at), positions.problem(draft)));
        }
        for (document, problem) in self.problems.into_inner() {
            found.push((document, None, problem));
        }
        // What was read of a text comes before where its reading broke.
        found.sort_by_key(|(document, at, _)| (*document, at.is_none(), *at));
        let problems = found.into_iter().map(|(.., problem)| problem).collect();
        (problems, self.step_files.into_inner().done())
    }
}

/// The positions of every document, read where one is asked for.
struct AllPositions<'a> {
    documents: &'a [Rc<Document>],
    read: Vec<OnceCell<Positions>>,
}

impl<'a> AllPositions<'a> {
    fn new(documents: &'a [Rc<Document>]) -> Self {
        Self {
            documents,
            read: documents.iter().map(|_| Default::default()).collect(),
        }
    }

    fn of(&self, place: &Place) -> Position {
        let positions = self.read[place.document]
            .get_or_init(|| Positions::read(&self.documents[place.document].text));
        positions.of(place)
    }

    fn problem(&self, draft: Draft) -> Problem {
        let Draft {
            place,
            message,
            first,
        } = draft;
        let Position { line, column } = self.of(&place);
        let file = self.documents[place.document].name.clone();
        let message = match first {
            None => message,
            Some(first) => {
                let Position { line, column } = self.of(&first);
                match first.document == place.document {
                    true => format!("{message}; the first is at line {line}, column {column}"),
                    false => {
                        let file = &self.documents[first.document].name;
                        format!("{message}; the first is at {file}:{line}:{column}")
                    }
                }
            }
        };
        Problem {
            file,
            line,
            column,
            message,
        }
    }
}

fn not_utf8(name: &str, error: std::string::FromUtf8Error) -> Problem {
    let right = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let right = String::from_utf8_lossy(right);
    let line = right.rsplit('\n').next().unwrap_or_default();
    Problem {
        file: name.to_owned(),
        line: right.matches('\n').count() + 1,
        column: line.chars().count() + 1,
        message: "this byte is not UTF-8; save the file in that encoding".to_owned(),
    }
}
