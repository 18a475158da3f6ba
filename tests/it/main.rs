//! All integration tests are one binary: linking the AWS SDK takes longer than running them.

mod config;
mod demo;
mod lifecycle;
mod simulator;
mod support;
