//! Reads texts of a response: an empty one is missing, and of a free one the beginning is kept.

/// Bytes of a free text that are kept: the service sends up to 384 000 characters.
const MAX_TEXT_BYTES: usize = 4_096;

/// Bytes of a text that becomes a label: names of the service have at most 128 characters.
const MAX_LABEL_BYTES: usize = 256;

/// Returns the beginning of a free text, at most [`MAX_TEXT_BYTES`] of it.
pub(super) fn head(text: &str) -> &str {
    truncated(text, MAX_TEXT_BYTES)
}

/// Returns the part of a free text that is kept; an empty one is missing.
pub(super) fn free_text(text: Option<&str>) -> Option<String> {
    present(text).map(|text| head(text).to_owned())
}

/// Returns a text that becomes a label, at most [`MAX_LABEL_BYTES`] of it; an empty one is missing.
pub(super) fn label(text: Option<&str>) -> Option<String> {
    present(text).map(|text| truncated(text, MAX_LABEL_BYTES).to_owned())
}

/// Returns the text unless it is empty, which means that it is missing.
pub(super) fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn truncated(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}
