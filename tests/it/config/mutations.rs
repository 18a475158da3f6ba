//! Whatever a text holds, it is read or refused, and what is told of it has a place.

use std::process::Command;

use imagebuilder_exporter::config::Problem;
use proptest::prelude::*;

use super::{lines, read};
use crate::process::Files;

const TOO_MANY: &str = "the file has more than 500000 values up to here, with those that aliases \
    (*name) repeat; select pipelines or images in place of single steps, or remove aliases";

/// A change to a text: what stands at a place is cut, doubled or replaced by something YAML minds.
fn mutated(text: &str, changes: &[(usize, usize, u8)]) -> String {
    const PIECES: [&str; 24] = [
        "\n", "  ", "\t", ":", ": ", "- ", "[", "]", "{", "}", "\"", "'", "#", " #", "&a ", "*a",
        "!t ", "|", ">", "---\n", "${", "\u{feff}", "é", "\r\n",
    ];
    let mut text: Vec<char> = text.chars().collect();
    for (at, length, piece) in changes {
        let at = at % (text.len() + 1);
        let end = (at + length).min(text.len());
        match piece {
            0..32 => drop(text.drain(at..end)),
            32..64 => {
                let copy: Vec<char> = text[at..end].to_vec();
                text.splice(at..at, copy);
            }
            _ => drop(text.splice(at..at, PIECES[usize::from(*piece) % PIECES.len()].chars())),
        }
    }
    text.into_iter().collect()
}

fn assert_told_well(text: &str) -> Result<(), TestCaseError> {
    let problems = match read(text) {
        Ok(checked) => checked.warnings,
        Err(problems) => {
            prop_assert!(!problems.is_empty());
            problems
        }
    };
    // A pattern may have come to name whatever file.
    for problem in problems.into_iter().filter(|p| p.file == "file.yaml") {
        // YAML ends a line with a lone carriage return too.
        let lines = text.split(['\n', '\r']).count();
        prop_assert!((1..=lines + 1).contains(&problem.line), "{}", problem);
        prop_assert!(problem.column >= 1);
        prop_assert!(
            !problem.message.is_empty() && !problem.message.contains('\n'),
            "{}",
            problem
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_file_with_slips_never_panics(changes in prop::collection::vec((any::<usize>(), 0_usize..40, any::<u8>()), 1..6)) {
        let valid = include_str!("../../../config/imagebuilder_exporter.yaml");
        assert_told_well(&mutated(valid, &changes))?;
    }

    #[test]
    fn a_bad_file_with_more_slips_never_panics(changes in prop::collection::vec((any::<usize>(), 0_usize..40, any::<u8>()), 0..6)) {
        let bad = include_str!("../../config/bad/many_mistakes_at_once.yaml");
        assert_told_well(&mutated(bad, &changes))?;
    }

    #[test]
    fn no_text_panics(text in "[a-c:{}\\[\\],&*!|>'\"#%@$\\-? \\n\\t\\r\u{feff}é]*") {
        assert_told_well(&text)?;
    }
}

#[test]
fn no_depth_of_nesting_panics() {
    for text in [
        "[".repeat(2_000),
        "{a: ".repeat(2_000),
        "- ".repeat(2_000),
        "? ".repeat(2_000),
    ] {
        assert!(read(&text).is_err());
    }
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let list = vec![format!("*a{}", n - 1); 10].join(", ");
        text += &format!("a{n}: &a{n} [{list}]\n");
    }
    let problems = read(&text).unwrap_err();
    assert_eq!(lines(&problems), format!("file.yaml:6:25: {TOO_MANY}\n"));
}

#[test]
fn file_with_too_many_values_is_refused_at_the_first_of_them() {
    let list = |count: usize| format!("[{}]", "a,".repeat(count));
    let least = |problems: Vec<Problem>| lines(&problems[..1]);
    // The list itself is a value too.
    let problems = read(&list(499_999)).unwrap_err();
    assert!(least(problems).starts_with("file.yaml:1:1: the file must be a mapping"));
    for (text, place) in [
        (list(30_000_000), "1:1000001"),
        (list(500_000), "1:1000001"),
        ("- a\n".repeat(500_000), "1:1"),
        ("- a\n".repeat(500_001), "500001:1"),
        ("a: b\n".repeat(250_001), "250001:1"),
    ] {
        let problems = read(&text).unwrap_err();
        assert_eq!(least(problems), format!("file.yaml:{place}: {TOO_MANY}\n"));
    }
}

/// The parser would need gigabytes for it.
#[test]
fn long_list_in_brackets_is_refused_within_little_memory() {
    let files = Files::new();
    let file = files.write("list.yaml", &format!("[{}]", "a,".repeat(30 << 20)));
    let limited = "ulimit -v 1000000 && exec \"$0\" check-config \"$1\"";
    let program = env!("CARGO_BIN_EXE_imagebuilder_exporter");
    let command = [limited, program, file.to_str().unwrap()];
    let checked = Command::new("sh").arg("-c").args(command).output().unwrap();
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(said.contains(TOO_MANY), "{said}");
    assert_eq!(checked.status.code(), Some(1));
}
