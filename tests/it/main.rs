//! All integration tests are one binary: linking the AWS SDK takes longer than running them.
//!
//! Those beside `config` run the program as its users do: as a process, asked over HTTP, polling
//! the simulator, which runs here, through the real SDK.

mod cli;
mod config;
mod stop;
mod support;
