//! Watches the step files: checks them every few seconds, and reads them again after a change.
//!
//! Runs in its own task, so that a slow file system delays nothing else. Only returns what it read;
//! `app` applies it.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::source::Lookup;
use crate::config::{Checked, Origin, Problem, StepFiles};

/// A change is effective after two to three times this interval.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// The effective configuration, read again with the current step files.
#[derive(Debug)]
pub(super) struct Reread {
    pub read: Result<Checked, Vec<Problem>>,
    /// The generation of the configuration that was effective when it was read.
    generation: u64,
}

/// The effective configuration, whose step files are checked.
#[derive(Clone, Debug)]
struct Effective {
    /// `None` if it names no step files.
    named: Option<(Origin, StepFiles)>,
    /// A reload found the step files invalid, so they are read again even without a change.
    doubted: bool,
    generation: u64,
}

#[derive(Debug)]
pub(super) struct StepFilesWatch {
    effective: watch::Sender<Effective>,
    rereads: mpsc::Receiver<Reread>,
    task: JoinHandle<()>,
}

impl StepFilesWatch {
    /// Starts to check the step files of the configuration, which were last read as `step_files`.
    pub(super) fn start(origin: Origin, step_files: StepFiles, environment: Lookup) -> Self {
        let (effective, current) = watch::channel(Effective {
            named: named(origin, step_files),
            doubted: false,
            generation: 0,
        });
        let (sender, rereads) = mpsc::channel(1);
        Self {
            effective,
            rereads,
            task: tokio::spawn(watch_files(current, sender, environment)),
        }
    }

    /// Replaces the configuration whose step files are checked.
    pub(super) fn now(&self, origin: Origin, step_files: StepFiles) {
        self.effective.send_modify(|effective| {
            *effective = Effective {
                named: named(origin, step_files),
                doubted: false,
                generation: effective.generation + 1,
            };
        });
    }

    /// Reads the step files again even without a change: a reload found them invalid, but they can be
    /// valid again before the next check, which then sees no change.
    pub(super) fn doubt(&self) {
        self.effective.send_modify(|effective| {
            effective.doubted = true;
            effective.generation += 1;
        });
    }

    /// Waits until step files of the effective configuration have changed.
    pub(super) async fn changed(&mut self) -> Reread {
        while let Some(reread) = self.rereads.recv().await {
            // A configuration that was replaced in the meantime must not return.
            if reread.generation == self.effective.borrow().generation {
                return reread;
            }
        }
        // The task ends only by a panic, which must not go unnoticed.
        match (&mut self.task).await {
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
            Ok(()) => std::future::pending().await,
        }
    }
}

fn named(origin: Origin, step_files: StepFiles) -> Option<(Origin, StepFiles)> {
    step_files.are_named().then_some((origin, step_files))
}

async fn watch_files(
    mut current: watch::Receiver<Effective>,
    rereads: mpsc::Sender<Reread>,
    environment: Lookup,
) {
    loop {
        let effective = current.borrow_and_update().clone();
        tokio::select! {
            // The check in progress is of files that no longer matter.
            changed = current.changed() => if changed.is_err() { return },
            () = check(effective, &rereads, &environment) => return,
        }
    }
}

/// Checks the step files until the receiver is dropped.
async fn check(effective: Effective, rereads: &mpsc::Sender<Reread>, environment: &Lookup) {
    let Effective {
        named,
        mut doubted,
        generation,
    } = effective;
    let Some((origin, step_files)) = named else {
        return std::future::pending().await;
    };
    let mut applied = step_files.clone();
    let mut last = step_files;
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        let found = aside({
            let last = last.clone();
            move || last.look()
        });
        let found = found.await;
        // Half a list is a valid list, so a file is read only after it has been written completely:
        // when two checks agree.
        if found == last && (doubted || found != applied) {
            let (origin, environment) = (origin.clone(), environment.clone());
            let read = aside(move || origin.read(&*environment)).await;
            let read = read.map_err(|invalid| invalid.problems);
            doubted = false;
            applied = match &read {
                Ok(checked) => checked.step_files.clone(),
                Err(_) => found.clone(),
            };
            if rereads.send(Reread { read, generation }).await.is_err() {
                return;
            }
        }
        last = found;
    }
}

/// Runs the work on a thread that may wait for a file system.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}
