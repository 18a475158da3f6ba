//! `${VAR}`, `${VAR:-default}` and `$$` in string values.

use std::borrow::Cow;

use super::node::quoted;

/// Text after substitution.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Substituted<'a> {
    pub text: Cow<'a, str>,
    /// As in the file. Messages quote this alone: a value of the environment may be a secret.
    pub written: &'a str,
    /// Whether some of it may come from the environment.
    pub from_environment: bool,
}

impl Substituted<'_> {
    /// The text as a message quotes it.
    pub(super) fn quoted(&self) -> String {
        quoted(self.written)
    }
}

/// Replaces variables, or returns all mistakes; none of them repeats a value of the environment.
///
/// A dollar sign before anything but `$`, `{`, a letter or `_` is literal. `$NAME` is refused: it is
/// probably meant as `${NAME}`. A default has no `}`, and nothing in it is replaced.
pub(super) fn substitute<'a>(
    written: &'a str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Substituted<'a>, Vec<String>> {
    let mut rest = match written.find('$') {
        None => {
            return Ok(Substituted {
                text: Cow::Borrowed(written),
                written,
                from_environment: false,
            });
        }
        Some(_) => written,
    };
    let mut text = String::with_capacity(written.len());
    let mut from_environment = false;
    let mut faults = Vec::new();
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.chars().next() {
            Some('$') => {
                text.push('$');
                rest = &rest[1..];
            }
            Some('{') => {
                let Some(end) = rest.find('}') else {
                    faults.push("a ${ is not closed; write ${VAR} or ${VAR:-default}, or $${ for the characters ${".to_owned());
                    rest = "";
                    break;
                };
                from_environment = true;
                match reference(&rest[1..end], env) {
                    Ok(value) => text.push_str(&value),
                    Err(fault) => faults.push(fault),
                }
                rest = &rest[end + 1..];
            }
            Some(next) if next.is_ascii_alphabetic() || next == '_' => {
                let end = rest
                    .find(|c: char| !is_name_character(c))
                    .unwrap_or(rest.len());
                let name = &rest[..end];
                faults.push(format!(
                    "${name} is not replaced; write ${{{name}}} for the environment variable, or $${name} for the characters ${name}"
                ));
                rest = &rest[end..];
            }
            _ => text.push('$'),
        }
    }
    text.push_str(rest);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Substituted {
        text: Cow::Owned(text),
        written,
        from_environment,
    })
}

/// Replaces the text between the braces: `VAR` or `VAR:-default`.
fn reference(inner: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    if !is_name(name) {
        return Err(format!(
            "${{{inner}}} is not a valid variable; write ${{VAR}} or ${{VAR:-default}}, where VAR has letters, digits and _, and begins with no digit"
        ));
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err(format!(
            "${{{inner}}}}} has a variable in its default, which is never replaced; write a literal default"
        ));
    }
    match (env(name), default) {
        // As in a shell, the default replaces an empty variable too.
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(format!(
            "${{{name}}} is not set in the environment; set it, or write a default: ${{{name}:-default}}"
        )),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(is_name_character)
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "TEAM" => Some("platform".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn text(written: &str) -> String {
        substitute(written, &env).unwrap().text.into_owned()
    }

    #[test]
    fn variables_and_defaults_are_replaced() {
        assert_eq!(text("a-${TEAM}-b"), "a-platform-b");
        assert_eq!(text("${TEAM}${TEAM:-x}"), "platformplatform");
        assert_eq!(text("${ABSENT:-x y}"), "x y");
        assert_eq!(text("${EMPTY:-x}"), "x");
        assert_eq!(text("${EMPTY}"), "");
        assert_eq!(text("${ABSENT:-}"), "");
    }

    #[test]
    fn two_dollars_are_one_and_a_lone_one_stays() {
        assert_eq!(text("$$"), "$");
        assert_eq!(text("$${TEAM}"), "${TEAM}");
        assert_eq!(text("$$${TEAM}"), "$platform");
        assert_eq!(text("5$ or $5$"), "5$ or $5$");
    }

    #[test]
    fn only_braces_read_the_environment() {
        assert!(!substitute("a$$b", &env).unwrap().from_environment);
        assert!(substitute("${ABSENT:-b}", &env).unwrap().from_environment);
    }

    #[test]
    fn every_mistake_of_a_value_is_an_error() {
        let faults = substitute("${ONE} ${TEAM} ${TWO} $THREE ${4}${", &env).unwrap_err();
        assert_eq!(faults.len(), 5, "{faults:#?}");
    }

    proptest! {
        #[test]
        fn doubled_dollars_give_the_text_back(text in ".*") {
            let written = text.replace('$', "$$");
            let read = substitute(&written, &env).unwrap();
            prop_assert_eq!(read.text, text);
        }

        #[test]
        fn a_value_of_the_environment_is_taken_as_it_is(value in ".*") {
            let read = substitute("<${X}>", &|_| Some(value.clone())).unwrap().text.into_owned();
            prop_assert_eq!(read, format!("<{value}>"));
        }

        #[test]
        fn no_text_panics(written in "[${}:a-]*") {
            let _ = substitute(&written, &env);
        }
    }
}
