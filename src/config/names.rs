//! Names as they stand in ARNs, and the tags of what has such a name: globs over them.

use std::collections::{BTreeMap, HashMap};

use globset::Glob;

use super::field::Field;
use super::reading::Place;

/// What a tag's key is, for whoever wrote something else.
pub(super) const TAG_KEY: &str = "the key of a tag, which is 1 to 128 characters";

/// What the service takes as the key of a tag, as far as a text can tell.
pub(super) fn is_tag_key(text: &str) -> bool {
    (1..=128).contains(&text.chars().count()) && !text.contains(char::is_control)
}

/// Globs over names, each once.
pub(super) fn name_globs(field: Field<'_>, what: &str) -> Option<Vec<Glob>> {
    let mut seen = HashMap::new();
    let wanted = format!("a list of globs over the names of {what}, such as [golden-*]");
    let globs = field.each(&wanted, |item| name_glob_once(item, &mut seen))?;
    if globs.is_empty() {
        return field.problem("is empty; list at least one glob, such as [golden-*]");
    }
    Some(globs)
}

/// As [`name_glob`], where no other of `seen` reads the same.
pub(super) fn name_glob_once(field: Field<'_>, seen: &mut HashMap<String, Place>) -> Option<Glob> {
    let glob = name_glob(field)?;
    match seen.get(glob.glob()) {
        Some(first) => field.repeats("this glob is listed twice; keep one", *first),
        None => {
            seen.insert(glob.glob().to_owned(), field.place());
            Some(glob)
        }
    }
}

/// A glob over names as they stand in ARNs; one that can match none of them is refused.
fn name_glob(field: Field<'_>) -> Option<Glob> {
    let glob = field.glob()?;
    if literals(glob.glob()).all(may_stand_in_a_name) {
        return Some(glob);
    }
    let text = field.text("a glob such as golden-*")?;
    if glob.glob().starts_with("arn:") {
        return field.problem(format!(
            "{} is an ARN, and names are matched here; write the name that stands in it, such as golden-linux",
            text.quoted()
        ));
    }
    let right = match text.from_environment {
        // What the environment holds is not told.
        true => "it as it stands there, such as golden-linux".to_owned(),
        false => format!("{}, as it stands there", as_in_an_arn(glob.glob())),
    };
    field.problem(format!(
        "{} can never match: names in ARNs have lower-case letters, digits, - and _ alone; write {right}",
        text.quoted()
    ))
}

/// The characters that a glob takes as they are, outside of `[]`.
fn literals(glob: &str) -> impl Iterator<Item = char> {
    let mut escaped = false;
    // How far into a class: a `]` that comes first there doesn't close it.
    let mut class: Option<usize> = None;
    glob.chars().filter(move |&c| match (class, c) {
        _ if std::mem::take(&mut escaped) => true,
        (None, '\\') => {
            escaped = true;
            false
        }
        (None, '[') => {
            class = Some(0);
            false
        }
        (None, c) => !"*?{},".contains(c),
        (Some(0), '!' | '^') => false,
        (Some(1..), ']') => {
            class = None;
            false
        }
        (Some(read), _) => {
            class = Some(read + 1);
            false
        }
    })
}

fn may_stand_in_a_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_'
}

/// What the service makes of a name where it becomes part of an ARN.
fn as_in_an_arn(glob: &str) -> String {
    let letter = |c: char| match c {
        c if c.is_ascii_uppercase() => c.to_ascii_lowercase(),
        c if may_stand_in_a_name(c) || "*?[]{},!^\\".contains(c) => c,
        _ => '-',
    };
    glob.trim().chars().map(letter).collect()
}

/// Keys of tags, each with a glob over its value.
pub(super) fn tags(field: Field<'_>) -> Option<BTreeMap<String, Glob>> {
    let entries =
        field.entries("a mapping of the keys of tags to globs, such as {Team: platform}")?;
    if entries.is_empty() {
        return field.problem("is empty; name at least one tag, such as {Team: platform}");
    }
    let read: Vec<Option<(String, Glob)>> = entries
        .into_iter()
        .map(|(key, field)| {
            let right = is_tag_key(key);
            if !right {
                field.key_problem(&format!("this is not {TAG_KEY}"));
            }
            let text = field.text("a glob over the tag's value, such as platform")?;
            let glob = field.glob_of(&text)?;
            right.then(|| (key.to_owned(), glob))
        })
        .collect();
    read.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_glob_takes_as_it_is_must_stand_in_names() {
        for (glob, taken) in [
            ("golden-*", "golden-"),
            ("[Gg]olden?", "olden"),
            ("{golden,silver}_[!0-9]", "goldensilver_"),
            ("a\\*b", "a*b"),
            ("[[]x", "x"),
            ("[]A]x", "x"),
            ("[!]A]x", "x"),
            ("Golden Linux", "Golden Linux"),
        ] {
            assert_eq!(literals(glob).collect::<String>(), taken, "{glob}");
        }
    }

    #[test]
    fn names_are_told_as_they_stand_in_arns() {
        assert_eq!(as_in_an_arn("Golden Linux"), "golden-linux");
        assert_eq!(as_in_an_arn("Golden *"), "golden-*");
        assert_eq!(as_in_an_arn(" golden.linux"), "golden-linux");
    }
}
