//! Reads one value after another and keeps every mistake on the way.
//!
//! A [`Field`] is a node that knows its path; a [`Section`] is a mapping with known keys. Whatever
//! reads one answers `None` once its mistakes are noted, so that a caller reads all it can before
//! it puts the parts together. Owns no meaning: what a value must hold is `sections`' business.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;

use super::keys::{Default, GROUPS, Group, Key};
use super::node::{Node, quoted};
use super::problem::{Draft, Place};
use super::reading::Reading;
use super::suggestion::nearest;

/// The way from the top of a document to a node.
#[derive(Clone, Copy)]
enum Path<'a> {
    /// Of the document of this number.
    Top(usize),
    Key {
        parent: &'a Path<'a>,
        ordinal: usize,
        name: &'a str,
    },
    Item {
        parent: &'a Path<'a>,
        index: usize,
    },
}

/// The ordinal of a key that isn't there: no position is known, and its mapping's is shown.
const LEFT_OUT: usize = usize::MAX;

impl Path<'_> {
    fn document(&self) -> usize {
        match self {
            Self::Top(document) => *document,
            Self::Key { parent, .. } | Self::Item { parent, .. } => parent.document(),
        }
    }

    fn ordinals(&self) -> Vec<usize> {
        let (parent, ordinal) = match self {
            Self::Top(_) => return Vec::new(),
            Self::Key {
                parent, ordinal, ..
            } => (parent, *ordinal),
            Self::Item { parent, index } => (parent, *index),
        };
        let mut ordinals = parent.ordinals();
        ordinals.push(ordinal);
        ordinals
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top(_) => Ok(()),
            Self::Key { parent, name, .. } => {
                if !matches!(parent, Self::Top(_)) {
                    write!(f, "{parent}.")?;
                }
                let plain = |c: char| c.is_alphanumeric() || "_-.<".contains(c);
                match !name.is_empty() && name.chars().all(plain) {
                    true => f.write_str(name),
                    false => f.write_str(&quoted(name)),
                }
            }
            Self::Item { parent, index } => write!(f, "{parent}[{index}]"),
        }
    }
}

/// A node, its path, and where its mistakes go.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub node: &'a Node,
    path: Path<'a>,
    pub reading: &'a Reading<'a>,
}

impl<'a> Field<'a> {
    pub fn top(node: &'a Node, document: usize, reading: &'a Reading<'a>) -> Self {
        Self {
            node,
            path: Path::Top(document),
            reading,
        }
    }

    pub fn place(&self) -> Place {
        Place {
            document: self.path.document(),
            ordinals: self.path.ordinals(),
            key: false,
        }
    }

    fn draft(&self, place: Place, message: &str, first: Option<Place>) {
        let message = match self.path {
            Path::Top(_) => message.to_owned(),
            _ => format!("{}: {message}", self.path),
        };
        self.reading.note(Draft {
            place,
            message,
            first,
        });
    }

    /// Notes what is wrong with the value; `None`, for there is none to go on with.
    pub fn problem<T>(&self, message: impl AsRef<str>) -> Option<T> {
        self.draft(self.place(), message.as_ref(), None);
        None
    }

    /// As [`Field::problem`], where the value repeats what stands at `first`.
    pub fn repeats<T>(&self, message: impl AsRef<str>, first: &Place) -> Option<T> {
        self.draft(self.place(), message.as_ref(), Some(first.clone()));
        None
    }

    /// As [`Field::problem`], at the field's key.
    pub fn key_problem(&self, message: &str, first: Option<usize>) {
        let mut place = self.place();
        place.key = true;
        let first = first.map(|ordinal| {
            let mut first = place.clone();
            first.ordinals.pop();
            first.ordinals.push(ordinal);
            first
        });
        self.draft(place, message, first);
    }

    /// Notes that something of another kind was wanted.
    pub fn wrong_kind<T>(&self, wanted: &str) -> Option<T> {
        match self.node {
            Node::Null => self.problem(format!("has no value; write {wanted}")),
            other => self.problem(format!("must be {wanted}, not {}", other.described())),
        }
    }

    pub fn items(&self, wanted: &str) -> Option<Vec<Field<'_>>> {
        let Node::Sequence(nodes) = self.node else {
            return self.wrong_kind(wanted);
        };
        let item = |(index, node)| Field {
            node,
            path: Path::Item {
                parent: &self.path,
                index,
            },
            reading: self.reading,
        };
        Some(nodes.iter().enumerate().map(item).collect())
    }

    /// Reads every item, so that each one's mistakes are noted.
    pub fn each<T>(
        &self,
        wanted: &str,
        mut read: impl FnMut(Field<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let read: Vec<Option<T>> = self.items(wanted)?.into_iter().map(&mut read).collect();
        read.into_iter().collect()
    }

    /// The entries of a mapping, each key once.
    pub fn entries(&self, wanted: &str) -> Option<Vec<(&str, Field<'_>)>> {
        let Node::Mapping(nodes) = self.node else {
            return self.wrong_kind(wanted);
        };
        let mut first: HashMap<&str, usize> = HashMap::new();
        let mut entries = Vec::with_capacity(nodes.len());
        for (ordinal, (key, value)) in nodes.iter().enumerate() {
            let path = |name| Path::Key {
                parent: &self.path,
                ordinal,
                name,
            };
            let Node::Text(name) = key else {
                let described = key.described();
                let key = Field {
                    node: key,
                    path: self.path,
                    reading: self.reading,
                };
                let mut place = key.place();
                place.ordinals.push(ordinal);
                place.key = true;
                let message =
                    format!("a key must be text, not {described}; quote it if it is meant as text");
                key.draft(place, &message, None);
                continue;
            };
            let field = Field {
                node: value,
                path: path(name.as_str()),
                reading: self.reading,
            };
            match first.get(name.as_str()) {
                Some(ordinal) => {
                    field.key_problem("this key stands here twice; keep one", Some(*ordinal));
                }
                None => {
                    first.insert(name, ordinal);
                    entries.push((name.as_str(), field));
                }
            }
        }
        Some(entries)
    }

    /// Reads a mapping whose keys the table knows.
    pub fn section<T>(
        &self,
        group: &'static Group,
        read: impl FnOnce(&Section<'_>) -> Option<T>,
    ) -> Option<T> {
        if !matches!(self.node, Node::Mapping(_)) {
            let wanted = format!("a mapping with {}", group.listed());
            return match self.node {
                Node::Null => self.problem(format!("has no value; write {wanted}, or take it out")),
                _ => self.wrong_kind(&wanted),
            };
        }
        let entries = self.entries("a mapping")?;
        for (name, field) in &entries {
            if group.keys.iter().all(|key| key.name != *name) {
                field.key_problem(&unknown(name, group), None);
            }
        }
        let section = Section {
            field: *self,
            group,
            entries,
            asked: Cell::new(0),
        };
        let value = read(&section);
        debug_assert_eq!(
            section.asked.get().count_ones() as usize,
            group.keys.len(),
            "a key of {:?} is accepted and ignored",
            group.path,
        );
        value
    }
}

fn unknown(name: &str, group: &Group) -> String {
    if name == "<<" {
        return "merge keys are not read; write the values out".to_owned();
    }
    if let Some(near) = nearest(name, group.keys.iter().map(|key| key.name)) {
        return format!("there is no such key; did you mean {near}?");
    }
    let known = group.listed();
    let home = GROUPS
        .iter()
        .find(|other| other.keys.iter().any(|key| key.name == name));
    match home.map(|home| home.path) {
        Some("") => format!("this key belongs to the top of the file; the keys here are {known}"),
        Some(home) => format!("this key belongs to {home}; the keys here are {known}"),
        None => format!("there is no such key; the keys here are {known}"),
    }
}

/// A mapping whose keys the table knows.
pub(super) struct Section<'a> {
    pub field: Field<'a>,
    group: &'static Group,
    entries: Vec<(&'a str, Field<'a>)>,
    /// A bit for each key of the table that was asked for.
    asked: Cell<u32>,
}

impl<'a> Section<'a> {
    pub fn find(&self, name: &str) -> Option<Field<'a>> {
        self.row(name);
        let entry = self.entries.iter().find(|(key, _)| *key == name);
        entry.map(|(_, field)| *field)
    }

    fn row(&self, name: &str) -> &'static Key {
        let at = self.group.keys.iter().position(|key| key.name == name);
        let at = at.expect("readers ask for keys of their own table alone");
        self.asked.set(self.asked.get() | 1 << at);
        &self.group.keys[at]
    }

    /// Reads the key's value, or its default; a required one must be there.
    pub fn get<T>(&self, name: &str, read: impl FnOnce(Field<'_>) -> Option<T>) -> Option<T> {
        let key = self.row(name);
        if let Some(field) = self.find(name) {
            return read(field);
        }
        let Some(node) = key.default.node() else {
            let example = match key.default {
                Default::Required(example) => example,
                other => unreachable!("{name} is read as if it had a default, but has {other:?}"),
            };
            return self
                .field
                .problem(format!("{name} is missing; add it, as in {example}"));
        };
        read(Field {
            node: &node,
            path: Path::Key {
                parent: &self.field.path,
                ordinal: LEFT_OUT,
                name,
            },
            reading: self.field.reading,
        })
    }

    /// Reads the key's value where there is one: `Some(None)` where there isn't.
    pub fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(Field<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.find(name) {
            Some(field) => read(field).map(Some),
            None => Some(None),
        }
    }
}
