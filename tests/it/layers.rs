//! The way of the data is one way: which module may know which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// For each module, the others it may import. `app`, `demo` and the binary know every part. `model`
/// and `simulator` are packages of their own, whose imports cargo restricts.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("api", &["clock", "config", "model"]),
    ("cli", &["model", "shard", "simulator", "status"]),
    ("clock", &["model"]),
    ("config", &["model"]),
    ("doctor", &["api", "clock", "config", "model", "schedule"]),
    (
        "exposition",
        &[
            "config",
            "family",
            "finished",
            "labels",
            "model",
            "self_metrics",
            "store",
        ],
    ),
    ("family", &[]),
    ("finished", &["labels", "model", "store"]),
    ("http", &["exposition", "status"]),
    ("labels", &[]),
    ("logging", &["cli"]),
    (
        "schedule",
        &[
            "api",
            "clock",
            "config",
            "finished",
            "labels",
            "model",
            "self_metrics",
            "store",
        ],
    ),
    ("self_metrics", &["api", "family", "model"]),
    ("shard", &["config"]),
    ("simulate", &["clock", "simulator"]),
    ("status", &["api", "labels", "model", "store"]),
    ("store", &["api", "labels", "model"]),
];
const KNOW_ALL: [&str; 2] = ["app", "demo"];

#[test]
fn no_module_imports_from_a_later_stage() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in sources(&root) {
        let module = module_of(&root, &file);
        if ["lib", "main"].contains(&module.as_str()) || is_test(&file) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("sources can be read");
        let code = text
            .split("\n#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        imports.entry(module).or_default().extend(imported(code));
    }
    let mut wrong = Vec::new();
    for (module, imported) in &imports {
        if KNOW_ALL.contains(&module.as_str()) {
            continue;
        }
        let allowed = MAY_IMPORT.iter().find(|(name, _)| name == module);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("no rule for {module}"));
        for other in imported {
            if other != module && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{module} imports {other}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(imports.len(), MAY_IMPORT.len() + KNOW_ALL.len());
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn module_of(root: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(root).expect("it is inside");
    let first = inside.components().next().expect("it has a name");
    let name = first.as_os_str().to_string_lossy();
    name.trim_end_matches(".rs").to_owned()
}

/// A file of tests alone may compare with whatever it likes.
fn is_test(file: &Path) -> bool {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    name == "tests"
        || name == "docs"
        || file
            .parent()
            .is_some_and(|folder| folder.ends_with("tests"))
}

/// The modules named after `crate::`, also in nested imports.
fn imported(code: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let names: Vec<&str> = match after.strip_prefix('{') {
            Some(nested) => nested
                .split('}')
                .next()
                .unwrap_or_default()
                .split(',')
                .collect(),
            None => vec![after],
        };
        for name in names {
            let name: String = name
                .trim()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            modules.insert(name);
        }
    }
    modules
}
