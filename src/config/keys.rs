//! Every key the file may have: one table that the reader, its messages and the reference share.

mod table;

use super::node::{Node, Position, Value};
pub use table::*;

/// The keys of one kind of mapping.
#[derive(Debug)]
pub struct Group {
    /// Where such a mapping stands, `targets[].rate_limit`; empty for the whole file.
    pub path: &'static str,
    pub meaning: &'static str,
    pub keys: &'static [Key],
}

/// One key. Its default is the one that is read, not a description of it.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub default: Default,
    pub meaning: &'static str,
}

/// What a key's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Duration,
    Count,
    Number,
    Switch,
    Choice(&'static [&'static str]),
    Glob,
    Labels,
    Texts,
    Durations,
    Globs,
    /// Globs or ARNs.
    GlobsOrArns,
    /// Keys of tags, each with a glob over the tag's value.
    Tags,
    Mapping(&'static Group),
    Mappings(&'static Group),
    /// Texts, or mappings where one needs more than its text.
    TextsOrMappings(&'static Group),
}

impl Group {
    /// The names of its keys, as a sentence takes them.
    pub(super) fn listed(&self) -> String {
        let names: Vec<&str> = self.keys.iter().map(|key| key.name).collect();
        listed(&names)
    }
}

/// `a, b and c`.
pub(super) fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for Group {}

/// What holds where the key is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// Nothing: it may not be left out. With an example of it.
    Required(&'static str),
    /// Nothing: what it would ask for isn't there. In words.
    Absent(&'static str),
    Text(&'static str),
    Texts(&'static [&'static str]),
    Number(u32),
    Switch(bool),
    /// The group's own defaults.
    Group,
}

impl Default {
    /// The value that stands in for what was left out.
    pub(super) fn value(self) -> Option<Value> {
        match self {
            Self::Required(_) | Self::Absent(_) => None,
            Self::Text(text) => Some(Value::Text(text.into())),
            Self::Texts(texts) => {
                let texts = texts.iter().map(|text| Node {
                    at: Position::START,
                    value: Value::Text((*text).into()),
                });
                Some(Value::Sequence(texts.collect()))
            }
            Self::Number(number) => Some(Value::Integer(number.into())),
            Self::Switch(value) => Some(Value::Switch(value)),
            Self::Group => Some(Value::Mapping([].into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mapping_of_a_key_is_a_group_of_the_table() {
        for group in GROUPS {
            for key in group.keys {
                let (inner, suffix) = match key.kind {
                    Kind::Mapping(inner) => (inner, ""),
                    Kind::Mappings(inner) | Kind::TextsOrMappings(inner) => (inner, "[]"),
                    _ => continue,
                };
                let path = format!("{}.{}{suffix}", group.path, key.name);
                assert_eq!(inner.path, path.trim_start_matches('.'));
                assert!(GROUPS.contains(&inner), "{path}");
            }
        }
    }
}
