//! Scenario files: the only reader of their YAML.

use std::fmt;
use std::path::Path;

use super::root::Scenario;

/// The scenario of `demo`, and of `simulate` without a file.
const DEMO: &str = include_str!("../../../../config/scenarios/demo.yaml");

/// The seed with which the demo scenario shows all that it promises.
pub const DEMO_SEED: u64 = 1;

/// The speed at which the demo scenario keeps moving for half an hour.
pub const DEMO_SPEED: f64 = 10.0;

/// What is wrong with a scenario: a line for each mistake, the file's name before it.
#[derive(Debug)]
pub struct ScenarioError {
    lines: Vec<String>,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    /// The built-in scenario that the demo runs.
    pub fn demo() -> Self {
        Self::parse(DEMO, "config/scenarios/demo.yaml")
            .expect("a test loads every shipped scenario")
    }

    /// # Errors
    ///
    /// The file cannot be read, or [`Self::parse`] refuses it.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ScenarioError {
            lines: vec![format!("{name}: the scenario cannot be read: {error}")],
        })?;
        Self::parse(&text, &name)
    }

    /// Reads YAML; `name` is the file's, for the messages.
    ///
    /// # Errors
    ///
    /// Not YAML, an unknown or missing key, a value of the wrong kind, or any of [`Self::check`].
    pub fn parse(text: &str, name: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = serde_yaml::from_str(text).map_err(|error| ScenarioError {
            lines: vec![format!("{name}: {error}")],
        })?;
        let mistakes = scenario.check();
        if mistakes.is_empty() {
            return Ok(scenario);
        }
        Err(ScenarioError {
            lines: mistakes
                .into_iter()
                .map(|mistake| format!("{name}: {mistake}"))
                .collect(),
        })
    }
}
