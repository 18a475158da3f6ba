//! Globs over names.

use std::fmt;

/// A glob with `*`, `?`, `[a-z]`, `[!a-z]` and `{one,other}`, in which a backslash escapes a
/// character.
///
/// `*` matches any characters, also `/`. The time of a match grows with the product of both lengths
/// at most, whatever the glob is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: String,
    states: Vec<State>,
}

/// A state of the automaton; the next one follows it unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Character(char),
    AnyCharacter,
    AnyCharacters,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// Goes on at each of them.
    Alternatives(Vec<usize>),
    /// Goes on after the alternatives.
    Jump(usize),
    End,
}

/// Why a text is no glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobFault {
    UnclosedClass,
    ReversedRange,
    UnopenedAlternatives,
    UnclosedAlternatives,
    EndsWithBackslash,
}

impl fmt::Display for GlobFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnclosedClass => {
                "a [ is not closed; close it with ], or write [[] for the character ["
            }
            Self::ReversedRange => {
                "a range in [] is reversed; write its lower end first, such as [a-z]"
            }
            Self::UnopenedAlternatives => "a } has no { before it; write [}] for the character }",
            Self::UnclosedAlternatives => {
                "a { is not closed; close it with }, or write [{] for the character {"
            }
            Self::EndsWithBackslash => "it ends with a backslash; write two for the character",
        })
    }
}

/// Alternatives whose end has not been read yet.
struct Open {
    /// The state that chooses between them.
    choice: usize,
    starts: Vec<usize>,
    /// The states that leave an alternative at its end.
    ends: Vec<usize>,
}

impl Glob {
    /// Parses a glob.
    ///
    /// # Errors
    ///
    /// The text is no glob.
    pub fn new(text: &str) -> Result<Self, GlobFault> {
        let mut states = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            let state = match (c, open.last_mut()) {
                ('?', _) => State::AnyCharacter,
                ('*', _) => State::AnyCharacters,
                ('[', _) => class(&mut characters)?,
                ('\\', _) => {
                    State::Character(characters.next().ok_or(GlobFault::EndsWithBackslash)?)
                }
                ('{', _) => {
                    open.push(Open {
                        choice: states.len(),
                        starts: vec![states.len() + 1],
                        ends: Vec::new(),
                    });
                    State::Alternatives(Vec::new())
                }
                (',', Some(inner)) => {
                    inner.ends.push(states.len());
                    inner.starts.push(states.len() + 1);
                    State::Jump(0)
                }
                ('}', _) => {
                    let closed = open.pop().ok_or(GlobFault::UnopenedAlternatives)?;
                    states[closed.choice] = State::Alternatives(closed.starts);
                    for end in closed.ends {
                        states[end] = State::Jump(states.len());
                    }
                    continue;
                }
                (c, _) => State::Character(c),
            };
            states.push(state);
        }
        if !open.is_empty() {
            return Err(GlobFault::UnclosedAlternatives);
        }
        states.push(State::End);
        Ok(Self {
            text: text.to_owned(),
            states,
        })
    }

    /// Returns the glob as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the whole name matches.
    pub fn is_match(&self, name: &str) -> bool {
        self.run(name, |c, wanted| c == wanted, within)
    }

    /// Whether the whole name matches if ASCII letters match those of the other case.
    pub fn is_match_in_any_case(&self, name: &str) -> bool {
        let is_within = |c: char, range| {
            within(c.to_ascii_lowercase(), range) || within(c.to_ascii_uppercase(), range)
        };
        self.run(name, |c, wanted| c.eq_ignore_ascii_case(&wanted), is_within)
    }

    fn run(
        &self,
        name: &str,
        is_same: impl Fn(char, char) -> bool,
        is_within: impl Fn(char, (char, char)) -> bool,
    ) -> bool {
        let mut current = Active::new(self.states.len());
        let mut next = Active::new(self.states.len());
        current.enter(&self.states, 0);
        for c in name.chars() {
            for &state in &current.states {
                match &self.states[state] {
                    State::Character(wanted) if !is_same(c, *wanted) => {}
                    State::Class { negated, ranges }
                        if *negated == ranges.iter().any(|range| is_within(c, *range)) => {}
                    State::AnyCharacters => next.enter(&self.states, state),
                    State::Alternatives(_) | State::Jump(_) | State::End => {}
                    State::Character(_) | State::AnyCharacter | State::Class { .. } => {
                        next.enter(&self.states, state + 1);
                    }
                }
            }
            std::mem::swap(&mut current, &mut next);
            next.clear();
        }
        current.entered[self.states.len() - 1]
    }
}

fn within(c: char, (low, high): (char, char)) -> bool {
    (low..=high).contains(&c)
}

/// Reads a class after its `[`. A `]` or `-` is a character if it comes first, a `-` also if it comes
/// last.
fn class(characters: &mut std::str::Chars<'_>) -> Result<State, GlobFault> {
    let mut read = || characters.next().ok_or(GlobFault::UnclosedClass);
    let mut c = read()?;
    let negated = c == '!' || c == '^';
    if negated {
        c = read()?;
    }
    let mut ranges = vec![(c, c)];
    let mut is_range = false;
    loop {
        match read()? {
            ']' => break,
            '-' if !is_range => is_range = true,
            c if is_range => {
                let last = ranges.last_mut().expect("the first character is in it");
                last.1 = c;
                if last.0 > last.1 {
                    return Err(GlobFault::ReversedRange);
                }
                is_range = false;
            }
            c => ranges.push((c, c)),
        }
    }
    if is_range {
        ranges.push(('-', '-'));
    }
    Ok(State::Class { negated, ranges })
}

/// The states that an automaton is in.
struct Active {
    states: Vec<usize>,
    entered: Vec<bool>,
    /// Those to enter.
    waiting: Vec<usize>,
}

impl Active {
    fn new(states: usize) -> Self {
        Self {
            states: Vec::new(),
            entered: vec![false; states],
            waiting: Vec::new(),
        }
    }

    fn clear(&mut self) {
        for state in self.states.drain(..) {
            self.entered[state] = false;
        }
    }

    /// Enters a state, and those that it reaches without a character.
    fn enter(&mut self, states: &[State], state: usize) {
        self.waiting.push(state);
        while let Some(state) = self.waiting.pop() {
            if std::mem::replace(&mut self.entered[state], true) {
                continue;
            }
            self.states.push(state);
            match &states[state] {
                State::AnyCharacters => self.waiting.push(state + 1),
                State::Alternatives(starts) => self.waiting.extend(starts),
                State::Jump(to) => self.waiting.push(*to),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, name: &str) -> bool {
        Glob::new(glob).unwrap().is_match(name)
    }

    #[test]
    fn globs_match_whole_names() {
        for (glob, right, wrong) in [
            ("", "", "a"),
            ("golden", "golden", "golden-1"),
            ("*", "", "\0never"),
            ("golden-*", "golden-linux/x", "silver-linux"),
            ("*-linux-*", "golden-linux-", "golden-linux"),
            ("**a**", "bab", "bb"),
            ("g?lden", "gölden", "glden"),
            ("[a-cx]", "b", "d"),
            ("[!a-c]", "d", "b"),
            ("[^a-c]?", "é?", "aa"),
            ("[]-]", "]", "["),
            ("[]-]", "-", "a"),
            ("[!]]", "[", "]"),
            ("[-a]", "-", "b"),
            ("[a-]", "-", "b"),
            ("[--0]", ".", "1"),
            ("[{,}]", ",", "a"),
            ("[\\]", "\\", "]"),
            ("a\\*b", "a*b", "aab"),
            ("a,b", "a,b", "a"),
            ("{one,other}", "other", "one,other"),
            ("{one,}x", "x", "one"),
            ("{}x", "x", "{}x"),
            ("{a,{b,c}d}e", "cde", "ce"),
            ("{a*,*b}", "xb", "xc"),
            ("{a\\,b,c}", "a,b", "a"),
        ] {
            assert!(matches(glob, right), "{glob} {right}");
            assert!(glob == "*" || !matches(glob, wrong), "{glob} {wrong}");
        }
    }

    #[test]
    fn case_of_ascii_letters_can_be_ignored() {
        for (glob, name, is_match) in [
            ("golden-*", "GOLDEN-Linux", true),
            ("GOLDEN[a-z]", "goldenX", true),
            ("golden[!A-Z]", "goldenX", false),
            ("ö", "Ö", false),
        ] {
            let glob = Glob::new(glob).unwrap();
            assert_eq!(glob.is_match_in_any_case(name), is_match, "{glob:?} {name}");
            assert!(!glob.is_match(name), "{glob:?} {name}");
        }
    }

    #[test]
    fn mistakes_are_found() {
        use GlobFault::*;
        for (glob, fault) in [
            ("[a", UnclosedClass),
            ("[]", UnclosedClass),
            ("[!]", UnclosedClass),
            ("[z-a]", ReversedRange),
            ("a}", UnopenedAlternatives),
            ("{a}}", UnopenedAlternatives),
            ("{a", UnclosedAlternatives),
            ("{a,{b}", UnclosedAlternatives),
            ("a\\", EndsWithBackslash),
        ] {
            assert_eq!(Glob::new(glob), Err(fault), "{glob}");
        }
    }

    #[test]
    fn no_glob_takes_long() {
        let glob = "{a*,a*}".repeat(36) + "c";
        assert!(!matches(&glob, &"a".repeat(1_000)));
    }
}
