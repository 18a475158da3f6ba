//! The kind of a list of step files, which are read with the file that names them.

use std::collections::HashSet;

use super::document::document;
use super::field::Field;
use super::node::Value;
use super::reading::Reading;
use super::section::Kind;
use super::shape::{Rule, Shape};
use super::step_files::{Pattern, StepFile};
use super::values::text;
use super::yaml::Yaml;

/// Files with lists of step executions.
pub(super) struct StepLists<K>(pub K);

const PATH: &str = "a path, such as steps.d/*.yaml";

impl<K: Kind> Kind for StepLists<K> {
    /// The items of all files. A file that several patterns name is read once.
    type Value = Vec<K::Value>;

    fn read(&self, field: &Field<'_>) -> Option<Self::Value> {
        let mut own = HashSet::new();
        let wanted = "a list of paths, such as [\"steps.d/*.yaml\"]";
        let steps = field.each(wanted, |item| {
            let mut files = files(item)?;
            files.retain(|file| own.insert(file.path.clone()));
            let read: Vec<Option<Self::Value>> = files
                .into_iter()
                .map(|file| {
                    let path = file.path.display().to_string();
                    let repeated =
                        format!("another target names {path} too; remove it from one of them");
                    item.once("step files", path, &repeated)?;
                    self.read_file(file, item.reading)
                })
                .collect();
            read.into_iter().collect::<Option<Vec<_>>>()
        })?;
        if steps.is_empty() {
            return field.problem("is empty; list at least one path, such as steps.d/*.yaml");
        }
        Some(steps.into_iter().flatten().flatten().collect())
    }

    fn write(&self, value: &Self::Value) -> Yaml {
        value.iter().map(|value| self.0.write(value)).collect()
    }

    fn shape(&self) -> Shape {
        let rule = Rule::string(
            r"^([^*?[{]*/)?[^/]+$",
            "a path such as steps.d/*.yaml, with wildcards only in the file name",
        );
        Shape::List {
            of: Box::new(Shape::Text(rule)),
            least: 1,
            most: None,
            // Two patterns may name one file.
            unique: false,
        }
    }
}

impl<K: Kind> StepLists<K> {
    fn read_file(&self, file: StepFile, reading: &Reading<'_>) -> Option<Vec<K::Value>> {
        let name = file.path.display().to_string();
        document(reading, name, file.bytes, |top| {
            match top.value {
            Value::Sequence(_) => top.each("a list", |item| self.0.read(item)),
            // So looks what is just being written, too.
            Value::Null => top.problem(
                "the file is empty; write a list of step executions, or [] if there are none",
            ),
            other => top.problem(format!(
                "the file must be a list of step executions, where each item begins with a dash, not {}",
                other.described()
            )),
        }
        })
    }
}

/// Finds the files that a pattern names.
fn files(item: &Field<'_>) -> Option<Vec<StepFile>> {
    let text = text(item, PATH)?;
    match Pattern::new(&item.reading.folder, &text.text) {
        Ok(pattern) => match item.reading.step_files(pattern) {
            Ok(files) => Some(files),
            Err(fault) => item.problem(fault),
        },
        Err(fault) => item.problem(format!("{} {fault}", text.quoted())),
    }
}
