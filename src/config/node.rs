//! A YAML text as a tree of values, each with its place in the text.

use std::rc::Rc;

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// Returns the place behind the beginning of a text.
    pub(super) fn behind(text: &str) -> Self {
        let line = text.rsplit('\n').next().unwrap_or_default();
        Self {
            line: text.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

/// A value and its place. The place of a missing value is that of its key.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: Position,
    pub value: Value,
}

impl PartialEq for Node {
    /// Compares the values alone.
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// Collections are shared with the aliases that repeat them.
///
/// A mapping keeps duplicate keys, so that one of them does not hide other mistakes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Switch(bool),
    Integer(i128),
    Float(f64),
    Text(Rc<str>),
    Sequence(Rc<[Node]>),
    Mapping(Rc<[(Node, Node)]>),
    /// A value with a non-standard tag, such as `!secret x`. No key accepts one.
    Tagged(String),
}

impl Value {
    /// Resolves plain text, in no quotes, by the core schema of YAML 1.2.
    pub(super) fn plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" | "True" | "TRUE" => return Self::Switch(true),
            "false" | "False" | "FALSE" => return Self::Switch(false),
            _ => {}
        }
        let number = integer(text).map(Self::Integer);
        let number = number.or_else(|| float(text).map(Self::Float));
        number.unwrap_or_else(|| Self::Text(text.into()))
    }

    /// Names the value in a message.
    pub(super) fn described(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Switch(value) => value.to_string(),
            Self::Integer(value) => format!("the number {value}"),
            Self::Float(value) => format!("the number {value}"),
            Self::Text(text) => format!("the text {}", quoted(text)),
            Self::Sequence(_) => "a list".to_owned(),
            Self::Mapping(_) => "a mapping".to_owned(),
            Self::Tagged(tag) => format!("a value tagged {}", quoted(tag)),
        }
    }
}

/// Quotes text in a message: on one line, and shortened where it is long.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn integer(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let radixes = [("0x", 16), ("0o", 8), ("0b", 2)];
    let (digits, radix) = radixes
        .iter()
        .find_map(|(prefix, radix)| Some((digits.strip_prefix(prefix)?, *radix)))
        .unwrap_or((digits, 10));
    if digits.starts_with(['+', '-']) || has_leading_zero(digits) && radix == 10 {
        return None;
    }
    i128::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match (text, unsigned) {
        (".nan" | ".NaN" | ".NAN", _) => Some(f64::NAN),
        (_, ".inf" | ".Inf" | ".INF") if text.starts_with('-') => Some(f64::NEG_INFINITY),
        (_, ".inf" | ".Inf" | ".INF") => Some(f64::INFINITY),
        _ if unsigned.starts_with(['+', '-']) || has_leading_zero(unsigned) => None,
        // Rust reads words such as `infinity` as numbers too.
        _ => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

/// Whether these are several digits of which the first is 0: text by the core schema.
fn has_leading_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_resolved_by_the_core_schema() {
        for (text, value) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("True", Value::Switch(true)),
            ("12", Value::Integer(12)),
            ("+12", Value::Integer(12)),
            ("-0x1f", Value::Integer(-31)),
            ("0o17", Value::Integer(15)),
            ("0b11", Value::Integer(3)),
            ("0", Value::Integer(0)),
            ("1e3", Value::Float(1000.0)),
            ("-.5", Value::Float(-0.5)),
            ("+.inf", Value::Float(f64::INFINITY)),
            ("-.INF", Value::Float(f64::NEG_INFINITY)),
            ("9e999", Value::Text("9e999".into())),
            ("infinity", Value::Text("infinity".into())),
            ("nan", Value::Text("nan".into())),
            ("007", Value::Text("007".into())),
            ("-01", Value::Text("-01".into())),
            ("--1", Value::Text("--1".into())),
            ("+-1", Value::Text("+-1".into())),
            ("0x+1", Value::Text("0x+1".into())),
            ("0xg", Value::Text("0xg".into())),
            ("yes", Value::Text("yes".into())),
            ("2026-01-01", Value::Text("2026-01-01".into())),
        ] {
            assert_eq!(Value::plain(text), value, "{text}");
        }
        let huge = "1".to_owned() + &"0".repeat(60);
        assert_eq!(Value::plain(&huge), Value::Float(1e60));
        assert!(matches!(Value::plain(".nan"), Value::Float(nan) if nan.is_nan()));
    }
}
