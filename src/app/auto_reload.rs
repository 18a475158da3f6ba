//! Watches the content of the configuration file for `--config.enable-auto-reload`.
//!
//! Runs in its own task, so that a slow file system delays nothing else. Only reports a change; `reload`
//! reads the file again. `step_files` watches the step files of the effective configuration.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::{Fingerprint, Origin, Problem, StepFiles};

/// As often as Prometheus checks its configuration.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// A changed file is read when it has not changed for so long: it may still be written.
const SETTLE_TIME: Duration = Duration::from_secs(2);

/// What the last reload read, be it valid or not. It is read again only when it changes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attempt {
    /// The file, or why it cannot be read.
    pub file: Result<Fingerprint, Problem>,
    /// The step files of a configuration that is invalid, as they may be the reason.
    pub step_files: Option<StepFiles>,
}

#[derive(Debug)]
pub(super) struct AutoReload {
    last: watch::Sender<Attempt>,
    changes: mpsc::Receiver<()>,
    task: JoinHandle<()>,
}

impl AutoReload {
    /// Starts to check the file, which was last read as `last`.
    pub(super) fn start(path: PathBuf, last: Attempt) -> Self {
        let (last, current) = watch::channel(last);
        let (sender, changes) = mpsc::channel(1);
        Self {
            last,
            changes,
            task: tokio::spawn(check(path, current, sender)),
        }
    }

    /// Replaces what the file is compared with, after each reload.
    pub(super) fn attempted(&self, attempt: Attempt) {
        self.last.send_replace(attempt);
    }

    /// Waits until the file has changed since the last reload.
    pub(super) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // The task ends only by a panic, which must not go unnoticed.
            match (&mut self.task).await {
                Err(failure) => std::panic::resume_unwind(failure.into_panic()),
                Ok(()) => std::future::pending().await,
            }
        }
    }
}

/// Checks the file until the receiver is dropped.
async fn check(path: PathBuf, last: watch::Receiver<Attempt>, changes: mpsc::Sender<()>) {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        let mut found = look(&path, &last).await;
        while found != *last.borrow() {
            tokio::time::sleep(SETTLE_TIME).await;
            let again = look(&path, &last).await;
            let settled = again == found && again != *last.borrow();
            found = again;
            if settled {
                if changes.send(()).await.is_err() {
                    return;
                }
                break;
            }
        }
    }
}

/// Reads what the last reload read, as it is now.
async fn look(path: &std::path::Path, last: &watch::Receiver<Attempt>) -> Attempt {
    let (path, last) = (path.to_owned(), last.borrow().clone());
    let reading = tokio::task::spawn_blocking(move || {
        if Origin::is_pipe(&path) {
            // Reading it would take what it holds from others.
            return last;
        }
        Attempt {
            file: Origin::load(&path).map(|origin| origin.fingerprint()),
            step_files: last.step_files.map(|step_files| step_files.look()),
        }
    });
    match reading.await {
        Ok(found) => found,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A Kubernetes volume: the file is a link to `..data`, a link to a folder that is replaced.
    struct Volume(PathBuf);

    impl Volume {
        fn new() -> Self {
            let name = format!("imagebuilder-exporter-volume-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).unwrap();
            std::os::unix::fs::symlink("..data/config.yaml", folder.join("config.yaml")).unwrap();
            Self(folder)
        }

        fn file(&self) -> PathBuf {
            self.0.join("config.yaml")
        }

        fn swap(&self, version: &str, text: &str) {
            std::fs::create_dir(self.0.join(version)).unwrap();
            std::fs::write(self.0.join(version).join("config.yaml"), text).unwrap();
            std::os::unix::fs::symlink(version, self.0.join("..new")).unwrap();
            std::fs::rename(self.0.join("..new"), self.0.join("..data")).unwrap();
        }
    }

    impl Drop for Volume {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn attempt(path: &Path) -> Attempt {
        Attempt {
            file: Origin::load(path).map(|origin| origin.fingerprint()),
            step_files: None,
        }
    }

    async fn changes(watched: &mut AutoReload) -> bool {
        let long = CHECK_INTERVAL * 5;
        tokio::time::timeout(long, watched.changed()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn each_content_is_reported_until_a_reload_has_read_it() {
        let volume = Volume::new();
        volume.swap("one", "one");
        let mut watched = AutoReload::start(volume.file(), attempt(&volume.file()));
        assert!(!changes(&mut watched).await);
        volume.swap("two", "two");
        assert!(changes(&mut watched).await);
        watched.attempted(attempt(&volume.file()));
        assert!(!changes(&mut watched).await);
        // The same content in another folder.
        volume.swap("three", "two");
        assert!(!changes(&mut watched).await);
        std::fs::remove_file(volume.0.join("..data")).unwrap();
        assert!(changes(&mut watched).await);
        watched.attempted(attempt(&volume.file()));
        assert!(!changes(&mut watched).await);
        volume.swap("four", "two");
        assert!(changes(&mut watched).await);
    }
}
