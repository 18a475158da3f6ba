//! Defines the interface through which the server uses the program.

use std::future::Future;
use std::pin::Pin;

use crate::exposition::Scrape;
use crate::status::Known;

/// A reload in progress, which returns the reason if it is refused.
pub type Reload = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// The functions that the server calls. None of them may wait for a poll.
pub trait Exporter: Send + Sync + 'static {
    /// Returns the data of a scrape at this moment.
    fn scrape(&self) -> Scrape;

    /// Returns the data of the status page at this moment.
    fn status(&self) -> Known;

    /// Returns whether the first attempt of every target has ended.
    fn ready(&self) -> bool;

    /// Returns the effective configuration as YAML, without its secrets.
    fn config(&self) -> String;

    /// Counts a panic during a request.
    fn panicked(&self);

    /// Starts a reload; `None` if reloads over HTTP are disabled. The server runs it to its end, also
    /// if the client disconnects.
    fn reload(&self) -> Option<Reload>;
}
