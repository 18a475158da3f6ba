//! What a person is shown: each target's health, and each step of each image build.
//!
//! Owns the choice and order of what is shown, the status page and its JSON; changes nothing and
//! calls nobody. Reads [`Known`], which the program takes from the stores when somebody asks, and a
//! [`Query`], which is what they ask for. `http` sends what [`page()`] and [`json()`] make of it.
//!
//! `builds` groups what belongs together, `selection` picks what the query asks for. All text of the
//! service or of an error is untrusted: `text` says what of it is shown.

pub mod assets;
mod builds;
mod console;
mod json;
mod known;
mod page;
mod query;
mod selection;
mod site;
mod text;
mod time;

#[cfg(test)]
mod tests;

pub use json::json;
pub use known::{Known, StatusSource};
pub use page::page;
pub use query::Query;
pub use selection::Status;
pub use site::{CONFIG_PATH, ExternalUrl, JSON_PATH, PAGE_PATH, Site};
