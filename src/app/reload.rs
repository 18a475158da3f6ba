//! Reads and reloads the configuration.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{error, info, warn};

use super::auto_reload::{Attempt, AutoReload};
use super::live::Live;
use super::pollers::Pollers;
use super::source::{ConfigSource, Lookup};
use super::step_files::{Reread, StepFilesWatch};
use crate::clock::Clock;
use crate::config::{Checked, Config, Fingerprint, Origin, Problem, StepFiles};

/// Most time that a reload may read files. A file system that does not respond must not block later
/// reloads.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Most reads at once. One that its reload has given up holds a thread until the file system responds.
const MAX_READS: usize = 4;

/// A configuration that was read and checked, with its source text.
pub(super) struct Read {
    pub origin: Origin,
    pub checked: Checked,
}

/// Reads the configuration on a separate thread, so that a file system that hangs blocks nothing else.
pub(super) async fn read(source: &ConfigSource, environment: &Lookup) -> Result<Read, Refused> {
    read_with(source, environment, None).await
}

/// As [`read`]; the permit is held until the read has ended, even if nothing waits for it.
async fn read_with(
    source: &ConfigSource,
    environment: &Lookup,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<Read, Refused> {
    let (source, environment) = (source.clone(), environment.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let origin = match source {
            ConfigSource::File(path) => Origin::load(&path).map_err(|problem| Refused {
                problems: vec![problem],
                read: None,
            })?,
            ConfigSource::Text { name, text } => Origin::text(name, text),
            ConfigSource::Regions(regions) => Origin::everything_in(&regions),
        };
        match origin.read(&*environment) {
            Ok(checked) => Ok(Read { origin, checked }),
            Err(invalid) => Err(Refused {
                problems: invalid.problems,
                read: Some((origin.fingerprint(), invalid.step_files)),
            }),
        }
    });
    match reading.await {
        Ok(read) => read,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}

/// As [`read`], if it ends in time.
async fn read_in_time(
    source: &ConfigSource,
    environment: &Lookup,
    reads: &Arc<Semaphore>,
) -> Result<Read, Refused> {
    let refused = |message| Refused {
        read: None,
        problems: vec![Problem {
            file: source.name(),
            line: 1,
            column: 1,
            message,
        }],
    };
    let Ok(permit) = reads.clone().try_acquire_owned() else {
        return Err(refused(format!(
            "{MAX_READS} earlier reads still wait for the file system; check the file system"
        )));
    };
    let reading = read_with(source, environment, Some(permit));
    match tokio::time::timeout(RELOAD_TIMEOUT, reading).await {
        Ok(read) => read,
        Err(_) => Err(refused(format!(
            "the file and its step files were not read within {} s; check the file system",
            RELOAD_TIMEOUT.as_secs()
        ))),
    }
}

/// A configuration that is invalid or cannot be read.
pub(super) struct Refused {
    /// The file and its step files; `None` when the file cannot be read.
    read: Option<(Fingerprint, StepFiles)>,
    pub problems: Vec<Problem>,
}

/// What has changed without a request to reload it.
pub(super) enum Change {
    File,
    StepFiles(Box<Reread>),
}

/// The effective configuration, and what is needed to reload it.
pub(super) struct Configuration {
    source: ConfigSource,
    environment: Lookup,
    clock: Clock,
    /// Permits to read files for a reload.
    reads: Arc<Semaphore>,
    file: Fingerprint,
    step_files: StepFilesWatch,
    /// `None` unless the file is reloaded when it changes.
    auto_reload: Option<AutoReload>,
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
        auto_reload: bool,
    ) -> (Self, Config) {
        let Read { origin, checked } = read;
        log_warnings(&checked.warnings);
        let file = origin.fingerprint();
        let auto_reload = match &source {
            ConfigSource::File(path) if auto_reload => {
                let attempt = Attempt {
                    file: Ok(file.clone()),
                    step_files: None,
                };
                Some(AutoReload::start(path.clone(), attempt))
            }
            _ => None,
        };
        let configuration = Self {
            step_files: StepFilesWatch::start(origin, checked.step_files, environment.clone()),
            source,
            environment,
            clock,
            reads: Arc::new(Semaphore::new(MAX_READS)),
            file,
            auto_reload,
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
        match read_in_time(&self.source, &self.environment, &self.reads).await {
            Ok(Read { origin, checked }) => {
                self.file = origin.fingerprint();
                self.attempted(Ok(self.file.clone()), None);
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
            Err(Refused { read, problems }) => {
                let (file, step_files) = match (read, problems.first()) {
                    (None, Some(problem)) => (Err(problem.clone()), None),
                    (None, None) => (Ok(self.file.clone()), None),
                    (Some((file, step_files)), _) => (Ok(file), Some(step_files)),
                };
                // The file is unchanged, so the step files are invalid, and a change of these fixes it.
                let same = file.as_ref() == Ok(&self.file);
                self.attempted(file, step_files);
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

    fn attempted(&self, file: Result<Fingerprint, Problem>, step_files: Option<StepFiles>) {
        if let Some(auto_reload) = &self.auto_reload {
            auto_reload.attempted(Attempt { file, step_files });
        }
    }

    /// Waits until the step files of the effective configuration change, or the file itself if it is to
    /// be reloaded then.
    pub(super) async fn changed(&mut self) -> Change {
        let file = async {
            match &mut self.auto_reload {
                Some(auto_reload) => auto_reload.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            reread = self.step_files.changed() => Change::StepFiles(Box::new(reread)),
            () = file => Change::File,
        }
    }

    /// Applies a change. An invalid one changes nothing and is reported.
    pub(super) async fn apply_change(
        &mut self,
        change: Change,
        live: &Live,
        pollers: &mut Pollers,
    ) {
        match change {
            // A failure is logged.
            Change::File => drop(self.reload(live, pollers).await),
            Change::StepFiles(reread) => self.apply_step_files(*reread, live, pollers).await,
        }
    }

    /// Applies changed step files and nothing else. Invalid ones change nothing and are reported.
    async fn apply_step_files(&mut self, reread: Reread, live: &Live, pollers: &mut Pollers) {
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// An environment that responds when the sender is dropped.
    fn stalled(until: Receiver<()>) -> Lookup {
        let until = Mutex::new(until);
        Arc::new(move |_| until.lock().unwrap().recv().err().map(|_| "eu".to_owned()))
    }

    fn source() -> ConfigSource {
        ConfigSource::Text {
            name: "test.yaml",
            text: "targets: [{name: '${NAME}', regions: [us-west-2], images: ['*']}]",
        }
    }

    #[tokio::test]
    async fn read_that_hangs_is_given_up_and_a_later_one_succeeds() {
        let (hold, until) = channel();
        let environment = stalled(until);
        let reads = Arc::new(Semaphore::new(1));
        let (source, early) = (source(), Duration::from_millis(20));
        let read = read_in_time(&source, &environment, &reads);
        // The deadline itself is too long for a test.
        assert!(tokio::time::timeout(early, read).await.is_err());
        let refused = read_in_time(&source, &environment, &reads).await.err();
        let message = refused.unwrap().problems.remove(0).message;
        assert!(message.contains("earlier reads still wait"), "{message}");
        drop(hold);
        // The read that was given up has ended.
        drop(reads.acquire().await);
        let read = read_in_time(&source, &environment, &reads).await;
        assert_eq!(read.ok().unwrap().checked.config.targets[0].name, "eu");
    }
}
