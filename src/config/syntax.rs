//! Text that isn't YAML: where it breaks, said in words that help whoever wrote it.

use super::position::Position;
use super::problem::Problem;

/// Names the mistake behind a parser's error.
///
/// The parser keeps its kinds of errors to itself, so they are told apart by its text; what it says
/// is never shown, and a text unknown here costs only precision.
pub(super) fn problem(file: &str, text: &str, error: &serde_yaml::Error) -> Problem {
    let said = error.to_string();
    let broken = error
        .location()
        .map_or(Position::START, |location| Position {
            line: location.line(),
            column: location.column(),
        });
    let fault = Fault {
        said: &said,
        line: text.lines().nth(broken.line - 1).unwrap_or_default(),
        opened: opened(&said),
    };
    let at = if fault.is_control_character() {
        control_character(text).unwrap_or(broken)
    } else if fault.is_open_quote() {
        fault.opened.unwrap_or(broken)
    } else {
        broken
    };
    Problem {
        file: file.to_owned(),
        line: at.line,
        column: at.column,
        message: fault.advice(),
    }
}

struct Fault<'a> {
    /// What the parser says.
    said: &'a str,
    /// The line it says it of.
    line: &'a str,
    /// Where the quote, list or mapping began that goes wrong.
    opened: Option<Position>,
}

impl Fault<'_> {
    fn says(&self, part: &str) -> bool {
        self.said.contains(part)
    }

    fn is_control_character(&self) -> bool {
        self.says("control characters")
    }

    fn is_open_quote(&self) -> bool {
        self.says("quoted scalar") && self.says("end of stream")
    }

    fn advice(&self) -> String {
        let began = match self.opened {
            Some(Position { line, column }) => format!("at line {line}, column {column}"),
            None => "before".to_owned(),
        };
        if self.says("expected ',' or ']'") && !self.substitutes() {
            return format!(
                "a list that began with [ {began} goes wrong here; separate its items with commas and close it with ]"
            );
        }
        if self.says("expected ',' or '}'") && !self.substitutes() {
            return format!(
                "a mapping that began with {{ {began} goes wrong here; separate its entries with commas and close it with }}"
            );
        }
        self.fixed_advice().to_owned()
    }

    /// `${` without quotes begins a mapping within `{}` and `[]`.
    fn substitutes(&self) -> bool {
        self.line.contains("${")
    }

    fn fixed_advice(&self) -> &'static str {
        if self.says("recursion limit") {
            "lists and mappings are nested too deeply here; nothing in this file needs more than a few levels"
        } else if self.says("repetition limit") {
            "aliases (*name) repeat too much of the file; write the values out"
        } else if self.says("unknown anchor") {
            "this alias (*name) has no anchor (&name) before it; define it above, or put the text in quotes"
        } else if self.is_control_character() {
            "a control character stands here; take it out"
        } else if self.substitutes() && (self.says("flow") || self.says("block mapping")) {
            "this line isn't YAML: within {} or [] a value with ${...} must stand in quotes"
        } else if self.says("tab character") || self.line.trim_start_matches(' ').starts_with('\t')
        {
            "a tab stands here where YAML wants spaces; indent with spaces"
        } else if self.is_open_quote() {
            "the quote that opens here is never closed; close it"
        } else if self.says("unknown escape")
            || self.says("hexadecimal")
            || self.says("escape code")
        {
            "this backslash escape is unknown within double quotes; write \\\\ for a backslash, or use single quotes"
        } else if self.says("mapping values are not allowed") {
            "no key can stand before this colon; quote the value, or look for a missing colon or a wrong indentation in this line and the one above"
        } else if self.says("could not find expected ':'") {
            "a key ends here without a colon; write it as key: value"
        } else if self.says("cannot start any token") {
            "no value can begin with this character; put the value in quotes"
        } else if self.says("block collection") || self.says("block sequence entries") {
            "this line fits into no list around it; begin each item with a dash at one indentation"
        } else if self.says("block mapping") || self.says("document start") {
            "this line fits into no mapping around it; indent all keys of a mapping alike"
        } else {
            "this isn't YAML; look at the indentation, the quotes and the brackets here"
        }
    }
}

/// The second place that the parser names: of what it was reading when it failed.
fn opened(said: &str) -> Option<Position> {
    let (_, context) = said.split_once(", while ")?;
    let (_, place) = context.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    Some(Position {
        line: line.parse().ok()?,
        column: column.parse().ok()?,
    })
}

/// The parser names no line for a character that YAML has no place for.
fn control_character(text: &str) -> Option<Position> {
    let refused = |c: char| {
        c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    let before = &text[..text.find(refused)?];
    let line = before.rsplit('\n').next().unwrap_or_default();
    Some(Position {
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
    })
}
