//! The structure of the sources: who may import whom, and how large a file is.
//!
//! Each file can be read with what it imports and nothing else. So no import leads in a circle, neither
//! from file to file nor between neighbours, each taken together with all that is below it:
//!
//! - A file imports another where it names, in a `use` or within a path, something that the other one
//!   defines. A name that a third file hands on by `pub use` counts for the file that defines it.
//! - A parent that only declares a module, or hands on its items by `pub use`, does not import it.
//! - A module does import its parent where it uses an item that the parent defines.
//! - A file that calls a method of its own type imports the file that has the method.

mod graph;
mod sizes;
mod source;

use std::collections::BTreeMap;

use graph::circles;
use source::{PACKAGES, Package};

/// For each module, the others it may import. `app`, `demo` and the binary know every part. `model`
/// and `simulator` are packages of their own, whose imports cargo restricts.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("api", &["clock", "model"]),
    ("aws", &["api", "clock", "config", "model"]),
    ("baseline", &["config", "labels", "model", "snapshot"]),
    ("cli", &["http", "model", "shard", "simulator", "status"]),
    ("clock", &["model"]),
    ("config", &["clock", "labels", "model"]),
    (
        "doctor",
        &[
            "api", "aws", "baseline", "clock", "config", "model", "poller", "tracker",
        ],
    ),
    (
        "exposition",
        &[
            "baseline",
            "config",
            "family",
            "finished",
            "labels",
            "model",
            "pieces",
            "self_metrics",
            "snapshot",
        ],
    ),
    ("family", &[]),
    ("finished", &["clock", "labels", "model", "snapshot"]),
    ("health", &["api", "clock", "model"]),
    (
        "http",
        &["clock", "config", "exposition", "model", "status"],
    ),
    ("labels", &[]),
    ("logging", &["cli"]),
    ("pieces", &[]),
    (
        "poller",
        &[
            "api",
            "baseline",
            "clock",
            "config",
            "finished",
            "health",
            "labels",
            "model",
            "self_metrics",
            "snapshot",
            "tracker",
        ],
    ),
    ("self_metrics", &["api", "family", "labels", "model"]),
    ("shard", &["config"]),
    ("signals", &[]),
    ("simulate", &["clock", "simulator"]),
    ("snapshot", &["api", "labels", "model", "pieces"]),
    (
        "status",
        &["api", "baseline", "health", "labels", "model", "snapshot"],
    ),
    (
        "tracker",
        &["api", "clock", "config", "labels", "model", "snapshot"],
    ),
];
const KNOW_ALL: [&str; 2] = ["app", "demo"];

#[test]
fn no_module_imports_from_a_later_stage() {
    let exporter = exporter();
    let mut wrong = Vec::new();
    let graph = exporter.siblings(&exporter.uses(), 0);
    for (module, imported) in &graph {
        if KNOW_ALL.contains(&module.as_str()) {
            continue;
        }
        let allowed = MAY_IMPORT.iter().find(|(name, _)| name == module);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("no rule for {module}"));
        let crates = exporter.crates(exporter.modules[0].children[module]);
        let crates = crates
            .iter()
            .map(|name| name.trim_start_matches("imagebuilder_"));
        for other in imported.iter().map(String::as_str).chain(crates) {
            if !allowed.contains(&other) {
                wrong.push(format!("{module} imports {other}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(graph.len(), MAY_IMPORT.len() + KNOW_ALL.len());
}

#[test]
fn no_import_leads_from_file_to_file_in_a_circle() {
    let mut found = BTreeMap::new();
    for package in &*PACKAGES {
        found.extend(circles(&package.files(&package.uses())));
    }
    assert_none(&found);
}

#[test]
fn no_import_leads_from_neighbour_to_neighbour_in_a_circle() {
    let mut found = BTreeMap::new();
    for package in &*PACKAGES {
        let uses = package.uses();
        for (parent, module) in package.modules.iter().enumerate() {
            for (name, way) in circles(&package.siblings(&uses, parent)) {
                found.insert(format!("{}: {name}", module.file), way);
            }
        }
    }
    assert_none(&found);
}

fn assert_none(found: &BTreeMap<String, String>) {
    let found: Vec<String> = found
        .iter()
        .map(|(what, why)| format!("{what}: {why}"))
        .collect();
    assert!(found.is_empty(), "not allowed:\n{}", found.join("\n"));
}

fn exporter() -> &'static Package {
    let mut packages = PACKAGES.iter();
    let is_exporter = |package: &&Package| package.modules[0].file == "src/lib.rs";
    packages.find(is_exporter).expect("the root is a package")
}
