//! Writes values as YAML that readers of YAML 1.1 and 1.2 understand alike.

use std::fmt::Write;

/// A value to write.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Yaml {
    /// A number, `true` or `false`, as written.
    Plain(String),
    Text(String),
    List(Vec<Self>),
    Mapping(Vec<(String, Self)>),
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl FromIterator<Self> for Yaml {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::List(items.into_iter().collect())
    }
}

impl Yaml {
    /// Writes the value as a document.
    pub(super) fn document(&self) -> String {
        self.lines().join("\n") + "\n"
    }

    fn lines(&self) -> Vec<String> {
        match self {
            Self::Plain(value) => vec![value.clone()],
            Self::Text(text) => vec![scalar(text)],
            Self::List(items) if items.is_empty() => vec!["[]".to_owned()],
            Self::List(items) => items.iter().flat_map(Self::item).collect(),
            Self::Mapping(entries) if entries.is_empty() => vec!["{}".to_owned()],
            Self::Mapping(entries) => {
                let entries = entries.iter();
                entries.flat_map(|(key, value)| value.entry(key)).collect()
            }
        }
    }

    fn item(&self) -> impl Iterator<Item = String> {
        let marks = std::iter::once("- ").chain(std::iter::repeat("  "));
        let lines = marks.zip(self.lines());
        lines.map(|(mark, line)| format!("{mark}{line}"))
    }

    fn entry(&self, key: &str) -> Vec<String> {
        let key = scalar(key);
        let mut lines = self.lines();
        let indentation = match self {
            Self::Mapping(entries) if !entries.is_empty() => "  ",
            Self::List(items) if !items.is_empty() => "",
            _ => {
                lines[0].insert_str(0, &format!("{key}: "));
                return lines;
            }
        };
        let mut entry = vec![format!("{key}:")];
        entry.extend(lines.iter().map(|line| format!("{indentation}{line}")));
        entry
    }
}

/// Writes text in double quotes, unless every reader takes it for text without them.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            // They end a line, or are not allowed in a file.
            c if c.is_control() || "\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}".contains(c) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether the text cannot be read as another type. Most texts that begin with a digit can: `1e3`,
/// `0o7`, `12:30:45`, `2026-01-01`.
fn is_plain(text: &str) -> bool {
    /// Read as true, false or null, in any case. YAML 1.1 has more of them than YAML 1.2.
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let has_only = |more: &[u8]| {
        let is_right = |b: u8| b.is_ascii_alphanumeric() || more.contains(&b);
        text.bytes().all(is_right)
    };
    match text.as_bytes() {
        [b'0'..=b'9', .., last] => {
            let units = "smhdwy";
            let is_right = |c: char| c.is_ascii_digit() || units.contains(c);
            text.chars().all(is_right) && units.as_bytes().contains(last)
        }
        [b'a'..=b'z' | b'A'..=b'Z' | b'/', .., last] => {
            let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
            has_only(b"_./:@$-") && *last != b':' && !is_word
        }
        [letter] => letter.is_ascii_alphabetic() && !b"yYnN".contains(letter),
        // The placeholder of a secret.
        [b'<', .., b'>'] => has_only(b"<>"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_a_reader_takes_for_another_type_is_quoted() {
        let typed = "~ null Null y N yes No on OFF true FALSE = << 1_000 0o7 012 0x1f 0b1 1e3 1e+3 \
            12:30:45 12 +1 -1 1.5 685_230.15 .5 .inf -.INF .nan 2026-01-01 2026-01-01T00:00:00Z";
        let marked = "a: - ? * &a !a %a @a `a {a [a | > 'a \"a #a , a, 1é";
        let blank = ["", "a: b", "a #b", "- a", " a", "a ", "\u{85}"];
        for text in typed.split(' ').chain(marked.split(' ')).chain(blank) {
            let written = scalar(text);
            assert!(
                written.starts_with('"') && written.ends_with('"'),
                "{written}"
            );
        }
        let plain = "a golden-linux us-west-2 1h30m a$$b arn:aws:a/b /a <secret>";
        for text in plain.split(' ') {
            assert_eq!(scalar(text), text);
        }
    }

    #[test]
    fn characters_that_a_line_cannot_have_are_escaped() {
        let escaped = r#""a\"\\\n\u0009\u2028\ufeffé""#;
        assert_eq!(scalar("a\"\\\n\t\u{2028}\u{feff}é"), escaped);
    }
}
