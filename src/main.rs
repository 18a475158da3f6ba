//! Parses the command line, sets up logging, runs the command and returns its exit code.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "only the program itself writes text other than log lines"
)]

use std::io::{ErrorKind, Write};
use std::mem::ManuallyDrop;
use std::process::ExitCode;
use std::sync::Arc;

use imagebuilder_exporter::app::{self, App, AppSettings, Lookup};
use imagebuilder_exporter::aws::{Aws, end_credential_processes};
use imagebuilder_exporter::cli::{Cli, Command, DoctorArgs, RunArgs};
use imagebuilder_exporter::clock::Clock;
use imagebuilder_exporter::http::Limits;
use imagebuilder_exporter::signals::{Hangup, Signals};
use imagebuilder_exporter::{config, demo, doctor, logging, simulate};
use tokio::sync::oneshot;

/// One heap for all threads. glibc makes one for each, and memory that one thread has freed is not used
/// by the others: with 10 000 steps, the program took 9 MB more.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// An error that ends the program: written to standard error, with exit code 1.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let signals = Signals::handle();
    let cli = Cli::of_process().unwrap_or_else(|error| error.exit());
    let log = cli.log();
    tracing::subscriber::set_global_default(logging::subscriber(log.level, log.format))
        .expect("nobody else sets a subscriber");
    let outcome = signals.map_err(Failure::from);
    match outcome.and_then(|signals| run(cli, &signals)) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, signals: &Signals) -> Result<ExitCode, Failure> {
    // A thread can be blocked by a name server or a file system that never responds. Dropping the
    // runtime would wait for that thread, also after a panic, and shutting it down in the background
    // would make the thread panic. So the runtime is never dropped.
    let runtime = ManuallyDrop::new(tokio::runtime::Runtime::new()?);
    let hangup = match cli.command {
        None | Some(Command::Demo(_)) => Hangup::Reloads,
        _ => Hangup::Stops,
    };
    let outcome = runtime.block_on(signals.run(hangup, |stop| command(cli, stop)));
    end_credential_processes();
    // A second signal ends the command at once.
    outcome?.unwrap_or(Ok(ExitCode::SUCCESS))
}

async fn command(cli: Cli, stop: oneshot::Receiver<()>) -> Result<ExitCode, Failure> {
    let stopped = async {
        // The sender lives as long as this command.
        let _ = stop.await;
    };
    match cli.command {
        None => exporter(cli.run, stopped).await?,
        Some(Command::Demo(demo)) => {
            let announce = |line: &str| println!("{line}");
            demo::run(demo.web, stopped, announce).await?;
        }
        Some(Command::Simulate(args)) => {
            let (speed, seed) = (args.speed, args.seed);
            simulate::run(args.listen_address, args.scenario, speed, seed, stopped).await?;
        }
        Some(Command::CheckConfig(args)) => {
            // A thread of its own, as a file system may never respond.
            let checking = tokio::task::spawn_blocking(move || {
                let mut out = std::io::stdout().lock();
                let web = args.web_config_file.as_deref();
                let checked = config::check_config(&args.files, web, &variable, &mut out);
                checked.and_then(|all_right| out.flush().map(|()| all_right))
            });
            return tokio::select! {
                checked = checking => exit_code(checked.map_err(std::io::Error::from).flatten()),
                () = stopped => Err("check-config: interrupted before all files were checked".into()),
            };
        }
        Some(Command::Doctor(args)) => {
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

async fn exporter(args: RunArgs, stopped: impl Future<Output = ()>) -> Result<(), Failure> {
    let aws = Aws::of_environment(&variable)?;
    let secrets = aws.clone();
    logging::log_panics(move |message| secrets.masked(message));
    let mut stopped = std::pin::pin!(stopped);
    let app = App::bind(AppSettings {
        config: args.config.into(),
        auto_reload: args.enable_auto_reload,
        site: args.web.site(),
        limits: Limits::of_process(args.web.max_requests),
        web_config: args.web.config_file,
        listen_addresses: args.web.listen_addresses,
        lifecycle: args.web.enable_lifecycle,
        environment: environment(),
        shard: args.shard.shard()?,
        aws,
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
