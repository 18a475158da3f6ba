//! Reads a file into a checked [`Config`], or finds all of its problems.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::document;
use super::effective::effective;
use super::field::Field;
use super::keys::{Config, LISTED_STEP};
use super::limits;
use super::node::Value;
use super::problem::Problem;
use super::reading::{Place, Reading};
use super::section::{Kind, Settings, mapping};
use super::shape::{Section, Shape};
use super::source_file;
use super::step_files::StepFiles;

/// A configuration without mistakes.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    pub config: Config,
    /// Problems that do not prevent the use of the configuration.
    pub warnings: Vec<Problem>,
    /// The step files as they were read.
    pub step_files: StepFiles,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug)]
pub struct Invalid {
    pub problems: Vec<Problem>,
    /// The step files as they were read, up to the problems.
    pub step_files: StepFiles,
}

/// The text of a configuration, which can be read again when the step files that it names changed.
#[derive(Clone, Debug)]
pub struct Origin {
    name: String,
    bytes: Arc<[u8]>,
}

/// Identifies the text of a configuration, without holding it: a list of steps may be long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Origin {
    /// Returns the same value for the same name and text.
    pub fn fingerprint(&self) -> Fingerprint {
        let hash = BuildHasherDefault::<DefaultHasher>::new().hash_one((&self.name, &self.bytes));
        Fingerprint(hash)
    }

    /// Takes the content of the file at the path, or returns why it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Problem> {
        let name = path.display().to_string();
        match source_file::content(path) {
            Ok(bytes) => Ok(Self {
                name,
                bytes: bytes.into(),
            }),
            Err(message) => Err(Problem {
                file: name,
                line: 1,
                column: 1,
                message,
            }),
        }
    }

    /// Returns whether the path is that of a pipe, whose content can be read once.
    pub fn is_pipe(path: &Path) -> bool {
        source_file::is_pipe(path)
    }

    /// Takes the text as the content of a file of that name.
    pub fn text(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            bytes: text.as_bytes().into(),
        }
    }

    /// A target that follows every pipeline and image of the regions, with all defaults.
    pub fn everything_in(regions: &[String]) -> Self {
        let text = format!(
            "targets: [{{name: default, regions: {regions:?}, pipelines: [\"*\"], images: [\"*\"]}}]"
        );
        Self::text("--aws.region", &text)
    }

    /// Reads the text and the step files that it names. `env` returns the values of `${VAR}`.
    ///
    /// # Errors
    ///
    /// All problems, in their order.
    pub fn read(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Checked, Invalid> {
        let reading = Reading::new(env, self.folder(), Config::SECTION);
        let bytes = Ok(self.bytes.to_vec());
        let config = document(&reading, self.name.clone(), bytes, |top| {
            let config = file(top).filter(|_| reading.is_right())?;
            warn(&config, top);
            Some(config)
        });
        let Some(config) = config else {
            let (problems, step_files) = reading.done();
            return Err(Invalid {
                problems,
                step_files,
            });
        };
        let (warnings, step_files) = reading.done();
        Ok(Checked {
            config,
            warnings,
            step_files,
        })
    }

    /// What the paths of step files are relative to.
    fn folder(&self) -> PathBuf {
        let folder = Path::new(&self.name).parent();
        folder.unwrap_or(Path::new("")).to_owned()
    }
}

fn file(top: &Field<'_>) -> Option<Config> {
    match top.value {
        Value::Mapping(_) => {}
        Value::Null => return top.problem("the file is empty; add at least the key targets"),
        other => {
            return top.problem(format!(
                "the file must be a mapping with the keys {}, not {}",
                Config::SECTION.listed(),
                other.described()
            ));
        }
    }
    let mut config: Config = mapping().read(top)?;
    let interval = config.polling.interval;
    for target in &mut config.targets {
        for step in Arc::make_mut(&mut target.step_executions) {
            step.interval.take_if(|own| **own == interval);
        }
    }
    Some(config)
}

/// Notes problems that do not prevent the use of the configuration.
fn warn(config: &Config, top: &Field<'_>) {
    let entries = top.entries("a mapping").unwrap_or_default();
    let targets = entries.iter().find(|(name, _)| *name == "targets");
    let targets = targets.into_iter().flat_map(|(_, targets)| targets.items());
    let places: Vec<Place> = targets.map(|target| target.place).collect();
    for (place, warning) in limits::warnings(config, &places) {
        top.reading.note(place, warning, None);
    }
}

/// Describes the file, all of its sections and keys.
pub fn file_section() -> &'static Section {
    Config::SECTION
}

/// Describes an item of a step file.
pub fn step_shape() -> Shape {
    LISTED_STEP.shape()
}

impl Config {
    /// Writes the whole configuration as YAML, in the order of the reference.
    ///
    /// With its secrets filled in, it can be read and is the same. The exception is a target whose step
    /// files are empty: it has an empty list of steps.
    pub fn effective(&self) -> String {
        effective(self)
    }

    /// Reads the file at the path, as [`Origin::read`] does.
    pub fn load(
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Checked, Vec<Problem>> {
        let origin = Origin::load(path).map_err(|problem| vec![problem])?;
        origin.read(env).map_err(|invalid| invalid.problems)
    }

    /// Reads a text, as [`Origin::read`] does.
    pub fn read(
        file_name: &str,
        text: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Checked, Vec<Problem>> {
        let read = Origin::text(file_name, text).read(env);
        read.map_err(|invalid| invalid.problems)
    }
}
