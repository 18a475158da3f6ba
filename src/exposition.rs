//! Renders `/metrics` from the table of metric families.
//!
//! Owns the names, HELP texts and order of everything on `/metrics`, both text formats, the frames
//! in which they are sent, and their compression. It has no part in HTTP. It reads a [`Scrape`]: the
//! snapshots and the exporter's own metrics at the moment when a scrape begins.
//!
//! The complete text is never in memory: [`Exposition::write`] continues where it stopped. So a
//! scrape uses a few frames for any number of steps.

mod buffers;
mod families;
mod finished;
mod frames;
mod gzip;
mod limit;
mod objects;
mod render;
mod scrape;
mod series;
mod shared;
mod sink;
mod steps;
mod text;

#[cfg(test)]
mod docs;
#[cfg(test)]
mod tests;

pub use buffers::{FRAME_SIZE, Next};
pub use frames::{Encoding, Frames};
pub use limit::{LimitedRecords, series_usage};
pub use render::Exposition;
pub use scrape::{Derived, Scrape, ScrapeSource};
pub use shared::SharedFrames;
pub use text::Format;
