//! Describes the keys of the file: for messages, the reference and the JSON Schemas.

/// One kind of mapping.
#[derive(Debug)]
pub struct Section {
    /// The type that it is read into.
    pub name: &'static str,
    pub meaning: &'static str,
    pub keys: &'static [Key],
}

/// One key of a section.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub meaning: &'static str,
    pub left_out: LeftOut,
    pub shape: fn() -> Shape,
}

/// What a missing key means.
#[derive(Clone, Copy, Debug)]
pub enum LeftOut {
    /// A problem. Holds an example of the key.
    Required(&'static str),
    /// Nothing is configured, in words.
    Absent(&'static str),
    /// The value is this one, as a file writes it.
    Default(&'static str),
}

/// The values that a key accepts.
#[derive(Clone, Debug)]
pub enum Shape {
    Text(Rule),
    Duration {
        may_be_zero: bool,
    },
    Count {
        least: u32,
        most: u32,
    },
    Number {
        least: f64,
    },
    Switch,
    Choice(&'static [&'static str]),
    /// Names of labels to strings.
    Labels,
    /// Keys of tags to globs.
    Tags,
    Mapping(&'static Section),
    /// A text for its first key alone, or the section.
    TextOrMapping(Rule, &'static Section),
    List {
        of: Box<Self>,
        least: usize,
        most: Option<usize>,
        unique: bool,
    },
}

/// The texts that are right.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What such texts are called.
    pub name: &'static str,
    /// A regular expression that matches every right text, and may match others.
    pub pattern: &'static str,
    pub wanted: &'static str,
}

impl Rule {
    pub(super) const fn string(pattern: &'static str, wanted: &'static str) -> Self {
        Self {
            name: "string",
            pattern,
            wanted,
        }
    }
}

impl Section {
    /// Lists the names of its keys in a sentence.
    pub(super) fn listed(&self) -> String {
        let names: Vec<&str> = self.keys.iter().map(|key| key.name).collect();
        listed(&names)
    }

    /// Returns this section and all below it with the path of each, from the top down.
    pub fn all(&'static self) -> Vec<(String, &'static Self)> {
        let mut all = vec![(String::new(), self)];
        let mut next = 0;
        while let Some((path, section)) = all.get(next).cloned() {
            for key in section.keys {
                let (inner, suffix) = match (key.shape)() {
                    Shape::List { of, .. } => (of.section(), "[]"),
                    shape => (shape.section(), ""),
                };
                let path = format!("{path}.{}{suffix}", key.name);
                let path = path.trim_start_matches('.').to_owned();
                all.extend(inner.map(|inner| (path, inner)));
            }
            next += 1;
        }
        all
    }
}

impl Shape {
    fn section(&self) -> Option<&'static Section> {
        match self {
            Self::Mapping(section) | Self::TextOrMapping(_, section) => Some(section),
            _ => None,
        }
    }
}

/// `a, b and c`.
pub(super) fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
