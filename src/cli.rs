//! Defines the command line: flags in the style of Prometheus exporters, each with an environment
//! variable.

#[cfg(test)]
mod docs;
#[cfg(test)]
mod package_docs;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::http::MAX_REQUESTS;
use crate::shard::Shard;
use crate::status::{ExternalUrl, Site};
use values::{region, socket_address, speed, telemetry_path, whole_number};

const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (revision ",
    env!("BUILD_REVISION"),
    ", rustc ",
    env!("BUILD_RUSTC_VERSION"),
    ")"
);

/// Exposes the state of EC2 Image Builder pipelines, image builds and workflow steps to Prometheus.
///
/// Without a command, runs the exporter. Each flag can also be set by an environment variable:
/// IMAGEBUILDER_EXPORTER_ plus its name in upper case, with underscores for dots and dashes.
#[derive(Debug, Parser)]
#[command(
    name = "imagebuilder_exporter",
    version = LONG_VERSION,
    verbatim_doc_comment,
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
    /// Check configuration files: report every mistake with its line, and whether the rate limit suffices
    CheckConfig(CheckConfigArgs),
    /// Check a configuration against AWS: identity, permissions, expected calls and series
    // The report has what warnings of the SDK say.
    #[command(mut_arg("level", |level| level.default_value("error")))]
    Doctor(DoctorArgs),
    /// Run the exporter with a built-in simulator of Image Builder, without AWS account or network
    Demo(DemoArgs),
    /// Run only the simulator, for boto3, the AWS CLI and tests
    Simulate(SimulateArgs),
}

/// What to poll: a configuration file, or regions.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Path of the configuration file
    #[arg(
        long = "config.file",
        env = "IMAGEBUILDER_EXPORTER_CONFIG_FILE",
        value_name = "FILE",
        default_value = "imagebuilder_exporter.yaml"
    )]
    pub config_file: PathBuf,

    /// Poll every pipeline and image of this region, with the default credentials and without a
    /// configuration file; can be repeated. A file at the default path is ignored
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

    /// Reload the configuration file when its content has changed, which is checked every 30 seconds
    #[arg(
        long = "config.enable-auto-reload",
        env = "IMAGEBUILDER_EXPORTER_CONFIG_ENABLE_AUTO_RELOAD"
    )]
    pub enable_auto_reload: bool,

    #[command(flatten)]
    pub shard: ShardArgs,

    #[command(flatten)]
    pub web: WebArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct ShardArgs {
    /// Zero-based index of the shard that this process runs
    #[arg(
        long = "shard.index",
        env = "IMAGEBUILDER_EXPORTER_SHARD_INDEX",
        value_name = "N",
        default_value_t = 0,
        value_parser = whole_number::<u32>
    )]
    pub index: u32,

    /// Number of shards, at most 100. Each shard polls a part of the targets and regions; together
    /// they poll everything once
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
    /// Configuration files to check
    #[arg(value_name = "FILE", required_unless_present = "web_config_file")]
    pub files: Vec<PathBuf>,

    /// Web configuration file to check, with the certificates that it names
    #[arg(
        id = "web_config_file",
        long = "web.config.file",
        env = "IMAGEBUILDER_EXPORTER_WEB_CONFIG_FILE",
        value_name = "FILE"
    )]
    pub web_config_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Loopback address and port to listen on; port 0 selects a free port
    #[arg(
        long,
        env = "IMAGEBUILDER_EXPORTER_LISTEN_ADDRESS",
        value_name = "ADDRESS",
        value_parser = socket_address
    )]
    pub listen_address: SocketAddr,

    /// Scenario file of the simulated world; without it, the world of the demo
    #[arg(long, env = "IMAGEBUILDER_EXPORTER_SCENARIO", value_name = "FILE")]
    pub scenario: Option<PathBuf>,

    /// Speed of the simulated world, as a multiple of real time
    #[arg(
        long,
        env = "IMAGEBUILDER_EXPORTER_SPEED",
        value_name = "N",
        default_value_t = crate::simulator::DEMO_SPEED,
        value_parser = speed
    )]
    pub speed: f64,

    /// Seed of the random values and ids in the scenario
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
    /// Address to listen on; can be repeated. Port 0 selects a free port, which is logged
    #[arg(
        long = "web.listen-address",
        env = "IMAGEBUILDER_EXPORTER_WEB_LISTEN_ADDRESS",
        value_name = "ADDRESS",
        value_delimiter = ',',
        default_value = ":10850"
    )]
    pub listen_addresses: Vec<String>,

    /// Path of the metrics
    #[arg(
        long = "web.telemetry-path",
        env = "IMAGEBUILDER_EXPORTER_WEB_TELEMETRY_PATH",
        value_name = "PATH",
        default_value = "/metrics",
        value_parser = telemetry_path
    )]
    pub telemetry_path: String,

    /// URL (http or https) of the exporter for absolute links. A reverse proxy must remove the path of
    /// this URL from requests
    #[arg(
        long = "web.external-url",
        env = "IMAGEBUILDER_EXPORTER_WEB_EXTERNAL_URL",
        value_name = "URL"
    )]
    pub external_url: Option<ExternalUrl>,

    /// Path of the web configuration file: TLS, passwords and headers, in the format of Prometheus's
    /// exporter-toolkit
    #[arg(
        id = "web_config_file",
        long = "web.config.file",
        env = "IMAGEBUILDER_EXPORTER_WEB_CONFIG_FILE",
        value_name = "FILE"
    )]
    pub config_file: Option<PathBuf>,

    /// Maximum number of requests at once, except those to /-/healthy and /-/ready; 0 for no limit
    #[arg(
        long = "web.max-requests",
        env = "IMAGEBUILDER_EXPORTER_WEB_MAX_REQUESTS",
        value_name = "N",
        default_value_t = MAX_REQUESTS,
        value_parser = whole_number::<usize>
    )]
    pub max_requests: usize,

    /// Enable POST /-/reload
    #[arg(
        long = "web.enable-lifecycle",
        env = "IMAGEBUILDER_EXPORTER_WEB_ENABLE_LIFECYCLE"
    )]
    pub enable_lifecycle: bool,
}

impl WebArgs {
    /// Returns the paths and the URL of the web interface.
    pub fn site(&self) -> Site {
        Site {
            telemetry_path: self.telemetry_path.clone(),
            external_url: self.external_url.clone(),
        }
    }
}

#[derive(Clone, Copy, Debug, Args)]
pub struct LogArgs {
    /// Minimum severity of log lines
    #[arg(
        long = "log.level",
        env = "IMAGEBUILDER_EXPORTER_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub level: LogLevel,

    /// Format of log lines on standard error
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
    /// Parses the command line of the process.
    ///
    /// # Errors
    ///
    /// Invalid usage. `--help` and `--version` are also returned as errors, as clap does.
    pub fn of_process() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        let cli = Self::from_arg_matches(&matches)?;
        // Variables of the exporter do not affect commands without these flags.
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
                "--aws.region replaces the configuration file, so it cannot be combined with --config.file; remove one of them (their environment variables count too)",
            ));
        }
        let twice = (1..regions.len()).find(|&at| regions[..at].contains(&regions[at]));
        match twice {
            Some(at) => Err(command.error(
                ErrorKind::ValueValidation,
                format!("--aws.region has {} twice; remove one", regions[at]),
            )),
            None => Ok(cli),
        }
    }

    /// Returns how to log. `check-config` has no flags for it, as it writes to standard output.
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
    /// Which flag is wrong, and which values are valid; never after [`Cli::of_process`].
    pub fn shard(self) -> Result<Shard, String> {
        Shard::new(self.index, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }
}
