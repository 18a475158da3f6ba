//! The kinds of single values: texts, numbers, durations.

use std::borrow::Cow;
use std::time::Duration;

use super::field::Field;
use super::node::Value;
use super::section::Kind;
use super::shape::{Rule, Shape};
use super::substitution::{Substituted, substitute};
use super::yaml::Yaml;
use crate::model::{DurationFault, format_duration, parse_duration};

/// A kind made of functions.
pub(super) struct Single<V> {
    pub read: fn(&Field<'_>) -> Option<V>,
    pub write: fn(&V) -> Yaml,
    pub shape: fn() -> Shape,
}

impl<V> Kind for Single<V> {
    type Value = V;

    fn read(&self, field: &Field<'_>) -> Option<V> {
        (self.read)(field)
    }

    fn write(&self, value: &V) -> Yaml {
        (self.write)(value)
    }

    fn shape(&self) -> Shape {
        (self.shape)()
    }
}

/// A text with a meaning.
pub(super) struct Text<V> {
    pub rule: Rule,
    /// The value that is wanted, for messages about a value of another kind.
    pub wanted: &'static str,
    pub parse: fn(&Substituted<'_>) -> Result<V, TextFault>,
    /// Returns a text that is parsed as the same value.
    pub text: fn(&V) -> String,
    pub once: fn(&V) -> Once,
}

/// Why a text is not right.
pub(super) enum TextFault {
    /// It is not what the rule wants.
    Unlike,
    /// In words.
    Says(String),
}

/// Where a text has to be unique. Holds the problem of a repeated one, in which `{}` becomes the text.
pub(super) enum Once {
    /// It may be repeated.
    Never,
    InList(&'static str),
    InFile(&'static str),
    /// Case is ignored.
    IdInFile(&'static str),
}

impl Text<String> {
    /// Returns the kind of texts that `parse` accepts.
    pub(super) const fn like(
        wanted: &'static str,
        pattern: &'static str,
        parse: fn(&Substituted<'_>) -> Result<String, TextFault>,
    ) -> Self {
        Self {
            rule: Rule::string(pattern, wanted),
            wanted,
            parse,
            text: String::clone,
            once: |_| Once::Never,
        }
    }
}

/// Returns the text where it is right.
pub(super) fn right(
    text: &Substituted<'_>,
    is_right: fn(&str) -> bool,
) -> Result<String, TextFault> {
    let text = text.text.as_ref();
    is_right(text)
        .then(|| text.to_owned())
        .ok_or(TextFault::Unlike)
}

impl<V> Text<V> {
    fn unlike(&self, text: &Substituted<'_>) -> String {
        let (quoted, wanted) = (text.quoted(), self.wanted);
        let example = self.rule.wanted.strip_prefix(wanted);
        match example.and_then(|example| example.strip_prefix(", such as ")) {
            Some(example) => format!("{quoted} is not {wanted}; write one such as {example}"),
            None => format!("{quoted} is not {}", self.rule.wanted),
        }
    }
}

impl<V> Kind for Text<V> {
    type Value = V;

    fn read(&self, field: &Field<'_>) -> Option<V> {
        let text = text(field, self.wanted)?;
        let value = match (self.parse)(&text) {
            Ok(value) => value,
            Err(TextFault::Says(fault)) => return field.problem(fault),
            Err(TextFault::Unlike) => return field.problem(self.unlike(&text)),
        };
        let key = (self.text)(&value);
        match (self.once)(&value) {
            Once::Never => {}
            Once::InList(repeated) => field.once(field.list(), key, repeated)?,
            Once::InFile(repeated) => field.once(repeated, key, repeated)?,
            Once::IdInFile(repeated) => field.once(repeated, key.to_ascii_lowercase(), repeated)?,
        }
        Some(value)
    }

    fn write(&self, value: &V) -> Yaml {
        // Nothing of it is substituted when it is read.
        Yaml::Text((self.text)(value).replace('$', "$$"))
    }

    fn shape(&self) -> Shape {
        Shape::Text(self.rule)
    }
}

/// Reads any text; `wanted` is for the problem of another kind of value.
pub(super) fn text<'a>(field: &Field<'a>, wanted: &str) -> Option<Substituted<'a>> {
    let written = match field.value {
        Value::Text(written) => written,
        Value::Integer(_) | Value::Float(_) | Value::Switch(_) => {
            return field.problem(format!(
                "must be {wanted}, not {}; quote it if it is meant as text",
                field.value.described()
            ));
        }
        _ => return field.wrong_kind(wanted),
    };
    let substituted = substitute(written, field.reading.env);
    substituted
        .map_err(|faults| {
            for fault in faults {
                field.problem::<()>(fault);
            }
        })
        .ok()
}

/// Reads a number or a switch by `convert`.
///
/// A variable may hold one too: it is read as if it were in the file. A quoted number stays text.
fn converted<V>(
    field: &Field<'_>,
    wanted: &str,
    convert: impl FnOnce(&Value) -> Option<V>,
) -> Option<V> {
    let mut value = Cow::Borrowed(field.value);
    if let Value::Text(_) = field.value {
        let text = text(field, wanted)?;
        let plain = text.text.trim();
        match (plain, plain.parse(), plain.parse()) {
            _ if !text.from_environment => {}
            ("true", ..) => value = Cow::Owned(Value::Switch(true)),
            ("false", ..) => value = Cow::Owned(Value::Switch(false)),
            (_, Ok(number), _) => value = Cow::Owned(Value::Integer(number)),
            (_, _, Ok(number)) => value = Cow::Owned(Value::Float(number)),
            _ => {}
        }
    }
    convert(&value).or_else(|| field.wrong_kind(wanted))
}

pub(super) const SWITCH: Single<bool> = Single {
    read: |field| {
        converted(field, "true or false", |value| match *value {
            Value::Switch(value) => Some(value),
            _ => None,
        })
    },
    write: |value| Yaml::Plain(value.to_string()),
    shape: || Shape::Switch,
};

/// Reads a whole number of a range.
pub(super) fn count(field: &Field<'_>, least: u32, most: u32) -> Option<u32> {
    let wanted = match most {
        u32::MAX => format!("a whole number, at least {least}"),
        most => format!("a whole number from {least} to {most}"),
    };
    converted(field, &wanted, |value| match *value {
        Value::Integer(value) => {
            let value = u32::try_from(value).ok();
            value.filter(|value| (least..=most).contains(value))
        }
        _ => None,
    })
}

/// Reads a finite number, whole or not.
pub(super) fn number(field: &Field<'_>, least: f64) -> Option<f64> {
    converted(
        field,
        &format!("a finite number, at least {least}"),
        |value| {
            let value = match *value {
                Value::Integer(value) => value as f64,
                Value::Float(value) => value,
                _ => return None,
            };
            (value.is_finite() && value >= least).then_some(value)
        },
    )
}

/// A duration above 0.
pub(super) const DURATION: Single<Duration> = Single {
    read: |field| {
        duration(field, "above 0, such as 30s", |duration| {
            !duration.is_zero()
        })
    },
    write: |value| Yaml::Text(format_duration(*value)),
    shape: || Shape::Duration { may_be_zero: false },
};

/// A duration, `0s` too.
pub(super) const DURATION_OR_ZERO: Single<Duration> = Single {
    read: |field| duration(field, "of at least 0s, such as 30s", |_| true),
    shape: || Shape::Duration { may_be_zero: true },
    ..DURATION
};

fn duration(field: &Field<'_>, wanted: &str, is_right: fn(&Duration) -> bool) -> Option<Duration> {
    let without_unit = |number: &str| {
        field.problem(format!(
            "{number} has no unit; write {number}s for seconds or {number}m for minutes"
        ))
    };
    match field.value {
        Value::Integer(0) if is_right(&Duration::ZERO) => return Some(Duration::ZERO),
        Value::Integer(number) if *number > 0 => return without_unit(&number.to_string()),
        Value::Integer(_) | Value::Float(_) => {
            return field.wrong_kind(&format!("a duration {wanted} or 500ms"));
        }
        _ => {}
    }
    let text = text(field, "a duration such as 30s, 5m or 1h30m")?;
    let quoted = text.quoted();
    match parse_duration(&text.text) {
        Ok(duration) if is_right(&duration) => Some(duration),
        Ok(_) => field.problem(format!("{quoted} is zero; write a duration {wanted}")),
        Err(DurationFault::Sign) => {
            field.problem(format!("{quoted} is negative; write a duration {wanted}"))
        }
        Err(DurationFault::NoUnit) if text.text.bytes().all(|b| b.is_ascii_digit()) => {
            without_unit(text.written)
        }
        Err(fault) => field.problem(format!("{quoted} {fault}")),
    }
}
