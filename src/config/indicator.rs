//! Counts the indicators of a text that separate its nodes, and those of anchors, without parsing it.
//!
//! The parser needs memory for each node, before it reports the first of them. So a text with too many
//! is refused before. It makes at most three nodes for each indicator. Commas and colons in quoted
//! text count too.

use super::node::Position;

/// Returns the place of the indicator after `most` of them, if there are more.
pub(super) fn at(text: &str, most: usize) -> Option<Position> {
    let bytes = text.as_bytes();
    let is_indicator = |(at, byte): &(usize, &u8)| {
        let ends_word = || {
            bytes
                .get(at + 1)
                .is_none_or(|next| b" \t\r\n,[]{}".contains(next))
        };
        match byte {
            b',' | b'[' | b'{' | b'&' => true,
            b'-' | b'?' => ends_word(),
            // `"key":value` needs no space.
            b':' => ends_word() || *at > 0 && b"\"']}".contains(&bytes[at - 1]),
            _ => false,
        }
    };
    let (at, _) = bytes.iter().enumerate().filter(is_indicator).nth(most)?;
    // Indicators are ASCII, so this is the beginning of a character.
    Some(Position::behind(&text[..at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of indicators.
    fn count(text: &str) -> usize {
        (0..).take_while(|most| at(text, *most).is_some()).count()
    }

    #[test]
    fn each_way_to_separate_nodes_counts() {
        for (text, expected) in [
            ("[a, b,c,]", 4),
            ("{a: b, \"c\":d, [e]:f}", 7),
            ("- a\n-\n  - b\n- - c", 5),
            ("? a\n: b\nc:\n d:\te", 4),
            ("step-aaaa-0000 arn:aws:imagebuilder http://a --- 10:20", 1),
            ("[&a b, *a]", 3),
            ("", 0),
        ] {
            assert_eq!(count(text), expected, "{text}");
        }
        assert_eq!(at("a: [é,\nb,c]", 2), Some(Position { line: 1, column: 6 }));
        assert_eq!(at("a: [é,\nb,c]", 3), Some(Position { line: 2, column: 2 }));
    }
}
