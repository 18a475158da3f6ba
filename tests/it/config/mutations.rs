//! Whatever a text holds, it is read or refused, and what is told of it has a place.

use proptest::prelude::*;

use super::{lines, read};

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
    assert_eq!(
        lines(&problems),
        "file.yaml:1:1: aliases (*name) repeat too much of the file; write the values instead\n"
    );
}
