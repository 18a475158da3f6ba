//! Text that isn't YAML: where it breaks, said in words that help whoever wrote it.

use super::position::Position;
use super::problem::Problem;

/// Names the mistake behind a parser's error.
///
/// The parser keeps its kinds of errors to itself, so they are told apart by its text; what it says
/// is never shown, and a text unknown here costs only precision.
pub(super) fn problem(file: &str, text: &str, error: &serde_yaml::Error) -> Problem {
    let said = error.to_string();
    let at = match error.location() {
        Some(location) => Position {
            line: location.line(),
            column: location.column(),
        },
        None => Position { line: 1, column: 1 },
    };
    let line = text.lines().nth(at.line - 1).unwrap_or_default();
    Problem {
        file: file.to_owned(),
        line: at.line,
        column: at.column,
        message: advice(&said, line, at).to_owned(),
    }
}

fn advice(said: &str, line: &str, at: Position) -> &'static str {
    let has = |part: &str| said.contains(part);
    let next = line.chars().nth(at.column - 1);
    if has("recursion limit") {
        "lists and mappings are nested too deeply here; nothing in this file needs more than a few levels"
    } else if has("repetition limit") {
        "aliases (*name) repeat too much of the file; write the values out"
    } else if has("unknown anchor") {
        "this alias (*name) has no anchor (&name) before it; define it above, or put the text in quotes"
    } else if has("control characters are not allowed") {
        "a control character stands here; take it out"
    } else if line.contains("${") && (has("flow") || has("expected ',' or") || has("block mapping"))
    {
        "this line isn't YAML: within {} or [] a value with ${...} must stand in quotes"
    } else if has("tab character") || next == Some('\t') {
        "a tab stands here where YAML wants spaces; indent with spaces"
    } else if has("quoted scalar") && has("end of stream") {
        "a quote that was opened is never closed; close it"
    } else if has("unknown escape") || has("hexadecimal") || has("escape character") {
        "this backslash escape is unknown within double quotes; write \\\\ for a backslash, or use single quotes"
    } else if has("mapping values are not allowed") {
        "a colon and a space stand where no key can; put the value in quotes, or indent the line as its neighbours"
    } else if has("expected ',' or ']'") {
        "a list that began with [ goes wrong here; separate its items with commas and close it with ]"
    } else if has("expected ',' or '}'") {
        "a mapping that began with { goes wrong here; separate its entries with commas and close it with }"
    } else if has("could not find expected ':'") {
        "a key ends here without a colon; write it as key: value"
    } else if has("cannot start any token") {
        "no value can begin with this character; put the value in quotes"
    } else if has("block collection") || has("block sequence entries") {
        "this line fits into no list around it; begin each item with a dash at one indentation"
    } else if has("block mapping") {
        "this line fits into no mapping around it; indent all keys of a mapping alike"
    } else if has("document start") {
        "this stands behind the end of the document; indent all keys of a mapping alike"
    } else {
        "this isn't YAML; look at the indentation, the quotes and the brackets here"
    }
}
