//! Label text: names and values are escaped once, when they become known, so that a scrape only
//! copies them.
//!
//! A fragment is any number of `name="value",`, each with a comma at its end, so that fragments can
//! be concatenated.

pub mod names;

use std::sync::Arc;

/// Escaped `name="value",` pairs. Cheap to clone; equal text is equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelText(Arc<str>);

impl LabelText {
    /// Escapes the pairs. Omits pairs without a value, because Prometheus treats an empty label as
    /// absent.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut text = String::new();
        for (name, value) in pairs {
            push_label(&mut text, name, value);
        }
        Self::from_escaped(text)
    }

    /// Takes text that only [`push_label`] wrote.
    pub fn from_escaped(text: String) -> Self {
        Self(Arc::from(text))
    }

    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the unescaped value of a label, empty where there is none.
    pub fn value(&self, label: &str) -> String {
        let mut pairs = self.pairs();
        let value = pairs.find_map(|(name, value)| (name == label).then_some(value));
        value.unwrap_or_default()
    }

    /// Returns the names and the unescaped values.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, String)> {
        let mut rest = self.as_str();
        std::iter::from_fn(move || {
            let (name, quoted) = rest.split_once("=\"")?;
            let mut value = String::new();
            let mut characters = quoted.char_indices();
            while let Some((at, character)) = characters.next() {
                match character {
                    '"' => {
                        // The comma behind the quote.
                        rest = quoted.get(at + 2..).unwrap_or_default();
                        break;
                    }
                    '\\' => match characters.next() {
                        Some((_, 'n')) => value.push('\n'),
                        Some((_, escaped)) => value.push(escaped),
                        None => {}
                    },
                    other => value.push(other),
                }
            }
            Some((name, value))
        })
    }
}

/// Appends `name="value",`, or nothing if the value is empty.
pub fn push_label(text: &mut String, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    text.push_str(name);
    text.push_str("=\"");
    escape(value, |part| text.push_str(part));
    text.push_str("\",");
}

/// Passes the parts of `value` to `put` in order, escaped for the text formats.
pub fn escape(value: &str, mut put: impl FnMut(&str)) {
    let mut rest = value;
    while let Some(at) = rest.bytes().position(|b| matches!(b, b'\\' | b'"' | b'\n')) {
        put(&rest[..at]);
        put(match rest.as_bytes()[at] {
            b'\\' => r"\\",
            b'"' => "\\\"",
            _ => r"\n",
        });
        rest = &rest[at + 1..];
    }
    put(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_escaped_and_empty_ones_omitted() {
        let text = LabelText::new([("a", "x\"y\\z\nw"), ("b", ""), ("c", "ü")]);
        assert_eq!(text.as_str(), "a=\"x\\\"y\\\\z\\nw\",c=\"ü\",");
    }

    proptest! {
        #[test]
        fn pairs_are_those_it_was_made_of(values in proptest::collection::vec("(?s).{0,12}", 0..4)) {
            let made = || ["a", "b", "c", "d"].into_iter().zip(values.iter().map(String::as_str));
            let text = LabelText::new(made());
            let pairs: Vec<_> = text.pairs().collect();
            let expected: Vec<_> = { made() }
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name, value.to_owned()))
                .collect();
            prop_assert_eq!(pairs, expected);
        }
    }
}
