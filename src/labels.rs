//! Label text: names and values escaped once, when they become known, so that a scrape only copies.
//!
//! A fragment is `name="value",` any number of times, with the comma at its end, so that fragments
//! can be put one behind the other.

use std::sync::Arc;

/// Escaped `name="value",` pairs. Cheap to clone; equal text is equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelText(Arc<str>);

impl LabelText {
    /// Leaves out every pair without a value, as Prometheus takes an empty label for an absent one.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut text = String::new();
        for (name, value) in pairs {
            push_label(&mut text, name, value);
        }
        Self::from_escaped(text)
    }

    /// `text` was made by [`push_label`] alone.
    pub fn from_escaped(text: String) -> Self {
        Self(Arc::from(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Appends `name="value",`, or nothing where the value is empty.
pub fn push_label(text: &mut String, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    text.push_str(name);
    text.push_str("=\"");
    escape(value, |part| text.push_str(part));
    text.push_str("\",");
}

/// Gives the parts of `value`, escaped as the text formats want it, to `put` one after the other.
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
    use super::*;

    #[test]
    fn values_are_escaped_and_empty_ones_left_out() {
        let text = LabelText::new([("a", "x\"y\\z\nw"), ("b", ""), ("c", "ü")]);
        assert_eq!(text.as_str(), "a=\"x\\\"y\\\\z\\nw\",c=\"ü\",");
    }
}
