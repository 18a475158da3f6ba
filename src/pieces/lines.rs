//! Compresses lines that differ little from earlier ones, several times faster than a general
//! compressor.
//!
//! All texts use the same Huffman codes, which favour the digits of ids and values. And an earlier
//! text is looked up only at the beginnings of words, because labels are equal from there on or not
//! at all.

use super::codes::{BitWriter, Codes};

/// The number of words whose place is known, as a power of two.
const WORD_BITS: u32 = 11;

/// The shortest equal text that is looked up, in bytes.
const SHORTEST: usize = 8;

/// The longest equal text that one code can denote, in bytes.
const LONGEST: usize = 258;

/// The shortest one.
const LEAST: usize = 3;

/// The longest distance to an earlier text, in bytes.
const WINDOW: usize = 32 * 1024;

/// A compressor of lines. It holds nothing of a text after it has compressed it.
#[derive(Debug)]
pub(super) struct LineCompressor {
    codes: Codes,
    /// The last place of a word, by its hash, counted from 1. 0 if there is none.
    places: Box<[u32; 1 << WORD_BITS]>,
}

impl LineCompressor {
    pub(super) fn new() -> Self {
        Self {
            codes: Codes::new(),
            places: Box::new([0; 1 << WORD_BITS]),
        }
    }

    /// Appends a text as blocks of deflate that end at a byte boundary and refer to no other text.
    /// None of them is the final one.
    pub(super) fn compress(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.places.fill(0);
        let mut bits = BitWriter::new(out);
        self.codes.begin_block(&mut bits);
        let mut at = 0;
        while at < text.len() {
            match self.earlier(text, at) {
                Some((distance, length)) => {
                    self.put_equal(&mut bits, distance, length);
                    at += length;
                }
                None => at += self.put_word(&mut bits, &text[at..]),
            }
        }
        self.codes.end_block(&mut bits);
        bits.align();
    }

    /// Returns the distance and the length of an earlier text that is equal to the one from `at` on.
    #[inline]
    fn earlier(&mut self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let rest = &text[at..];
        let word = u64::from_le_bytes(*rest.first_chunk()?);
        let hash = word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - WORD_BITS);
        let place = std::mem::replace(&mut self.places[hash as usize], at as u32 + 1);
        let before = (place as usize).checked_sub(1)?;
        let distance = at - before;
        let known = &text[before..];
        if distance > WINDOW || known.first_chunk() != rest.first_chunk::<SHORTEST>() {
            return None;
        }
        Some((distance, equal(known, rest)))
    }

    #[inline]
    fn put_equal(&self, bits: &mut BitWriter<'_>, distance: usize, mut length: usize) {
        while length > 0 {
            let part = match length - length.min(LONGEST) {
                0 => length,
                left if left < LEAST => LONGEST - LEAST,
                _ => LONGEST,
            };
            self.codes.put_equal(bits, distance, part);
            length -= part;
        }
    }

    /// Puts the bytes until another word may begin, and returns their number.
    #[inline]
    fn put_word(&self, bits: &mut BitWriter<'_>, text: &[u8]) -> usize {
        let mut length = 0;
        for &byte in text {
            if matches!(byte, b'"' | b'\n') && length > 0 {
                break;
            }
            self.codes.put_byte(bits, byte);
            length += 1;
        }
        length
    }
}

/// Returns the number of bytes that are equal at the beginning of both texts.
#[inline]
fn equal(one: &[u8], other: &[u8]) -> usize {
    let (words, _) = one.as_chunks::<8>();
    let (other_words, _) = other.as_chunks::<8>();
    let mut length = 0;
    for (word, other) in words.iter().zip(other_words) {
        let differs = u64::from_le_bytes(*word) ^ u64::from_le_bytes(*other);
        if differs != 0 {
            return length + differs.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    let rest = one[length..].iter().zip(&other[length..]);
    length + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn inflated(deflated: &[u8]) -> Vec<u8> {
        // The final block of deflate, without text.
        let deflated = [deflated, &[3, 0]].concat();
        let mut text = Vec::new();
        flate2::read::DeflateDecoder::new(&deflated[..])
            .read_to_end(&mut text)
            .unwrap();
        text
    }

    proptest! {
        #[test]
        fn any_text_is_that_which_was_compressed(
            parts in proptest::collection::vec(
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..40),
                    "[a-f0-9]{0,20}\"?\n?".prop_map(String::into_bytes),
                ],
                1..8,
            ),
            order in proptest::collection::vec((any::<prop::sample::Index>(), 1..300_usize), 0..60),
        ) {
            let text: Vec<u8> = { order.iter() }
                .flat_map(|(part, times)| parts[part.index(parts.len())].repeat(*times))
                .collect();
            let mut compressor = LineCompressor::new();
            let mut out = Vec::new();
            compressor.compress(&text, &mut out);
            prop_assert!(inflated(&out) == text);
            // Again, with what the first text left behind.
            out.clear();
            compressor.compress(&text[text.len() / 2..], &mut out);
            prop_assert!(inflated(&out) == text[text.len() / 2..]);
        }
    }

    #[test]
    fn lines_with_long_equal_parts_of_any_length_are_compressed() {
        for length in (0..40).chain(240..300).chain(500..540) {
            let line = "x".repeat(length);
            let text: String = (0..70).map(|at| format!("\"{line}{at}\"\n")).collect();
            let mut out = Vec::new();
            LineCompressor::new().compress(text.as_bytes(), &mut out);
            assert!(inflated(&out) == text.as_bytes(), "{length}");
            assert!(out.len() < 1_500, "{} bytes", out.len());
        }
    }
}
