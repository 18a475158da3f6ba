//! All integration tests are one binary: linking the AWS SDK takes longer than running them.

#![allow(clippy::disallowed_methods, reason = "a test is where clocks are read")]

mod cli;
mod config;
mod demo;
mod faults;
mod http;
mod lifecycle;
mod metrics;
mod oracle;
mod process;
mod simulator;
mod stop;
mod support;
