//! What follows the workflows of a build without a workflow, and images that are imported.

use serde::Deserialize;

use super::span::{Range, Span};
use super::step::Outcome;

/// `ImageConfigurationStep` of the service's model.
pub(crate) const CONFIGURATION_STEPS: [&str; 5] = [
    "ASSOCIATE_LICENSES",
    "UPDATE_LAUNCH_TEMPLATES",
    "PUT_SSM_PARAMETERS",
    "UPDATE_FAST_LAUNCH_CONFIGURATIONS",
    "EXPORT_AMI",
];

/// A region and account that an image is distributed to.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Destination {
    pub(crate) region: String,
    /// The pipeline's if absent.
    #[serde(default)]
    pub(crate) account: Option<String>,
    #[serde(default)]
    pub(crate) outcome: Outcome,
    /// Outcomes of one build after the other, instead of `outcome`.
    #[serde(default)]
    pub(crate) in_turn: Vec<Outcome>,
    /// The outcome when the build is retried; completed if absent.
    #[serde(default)]
    pub(crate) retry_outcome: Outcome,
    /// The part of the distribution that fails.
    #[serde(default)]
    pub(crate) configuration_step: Option<String>,
    #[serde(default = "refused")]
    pub(crate) error: String,
}

impl Destination {
    /// The outcome in a run of a build, both counted from 0.
    pub(crate) fn outcome(&self, build: u32, run: u8) -> Outcome {
        match self.in_turn.len() {
            _ if run > 0 => self.retry_outcome,
            0 => self.outcome,
            count => self.in_turn[build as usize % count],
        }
    }
}

/// How the integration of an image ends, such as the update of launch templates.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Integration {
    /// Outcomes of one build after the other.
    pub(crate) in_turn: Vec<Outcome>,
    pub(crate) error: String,
}

/// An image that is imported and not built from a recipe.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Import {
    pub(crate) build_type: BuildType,
    #[serde(default = "import_duration")]
    pub(crate) duration: Range,
    /// The reason of an import that fails.
    #[serde(default)]
    pub(crate) error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum BuildType {
    Import,
    ImportIso,
}

impl BuildType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Import => "IMPORT",
            Self::ImportIso => "IMPORT_ISO",
        }
    }
}

fn refused() -> String {
    "The target account does not trust the role EC2ImageBuilderDistributionCrossAccountRole."
        .to_owned()
}

fn import_duration() -> Range {
    Range::between(Span::from_secs(20 * 60), Span::from_secs(40 * 60))
}
