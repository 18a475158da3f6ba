//! Knows how long each step usually takes, and from when on it is slow.

pub mod rule;
