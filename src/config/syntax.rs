//! Names the mistake in a text that is not YAML.
//!
//! The parser reports where it stopped. The text there and the open lists and mappings show the mistake.

use super::node::Position;
use super::surrogates::{PAIR, pair, unit};

/// What is wrong with a text, and where.
#[derive(Debug)]
pub(super) struct SyntaxFault {
    pub at: Position,
    pub message: String,
}

impl SyntaxFault {
    pub(super) fn new(at: Position, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { at, message }
    }
}

/// A list or mapping whose end has not been read yet.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    pub mapping: bool,
    /// Where its `[` or `{` ends, or where its first entry begins.
    pub inside: Position,
}

const NO_MAPPING: &str =
    "this line does not belong to a mapping; indent all keys of a mapping equally";

/// Names the mistake where the parser stopped.
pub(super) fn fault(text: &str, at: Position, open: &[Opened]) -> SyntaxFault {
    let stop = Stop::new(text, at);
    let bracket = open.iter().rev().find_map(|opened| opened.bracket(text));
    let named = stop.indicator(bracket.is_some());
    let named = named.or_else(|| match bracket {
        Some(bracket) => stop.in_brackets(bracket),
        None => stop
            .tab(at.line)
            .or_else(|| stop.entry(open))
            .or_else(|| stop.tab(at.line + 1)),
    });
    named.unwrap_or_else(|| {
        SyntaxFault::new(
            at,
            "this is not valid YAML; check the indentation, the quotes and the brackets",
        )
    })
}

/// Returns the bracket that is nested more than `deepest` levels deep, where the parser stopped at one.
///
/// The parser has a limit of its own. It reaches this limit before it reports the first bracket, as it
/// looks for the end of what may be a key.
pub(super) fn nested_too_deeply(text: &str, at: Position, deepest: usize) -> Option<Position> {
    let rest = Stop::new(text, at).rest;
    if !rest.starts_with(['[', '{']) {
        return None;
    }
    let mut depth: usize = 0;
    let mut brackets = text.match_indices(['[', '{', ']', '}']);
    let (offset, _) = brackets.find(|(offset, bracket)| {
        depth = match *bracket {
            "[" | "{" => depth + 1,
            _ => depth.saturating_sub(1),
        };
        depth > deepest || *offset > text.len() - rest.len()
    })?;
    (depth > deepest).then(|| Position::behind(&text[..offset]))
}

/// Finds the first character that YAML does not allow.
pub(super) fn control_character(text: &str) -> Option<SyntaxFault> {
    let refused = |c: char| {
        c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    let (before, rest) = text.split_at(text.find(refused)?);
    let refused = rest.chars().next()?;
    Some(SyntaxFault::new(
        Position::behind(before),
        not_allowed(refused),
    ))
}

fn not_allowed(c: char) -> String {
    format!(
        "the character U+{:04X} is not allowed here; remove it",
        u32::from(c)
    )
}

impl Opened {
    /// The `[` or `{` that opened it.
    fn bracket<'a>(&self, text: &'a str) -> Option<Stop<'a>> {
        let column = self.inside.column.checked_sub(1).filter(|&c| c > 0)?;
        let at = Position {
            column,
            ..self.inside
        };
        let stop = Stop::new(text, at);
        let opens = if self.mapping { '{' } else { '[' };
        stop.rest.starts_with(opens).then_some(stop)
    }
}

/// Where the parser stopped.
struct Stop<'a> {
    text: &'a str,
    at: Position,
    /// The line up to there.
    before: &'a str,
    /// The text from there on.
    rest: &'a str,
}

impl<'a> Stop<'a> {
    fn new(text: &'a str, at: Position) -> Self {
        let lines = text.split_inclusive('\n').take(at.line - 1);
        let (_, line) = text.split_at(lines.map(str::len).sum());
        let column = line.char_indices().nth(at.column - 1);
        let (before, rest) = line.split_at(column.map_or(line.len(), |(offset, _)| offset));
        Self {
            text,
            at,
            before,
            rest,
        }
    }

    /// Names the mistake at an alias, a quote, a colon or a reserved character.
    fn indicator(&self, in_brackets: bool) -> Option<SyntaxFault> {
        let message = match self.rest.chars().next()? {
            '*' => {
                "this alias (*name) has no anchor (&name) before it; define it above, or quote the text"
            }
            c @ '\u{feff}' => return Some(SyntaxFault::new(self.at, not_allowed(c))),
            c @ ('@' | '`' | '%') => {
                let message = format!("a value cannot begin with {c}; quote the value");
                return Some(SyntaxFault::new(self.at, message));
            }
            quote @ ('"' | '\'') => return self.quote(quote, in_brackets),
            ':' if !in_brackets => {
                "a key cannot precede this colon; quote the value, or check this line and the one above for a missing colon or wrong indentation"
            }
            _ => return None,
        };
        Some(SyntaxFault::new(self.at, message))
    }

    fn quote(&self, quote: char, in_brackets: bool) -> Option<SyntaxFault> {
        let mut quoted = self.rest[1..].chars();
        while let Some(c) = quoted.next() {
            let behind = quoted.as_str();
            if c == '\\' && quote == '"' {
                let backslash = self.text.len() - behind.len() - 1;
                let escape = &self.text[backslash..];
                if let Some(fault) = escape_fault(escape) {
                    return Some(SyntaxFault::new(
                        Position::behind(&self.text[..backslash]),
                        fault,
                    ));
                }
                let skipped = pair(escape).map_or(0, |_| PAIR - 2);
                quoted.nth(skipped);
            } else if c == quote && quote == '\'' && behind.starts_with(quote) {
                quoted.next();
            } else if c == quote {
                // A quote on a later line is probably not meant to close this one.
                let within = &self.rest[..self.rest.len() - behind.len()];
                if in_brackets || !within.contains('\n') {
                    return None;
                }
                break;
            }
        }
        let message = "this quote is not closed; close it";
        Some(SyntaxFault::new(self.at, message))
    }

    fn in_brackets(&self, bracket: Stop<'_>) -> Option<SyntaxFault> {
        let Position { line, column } = bracket.at;
        let behind = bracket.rest.len().saturating_sub(self.rest.len());
        let inside = bracket.rest.get(1..behind).unwrap_or_default();
        let message = if self.line(self.at.line).contains("${") {
            "this line is not valid YAML; within {} and [], quote each value with ${...}".to_owned()
        } else if inside.trim().is_empty() {
            return None;
        } else if bracket.rest.starts_with('[') {
            format!(
                "the list that begins with [ at line {line}, column {column} is invalid here; separate its items with commas and close it with ]"
            )
        } else {
            format!(
                "the mapping that begins with {{ at line {line}, column {column} is invalid here; separate its entries with commas and close it with }}"
            )
        };
        Some(SyntaxFault::new(self.at, message))
    }

    fn line(&self, number: usize) -> &'a str {
        self.text.lines().nth(number - 1).unwrap_or_default()
    }

    /// A tab that indents a line.
    fn tab(&self, line: usize) -> Option<SyntaxFault> {
        let column = 1 + self.line(line).find(|c| c != ' ')?;
        let message = "this line is indented with a tab; indent it with spaces";
        let is_tab = self.line(line)[column - 1..].starts_with('\t');
        is_tab.then(|| SyntaxFault::new(Position { line, column }, message))
    }

    /// A line that does not continue what is open.
    fn entry(&self, open: &[Opened]) -> Option<SyntaxFault> {
        let indentation = self.before.len() - self.before.trim_start_matches(' ').len();
        if !self.before.trim_matches([' ', '-']).is_empty() {
            return None;
        }
        let goes_on = |opened: &Opened| {
            let begins = opened.mapping || self.rest.starts_with('-');
            begins && opened.inside.column == self.at.column
        };
        let message = match open.last() {
            _ if self.rest.starts_with([']', '}']) => NO_MAPPING,
            // This line begins correctly, so the mistake is on the one before.
            Some(_) if self.rest.trim().is_empty() || open.iter().any(goes_on) => {
                "the key here has no colon; write key: value"
            }
            Some(Opened { mapping: false, .. }) => {
                "this line does not belong to a list; begin each item with a dash at the same indentation"
            }
            _ => NO_MAPPING,
        };
        let at = Position {
            column: indentation + 1,
            ..self.at
        };
        Some(SyntaxFault::new(at, message))
    }
}

/// Names the mistake in the escape at the beginning of the text.
fn escape_fault(text: &str) -> Option<String> {
    let mut characters = text[1..].chars();
    let digits = match characters.next() {
        Some('x') => 2,
        Some('u') => 4,
        Some('U') => 8,
        Some(c) if "0abt\tnvfre \"/\\N_LP\r\n".contains(c) => return None,
        _ => 0,
    };
    let code = characters.as_str().get(..digits);
    let code = code.filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
    let code = code.and_then(|code| u32::from_str_radix(code, 16).ok());
    if code.is_some_and(|code| char::from_u32(code).is_some()) || pair(text).is_some() {
        return None;
    }
    match text.get(..6).filter(|escape| unit(escape).is_some()) {
        Some(half) => Some(format!(
            "the escape \"{half}\" is half of a surrogate pair; write both halves, such as \"\\ud83d\\ude80\", or the character itself"
        )),
        None => Some(
            "this backslash escape is unknown within double quotes; write \\\\ for a backslash, or use single quotes".to_owned(),
        ),
    }
}
