//! The kinds of values that hold others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::field::Field;
use super::node::Value;
use super::section::{Kind, Settings, mapping};
use super::shape::Shape;
use super::values::{DURATION, Single, Text};
use super::yaml::Yaml;
use crate::model::format_duration;

/// A value that may be missing.
pub(super) struct Optional<K>(pub K);

impl<K: Kind> Kind for Optional<K> {
    type Value = Option<K::Value>;

    fn read(&self, field: &Field<'_>) -> Option<Self::Value> {
        self.0.read(field).map(Some)
    }

    fn write(&self, value: &Self::Value) -> Yaml {
        let null = || Yaml::Plain("null".to_owned());
        value
            .as_ref()
            .map_or_else(null, |value| self.0.write(value))
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }
}

/// A list of values.
pub(super) struct List<K> {
    pub of: K,
    pub wanted: &'static str,
    /// The problem of an empty list, if it has to have an item.
    pub empty: Option<&'static str>,
}

impl<K: Kind> Kind for List<K> {
    type Value = Vec<K::Value>;

    fn read(&self, field: &Field<'_>) -> Option<Self::Value> {
        let values = field.each(self.wanted, |item| self.of.read(item))?;
        match self.empty.filter(|_| values.is_empty()) {
            Some(empty) => field.problem(empty),
            None => Some(values),
        }
    }

    fn write(&self, value: &Self::Value) -> Yaml {
        value.iter().map(|value| self.of.write(value)).collect()
    }

    fn shape(&self) -> Shape {
        Shape::List {
            of: Box::new(self.of.shape()),
            least: self.empty.is_some().into(),
            most: None,
            unique: true,
        }
    }
}

/// A value that few entries of a list have. The default of its type takes the memory of a pointer.
pub(super) struct Rare<K>(pub K);

impl<K: Kind<Value: Default + PartialEq>> Kind for Rare<K> {
    type Value = Option<Box<K::Value>>;

    fn read(&self, field: &Field<'_>) -> Option<Self::Value> {
        let value = self.0.read(field)?;
        Some((value != K::Value::default()).then(|| Box::new(value)))
    }

    fn write(&self, value: &Self::Value) -> Yaml {
        match value {
            Some(value) => self.0.write(value),
            None => self.0.write(&K::Value::default()),
        }
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }
}

/// A list that all copies of a configuration share, because it may be long.
pub(super) struct Shared<K>(pub K);

impl<T: Clone, K: Kind<Value = Vec<T>>> Kind for Shared<K> {
    type Value = Arc<[T]>;

    fn read(&self, field: &Field<'_>) -> Option<Self::Value> {
        self.0.read(field).map(Arc::from)
    }

    fn write(&self, value: &Self::Value) -> Yaml {
        self.0.write(&value.to_vec())
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }
}

/// A mapping whose keys are the user's own.
pub(super) struct Map<K> {
    pub of: K,
    pub wanted: &'static str,
    /// What is wrong with a key.
    pub key_fault: fn(&str) -> Option<&'static str>,
    /// The problem of an empty mapping, if it has to have a key.
    pub empty: Option<&'static str>,
    pub shape: Shape,
}

impl<K: Kind> Kind for Map<K> {
    type Value = BTreeMap<String, K::Value>;

    fn read(&self, field: &Field<'_>) -> Option<Self::Value> {
        let entries = field.entries(self.wanted)?;
        if let Some(empty) = self.empty.filter(|_| entries.is_empty()) {
            return field.problem(empty);
        }
        let read = entries.into_iter().map(|(key, field)| {
            let fault = (self.key_fault)(key);
            if let Some(fault) = fault {
                field.key_problem(fault);
            }
            let value = self.of.read(&field)?;
            fault.is_none().then(|| (key.to_owned(), value))
        });
        let read: Vec<Option<(String, K::Value)>> = read.collect();
        read.into_iter().collect()
    }

    fn write(&self, value: &Self::Value) -> Yaml {
        let entries = value.iter();
        let entries = entries.map(|(key, value)| (key.clone(), self.of.write(value)));
        Yaml::Mapping(entries.collect())
    }

    fn shape(&self) -> Shape {
        self.shape.clone()
    }
}

/// A section, or only the value of its first key.
pub(super) struct TextOr<V, T> {
    pub text: Text<V>,
    pub alone: fn(V) -> T,
}

impl<V, T: Settings> Kind for TextOr<V, T> {
    type Value = T;

    fn read(&self, field: &Field<'_>) -> Option<T> {
        match field.value {
            Value::Mapping(_) => mapping().read(field),
            Value::Text(_) => self.text.read(field).map(self.alone),
            _ => field.wrong_kind(&format!(
                "{} or a mapping with {}",
                self.text.wanted,
                T::SECTION.listed()
            )),
        }
    }

    fn write(&self, value: &T) -> Yaml {
        let mut keys = value.write();
        match (keys.len(), keys.pop()) {
            (1, Some((_, value))) => value,
            (_, last) => {
                keys.extend(last);
                Yaml::Mapping(keys)
            }
        }
    }

    fn shape(&self) -> Shape {
        Shape::TextOrMapping(self.text.rule, T::SECTION)
    }
}

/// Each bucket is a series for every step name; more are probably a mistake.
const MOST_BUCKETS: usize = 50;

/// The buckets of a histogram, in their order.
pub(super) const BUCKETS: Single<Vec<Duration>> = Single {
    read: |field| {
        let mut last = Duration::ZERO;
        let buckets = field.each("a list of durations, such as [30s, 5m, 1h]", |item| {
            let bucket = DURATION.read(item)?;
            let before = std::mem::replace(&mut last, bucket);
            let (written, longer) = (format_duration(bucket), format_duration(before));
            if bucket < before {
                return item.problem(format!(
                    "{written} comes after {longer}; list the buckets in ascending order"
                ));
            }
            let repeated = "the bucket {} is listed twice; keep one";
            item.once(item.list(), written, repeated)?;
            Some(bucket)
        })?;
        match buckets.len() {
            0 => field.problem("is empty; list at least one duration, such as [30s, 5m, 1h]"),
            1..=MOST_BUCKETS => Some(buckets),
            count => field.problem(format!(
                "has {count} buckets; list at most {MOST_BUCKETS}, because each bucket is a series for every step name"
            )),
        }
    },
    write: |buckets| {
        buckets
            .iter()
            .map(|bucket| DURATION.write(bucket))
            .collect()
    },
    shape: || Shape::List {
        of: Box::new(DURATION.shape()),
        least: 1,
        most: Some(MOST_BUCKETS),
        unique: true,
    },
};
