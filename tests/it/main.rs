//! All integration tests are one binary: linking the AWS SDK takes longer than running them.
//!
//! Most run the program as its users do: as a process, asked over HTTP, polling the simulator,
//! which runs here, through the real SDK. `config` reads files, `lifecycle` plays scripts on the
//! paused clock, `demo` and `simulator` ask the simulator: all without a process.

mod cli;
mod commands;
mod config;
mod credentials;
mod demo;
mod faults;
mod lifecycle;
mod logs;
mod metrics;
mod process;
mod ready;
mod reload;
mod simulator;
mod stop;
mod support;
