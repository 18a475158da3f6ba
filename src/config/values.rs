//! The kinds of single values: text, numbers, durations, globs. Each reads one [`Field`].

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use globset::{Glob, GlobBuilder};

use super::field::Field;
use super::node::{Value, quoted};
use super::substitution::substitute;
use crate::model::{DurationFault, parse_duration};

/// Names have 128 characters at most; what is much longer might compile to more than a matcher can
/// hold, which only whoever compiles it would find.
const LONGEST_GLOB: usize = 256;

/// A string value: what it says, and how a message may quote it.
pub(super) struct Text<'a> {
    pub value: Cow<'a, str>,
    written: &'a str,
    /// A value of the environment may be a secret; only the text as written is ever quoted.
    pub from_environment: bool,
}

impl Text<'_> {
    /// The text as it stands in the file.
    pub fn quoted(&self) -> String {
        quoted(self.written)
    }
}

impl<'a> Field<'a> {
    /// A string, substituted. `wanted` says what it should be, for whoever wrote something else.
    pub fn text(&self, wanted: &str) -> Option<Text<'a>> {
        let written = match self.value {
            Value::Text(written) => written,
            Value::Integer(_) | Value::Float(_) | Value::Switch(_) => {
                return self.problem(format!(
                    "must be {wanted}, not {}; quote it if it is meant as text",
                    self.value.described()
                ));
            }
            _ => return self.wrong_kind(wanted),
        };
        match substitute(written, self.reading.env) {
            Ok(substituted) => Some(Text {
                value: substituted.text,
                written,
                from_environment: substituted.from_environment,
            }),
            Err(faults) => {
                for fault in faults {
                    self.problem::<()>(fault);
                }
                None
            }
        }
    }

    /// A string that `is_right`; else `wanted` says what would be.
    pub fn text_that(&self, wanted: &str, is_right: impl FnOnce(&str) -> bool) -> Option<String> {
        let text = self.text(wanted)?;
        if is_right(&text.value) {
            return Some(text.value.into_owned());
        }
        self.problem(format!("{} is not {wanted}", text.quoted()))
    }

    /// What the node says once a substitution is done: a number or a switch may come out of one,
    /// and then it is read as if it stood there; a quoted number stays text.
    fn resolved(&self, wanted: &str) -> Option<Resolved<'a>> {
        let Value::Text(_) = self.value else {
            return Some(Resolved {
                value: Cow::Borrowed(self.value),
                quoted: self.value.described(),
            });
        };
        let text = self.text(wanted)?;
        let value = match text.from_environment {
            true => Cow::Owned(plain(&text.value)),
            false => Cow::Borrowed(self.value),
        };
        Some(Resolved {
            value,
            quoted: self.value.described(),
        })
    }

    pub fn switch(&self) -> Option<bool> {
        let wanted = "true or false";
        let resolved = self.resolved(wanted)?;
        match *resolved.value {
            Value::Switch(value) => Some(value),
            Value::Null => self.wrong_kind(wanted),
            _ => self.problem(format!("must be {wanted}, not {}", resolved.quoted)),
        }
    }

    /// A whole number of the range.
    pub fn count(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let wanted = match *range.end() {
            u32::MAX => format!("a whole number, at least {}", range.start()),
            end => format!("a whole number from {} to {end}", range.start()),
        };
        let resolved = self.resolved(&wanted)?;
        match *resolved.value {
            Value::Integer(value) => {
                let value = u32::try_from(value).ok();
                if let Some(value) = value.filter(|value| range.contains(value)) {
                    return Some(value);
                }
            }
            Value::Null => return self.wrong_kind(&wanted),
            _ => {}
        }
        self.problem(format!("must be {wanted}, not {}", resolved.quoted))
    }

    /// A number, whole or not, at least `least`.
    pub fn number(&self, least: f64) -> Option<f64> {
        let wanted = format!("a finite number, at least {least}");
        let resolved = self.resolved(&wanted)?;
        let value = match *resolved.value {
            Value::Integer(value) => Some(value as f64),
            Value::Float(value) => Some(value),
            Value::Null => return self.wrong_kind(&wanted),
            _ => None,
        };
        match value.filter(|value| value.is_finite() && *value >= least) {
            Some(value) => Some(value),
            None => self.problem(format!("must be {wanted}, not {}", resolved.quoted)),
        }
    }

    /// A duration above 0.
    pub fn duration(&self) -> Option<Duration> {
        let duration = self.duration_above("above 0, such as 30s or 500ms")?;
        if duration > Duration::ZERO {
            return Some(duration);
        }
        match self.value {
            Value::Text(written) => self.problem(format!(
                "{} is no time at all; a duration here must be above 0, such as 30s",
                quoted(written)
            )),
            _ => self.problem(format!(
                "must be a duration above 0, such as 30s or 500ms, not {}",
                self.value.described()
            )),
        }
    }

    /// A duration that may be none at all, `0s`.
    pub fn duration_or_none(&self) -> Option<Duration> {
        self.duration_above("of at least 0s, such as 30s or 500ms")
    }

    /// Any duration; `wanted` says which are right, for whoever wrote something else.
    fn duration_above(&self, wanted: &str) -> Option<Duration> {
        match self.value {
            Value::Integer(0) => return Some(Duration::ZERO),
            Value::Integer(number) if *number > 0 => {
                return self.problem(no_unit(&number.to_string()));
            }
            Value::Integer(_) | Value::Float(_) => {
                return self.problem(format!(
                    "must be a duration {wanted}, not {}",
                    self.value.described()
                ));
            }
            _ => {}
        }
        let text = self.text("a duration such as 30s, 5m or 1h30m")?;
        match parse_duration(&text.value) {
            Ok(duration) => Some(duration),
            Err(DurationFault::Sign) => {
                let wanted = wanted.split(" or ").next().unwrap_or(wanted);
                self.problem(format!(
                    "{} is negative; a duration here must be {wanted}",
                    text.quoted()
                ))
            }
            Err(DurationFault::NoUnit) if text.value.bytes().all(|b| b.is_ascii_digit()) => {
                self.problem(no_unit(text.written))
            }
            Err(fault) => self.problem(format!("{} {fault}", text.quoted())),
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let wanted = words.join(" or ");
        let text = self.text(&wanted)?;
        let choice = choices.iter().find(|(word, _)| *word == text.value);
        match choice {
            Some((_, value)) => Some(*value),
            None => self.problem(format!("must be {wanted}, not {}", text.quoted())),
        }
    }

    /// A glob over names. A name holds no `/`, but if one ever did, `*` should still match it.
    pub fn glob(&self) -> Option<Glob> {
        let text = self.text("a glob such as golden-*")?;
        if text.value.is_empty() {
            return self.problem("is empty and matches nothing; write * for every name");
        }
        self.glob_of(&text)
    }

    /// A glob over whatever text; an empty one matches where there is none.
    pub fn glob_of(&self, text: &Text<'_>) -> Option<Glob> {
        if text.value.len() > LONGEST_GLOB {
            return self.problem(format!(
                "is longer than {LONGEST_GLOB} characters; shorten it with *, or make two entries of it"
            ));
        }
        match GlobBuilder::new(&text.value).backslash_escape(true).build() {
            Ok(glob) => Some(glob),
            Err(error) => self.problem(format!(
                "{} is not a glob: {}",
                text.quoted(),
                glob_fault(error.kind())
            )),
        }
    }
}

/// A value of the environment, read as the file would be if it stood there.
fn plain(text: &str) -> Value {
    let text = text.trim();
    match (text, text.parse::<i128>(), text.parse::<f64>()) {
        ("true", ..) => Value::Switch(true),
        ("false", ..) => Value::Switch(false),
        (_, Ok(value), _) => Value::Integer(value),
        (_, _, Ok(value)) => Value::Float(value),
        _ => Value::Text(text.into()),
    }
}

struct Resolved<'a> {
    value: Cow<'a, Value>,
    quoted: String,
}

fn no_unit(number: &str) -> String {
    format!("{number} has no unit; write {number}s for seconds or {number}m for minutes")
}

fn glob_fault(kind: &globset::ErrorKind) -> &'static str {
    use globset::ErrorKind::*;
    match kind {
        UnclosedClass => "a [ is not closed; close it with ], or write [[] for the character [",
        InvalidRange(..) => "a range in [] runs backwards; write its lower end first, as in [a-z]",
        UnopenedAlternates => "a } closes nothing; write [}] for the character }",
        UnclosedAlternates => {
            "a { is not closed; close it with }, or write [{] for the character {"
        }
        DanglingEscape => "it ends in a backslash; write two for the character",
        _ => "write names with *, ?, [a-z] or {one,other}",
    }
}
