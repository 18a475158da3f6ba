//! What is known, as text for Prometheus: the one table of families and how its rows become bytes.
//!
//! Owns the names, meanings and order of everything on `/metrics`, both text formats, the frames
//! they are sent in and their compression. Knows nothing of HTTP. Reads a [`Scrape`], which the
//! program takes from the store and from `self_metrics` when a scrape begins.
//!
//! The text is never there as a whole: [`Exposition::write`] goes on where it stopped, so a scrape
//! holds a few frames, however many steps there are.

mod buffers;
mod families;
mod finished;
mod frames;
mod gzip;
mod objects;
mod render;
mod scrape;
mod series;
mod steps;
mod text;

#[cfg(test)]
mod docs;
#[cfg(test)]
mod tests;

pub use buffers::{FRAME_SIZE, FramePool};
pub use frames::{Encoding, Frames, Next};
pub use render::Exposition;
pub use scrape::{Scrape, ScrapeSource};
pub use text::Format;
