//! Builds all parts of the exporter, and binds, runs, reloads and drains it.

mod auto_reload;
mod live;
mod pollers;
mod reload;
mod sharing;
mod source;
mod step_files;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;
use tracing::info;

use crate::aws::Aws;
use crate::clock::Clock;
use crate::config::{Checked, MISSING_FILE, Problem};
use crate::finished::Finished;
use crate::http::{self, Limits, Server, WebFile};
use crate::self_metrics::ProcessMetrics;
use crate::shard::Shard;
use crate::status::Site;
use live::{Live, ReloadRequest};
use pollers::Pollers;
use reload::{Configuration, lines};
pub use source::{ConfigSource, Lookup};

/// Time for responses in flight after SIGTERM, so that the process ends within 5 seconds.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(4);
/// Maximum time that `/-/ready` waits for the first attempts.
const READY_AFTER: Duration = Duration::from_secs(120);

/// Settings from the command line and the environment.
pub struct AppSettings {
    pub config: ConfigSource,
    /// Whether the configuration file is reloaded when it changes.
    pub auto_reload: bool,
    pub listen_addresses: Vec<String>,
    pub site: Site,
    pub limits: Limits,
    /// The web configuration file, if there is one.
    pub web_config: Option<PathBuf>,
    /// Whether `POST /-/reload` is enabled.
    pub lifecycle: bool,
    pub environment: Lookup,
    /// The shard that this process is.
    pub shard: Shard,
    pub aws: Aws,
    pub clock: Clock,
}

/// Why the exporter did not start.
#[derive(Debug)]
pub enum StartError {
    Config(Vec<Problem>),
    /// The address, and the reason of the failure.
    Bind(String),
    Signals(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problems) => f.write_str(&lines(problems)),
            Self::Bind(error) => f.write_str(error),
            Self::Signals(error) => write!(f, "cannot install a handler for SIGHUP: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// The exporter with its sockets bound, before it runs.
pub struct App {
    settings: AppSettings,
    read: reload::Read,
    web: Option<Arc<WebFile>>,
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    hangup: Signal,
}

impl App {
    /// Reads the configuration and binds the sockets. From then on SIGHUP is handled.
    ///
    /// # Errors
    ///
    /// Every mistake of the configuration, the first address that cannot be bound, or that no handler
    /// for SIGHUP can be installed.
    pub async fn bind(settings: AppSettings) -> Result<Self, StartError> {
        // First of all: without a handler, SIGHUP ends the process.
        let hangup = signal(SignalKind::hangup()).map_err(StartError::Signals)?;
        let read = read(&settings.config, &settings.environment).await?;
        let web = web_file(settings.web_config.clone(), settings.clock).await?;
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for address in &settings.listen_addresses {
            for listener in http::bind(address).await.map_err(StartError::Bind)? {
                let address = listener
                    .local_addr()
                    .map_err(|error| StartError::Bind(error.to_string()))?;
                info!(%address, telemetry_path = settings.site.telemetry_path, "listening");
                addresses.push(address);
                listeners.push(listener);
            }
        }
        Ok(Self {
            settings,
            read,
            web,
            listeners,
            addresses,
            hangup,
        })
    }

    /// Returns the bound addresses, in the order of the settings.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns `https` if the web configuration has TLS, else `http`.
    pub fn scheme(&self) -> &'static str {
        match &self.web {
            Some(web) if web.has_tls() => "https",
            _ => "http",
        }
    }

    /// Runs until `stop` ends, then drains.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stop_server, stopped) = watch::channel(false);
        let (mut running, mut server) = self.start(stopped).await;
        tokio::select! {
            () = running.until(stop) => {}
            // The server ends by itself only with a panic.
            ended = &mut server => propagate(ended),
        }
        info!("stopping");
        // Fails the reload requests that still wait.
        drop(running.reloads);
        stop_server.send_replace(true);
        running.pollers.stop().await;
        propagate(server.await);
        info!("stopped");
    }

    /// Starts the pollers and the server, which drains when `stopped` becomes true.
    async fn start(self, stopped: watch::Receiver<bool>) -> (Running, JoinHandle<()>) {
        let Self {
            settings,
            read,
            web,
            listeners,
            hangup,
            ..
        } = self;
        let (configuration, config) = Configuration::new(
            read,
            settings.config,
            settings.environment,
            settings.clock,
            settings.auto_reload,
        );
        let started = settings.clock.now();
        let process = Arc::new(ProcessMetrics::new(&crate::api::PARSED_MEMBERS));
        process.config_reloaded(true, started.time);
        process.shard(settings.shard.index(), settings.shard.total());
        let counting = pollers::counting(&config.metrics);
        let finished = Arc::new(Finished::new(started.instant, &counting));
        let mut pollers = Pollers::new(
            settings.aws.clone(),
            settings.clock,
            process.clone(),
            finished,
            settings.shard,
        );
        let view = pollers.assign(config).await;
        let (reload, reloads) = mpsc::channel(1);
        let reload = settings.lifecycle.then_some(reload);
        let live = Arc::new(Live::new(settings.clock, process, view, reload));
        let server = Server {
            listeners,
            exporter: live.clone(),
            site: settings.site,
            limits: settings.limits,
            web,
            clock: settings.clock,
            drain_timeout: DRAIN_TIMEOUT,
        };
        let server = tokio::spawn(server.run(until_true(stopped)));
        let running = Running {
            configuration,
            pollers,
            live,
            hangup,
            reloads,
            started: started.instant,
        };
        (running, server)
    }
}

/// The parts of a started exporter that reloads change.
struct Running {
    configuration: Configuration,
    pollers: Pollers,
    live: Arc<Live>,
    hangup: Signal,
    reloads: mpsc::Receiver<ReloadRequest>,
    started: Instant,
}

impl Running {
    /// Handles reload requests, SIGHUP and changed files, until `stop` ends.
    async fn until(&mut self, stop: impl Future<Output = ()>) {
        let Self {
            configuration,
            pollers,
            live,
            hangup,
            reloads,
            started,
        } = self;
        let mut stop = std::pin::pin!(stop);
        loop {
            let attempted = pollers.attempted();
            tokio::select! {
                () = &mut stop => break,
                () = first_attempts(attempted, *started), if !live.is_ready() => {
                    live.set_ready();
                    info!("ready");
                }
                _ = hangup.recv() => tokio::select! {
                    () = &mut stop => break,
                    _ = configuration.reload(live, pollers) => {}
                },
                Some(ReloadRequest { answer }) = reloads.recv() => tokio::select! {
                    () = &mut stop => break,
                    outcome = configuration.reload(live, pollers) => {
                        // The client may have disconnected.
                        let _ = answer.send(outcome);
                    }
                },
                change = configuration.changed() => tokio::select! {
                    () = &mut stop => break,
                    () = configuration.apply_change(change, live, pollers) => {}
                },
                () = pollers.watch() => {}
            }
        }
    }
}

/// Panics if the task did.
fn propagate(ended: Result<(), JoinError>) {
    if let Err(failure) = ended {
        std::panic::resume_unwind(failure.into_panic());
    }
}

/// Reads and checks a configuration as the exporter does.
///
/// # Errors
///
/// Every mistake of the configuration.
pub async fn checked(source: &ConfigSource, environment: &Lookup) -> Result<Checked, StartError> {
    Ok(read(source, environment).await?.checked)
}

async fn read(source: &ConfigSource, environment: &Lookup) -> Result<reload::Read, StartError> {
    let read = reload::read(source, environment).await;
    read.map_err(|refused| StartError::Config(with_hint_to_run_without_file(refused.problems)))
}

/// Reads the web configuration on a separate thread, as a file system may not respond.
async fn web_file(path: Option<PathBuf>, clock: Clock) -> Result<Option<Arc<WebFile>>, StartError> {
    let Some(path) = path else {
        return Ok(None);
    };
    let reading = tokio::task::spawn_blocking(move || WebFile::load(path, clock));
    match reading.await {
        Ok(web) => Ok(Some(Arc::new(web.map_err(StartError::Config)?))),
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}

/// Adds to the error about a missing file how to run without one.
fn with_hint_to_run_without_file(mut problems: Vec<Problem>) -> Vec<Problem> {
    for problem in &mut problems {
        if problem.message == MISSING_FILE {
            problem.message += " with --config.file, or poll every pipeline and image of a region without a file: --aws.region=us-west-2";
        }
    }
    problems
}

/// Waits until the first attempt of every poller has ended, for [`READY_AFTER`] at most.
async fn first_attempts(attempted: Vec<watch::Receiver<bool>>, started: Instant) {
    let all = async {
        for attempted in attempted {
            until_true(attempted).await;
        }
    };
    tokio::select! {
        () = all => {}
        () = tokio::time::sleep_until(started + READY_AFTER) => {}
    }
}

async fn until_true(mut flag: watch::Receiver<bool>) {
    // A dropped sender counts as true.
    let _ = flag.wait_for(|flag| *flag).await;
}
