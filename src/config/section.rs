//! Declares mappings whose keys are known, and reads and writes them.
//!
//! A key is declared once, in a [`section!`]: its name, meaning, [`Kind`] and [`Fallback`]. The field of
//! the struct, the code that reads and writes it, and its description come from the declaration.

use std::marker::PhantomData;
use std::sync::Arc;

use super::field::Field;
use super::node::Value;
use super::shape::{Section, Shape};
use super::suggestion::nearest;
use super::tree::Tree;
use super::yaml::Yaml;

/// A kind of value: how it is checked, read and written.
pub(super) trait Kind {
    type Value;

    /// Reads the value, or notes all of its problems.
    fn read(&self, field: &Field<'_>) -> Option<Self::Value>;

    /// Writes what is read as the same value.
    fn write(&self, value: &Self::Value) -> Yaml;

    fn shape(&self) -> Shape;
}

/// A struct whose fields are the keys of a section.
pub(super) trait Settings: Sized {
    const SECTION: &'static Section;

    fn read(entries: &Entries<'_>) -> Option<Self>;

    /// Writes the keys and their values.
    fn write(&self) -> Vec<(String, Yaml)>;
}

/// What a missing key of the kind means.
pub(super) trait Fallback<K: Kind> {
    fn value(&self, section: &Field<'_>, name: &str, kind: &K) -> Option<K::Value>;

    /// Writes the value; `None` if the key can be left out.
    fn write(&self, kind: &K, value: &K::Value) -> Option<Yaml> {
        Some(kind.write(value))
    }
}

/// The key has to be there. Holds an example of it.
pub(super) struct Required(pub &'static str);

/// The value is the default of its type. Holds words for what this means.
pub(super) struct Absent(
    #[expect(dead_code, reason = "the reference reads the words from `LeftOut`")] pub &'static str,
);

/// The value is this one, as a file writes it.
pub(super) struct Default(pub &'static str);

impl<K: Kind> Fallback<K> for Required {
    fn value(&self, section: &Field<'_>, name: &str, _: &K) -> Option<K::Value> {
        section.problem(format!(
            "the key {name} is missing; add it, for example {}",
            self.0
        ))
    }
}

impl<K: Kind<Value: std::default::Default + PartialEq>> Fallback<K> for Absent {
    fn value(&self, _: &Field<'_>, _: &str, _: &K) -> Option<K::Value> {
        Some(K::Value::default())
    }

    fn write(&self, kind: &K, value: &K::Value) -> Option<Yaml> {
        (*value != K::Value::default()).then(|| kind.write(value))
    }
}

impl<K: Kind> Fallback<K> for Default {
    fn value(&self, section: &Field<'_>, name: &str, kind: &K) -> Option<K::Value> {
        let default = Tree::read(self.0).root?;
        kind.read(&section.entry(name, section.place.at, &default))
    }
}

/// A mapping that is read key by key.
pub(super) struct Entries<'a> {
    pub field: &'a Field<'a>,
    entries: Vec<(&'a str, Field<'a>)>,
}

impl<'a> Entries<'a> {
    /// Notes the keys that are not of the section.
    fn new(field: &'a Field<'a>, section: &Section) -> Option<Self> {
        if !matches!(field.value, Value::Mapping(_)) {
            let wanted = format!("a mapping with {}", section.listed());
            return match field.value {
                Value::Null => {
                    field.problem(format!("has no value; write {wanted}, or remove the key"))
                }
                _ => field.wrong_kind(&wanted),
            };
        }
        let entries = field.entries("a mapping")?;
        for (name, entry) in &entries {
            if section.keys.iter().all(|key| key.name != *name) {
                entry.key_problem(&unknown(name, section, field.reading.section));
            }
        }
        Some(Self { field, entries })
    }

    /// Reads the value of a key that may be missing.
    pub(super) fn read<K: Kind>(
        &self,
        name: &str,
        kind: &K,
        left_out: &impl Fallback<K>,
    ) -> Option<K::Value> {
        match self.find(name) {
            Some(field) => kind.read(field),
            None => left_out.value(self.field, name, kind),
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&Field<'a>> {
        let entry = self.entries.iter().find(|(key, _)| *key == name);
        entry.map(|(_, field)| field)
    }
}

/// Returns the problem of a key that the section does not have.
fn unknown(name: &str, section: &Section, file: &'static Section) -> String {
    if name == "<<" {
        return "merge keys are not supported; write the keys and values instead".to_owned();
    }
    if let Some(near) = nearest(name, section.keys.iter().map(|key| key.name)) {
        return format!("unknown key; did you mean {near}?");
    }
    let known = section.listed();
    let mut homes = file.all().into_iter();
    let home = homes.find(|(_, home)| home.keys.iter().any(|key| key.name == name));
    match home {
        Some((path, _)) if path.is_empty() => {
            format!("this key belongs to the top level of the file; valid keys here are {known}")
        }
        Some((path, _)) => format!("this key belongs to {path}; valid keys here are {known}"),
        None => format!("unknown key; valid keys here are {known}"),
    }
}

/// A section.
pub(super) struct Mapping<T>(PhantomData<T>);

pub(super) const fn mapping<T: Settings>() -> Mapping<T> {
    Mapping(PhantomData)
}

impl<T: Settings> Kind for Mapping<T> {
    type Value = T;

    fn read(&self, field: &Field<'_>) -> Option<T> {
        T::read(&Entries::new(field, T::SECTION)?)
    }

    fn write(&self, value: &T) -> Yaml {
        Yaml::Mapping(value.write())
    }

    fn shape(&self) -> Shape {
        Shape::Mapping(T::SECTION)
    }
}

/// Returns the kind's shape; its value is that of a field.
pub(super) fn shape_of<V, K: Kind<Value = V>>(kind: &K) -> Shape {
    kind.shape()
}

/// Returns both lists in one, where both could be read.
pub(super) fn joined<T: Clone>(
    first: Option<Arc<[T]>>,
    second: Option<Arc<[T]>>,
) -> Option<Arc<[T]>> {
    let (first, second) = first.zip(second)?;
    Some(match (first.is_empty(), second.is_empty()) {
        (_, true) => first,
        (true, _) => second,
        (false, false) => first.iter().chain(&*second).cloned().collect(),
    })
}

/// Declares a struct whose fields are the keys of a section of the file.
///
/// A row is `name: type = kind, fallback;` below its meaning, where the fallback is [`Required`],
/// [`Absent`] or [`Default`]. A row in `and {}` below another one adds to the same field.
macro_rules! section {
    (
        $(#[doc = $section_meaning:literal])+
        struct $name:ident $(: $derived:ident)? $(, checked by $rules:path)? {
            $(
                $(#[doc = $meaning:literal])+
                $key:ident: $type:ty = $kind:expr, $left_out:ident($words:expr);
                $(and {
                    $(#[doc = $more_meaning:literal])+
                    $more:ident = $more_kind:expr, $more_left_out:ident($more_words:expr);
                })?
            )+
        }
    ) => {
        $(#[doc = $section_meaning])+
        #[derive(Clone, Debug, PartialEq $(, $derived)?)]
        pub struct $name {
            $(
                $(#[doc = $meaning])+
                pub $key: $type,
            )+
        }

        impl Settings for $name {
            const SECTION: &'static Section = &Section {
                name: stringify!($name),
                meaning: concat!($($section_meaning),+).trim_ascii_start(),
                keys: &[
                    $(
                        Key {
                            name: stringify!($key),
                            meaning: concat!($($meaning),+).trim_ascii_start(),
                            left_out: LeftOut::$left_out($words),
                            shape: || shape_of::<$type, _>(&$kind),
                        },
                        $(
                            Key {
                                name: stringify!($more),
                                meaning: concat!($($more_meaning),+).trim_ascii_start(),
                                left_out: LeftOut::$more_left_out($more_words),
                                shape: || shape_of::<$type, _>(&$more_kind),
                            },
                        )?
                    )+
                ],
            };

            fn read(entries: &Entries<'_>) -> Option<Self> {
                $(
                    let $key: Option<$type> =
                        entries.read(stringify!($key), &$kind, &$left_out($words));
                    $(
                        let more = $more_left_out($more_words);
                        let more = entries.read(stringify!($more), &$more_kind, &more);
                        let $key = joined($key, more);
                    )?
                )+
                $($rules(entries);)?
                Some(Self { $($key: $key?),+ })
            }

            fn write(&self) -> Vec<(String, Yaml)> {
                let mut keys = Vec::new();
                $(
                    if let Some(value) = $left_out($words).write(&$kind, &self.$key) {
                        keys.push((stringify!($key).to_owned(), value));
                    }
                )+
                keys
            }
        }
    };
}
pub(super) use section;
