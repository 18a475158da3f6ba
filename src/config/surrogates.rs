//! Decodes surrogate pairs: writers of JSON escape 🚀 as `\ud83d\ude80`, which YAML parsers refuse.
//!
//! Only double-quoted text has escapes, and only the parser knows what is in double quotes. So the parser
//! reads the pairs with another character in place of their backslashes, which moves nothing.

use std::borrow::Cow;
use std::collections::HashSet;

use saphyr_parser::ScalarStyle;

/// The length of `\ud83d\ude80`.
pub(super) const PAIR: usize = 12;

/// A text without escaped surrogate pairs.
pub(super) struct Masked<'t> {
    pub text: Cow<'t, str>,
    /// Replaces the backslashes of pairs; `None` if the text has every private character.
    mask: Option<char>,
}

impl<'t> Masked<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let mask = unused(text);
        let mut masked = Self {
            text: text.into(),
            mask,
        };
        let Some(mask) = mask else { return masked };
        let pairs = text.match_indices("\\u").map(|(at, _)| at);
        // After an odd number of backslashes, the next one is a character.
        let is_escape = |at: &usize| {
            let before = text[..*at].bytes().rev();
            before.take_while(|b| *b == b'\\').count().is_multiple_of(2)
        };
        let mut copied = 0;
        let mut copy = String::new();
        for at in pairs.filter(is_escape) {
            if at >= copied && pair(&text[at..]).is_some() {
                copy += &text[copied..at];
                copied = at + PAIR;
                copy += &text[at..copied].replace('\\', mask.encode_utf8(&mut [0; 4]));
            }
        }
        if copied > 0 {
            masked.text = (copy + &text[copied..]).into();
        }
        masked
    }

    /// Returns the text of a scalar, with the characters of its pairs if it has escapes.
    pub(super) fn unmasked<'s>(&self, scalar: &'s str, style: ScalarStyle) -> Cow<'s, str> {
        let Some(mask) = self.mask.filter(|mask| scalar.contains(*mask)) else {
            return scalar.into();
        };
        let masked = scalar.replace(mask, "\\");
        if style != ScalarStyle::DoubleQuoted {
            return masked.into();
        }
        let mut text = String::with_capacity(scalar.len());
        let mut rest = scalar;
        while let Some(c) = rest.chars().next() {
            let escaped: String = rest.chars().take(PAIR).collect();
            match pair(&escaped.replace(mask, "\\")).filter(|_| c == mask) {
                Some(character) => {
                    text.push(character);
                    rest = &rest[escaped.len()..];
                }
                None => {
                    text.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        text.into()
    }
}

/// Returns a private character that the text does not have. The text is read once: it may have many of
/// them.
fn unused(text: &str) -> Option<char> {
    let mut private = '\u{f0000}'..='\u{ffffd}';
    let used: HashSet<char> = text.chars().filter(|c| private.contains(c)).collect();
    private.find(|c| !used.contains(c))
}

/// Returns the character of an escaped pair at the beginning of the text.
pub(super) fn pair(text: &str) -> Option<char> {
    let units = [
        unit(text.get(..PAIR / 2)?)?,
        unit(text.get(PAIR / 2..PAIR)?)?,
    ];
    // Two units that are not a pair are two characters or none.
    let mut characters = char::decode_utf16(units);
    characters
        .next()?
        .ok()
        .filter(|_| characters.next().is_none())
}

/// Returns the UTF-16 code unit of an escape such as `\ud83d`.
pub(super) fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?;
    let are_right = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    are_right.then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(text: &str, style: ScalarStyle) -> String {
        let masked = Masked::new(text);
        assert_eq!(masked.text.chars().count(), text.chars().count());
        masked.unmasked(&masked.text, style).into_owned()
    }

    #[test]
    fn pairs_in_double_quotes_are_characters() {
        for (text, character) in [
            (r"\ud83d\ude80", "🚀"),
            (r"\uD83D\uDE80\ud83d\ude00!", "🚀😀!"),
            (r"\\\ud83d\ude80", r"\\🚀"),
            (r"\\ud83d\ude80", r"\\ud83d\ude80"),
            (r"\ud83d", r"\ud83d"),
            (r"\ud83d\ud83d\ude80", r"\ud83d🚀"),
            (r"\u0041\u0042", r"\u0041\u0042"),
            (r"\ude80\ud83d", r"\ude80\ud83d"),
        ] {
            assert_eq!(
                decoded(text, ScalarStyle::DoubleQuoted),
                character,
                "{text}"
            );
            assert_eq!(decoded(text, ScalarStyle::Plain), text);
        }
    }

    #[test]
    fn text_with_many_private_characters_is_read_once_and_stays() {
        let private: String = ('\u{f0000}'..='\u{ffffc}').collect();
        let pair = r"\ud83d\ude80";
        let text = private.repeat(100) + pair;
        let read = decoded(&text, ScalarStyle::DoubleQuoted);
        assert!(read.ends_with('🚀') && read.len() == text.len() - pair.len() + 4);
        // None is left to replace a backslash.
        let text = private + "\u{ffffd}" + pair;
        assert_eq!(decoded(&text, ScalarStyle::DoubleQuoted), text);
    }

    proptest! {
        #[test]
        fn other_text_is_unchanged(text in r"(\\|u|d83d|ude80|\\ud83d\\ude80|\PC){0,12}") {
            prop_assert_eq!(decoded(&text, ScalarStyle::SingleQuoted), text);
        }
    }
}
