//! All integration tests are one binary: linking the AWS SDK takes longer than running them.

#![allow(clippy::disallowed_methods, reason = "a test is where clocks are read")]

mod config;
mod demo;
mod http;
mod lifecycle;
mod oracle;
mod simulator;
mod support;
