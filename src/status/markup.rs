//! HTML that no text can break out of.
//!
//! What is markup stands in the program's own text; whatever else gets into a page is escaped here.

use std::fmt::{self, Write};

/// A page as it grows.
#[derive(Debug, Default)]
pub struct Markup(String);

impl Markup {
    /// Markup of our own.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, or the value of an attribute in double quotes.
    pub fn text(&mut self, text: impl fmt::Display) -> &mut Self {
        let written = write!(Escaping(&mut self.0), "{text}");
        written.expect("a String takes all that is written to it");
        self
    }

    /// Text between two pieces of markup.
    pub fn put(
        &mut self,
        before: &'static str,
        text: impl fmt::Display,
        after: &'static str,
    ) -> &mut Self {
        self.raw(before).text(text).raw(after)
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(is_special) {
            let (plain, from) = rest.split_at(at);
            self.0.push_str(plain);
            let special = from.chars().next().ok_or(fmt::Error)?;
            self.0.push_str(replacement(special));
            rest = &from[special.len_utf8()..];
        }
        self.0.push_str(rest);
        Ok(())
    }
}

fn is_special(character: char) -> bool {
    matches!(character, '&' | '<' | '>' | '"' | '\'')
        || (character.is_control() && character != '\n')
        || steers_direction(character)
}

/// Characters that turn the direction of the text around them.
pub fn steers_direction(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

fn replacement(special: char) -> &'static str {
    match special {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        '\t' | '\r' => " ",
        _ => "\u{fffd}",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut markup = Markup::default();
        markup.text(text);
        markup.into_string()
    }

    #[test]
    fn what_steers_a_page_or_a_reader_is_shown_as_text_or_not_at_all() {
        assert_eq!(
            escaped("</p>\"'&\t\u{1b}[31m\u{202e}gpj\n\u{85}é😀"),
            "&lt;/p&gt;&quot;&#39;&amp; \u{fffd}[31m\u{fffd}gpj\n\u{fffd}é😀"
        );
    }

    proptest! {
        #[test]
        fn whatever_the_text_it_ends_no_tag_and_no_attribute_and_says_the_same(text in "(?s).*") {
            let escaped = escaped(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            prop_assert!(!escaped.chars().any(|c| (c.is_control() && c != '\n') || steers_direction(c)));
            let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
            let read = entities.iter().fold(escaped, |text, (entity, is)| text.replace(entity, is));
            let shown: String = text.chars().map(|c| match c {
                '\t' | '\r' => ' ',
                c if (c.is_control() && c != '\n') || steers_direction(c) => '\u{fffd}',
                c => c,
            }).collect();
            prop_assert_eq!(read, shown);
        }
    }
}
