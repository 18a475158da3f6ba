//! All integration tests are one binary: linking the AWS SDK takes longer than running them.

#![allow(clippy::disallowed_methods, reason = "a test is where clocks are read")]

mod cli;
mod commands;
mod config;
mod credentials;
mod demo;
mod discovery;
mod economy;
mod faults;
mod finished;
mod http;
mod layers;
mod lifecycle;
mod lists;
mod logs;
mod metrics;
mod oracle;
mod process;
mod ready;
mod regions;
mod reload;
mod simulation;
mod simulator;
mod status;
mod step_files;
mod stop;
mod support;
