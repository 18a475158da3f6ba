//! All integration tests are one binary: linking the AWS SDK takes longer than running them.

#![expect(
    clippy::disallowed_methods,
    reason = "tests read clocks and the environment"
)]
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "helpers are tests too, and nothing imports a test binary"
)]

mod api_calls;
mod baselines;
mod cli;
mod clock;
mod commands;
mod config;
mod credentials;
mod demo;
mod discovery;
mod doctor;
mod economy;
mod effective;
mod endless;
mod faults;
mod finished;
mod fuzzing;
mod hostile;
mod http;
mod layers;
mod lifecycle;
mod lists;
mod logs;
mod metrics;
mod names;
mod oracle;
mod panics;
mod process;
mod ready;
mod recovery;
mod regions;
mod reload;
mod shards;
mod simulation;
mod simulator;
mod status;
mod step_files;
mod stop;
mod support;
