//! The configuration file, read into a [`Config`] in which nothing invalid exists.
//!
//! Owns the file's syntax, its defaults and every mistake that the file alone shows.
//! Knows nothing of AWS clients or of what is polled when.
//!
//! Data flows one way: text -> `tree` -> `section` with the rules of each key -> [`Config`] ->
//! `effective`. In reading order: `read` (the whole way); `keys` (every key, each declared once); `target`,
//! `names`, `labels`, `files`, `lists` and `values` (what keys hold); `limits` (what is warned of);
//! `section`, `field`, `document` and `reading` (how keys are read); `tree`, `node` and `syntax` (from
//! text to values, and what is not even YAML); `effective` (the configuration as text).

mod check;
mod document;
mod effective;
mod endpoint;
mod field;
mod files;
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
mod step_files;
mod substitution;
mod suggestion;
mod syntax;
mod target;
mod tree;
mod values;

pub use check::check_config;
pub use keys::{
    AssumeRole, Config, DurationBudget, Exclude, ListedStep, Metrics, Polling, RateLimit,
    StatusFormat, Target,
};
pub use labels::TagLabel;
pub use limits::LimitKey;
pub use problem::{MISSING_FILE, Problem};
pub use read::{Checked, Origin, file_section, step_shape};
pub use step_files::StepFiles;
pub use target::PipelineSelector;
