//! Globs over names and tags.

use globset::{Glob, GlobBuilder};

use super::lists::{List, Map};
use super::shape::{Rule, Shape};
use super::substitution::Substituted;
use super::values::{Once, Text, TextFault, right};

/// Maximum length of a glob, in characters. Names have at most 128. A much longer glob can fail to
/// compile, and only at its first use.
const LONGEST_GLOB: usize = 256;

/// The key of a tag.
pub(super) const TAG_KEY: Text<String> = Text {
    once: |_| Once::InList("the tag {} is listed twice; keep one"),
    ..Text::like(
        "a tag key of 1 to 128 characters",
        r"^[^\x00-\x1f\x7f-\x9f]{1,128}$",
        |text| right(text, is_tag_key),
    )
};

fn is_tag_key(text: &str) -> bool {
    (1..=128).contains(&text.chars().count()) && !text.contains(char::is_control)
}

/// Tags, each with a glob over its value.
pub(super) const TAGS: Map<Text<Glob>> = Map {
    of: Text {
        wanted: "a glob for the tag value, such as platform",
        // An empty one matches an empty value.
        parse: glob,
        ..GLOB
    },
    wanted: "a mapping of tag keys to globs, such as {Team: platform}",
    key_fault: |key| {
        let fault = "this is not a tag key; write 1 to 128 characters";
        (!is_tag_key(key)).then_some(fault)
    },
    empty: Some("is empty; name at least one tag, such as {Team: platform}"),
    shape: Shape::Tags,
};

/// A glob over names, which are never empty.
pub(super) const GLOB: Text<Glob> = Text {
    rule: Rule {
        name: "glob",
        pattern: r"^[\s\S]{1,256}$",
        wanted: "a glob of 256 characters at most",
    },
    wanted: "a glob such as golden-*",
    parse: |text| match text.text.is_empty() {
        true => {
            let fault = "is empty and matches nothing; write * for every name";
            Err(TextFault::Says(fault.to_owned()))
        }
        false => glob(text),
    },
    text: |glob| glob.glob().to_owned(),
    once: |_| Once::Never,
};

/// Globs over names as in ARNs, each once.
pub(super) const fn name_globs(wanted: &'static str) -> List<Text<Glob>> {
    List {
        of: Text {
            rule: Rule {
                name: "glob",
                // A class may have any character.
                pattern: r"^(?=[\s\S]{1,256}$)([a-z0-9_*?{},-]|\\[a-z0-9_-]|\[[!^]?[\s\S][^\]]*\])+$",
                wanted: "a glob for names as written in ARNs, such as golden-*",
            },
            parse: name_glob,
            once: |_| GLOB_ONCE,
            ..GLOB
        },
        wanted,
        empty: Some("is empty; list at least one glob, such as [golden-*]"),
    }
}

pub(super) const GLOB_ONCE: Once = Once::InList("the glob {} is listed twice; keep one");

/// Refuses a glob that matches no name as in ARNs.
pub(super) fn name_glob(text: &Substituted<'_>) -> Result<Glob, TextFault> {
    let glob = (GLOB.parse)(text)?;
    if literals(glob.glob()).all(is_name_character) {
        return Ok(glob);
    }
    let quoted = text.quoted();
    if glob.glob().starts_with("arn:") {
        return Err(TextFault::Says(format!(
            "{quoted} is an ARN, but these globs match names; write the name from the ARN, such as golden-linux"
        )));
    }
    let right = match text.from_environment {
        // A value of the environment may be a secret.
        true => "the name as in the ARN, such as golden-linux".to_owned(),
        false => as_in_an_arn(glob.glob()),
    };
    Err(TextFault::Says(format!(
        "{quoted} matches no name: names in ARNs have only lower-case letters, digits, - and _; write {right}"
    )))
}

/// A name holds no `/`, but if one ever did, `*` should still match it.
fn glob(text: &Substituted<'_>) -> Result<Glob, TextFault> {
    if text.text.len() > LONGEST_GLOB {
        return Err(TextFault::Says(format!(
            "{} is longer than {LONGEST_GLOB} characters; shorten it with *, or split it into two entries",
            text.quoted()
        )));
    }
    let glob = GlobBuilder::new(&text.text).backslash_escape(true).build();
    glob.map_err(|error| {
        let fault = glob_fault(error.kind());
        TextFault::Says(format!("{} is not a glob: {fault}", text.quoted()))
    })
}

fn glob_fault(kind: &globset::ErrorKind) -> &'static str {
    use globset::ErrorKind::*;
    match kind {
        UnclosedClass => "a [ is not closed; close it with ], or write [[] for the character [",
        InvalidRange(..) => "a range in [] is reversed; write its lower end first, such as [a-z]",
        UnopenedAlternates => "a } has no { before it; write [}] for the character }",
        UnclosedAlternates => {
            "a { is not closed; close it with }, or write [{] for the character {"
        }
        DanglingEscape => "it ends with a backslash; write two for the character",
        _ => "write names with *, ?, [a-z] or {one,other}",
    }
}

/// Returns the characters outside of `[]` that a glob matches literally.
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

fn is_name_character(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_'
}

/// Returns the name as the service writes it in ARNs.
fn as_in_an_arn(glob: &str) -> String {
    let letter = |c: char| match c {
        c if c.is_ascii_uppercase() => c.to_ascii_lowercase(),
        c if is_name_character(c) || "*?[]{},!^\\".contains(c) => c,
        _ => '-',
    };
    glob.trim().chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_characters_of_a_glob_are_found() {
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
    fn name_is_written_as_in_arns() {
        assert_eq!(as_in_an_arn("Golden Linux"), "golden-linux");
        assert_eq!(as_in_an_arn("Golden *"), "golden-*");
        assert_eq!(as_in_an_arn(" golden.linux"), "golden-linux");
    }
}
