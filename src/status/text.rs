//! Makes untrusted text safe to show: names, statuses and messages of the service, and errors.
//!
//! Such text may hold markup, control characters, or characters that change the direction of the
//! text around them. The templates of the page escape markup; [`document`] is the one way from a
//! template to bytes, and replaces the rest.

use maud::Markup;

/// The number of characters of a message that are shown.
pub(super) const LONGEST_MESSAGE: usize = 2_000;

/// Returns the beginning of a message, and whether there is more of it.
pub(super) fn bounded(message: &str) -> (&str, bool) {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => (&message[..end], true),
        None => (message, false),
    }
}

/// Returns whether a terminal or a browser obeys the character instead of showing it.
pub(super) fn is_steering(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Returns the page that is sent for a document.
///
/// The templates escape `&`, `<`, `>` and `"`. This replaces the characters of [`is_steering`],
/// wherever in the document they are, so that no template can let one through. It escapes `'` as
/// well, which the templates never write as markup.
pub(super) fn document(markup: Markup) -> String {
    let markup = markup.into_string();
    let Some(mut at) = find_replaced(&markup) else {
        return markup;
    };
    let mut page = String::with_capacity(markup.len());
    let mut rest = &*markup;
    loop {
        let (kept, from) = rest.split_at(at);
        page.push_str(kept);
        let mut after = from.chars();
        page.push_str(match after.next() {
            None => return page,
            Some('\'') => "&#39;",
            Some('\t' | '\r') => " ",
            Some(_) => "\u{fffd}",
        });
        rest = after.as_str();
        at = find_replaced(rest).unwrap_or(rest.len());
    }
}

fn is_replaced(character: char) -> bool {
    character == '\'' || (is_steering(character) && character != '\n')
}

/// Finds the first character that is replaced. Nearly all of a page is ASCII that is kept, which is
/// skipped in blocks: testing each character would take as long as rendering the page.
fn find_replaced(text: &str) -> Option<usize> {
    const BLOCK: usize = 64;
    let is_kept = |byte: &u8| matches!(byte, b' '..=b'&' | b'('..=b'~' | b'\n');
    let mut at = 0;
    loop {
        let rest = &text.as_bytes()[at..];
        let blocks = rest.chunks_exact(BLOCK);
        let kept =
            blocks.take_while(|block| block.iter().fold(true, |all, byte| all & is_kept(byte)));
        at += kept.count() * BLOCK;
        at += text.as_bytes()[at..]
            .iter()
            .take_while(|byte| is_kept(byte))
            .count();
        let next = text[at..].chars().next()?;
        if is_replaced(next) {
            return Some(at);
        }
        at += next.len_utf8();
    }
}

#[cfg(test)]
mod tests {
    use maud::html;
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let as_content = document(html! { (text) });
        let as_attribute = document(html! { p title=(text) {} });
        assert_eq!(as_attribute, format!("<p title=\"{as_content}\"></p>"));
        as_content
    }

    #[test]
    fn markup_is_escaped_and_control_characters_are_replaced() {
        assert_eq!(
            escaped("</p>\"'&\t\u{1b}[31m\u{202e}gpj\n\u{85}é😀"),
            "&lt;/p&gt;&quot;&#39;&amp; \u{fffd}[31m\u{fffd}gpj\n\u{fffd}é😀"
        );
    }

    proptest! {
        #[test]
        fn any_text_stays_inside_its_element_and_keeps_its_content(text in "(?s).*") {
            let escaped = escaped(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            prop_assert!(!escaped.chars().any(|c| is_steering(c) && c != '\n'));
            let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
            let read = entities.iter().fold(escaped, |text, (entity, is)| text.replace(entity, is));
            let shown: String = text.chars().map(|c| match c {
                '\t' | '\r' => ' ',
                c if is_steering(c) && c != '\n' => '\u{fffd}',
                c => c,
            }).collect();
            prop_assert_eq!(read, shown);
        }
    }
}
