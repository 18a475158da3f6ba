//! A value of the file with its path, which every message about it names.
//!
//! Whatever reads a field notes its problems and returns `None`, so that its caller reads all it can
//! before it puts the parts together.

use std::collections::HashMap;
use std::fmt;

use super::node::{Node, Position, Value, quoted};
use super::reading::{Place, Reading};

#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub value: &'a Value,
    at: Position,
    /// The number of the file it stands in.
    file: usize,
    way: Way<'a>,
    pub reading: &'a Reading<'a>,
}

/// How a field is reached.
#[derive(Clone, Copy)]
enum Way<'a> {
    /// The top of a file.
    Top,
    Key {
        of: &'a Field<'a>,
        name: &'a str,
        at: Position,
    },
    Item {
        of: &'a Field<'a>,
        index: usize,
    },
}

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => Ok(()),
            Self::Key { of, name, .. } => {
                if !matches!(of.way, Self::Top) {
                    write!(f, "{}.", of.way)?;
                }
                let plain = |c: char| c.is_alphanumeric() || "_-.<".contains(c);
                match !name.is_empty() && name.chars().all(plain) {
                    true => f.write_str(name),
                    false => f.write_str(&quoted(name)),
                }
            }
            Self::Item { of, index } => write!(f, "{}[{index}]", of.way),
        }
    }
}

impl<'a> Field<'a> {
    /// The top of a file of this number.
    pub(super) fn top(node: &'a Node, file: usize, reading: &'a Reading<'a>) -> Self {
        Self {
            value: &node.value,
            at: node.at,
            file,
            way: Way::Top,
            reading,
        }
    }

    fn inner<'b>(&'b self, node: &'b Node, way: Way<'b>) -> Field<'b> {
        Field {
            value: &node.value,
            at: node.at,
            file: self.file,
            way,
            reading: self.reading,
        }
    }

    /// The field of a key that is left out, as if this value stood there.
    pub(super) fn left_out<'b>(&'b self, name: &'b str, value: &'b Value) -> Field<'b> {
        Field {
            value,
            at: self.at,
            file: self.file,
            way: Way::Key {
                of: self,
                name,
                at: self.at,
            },
            reading: self.reading,
        }
    }

    pub(super) fn place(&self) -> Place {
        Place::new(self.file, self.at)
    }

    fn key_place(&self) -> Place {
        match self.way {
            Way::Key { at, .. } => Place::new(self.file, at),
            Way::Top | Way::Item { .. } => self.place(),
        }
    }

    fn with_path(&self, message: &str) -> String {
        match self.way {
            Way::Top => message.to_owned(),
            way => format!("{way}: {message}"),
        }
    }

    /// Notes what is wrong with the value; `None`, for there is none to go on with.
    pub(super) fn problem<T>(&self, message: impl AsRef<str>) -> Option<T> {
        let message = self.with_path(message.as_ref());
        self.reading.note(self.place(), message);
        None
    }

    /// As [`Field::problem`], where the value repeats what stands at `first`.
    fn repeats<T>(&self, message: &str, first: Place) -> Option<T> {
        let message = self.with_path(message);
        self.reading.note_repeated(self.place(), &message, first);
        None
    }

    /// As [`Field::problem`], at the field's key.
    pub(super) fn key_problem(&self, message: &str) {
        self.reading.note(self.key_place(), self.with_path(message));
    }

    /// Notes that something of another kind was wanted.
    pub(super) fn wrong_kind<T>(&self, wanted: &str) -> Option<T> {
        match self.value {
            Value::Null => self.problem(format!("has no value; write {wanted}")),
            other => self.problem(format!("must be {wanted}, not {}", other.described())),
        }
    }

    /// Notes a value whose key stands in the scope already. `{}` in the message is the value.
    pub(super) fn once(&self, scope: &str, key: String, repeated: &str) -> Option<()> {
        let Some(first) = self.reading.first(scope, key, self.place()) else {
            return Some(());
        };
        self.repeats(&repeated.replace("{}", &self.quoted()), first)
    }

    /// The value as it is written.
    pub(super) fn quoted(&self) -> String {
        match self.value {
            Value::Text(written) => quoted(written),
            other => other.described(),
        }
    }

    /// The path of the list or mapping that it stands in, as a scope.
    pub(super) fn list(&self) -> String {
        match self.way {
            Way::Top => String::new(),
            Way::Key { of, .. } | Way::Item { of, .. } => of.way.to_string(),
        }
    }

    /// The value of a mapping's key; the first where the key stands twice.
    pub(super) fn find<'b>(&'b self, key: &'b str) -> Option<Field<'b>> {
        let Value::Mapping(nodes) = self.value else {
            return None;
        };
        let is_key = |node: &Node| matches!(&node.value, Value::Text(name) if **name == *key);
        let (node, value) = nodes.iter().find(|(node, _)| is_key(node))?;
        let way = Way::Key {
            of: self,
            name: key,
            at: node.at,
        };
        Some(self.inner(value, way))
    }

    /// Reads it without noting problems.
    pub(super) fn quietly<T>(&self, read: impl FnOnce(Field<'_>) -> Option<T>) -> Option<T> {
        let reading = self.reading.scratch();
        read(Field {
            reading: &reading,
            ..*self
        })
    }

    /// The items of a list; none where it is no list.
    pub(super) fn items(&self) -> impl Iterator<Item = Field<'_>> {
        let nodes: &[Node] = match self.value {
            Value::Sequence(nodes) => nodes,
            _ => &[],
        };
        let item = |(index, node)| self.inner(node, Way::Item { of: self, index });
        nodes.iter().enumerate().map(item)
    }

    /// Reads every item, so that each one's problems are noted.
    pub(super) fn each<T>(
        &self,
        wanted: &str,
        mut read: impl FnMut(Field<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::Sequence(_) = self.value else {
            return self.wrong_kind(wanted);
        };
        let read: Vec<Option<T>> = self.items().map(&mut read).collect();
        read.into_iter().collect()
    }

    /// The entries of a mapping; notes keys that are not text, and all but the first of one name.
    pub(super) fn entries(&self, wanted: &str) -> Option<Vec<(&str, Field<'_>)>> {
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
                let place = Place::new(self.file, key.at);
                self.reading.note(place, self.with_path(&message));
                continue;
            };
            let way = Way::Key {
                of: self,
                name,
                at: key.at,
            };
            let field = self.inner(value, way);
            if let Some(first) = first.get(&**name) {
                let message = field.with_path("this key stands here twice; keep one");
                let place = field.key_place();
                self.reading.note_repeated(place, &message, *first);
                continue;
            }
            first.insert(name, field.key_place());
            entries.push((&**name, field));
        }
        Some(entries)
    }
}
