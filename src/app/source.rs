//! The source of the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::ConfigArgs;

/// Looks up an environment variable.
pub type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The source from which the configuration is read, at the start and at each reload.
#[derive(Clone, Debug)]
pub enum ConfigSource {
    File(PathBuf),
    Text {
        name: &'static str,
        text: &'static str,
    },
    /// No file: every pipeline and image of these regions, with the default credentials.
    Regions(Vec<String>),
}

impl ConfigSource {
    /// Returns the name of the source in messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text { name, .. } => (*name).to_owned(),
            Self::Regions(_) => "--aws.region".to_owned(),
        }
    }
}

impl From<ConfigArgs> for ConfigSource {
    fn from(args: ConfigArgs) -> Self {
        match args.aws_regions.is_empty() {
            true => Self::File(args.config_file),
            false => Self::Regions(args.aws_regions),
        }
    }
}
