//! What the server asks of the program.

use std::future::Future;
use std::pin::Pin;

use crate::exposition::Scrape;
use crate::status::Known;

/// A reload under way: why it was refused, where it was.
pub type Reload = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// What the server asks of the program. Nothing here may wait for a poll.
pub trait Exporter: Send + Sync + 'static {
    /// What is known now.
    fn scrape(&self) -> Scrape;

    /// What is known now, for the status page.
    fn status(&self) -> Known;

    /// Whether everything listed was tried once.
    fn ready(&self) -> bool;

    /// The configuration in force as YAML, without its secrets.
    fn config(&self) -> String;

    /// Begins to read the configuration again; `None` where that may not be asked for over HTTP.
    /// It is run to its end, also where who asked for it has gone.
    fn reload(&self) -> Option<Reload>;
}
