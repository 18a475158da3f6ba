//! Reads the configuration file into a [`Config`], which holds only valid values.
//!
//! Owns the syntax of the file, its defaults, and the error of each mistake that needs no AWS call.
//! Has no part in AWS clients or polling. `app`, `cli` and `doctor` call it.
//!
//! Data flows one way: text -> `tree` -> `section` with the rules of each key -> [`Config`] ->
//! `effective` -> `yaml`. In reading order:
//!
//! 1. `read` reads a file, within the bounds of `source_file`; `check` is the command `check-config`.
//! 2. `keys` declares every key; `target`, `names`, `labels`, `files`, `lists` and `values` define the
//!    values of keys. `limits` makes the warnings.
//! 3. `section`, `field`, `document` and `reading` read keys.
//! 4. `tree`, `node`, `syntax` and `surrogates` parse YAML and name mistakes in it.
//! 5. `effective` and `yaml` write a configuration.
//! 6. `web` reads the web configuration file with the same parts.

mod check;
mod document;
mod effective;
mod endpoint;
mod field;
mod files;
mod indicator;
mod keys;
mod labels;
mod limits;
mod lists;
mod names;
mod node;
mod problem;
mod read;
mod reading;
mod section;
pub mod shape;
mod source_file;
mod step_files;
mod substitution;
mod suggestion;
mod surrogates;
mod syntax;
mod target;
mod tree;
mod values;
mod web;
mod yaml;

pub use check::check_config;
pub use keys::{
    AssumeRole, BaselineExclude, BaselineSettings, Config, DurationBudget, Exclude, ListedStep,
    Metrics, Polling, RateLimit, StatusFormat, Target,
};
pub use labels::TagLabel;
pub use limits::LimitKey;
pub use problem::{MISSING_FILE, Problem};
pub use read::{Checked, Fingerprint, Invalid, Origin, file_section, step_shape};
pub use step_files::StepFiles;
pub use target::PipelineSelector;
pub use web::{
    ClientAuth, HttpServerConfig, PasswordHash, Pem, TlsServerConfig, TlsVersion, Web, WebConfig,
    WebRateLimit,
};
