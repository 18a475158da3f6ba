//! The bodies of the fuzz targets, on their seeds, on changed seeds and on any bytes. `fuzz/` runs the
//! same ones for as long as wanted.

#[path = "../../fuzz/src/lib.rs"]
mod bodies;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders of a target's seeds; docs/development.md names the same ones.
fn folders(target: &str) -> Vec<PathBuf> {
    let mut folders = vec![root().join("fuzz/seeds").join(target)];
    if target == "configuration" {
        folders = vec![root().join("config"), root().join("tests/config/bad")];
    }
    folders
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folders = folders(target).into_iter();
    let entries = folders.flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// A change to bytes: some from a place on are cut, doubled, or replaced.
fn changed(mut bytes: Vec<u8>, changes: &[(Index, usize, u8, Vec<u8>)]) -> Vec<u8> {
    for (at, length, way, other) in changes {
        let at = at.index(bytes.len() + 1);
        let end = (at + length).min(bytes.len());
        match way {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => drop(bytes.splice(at..end, other.iter().copied())),
        }
    }
    bytes
}

fn check(target: &str) {
    let (_, body) = { bodies::ALL.iter() }
        .find(|(name, _)| *name == target)
        .unwrap();
    let seeds = seeds(target);
    assert!(!seeds.is_empty());
    for seed in &seeds {
        body(seed);
    }
    let change = (any::<Index>(), 0..40_usize, 0..4_u8, vec(any::<u8>(), 0..5));
    let of_a_seed = (proptest::sample::select(seeds), vec(change, 1..5))
        .prop_map(|(seed, changes)| changed(seed, &changes));
    let some = prop_oneof![3 => of_a_seed, 1 => vec(any::<u8>(), 0..200)];
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&some, |bytes| {
        body(&bytes);
        Ok(())
    });
    result.unwrap();
}

macro_rules! targets {
    ($($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )+

        #[test]
        fn each_body_has_a_test_and_a_target() {
            let bodies = BTreeSet::from(bodies::ALL.map(|(name, _)| name.to_owned()));
            let tests = [$(stringify!($name)),+].map(str::to_owned);
            assert_eq!(bodies, BTreeSet::from(tests));
            let targets = fs::read_dir(root().join("fuzz/fuzz_targets")).unwrap();
            let targets = targets.map(|target| target.unwrap().path());
            let names = targets.map(|path| path.file_stem().unwrap().display().to_string());
            assert_eq!(bodies, names.collect());
        }
    };
}

targets!(arns configuration label_values pieces requests responses timestamps web_configuration);
