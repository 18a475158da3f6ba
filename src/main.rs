//! Parses the command line, sets up logging, runs the command and returns its exit code.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "only the program itself writes text other than log lines"
)]

use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;

use imagebuilder_exporter::app::{self, App, AppSettings, Lookup};
use imagebuilder_exporter::aws::{Aws, end_credential_processes};
use imagebuilder_exporter::cli::{Cli, Command, DoctorArgs, RunArgs};
use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::http::Limits;
use imagebuilder_exporter::{config, demo, doctor, logging, simulate};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// An error that ends the program: written to standard error, with exit code 1.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let cli = Cli::of_process().unwrap_or_else(|error| error.exit());
    let log = cli.log();
    tracing::subscriber::set_global_default(logging::subscriber(log.level, log.format))
        .expect("nobody else sets a subscriber");
    match run(cli) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(command(cli));
    // A thread can be blocked by a name server or a file system that never responds. Dropping the
    // runtime would wait for that thread, and shutting it down in the background would make the
    // thread panic. So the runtime is leaked.
    std::mem::forget(runtime);
    end_credential_processes();
    outcome
}

async fn command(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        None => exporter(cli.run).await?,
        Some(Command::Demo(demo)) => {
            let announce = |line: &str| println!("{line}");
            demo::run(demo.web, stopped()?, announce).await?;
        }
        Some(Command::Simulate(args)) => {
            let (speed, seed) = (args.speed, args.seed);
            simulate::run(args.listen_address, args.scenario, speed, seed, stopped()?).await?;
        }
        Some(Command::CheckConfig(args)) => {
            let mut out = std::io::stdout().lock();
            let checked = config::check_config(&args.files, &variable, &mut out);
            return exit_code(checked.and_then(|all_right| out.flush().map(|()| all_right)));
        }
        Some(Command::Doctor(args)) => {
            // The first process of a container ignores every signal that it does not handle.
            let stopped = std::pin::pin!(stopped()?);
            return tokio::select! {
                examined = examine(args) => examined,
                () = stopped => Err("doctor: interrupted before all checks were complete".into()),
            };
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn examine(args: DoctorArgs) -> Result<ExitCode, Failure> {
    let checked = app::checked(&args.config.into(), &environment()).await?;
    let mut out = std::io::stdout().lock();
    let (aws, clock) = (Aws::of_environment(&variable)?, Clock::System);
    exit_code(doctor::run(checked, &aws, clock, &mut out).await)
}

/// Returns the exit code of a command that writes to standard output.
fn exit_code(all_right: std::io::Result<bool>) -> Result<ExitCode, Failure> {
    match all_right {
        Ok(all_right) => Ok(ExitCode::from(u8::from(!all_right))),
        // The reader has closed the pipe, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::FAILURE),
        Err(error) => Err(format!("cannot write to standard output: {error}").into()),
    }
}

async fn exporter(args: RunArgs) -> Result<(), Failure> {
    let mut stopped = std::pin::pin!(stopped()?);
    let app = App::bind(AppSettings {
        config: args.config.into(),
        site: args.web.site(),
        limits: Limits::of_process(args.web.max_requests),
        listen_addresses: args.web.listen_addresses,
        lifecycle: args.web.enable_lifecycle,
        environment: environment(),
        shard: args.shard.shard()?,
        aws: Aws::of_environment(&variable)?,
        clock: Clock::System,
    });
    tokio::select! {
        app = app => app?.run(stopped).await,
        // A name server may never respond to the lookup of a listen address.
        () = &mut stopped => {}
    }
    Ok(())
}

fn environment() -> Lookup {
    Arc::new(variable)
}

#[expect(
    clippy::disallowed_methods,
    reason = "all other code gets the environment from here"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Ends with the first SIGTERM or SIGINT.
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate: Signal = signal(SignalKind::terminate())?;
    let mut interrupt: Signal = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
