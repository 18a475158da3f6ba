//! The configuration in force: how it is read, and put into force anew or kept.

use tracing::{error, info, warn};

use super::live::Live;
use super::pollers::Pollers;
use super::source::{ConfigSource, Lookup};
use super::step_files::{Reread, StepFilesWatch};
use crate::clock::Clock;
use crate::config::{Checked, Config, Origin, Problem};

/// What was read: the text, and what it says.
pub(super) struct Read {
    pub origin: Origin,
    pub checked: Checked,
}

/// Reads on a thread of its own: a file system that does not answer holds up nothing else.
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

/// What can't be put into force.
pub(super) struct Refused {
    /// `None` where the file can't be read.
    origin: Option<Origin>,
    pub problems: Vec<Problem>,
}

/// The configuration in force.
pub(super) struct Configuration {
    source: ConfigSource,
    environment: Lookup,
    clock: Clock,
    origin: Origin,
    step_files: StepFilesWatch,
    /// The file, as it was last asked for, could not be put into force.
    file_is_refused: bool,
    /// The step files, as they are, can't be.
    step_files_are_refused: bool,
    /// What was last said of step files, so that nothing is said twice.
    told: Vec<Problem>,
}

impl Configuration {
    /// One that is about to be put into force.
    pub(super) fn new(
        read: Read,
        source: ConfigSource,
        environment: Lookup,
        clock: Clock,
    ) -> (Self, Config) {
        let Read { origin, checked } = read;
        warn_of(&checked.warnings);
        let watched = (origin.clone(), checked.step_files);
        let configuration = Self {
            step_files: StepFilesWatch::start(watched.0, watched.1, environment.clone()),
            source,
            environment,
            clock,
            origin,
            file_is_refused: false,
            step_files_are_refused: false,
            told: Vec::new(),
        };
        (configuration, checked.config)
    }

    /// Puts the configuration, read anew, into force, or changes nothing and says why.
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
                self.force(checked, live, pollers).await;
                info!(targets, "configuration reloaded");
                self.step_files.now(origin, step_files);
                self.file_is_refused = false;
                self.step_files_are_refused = false;
                self.tell_success(live);
                Ok(())
            }
            Err(Refused { origin, problems }) => {
                // Then it is the step files that changed, and they are enough to make it right again.
                let same = origin.is_some_and(|origin| origin == self.origin);
                self.file_is_refused = !same;
                if same {
                    self.step_files_are_refused = true;
                    self.step_files.doubt();
                }
                self.tell_success(live);
                for problem in &problems {
                    error!(%problem, "configuration not reloaded; the old one stays in force");
                }
                let lines = lines(&problems);
                self.told = problems;
                Err(lines)
            }
        }
    }

    /// Waits until the step files of the configuration in force changed.
    pub(super) async fn step_files_changed(&mut self) -> Reread {
        self.step_files.changed().await
    }

    /// Puts the step files as they are now into force, and nothing else; or keeps the old ones.
    pub(super) async fn take(&mut self, reread: Reread, live: &Live, pollers: &mut Pollers) {
        match reread.read {
            Ok(checked) => {
                let targets = checked.config.targets.iter();
                let steps = targets.map(|target| target.step_executions.len());
                let listed_steps: usize = steps.sum();
                self.force(checked, live, pollers).await;
                info!(listed_steps, "step files changed and were taken");
                self.step_files_are_refused = false;
            }
            Err(problems) => {
                self.step_files_are_refused = true;
                if problems != self.told {
                    for problem in &problems {
                        error!(%problem, "step files changed and were not taken; the old ones stay in force");
                    }
                    self.told = problems;
                }
            }
        }
        self.tell_success(live);
    }

    async fn force(&mut self, checked: Checked, live: &Live, pollers: &mut Pollers) {
        let Checked {
            config, warnings, ..
        } = checked;
        warn_of(&warnings);
        live.show(pollers.assign(config).await);
        self.told.clear();
    }

    fn tell_success(&self, live: &Live) {
        let success = !self.file_is_refused && !self.step_files_are_refused;
        let now = self.clock.now().time;
        live.process().config_reloaded(success, now);
    }
}

fn warn_of(warnings: &[Problem]) {
    for warning in warnings {
        warn!(%warning, "configuration");
    }
}

pub(super) fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}
