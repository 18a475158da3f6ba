//! Names the mistake in a text that is not YAML.
//!
//! The parser says where it stopped. What is wrong there is told by what stands there and by the
//! collections that are open.

use super::node::Position;

const CONTROL_CHARACTER: &str = "a control character stands here; take it out";
const NO_MAPPING: &str =
    "this line fits into no mapping around it; indent all keys of a mapping alike";

/// What is wrong with a text, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub at: Position,
    pub message: String,
}

/// A list or mapping whose end has not been read yet.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    pub mapping: bool,
    /// Where its `[` or `{` ends, or where its first entry begins.
    pub inside: Position,
}

/// Names the mistake where the parser stopped.
pub(super) fn fault(text: &str, at: Position, open: &[Opened]) -> Fault {
    let place = Place::new(text, at);
    let bracket = open.iter().rev().find_map(|opened| opened.bracket(text));
    let named = place.at_indicator(bracket.is_some());
    let named = named.or_else(|| match bracket {
        Some(bracket) => place.in_brackets(bracket),
        None => place
            .at_tab()
            .or_else(|| place.at_colon())
            .or_else(|| place.at_entry(open))
            .or_else(|| place.next_line().at_tab()),
    });
    named.unwrap_or_else(|| {
        place.fault("this isn't YAML; look at the indentation, the quotes and the brackets here")
    })
}

/// The first character that YAML has no place for.
pub(super) fn control_character(text: &str) -> Option<Fault> {
    let refused = |c: char| {
        c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    Some(Fault {
        at: Position::behind(&text[..text.find(refused)?]),
        message: CONTROL_CHARACTER.to_owned(),
    })
}

impl Opened {
    /// The bracket that opened it, and where that stands.
    fn bracket(&self, text: &str) -> Option<(char, Position)> {
        let column = self.inside.column.checked_sub(1).filter(|&c| c > 0)?;
        let at = Position {
            column,
            ..self.inside
        };
        let bracket = Place::new(text, at).here()?;
        let opens = if self.mapping { '{' } else { '[' };
        (bracket == opens).then_some((bracket, at))
    }
}

/// Where the parser stopped.
struct Place<'a> {
    text: &'a str,
    at: Position,
    line: &'a str,
    /// The line up to there.
    before: &'a str,
    /// The text from there on.
    rest: &'a str,
}

impl<'a> Place<'a> {
    fn new(text: &'a str, at: Position) -> Self {
        let lines = text.split_inclusive('\n').take(at.line - 1);
        let (_, line) = text.split_at(lines.map(str::len).sum());
        let column = line.char_indices().nth(at.column - 1);
        let (before, rest) = line.split_at(column.map_or(line.len(), |(offset, _)| offset));
        Self {
            text,
            at,
            line: line.lines().next().unwrap_or_default(),
            before,
            rest,
        }
    }

    fn next_line(&self) -> Self {
        let at = Position {
            line: self.at.line + 1,
            column: 1,
        };
        Self::new(self.text, at)
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault {
            at: self.at,
            message: message.into(),
        }
    }

    fn here(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// An alias, a quote or a reserved character.
    fn at_indicator(&self, in_brackets: bool) -> Option<Fault> {
        match self.here()? {
            '*' => Some(self.fault(
                "this alias (*name) has no anchor (&name) before it; define it above, or put the text in quotes",
            )),
            '\u{feff}' => Some(self.fault(CONTROL_CHARACTER)),
            '@' | '`' | '%' => {
                Some(self.fault("no value can begin with this character; put the value in quotes"))
            }
            quote @ ('"' | '\'') => self.at_quote(quote, in_brackets),
            _ => None,
        }
    }

    fn at_quote(&self, quote: char, in_brackets: bool) -> Option<Fault> {
        let mut quoted = self.rest[1..].chars();
        while let Some(c) = quoted.next() {
            let behind = quoted.as_str();
            if c == '\\' && quote == '"' {
                if !is_escape(behind) {
                    let backslash = self.text.len() - behind.len() - 1;
                    return Some(Fault {
                        at: Position::behind(&self.text[..backslash]),
                        message: "this backslash escape is unknown within double quotes; write \\\\ for a backslash, or use single quotes".to_owned(),
                    });
                }
                quoted.next();
            } else if c == quote && quote == '\'' && behind.starts_with(quote) {
                quoted.next();
            } else if c == quote {
                // One that stands on a later line is hardly the one that was meant to close it.
                let within = &self.rest[..self.rest.len() - behind.len()];
                if in_brackets || !within.contains('\n') {
                    return None;
                }
                break;
            }
        }
        Some(self.fault("the quote that opens here is never closed; close it"))
    }

    fn in_brackets(&self, (bracket, Position { line, column }): (char, Position)) -> Option<Fault> {
        if self.line.contains("${") {
            return Some(self.fault(
                "this line isn't YAML: within {} or [] a value with ${...} must stand in quotes",
            ));
        }
        let opened = Place::new(self.text, Position { line, column });
        let inside = &opened.rest[1..opened.rest.len().saturating_sub(self.rest.len()).max(1)];
        if inside.trim().is_empty() {
            return None;
        }
        Some(self.fault(match bracket {
            '[' => format!(
                "a list that began with [ at line {line}, column {column} goes wrong here; separate its items with commas and close it with ]"
            ),
            _ => format!(
                "a mapping that began with {{ at line {line}, column {column} goes wrong here; separate its entries with commas and close it with }}"
            ),
        }))
    }

    fn at_tab(&self) -> Option<Fault> {
        let spaces = self.line.len() - self.line.trim_start_matches(' ').len();
        self.line[spaces..].starts_with('\t').then(|| Fault {
            at: Position {
                column: spaces + 1,
                ..self.at
            },
            message: "a tab stands here where YAML wants spaces; indent with spaces".to_owned(),
        })
    }

    fn at_colon(&self) -> Option<Fault> {
        (self.here()? == ':').then(|| self.fault(
            "no key can stand before this colon; quote the value, or look for a missing colon or a wrong indentation in this line and the one above",
        ))
    }

    /// A line that does not go on with what is open.
    fn at_entry(&self, open: &[Opened]) -> Option<Fault> {
        let indentation = self.before.len() - self.before.trim_start_matches(' ').len();
        if !self.before[indentation..]
            .trim_matches([' ', '-'])
            .is_empty()
        {
            return None;
        }
        let at = Position {
            column: indentation + 1,
            ..self.at
        };
        let goes_on = |opened: &Opened| {
            let begins = opened.mapping || self.rest.starts_with('-');
            begins && opened.inside.column == self.at.column
        };
        let message = match open.last() {
            _ if self.rest.starts_with([']', '}']) => NO_MAPPING,
            // This line begins as it may: it is the one before that goes wrong.
            Some(_) if self.rest.trim().is_empty() || open.iter().any(goes_on) => {
                "a key ends here without a colon; write it as key: value"
            }
            Some(Opened { mapping: false, .. }) => {
                "this line fits into no list around it; begin each item with a dash at one indentation"
            }
            _ => NO_MAPPING,
        };
        Some(Fault {
            at,
            message: message.to_owned(),
        })
    }
}

/// Whether what stands behind a backslash makes an escape.
fn is_escape(text: &str) -> bool {
    let digits = match text.chars().next() {
        Some('x') => 2,
        Some('u') => 4,
        Some('U') => 8,
        other => return other.is_some_and(|c| "0abt\tnvfre \"/\\N_LP\r\n".contains(c)),
    };
    let code = text.get(1..=digits);
    let code = code.filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
    let code = code.and_then(|code| u32::from_str_radix(code, 16).ok());
    code.is_some_and(|code| char::from_u32(code).is_some())
}
