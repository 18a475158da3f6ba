//! The status page and its JSON: each target's health, and each step of each image build.
//!
//! Owns the selection and order of what is shown, and both formats. Reads [`Known`], which `app`
//! takes from the snapshots for each request, and a [`Query`]. It changes nothing and makes no
//! calls. `http` sends the results of [`page()`] and [`json()`].
//!
//! `builds` groups the steps by execution and build, and `selection` applies the query. All text of
//! the service or of an error is untrusted: `text` makes it safe to show.

pub mod assets;
mod builds;
mod console;
mod failure;
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
