//! Reads and reloads the configuration.

use tracing::{error, info, warn};

use super::live::Live;
use super::pollers::Pollers;
use super::source::{ConfigSource, Lookup};
use super::step_files::{Reread, StepFilesWatch};
use crate::clock::Clock;
use crate::config::{Checked, Config, Origin, Problem};

/// A configuration that was read and checked, with its source text.
pub(super) struct Read {
    pub origin: Origin,
    pub checked: Checked,
}

/// Reads the configuration on a separate thread, so that a file system that hangs blocks nothing else.
pub(super) async fn read(source: &ConfigSource, environment: &Lookup) -> Result<Read, Refused> {
    let (source, environment) = (source.clone(), environment.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let origin = match source {
            ConfigSource::File(path) => Origin::load(&path).map_err(|problem| Refused {
                origin: None,
                problems: vec![problem],
            })?,
            ConfigSource::Text { name, text } => Origin::text(name, text),
            ConfigSource::Regions(regions) => Origin::everything_in(&regions),
        };
        match origin.read(&*environment) {
            Ok(checked) => Ok(Read { origin, checked }),
            Err(problems) => Err(Refused {
                origin: Some(origin),
                problems,
            }),
        }
    });
    match reading.await {
        Ok(read) => read,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}

/// A configuration that is invalid or cannot be read.
pub(super) struct Refused {
    /// `None` when the file cannot be read.
    origin: Option<Origin>,
    pub problems: Vec<Problem>,
}

/// The effective configuration, and what is needed to reload it.
pub(super) struct Configuration {
    source: ConfigSource,
    environment: Lookup,
    clock: Clock,
    origin: Origin,
    step_files: StepFilesWatch,
    /// Whether the last reload of the file failed.
    reload_failed: bool,
    /// Whether the current step files are invalid.
    step_files_invalid: bool,
    /// The problems of step files that were last logged, so that each is logged once.
    logged: Vec<Problem>,
}

impl Configuration {
    /// Creates the configuration that the exporter starts with.
    pub(super) fn new(
        read: Read,
        source: ConfigSource,
        environment: Lookup,
        clock: Clock,
    ) -> (Self, Config) {
        let Read { origin, checked } = read;
        log_warnings(&checked.warnings);
        let watched = (origin.clone(), checked.step_files);
        let configuration = Self {
            step_files: StepFilesWatch::start(watched.0, watched.1, environment.clone()),
            source,
            environment,
            clock,
            origin,
            reload_failed: false,
            step_files_invalid: false,
            logged: Vec::new(),
        };
        (configuration, checked.config)
    }

    /// Reads the configuration and applies it. An invalid one changes nothing and is reported.
    pub(super) async fn reload(
        &mut self,
        live: &Live,
        pollers: &mut Pollers,
    ) -> Result<(), String> {
        match read(&self.source, &self.environment).await {
            Ok(Read { origin, checked }) => {
                self.origin = origin.clone();
                let targets = checked.config.targets.len();
                let step_files = checked.step_files.clone();
                self.apply(checked, live, pollers).await;
                info!(targets, "configuration reloaded");
                self.step_files.now(origin, step_files);
                self.reload_failed = false;
                self.step_files_invalid = false;
                self.publish_success(live);
                Ok(())
            }
            Err(Refused { origin, problems }) => {
                // The file is unchanged, so the step files are invalid, and a change of these fixes it.
                let same = origin.is_some_and(|origin| origin == self.origin);
                self.reload_failed = !same;
                if same {
                    self.step_files_invalid = true;
                    self.step_files.doubt();
                }
                self.publish_success(live);
                for problem in &problems {
                    error!(%problem, "configuration reload failed; keeping the effective configuration");
                }
                let lines = lines(&problems);
                self.logged = problems;
                Err(lines)
            }
        }
    }

    /// Waits until the step files of the effective configuration change.
    pub(super) async fn step_files_changed(&mut self) -> Reread {
        self.step_files.changed().await
    }

    /// Applies changed step files and nothing else. Invalid ones change nothing and are reported.
    pub(super) async fn apply_step_files(
        &mut self,
        reread: Reread,
        live: &Live,
        pollers: &mut Pollers,
    ) {
        match reread.read {
            Ok(checked) => {
                let targets = checked.config.targets.iter();
                let steps = targets.map(|target| target.step_executions.len());
                let listed_steps: usize = steps.sum();
                self.apply(checked, live, pollers).await;
                info!(listed_steps, "step files reloaded");
                self.step_files_invalid = false;
            }
            Err(problems) => {
                self.step_files_invalid = true;
                if problems != self.logged {
                    for problem in &problems {
                        error!(%problem, "step file reload failed; keeping the steps read before");
                    }
                    self.logged = problems;
                }
            }
        }
        self.publish_success(live);
    }

    async fn apply(&mut self, checked: Checked, live: &Live, pollers: &mut Pollers) {
        let Checked {
            config, warnings, ..
        } = checked;
        log_warnings(&warnings);
        live.show(pollers.assign(config).await);
        self.logged.clear();
    }

    fn publish_success(&self, live: &Live) {
        let success = !self.reload_failed && !self.step_files_invalid;
        let now = self.clock.now().time;
        live.process().config_reloaded(success, now);
    }
}

fn log_warnings(warnings: &[Problem]) {
    for warning in warnings {
        warn!(%warning, "configuration warning");
    }
}

pub(super) fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}
