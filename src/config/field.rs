//! A value of the file with its place and its path, which every message about it names.
//!
//! Whatever reads a field notes its problems and returns `None`, so that its caller reads all it can
//! before it puts the parts together.

use std::collections::HashMap;

use super::node::{Node, Position, Value, quoted};
use super::reading::{Place, Reading};

pub(super) struct Field<'a> {
    pub value: &'a Value,
    pub place: Place,
    /// The place of its key; its own place where it has none.
    key: Place,
    /// `targets[0].name`; empty at the top of a file.
    path: String,
    pub reading: &'a Reading<'a>,
}

impl<'a> Field<'a> {
    /// The top of a file of this number.
    pub(super) fn top(node: &'a Node, file: usize, reading: &'a Reading<'a>) -> Self {
        let place = Place { file, at: node.at };
        Self {
            value: &node.value,
            place,
            key: place,
            path: String::new(),
            reading,
        }
    }

    /// The value of a key.
    pub(super) fn entry<'b>(&self, name: &str, key: Position, node: &'b Node) -> Field<'b>
    where
        'a: 'b,
    {
        let plain = |c: char| c.is_alphanumeric() || "_-.<".contains(c);
        let name = match (1..=80).contains(&name.len()) && name.chars().all(plain) {
            true => name.to_owned(),
            false => quoted(name),
        };
        let path = match self.path.as_str() {
            "" => name,
            path => format!("{path}.{name}"),
        };
        let file = self.place.file;
        Field {
            value: &node.value,
            place: Place { file, at: node.at },
            key: Place { file, at: key },
            path,
            reading: self.reading,
        }
    }

    fn item(&self, index: usize, node: &'a Node) -> Self {
        let place = Place {
            at: node.at,
            ..self.place
        };
        Self {
            value: &node.value,
            place,
            key: place,
            path: format!("{}[{index}]", self.path),
            reading: self.reading,
        }
    }

    fn note(&self, place: Place, message: &str, first: Option<Place>) {
        let message = match self.path.as_str() {
            "" => message.to_owned(),
            path => format!("{path}: {message}"),
        };
        self.reading.note(place, message, first);
    }

    /// Notes what is wrong with the value. Returns `None`: there is no value to continue with.
    pub(super) fn problem<T>(&self, message: impl AsRef<str>) -> Option<T> {
        self.note(self.place, message.as_ref(), None);
        None
    }

    /// As [`Field::problem`], at the field's key.
    pub(super) fn key_problem(&self, message: &str) {
        self.note(self.key, message, None);
    }

    /// Notes that the value has to be of another kind.
    pub(super) fn wrong_kind<T>(&self, wanted: &str) -> Option<T> {
        match self.value {
            Value::Null => self.problem(format!("has no value; write {wanted}")),
            other => self.problem(format!("must be {wanted}, not {}", other.described())),
        }
    }

    /// Notes a value whose key is in the scope already. `{}` in the message becomes the value.
    pub(super) fn once(&self, scope: &str, key: String, repeated: &str) -> Option<()> {
        let first = self.reading.first(scope, key, self.place);
        if first.is_some() {
            let message = repeated.replace("{}", &self.quoted());
            self.note(self.place, &message, first);
        }
        first.is_none().then_some(())
    }

    /// The value as it is written.
    pub(super) fn quoted(&self) -> String {
        match self.value {
            Value::Text(written) => quoted(written),
            other => other.described(),
        }
    }

    /// The path of the list that it is an item of.
    pub(super) fn list(&self) -> &str {
        self.path.rsplit_once('[').map_or("", |(list, _)| list)
    }

    /// The same field with another value.
    pub(super) fn with_value<'b>(&self, value: &'b Value) -> Field<'b>
    where
        'a: 'b,
    {
        Field {
            value,
            place: self.place,
            key: self.key,
            path: self.path.clone(),
            reading: self.reading,
        }
    }

    /// Reads it without noting problems.
    pub(super) fn quietly<T>(&self, read: impl FnOnce(&Field<'_>) -> Option<T>) -> Option<T> {
        read(&Field {
            value: self.value,
            place: self.place,
            key: self.key,
            path: String::new(),
            reading: &self.reading.scratch(),
        })
    }

    /// The items of a list; none where it is no list.
    pub(super) fn items(&self) -> impl Iterator<Item = Self> {
        let nodes: &[Node] = match self.value {
            Value::Sequence(nodes) => nodes,
            _ => &[],
        };
        let nodes = nodes.iter().enumerate();
        nodes.map(|(index, node)| self.item(index, node))
    }

    /// Reads every item, so that each one's problems are noted.
    pub(super) fn each<T>(
        &self,
        wanted: &str,
        mut read: impl FnMut(&Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::Sequence(_) = self.value else {
            return self.wrong_kind(wanted);
        };
        let read: Vec<Option<T>> = self.items().map(|item| read(&item)).collect();
        read.into_iter().collect()
    }

    /// The entries of a mapping; notes keys that are not text, and all but the first of one name.
    pub(super) fn entries(&self, wanted: &str) -> Option<Vec<(&'a str, Self)>> {
        let Value::Mapping(nodes) = self.value else {
            return self.wrong_kind(wanted);
        };
        let mut first: HashMap<&str, Place> = HashMap::new();
        let mut entries = Vec::with_capacity(nodes.len());
        for (key, value) in nodes.iter() {
            let Value::Text(name) = &key.value else {
                let described = key.value.described();
                let message =
                    format!("a key must be text, not {described}; quote it if it is meant as text");
                let place = Place {
                    at: key.at,
                    ..self.place
                };
                self.note(place, &message, None);
                continue;
            };
            let entry = self.entry(name, key.at, value);
            match first.get(&**name) {
                None => {
                    first.insert(name, entry.key);
                    entries.push((&**name, entry));
                }
                first => entry.note(
                    entry.key,
                    "this key occurs twice; remove one of them",
                    first.copied(),
                ),
            }
        }
        Some(entries)
    }
}
