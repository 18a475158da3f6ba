//! A mapping whose keys the table knows.

use std::cell::Cell;

use super::field::Field;
use super::keys::{Default, GROUPS, Group, Key};
use super::node::Value;
use super::suggestion::nearest;

/// Reads a mapping whose keys the table knows.
pub(super) fn read<T>(
    field: Field<'_>,
    group: &'static Group,
    read: impl FnOnce(&Section<'_>) -> Option<T>,
) -> Option<T> {
    if !matches!(field.value, Value::Mapping(_)) {
        let wanted = format!("a mapping with {}", group.listed());
        return match field.value {
            Value::Null => field.problem(format!("has no value; write {wanted}, or take it out")),
            _ => field.wrong_kind(&wanted),
        };
    }
    let entries = field.entries("a mapping")?;
    for (name, entry) in &entries {
        if group.keys.iter().all(|key| key.name != *name) {
            entry.key_problem(&unknown(name, group));
        }
    }
    let section = Section {
        field,
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
        let Some(value) = key.default.value() else {
            let example = match key.default {
                Default::Required(example) => example,
                other => unreachable!("{name} is read as if it had a default, but has {other:?}"),
            };
            return self
                .field
                .problem(format!("{name} is missing; add it, as in {example}"));
        };
        read(self.field.left_out(name, &value))
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
