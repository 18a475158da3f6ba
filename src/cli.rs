//! The command line: flags in the Prometheus exporters' habit, each also read from the environment.

#[cfg(test)]
mod docs;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::shard::Shard;
use crate::status::{ExternalUrl, Site};

const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (revision ",
    env!("BUILD_REVISION"),
    ", rustc ",
    env!("BUILD_RUSTC_VERSION"),
    ")"
);

/// Exposes the state of EC2 Image Builder's pipelines, image builds and workflow steps to Prometheus.
///
/// Without a command it runs the exporter. Each flag also reads the environment variable
/// IMAGEBUILDER_EXPORTER_ and its name, with dots and dashes as underscores.
#[derive(Debug, Parser)]
#[command(
    name = "imagebuilder_exporter",
    version = LONG_VERSION,
    args_conflicts_with_subcommands = true,
    subcommand_precedence_over_arg = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check configuration files: every mistake with its line, and whether the rate limit suffices
    CheckConfig(CheckConfigArgs),
    /// Ask AWS whether a configuration will work: who it is, what is allowed, what it will cost
    // The SDK warns of what the report tells of as well.
    #[command(mut_arg("level", |level| level.default_value("error")))]
    Doctor(DoctorArgs),
    /// Run the exporter on a built-in simulator of Image Builder: no AWS account, no network
    Demo(DemoArgs),
    /// Run the simulator alone, for boto3, the AWS CLI and tests
    Simulate(SimulateArgs),
}

/// What is followed.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The configuration file
    #[arg(
        long = "config.file",
        env = "IMAGEBUILDER_EXPORTER_CONFIG_FILE",
        value_name = "FILE",
        default_value = "imagebuilder_exporter.yaml"
    )]
    pub config_file: PathBuf,

    /// Follow every pipeline and image of this region, with the default credentials and without a
    /// configuration file; may be repeated. A file in the default place is then ignored
    #[arg(
        long = "aws.region",
        env = "IMAGEBUILDER_EXPORTER_AWS_REGION",
        value_name = "REGION",
        value_delimiter = ',',
        value_parser = region
    )]
    pub aws_regions: Vec<String>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub config: ConfigArgs,

    #[command(flatten)]
    pub shard: ShardArgs,

    #[command(flatten)]
    pub web: WebArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct ShardArgs {
    /// Which of the shards this process is, the first being 0
    #[arg(
        long = "shard.index",
        env = "IMAGEBUILDER_EXPORTER_SHARD_INDEX",
        value_name = "N",
        default_value_t = 0,
        value_parser = whole_number::<u32>
    )]
    pub index: u32,

    /// How many shards there are, 100 at most: each polls a part of the targets and regions, all of
    /// them together everything once
    #[arg(
        long = "shard.total",
        env = "IMAGEBUILDER_EXPORTER_SHARD_TOTAL",
        value_name = "N",
        default_value_t = 1,
        value_parser = whole_number::<u32>
    )]
    pub total: u32,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub config: ConfigArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    #[command(flatten)]
    pub web: WebArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

#[derive(Debug, Args)]
pub struct CheckConfigArgs {
    /// The files to check
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Where to listen: a loopback address and a port; port 0 picks a free one
    #[arg(
        long,
        env = "IMAGEBUILDER_EXPORTER_LISTEN_ADDRESS",
        value_name = "ADDRESS",
        value_parser = socket_address
    )]
    pub listen_address: SocketAddr,

    /// What happens in the simulated world; the demo's world without it
    #[arg(long, env = "IMAGEBUILDER_EXPORTER_SCENARIO", value_name = "FILE")]
    pub scenario: Option<PathBuf>,

    /// How many times faster than in the real world everything happens
    #[arg(
        long,
        env = "IMAGEBUILDER_EXPORTER_SPEED",
        value_name = "N",
        default_value_t = crate::simulator::DEMO_SPEED,
        value_parser = speed
    )]
    pub speed: f64,

    /// What chance in the scenario is drawn from; ids too
    #[arg(
        long,
        env = "IMAGEBUILDER_EXPORTER_SEED",
        value_name = "N",
        default_value_t = crate::simulator::DEMO_SEED,
        value_parser = whole_number::<u64>
    )]
    pub seed: u64,

    #[command(flatten)]
    pub log: LogArgs,
}

#[derive(Debug, Args)]
pub struct WebArgs {
    /// Where to listen; may be repeated. Port 0 picks a free one, which the log tells
    #[arg(
        long = "web.listen-address",
        env = "IMAGEBUILDER_EXPORTER_WEB_LISTEN_ADDRESS",
        value_name = "ADDRESS",
        value_delimiter = ',',
        default_value = ":10850"
    )]
    pub listen_addresses: Vec<String>,

    /// The path of the metrics
    #[arg(
        long = "web.telemetry-path",
        env = "IMAGEBUILDER_EXPORTER_WEB_TELEMETRY_PATH",
        value_name = "PATH",
        default_value = "/metrics",
        value_parser = telemetry_path
    )]
    pub telemetry_path: String,

    /// Where people reach the exporter, as an http or https URL, for links that are absolute. A path
    /// in it is what a proxy there takes off
    #[arg(
        long = "web.external-url",
        env = "IMAGEBUILDER_EXPORTER_WEB_EXTERNAL_URL",
        value_name = "URL"
    )]
    pub external_url: Option<ExternalUrl>,

    /// Allow POST /-/reload
    #[arg(
        long = "web.enable-lifecycle",
        env = "IMAGEBUILDER_EXPORTER_WEB_ENABLE_LIFECYCLE"
    )]
    pub enable_lifecycle: bool,
}

impl WebArgs {
    /// Where the metrics and the page for people are.
    pub fn site(&self) -> Site {
        Site {
            telemetry_path: self.telemetry_path.clone(),
            external_url: self.external_url.clone(),
        }
    }
}

#[derive(Clone, Copy, Debug, Args)]
pub struct LogArgs {
    /// The least severe lines to log
    #[arg(
        long = "log.level",
        env = "IMAGEBUILDER_EXPORTER_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub level: LogLevel,

    /// How lines look on standard error
    #[arg(
        long = "log.format",
        env = "IMAGEBUILDER_EXPORTER_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "logfmt"
    )]
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Logfmt,
    Json,
}

impl Default for LogArgs {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Logfmt,
        }
    }
}

impl Cli {
    /// The command line of the process, or the error that tells what is wrong with it.
    ///
    /// # Errors
    ///
    /// Bad usage, and what is no error at all but an answer: `--help` and `--version`.
    pub fn of_process() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        let cli = Self::from_arg_matches(&matches)?;
        // A variable that is set for the exporter does not disturb the commands that have no such flag.
        let (config, matches) = match &cli.command {
            None => (&cli.run.config, &matches),
            Some(Command::Doctor(doctor)) => {
                let of_doctor = matches.subcommand_matches("doctor").unwrap_or(&matches);
                (&doctor.config, of_doctor)
            }
            Some(_) => return Ok(cli),
        };
        if cli.command.is_none()
            && let Err(fault) = cli.run.shard.shard()
        {
            return Err(command.error(ErrorKind::ValueValidation, fault));
        }
        let regions = &config.aws_regions;
        let file = matches.value_source("config_file");
        let named_file = file.is_some_and(|source| source != ValueSource::DefaultValue);
        if named_file && !regions.is_empty() {
            return Err(command.error(
                ErrorKind::ArgumentConflict,
                "--aws.region does without the configuration file that --config.file names; take out one of them (their environment variables count too)",
            ));
        }
        let twice = (1..regions.len()).find(|&at| regions[..at].contains(&regions[at]));
        match twice {
            Some(at) => Err(command.error(
                ErrorKind::ValueValidation,
                format!("--aws.region names {} twice; keep one", regions[at]),
            )),
            None => Ok(cli),
        }
    }

    /// How to log, which `check-config` has no flags for: what it says goes to standard output.
    pub fn log(&self) -> LogArgs {
        match &self.command {
            None => self.run.log,
            Some(Command::Doctor(doctor)) => doctor.log,
            Some(Command::Demo(demo)) => demo.log,
            Some(Command::Simulate(simulate)) => simulate.log,
            Some(Command::CheckConfig(_)) => LogArgs::default(),
        }
    }
}

impl ShardArgs {
    /// # Errors
    ///
    /// What is wrong with the two, and what would be right; not where [`Cli::of_process`] took them.
    pub fn shard(self) -> Result<Shard, String> {
        Shard::new(self.index, self.total)
    }
}

fn region(text: &str) -> Result<String, String> {
    match crate::model::identifier::is_region(text) {
        true => Ok(text.to_owned()),
        false => Err("this is not a region such as us-west-2".to_owned()),
    }
}

fn whole_number<N: FromStr>(text: &str) -> Result<N, String> {
    let number = text.parse();
    number.map_err(|_| "this is not a whole number such as 0 or 3".to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    let number = text.parse();
    number.map_err(|_| "this is not a number such as 10; 1 is real time".to_owned())
}

fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse();
    address.map_err(|_| "an address here is like 127.0.0.1:10851 or [::1]:10851".to_owned())
}

fn telemetry_path(path: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    if !path.starts_with('/') || !path.bytes().all(plain) {
        return Err("a path begins with / and has letters, digits and / - _ . ~ alone".to_owned());
    }
    if path.starts_with("/-/") {
        return Err("paths under /-/ are the exporter's own".to_owned());
    }
    if path == crate::status::JSON_PATH {
        return Err("this is where the status is as JSON".to_owned());
    }
    if path == crate::status::CONFIG_PATH {
        return Err("this is where the configuration in force is".to_owned());
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
