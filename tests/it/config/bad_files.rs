//! One file for each kind of mistake, and what is told of it, to the letter.

use std::fs;
use std::path::PathBuf;

use imagebuilder_exporter::config::Config;

use super::{env, lines, root};
use crate::support::kept::assert_kept;

fn bad_files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("tests/config/bad"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_bad_file_is_told_its_mistakes_line_by_line() {
    let (yaml, rest): (Vec<_>, Vec<_>) = bad_files().into_iter().partition(|file| {
        file.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    assert!(yaml.len() >= 60, "only {} bad files are left", yaml.len());
    for expected in rest {
        assert_eq!(
            expected.extension().unwrap(),
            "expected",
            "{}",
            expected.display()
        );
        assert!(
            yaml.contains(&expected.with_extension("yaml")),
            "{} has no bad file",
            expected.display()
        );
    }
    for file in yaml {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let told = match Config::read(name, &text, &env) {
            Ok(_) => panic!("{name} is accepted"),
            Err(problems) => lines(&problems),
        };
        assert!(!told.contains("hunter2"), "a secret is told: {told}");
        assert_kept(&file.with_extension("expected"), &told, "UPDATE_EXPECTED");
    }
}

#[test]
fn every_bad_file_keeps_to_one_kind_of_mistake() {
    for file in bad_files() {
        let many = file.file_stem().unwrap() == "many_mistakes_at_once";
        if file.extension().unwrap() == "expected" {
            let count = fs::read_to_string(&file).unwrap().lines().count();
            assert!(
                if many {
                    count >= 20
                } else {
                    (1..=12).contains(&count)
                },
                "{}: {count}",
                file.display()
            );
        }
    }
}

/// Line ends and a byte order mark are no part of a file's positions.
#[test]
fn line_ends_of_another_system_move_nothing() {
    let directory = root().join("tests/config/bad");
    let text = fs::read_to_string(directory.join("many_mistakes_at_once.yaml")).unwrap();
    let told = fs::read_to_string(directory.join("many_mistakes_at_once.expected")).unwrap();
    for text in [text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
        let problems = Config::read("many_mistakes_at_once.yaml", &text, &env).unwrap_err();
        assert_eq!(lines(&problems), told);
    }
}
