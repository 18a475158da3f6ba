//! How much a reader has to take in at once: a file, a function, the methods of a type.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::assert_none;
use super::graph::Target;
use super::source::{PACKAGES, Package, path_in_workspace, workspace};

const MOST_LINES: usize = 400;
const MOST_FILES_OF_METHODS: usize = 2;
const SOURCES: [&str; 5] = ["benches", "crates", "deploy", "src", "tests"];

#[test]
fn no_file_is_longer_than_a_reader_can_take_in() {
    let mut found = BTreeMap::new();
    each_source(|file, text| {
        let lines = text.lines().count();
        if lines > MOST_LINES {
            found.insert(file, format!("{lines} lines"));
        }
    });
    assert_none(&found);
}

#[test]
fn no_function_is_allowed_more_lines_than_the_lint_allows() {
    // In two pieces, so that this file is not found.
    let exception = ["clippy::too_many", "_lines"].concat();
    let mut found = BTreeMap::new();
    each_source(|file, text| {
        if text.contains(&exception) {
            found.insert(file, format!("an exception from {exception}"));
        }
    });
    assert_none(&found);
}

#[test]
fn no_type_has_its_methods_in_more_than_two_files() {
    let mut found = BTreeMap::new();
    for package in &*PACKAGES {
        for (name, files) in files_of_methods(package) {
            if files.len() > MOST_FILES_OF_METHODS {
                found.insert(name, format!("{files:?}"));
            }
        }
    }
    assert_none(&found);
}

/// For each type, named by the file that defines it, the files with methods of it.
fn files_of_methods(package: &Package) -> BTreeMap<String, BTreeSet<&str>> {
    let mut types: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (at, module) in package.modules.iter().enumerate() {
        for block in &module.impls {
            let Some(Target::Item(home)) = package.resolve(at, &block.of) else {
                continue;
            };
            let home = &package.modules[home].file;
            let name = block.of.last().map_or("", String::as_str);
            let files = types.entry(format!("{home}: {name}")).or_default();
            files.insert(&module.file);
        }
    }
    types
}

fn each_source(mut look: impl FnMut(String, &str)) {
    for folder in SOURCES {
        each_below(&workspace().join(folder), &mut look);
    }
}

fn each_below(folder: &Path, look: &mut impl FnMut(String, &str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_below(&path, look);
        } else if path
            .extension()
            .is_some_and(|kind| kind == "rs" || kind == "py")
        {
            look(
                path_in_workspace(&path),
                &fs::read_to_string(&path).unwrap(),
            );
        }
    }
}
