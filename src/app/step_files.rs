//! Step files, looked at every few seconds, beside all else: a file system that does not answer
//! holds up nothing but this.
//!
//! Reads them anew where they changed, and hands over what came of it; puts nothing into force.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::source::Lookup;
use crate::config::{Checked, Origin, Problem, StepFiles};

/// What changed is in force two to three times later.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The configuration that is in force, read with the step files as they are now.
#[derive(Debug)]
pub(super) struct Reread {
    pub read: Result<Checked, Vec<Problem>>,
    /// Of what was in force when it was read.
    generation: u64,
}

/// Whose step files are looked at.
#[derive(Clone, Debug)]
struct InForce {
    origin: Origin,
    step_files: StepFiles,
    /// Somebody else found the step files wrong since: they are to be read whatever they hold.
    doubted: bool,
    generation: u64,
}

#[derive(Debug)]
pub(super) struct StepFilesWatch {
    in_force: watch::Sender<InForce>,
    rereads: mpsc::Receiver<Reread>,
    task: JoinHandle<()>,
}

impl StepFilesWatch {
    /// Looks at the step files of the configuration, which were read as told.
    pub(super) fn start(origin: Origin, step_files: StepFiles, environment: Lookup) -> Self {
        let (in_force, current) = watch::channel(InForce {
            origin,
            step_files,
            doubted: false,
            generation: 0,
        });
        let (sender, rereads) = mpsc::channel(1);
        Self {
            in_force,
            rereads,
            task: tokio::spawn(look_on(current, sender, environment)),
        }
    }

    /// From now on looks at those of this configuration.
    pub(super) fn now(&self, origin: Origin, step_files: StepFiles) {
        self.in_force.send_modify(|in_force| {
            *in_force = InForce {
                origin,
                step_files,
                doubted: false,
                generation: in_force.generation + 1,
            };
        });
    }

    /// Reads them again even if they are what they were: somebody else found them wrong, but they may
    /// be right again before the next look, which then sees no change.
    pub(super) fn doubt(&self) {
        self.in_force.send_modify(|in_force| {
            in_force.doubted = true;
            in_force.generation += 1;
        });
    }

    /// Waits until step files of the configuration in force changed.
    pub(super) async fn changed(&mut self) -> Reread {
        while let Some(reread) = self.rereads.recv().await {
            // What another one has replaced meanwhile must not come back.
            if reread.generation == self.in_force.borrow().generation {
                return reread;
            }
        }
        // It ends by a defect alone, which must not go unnoticed.
        match (&mut self.task).await {
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
            Ok(()) => std::future::pending().await,
        }
    }
}

async fn look_on(
    mut current: watch::Receiver<InForce>,
    rereads: mpsc::Sender<Reread>,
    environment: Lookup,
) {
    loop {
        let in_force = current.borrow_and_update().clone();
        tokio::select! {
            // What is under way, if that ever ends, is about files that no longer matter.
            changed = current.changed() => if changed.is_err() { return },
            () = look_at(in_force, &rereads, &environment) => return,
        }
    }
}

/// Ends when nobody listens any more.
async fn look_at(in_force: InForce, rereads: &mpsc::Sender<Reread>, environment: &Lookup) {
    let InForce {
        origin,
        step_files,
        mut doubted,
        generation,
    } = in_force;
    if !step_files.are_named() {
        return std::future::pending().await;
    }
    let mut taken = step_files.clone();
    let mut last = step_files;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let looked = aside({
            let last = last.clone();
            move || last.look()
        });
        let looked = looked.await;
        // Half a list is a list too, so a file is read only when it is no longer being written:
        // when it was the same twice.
        if looked == last && (doubted || looked != taken) {
            let (origin, environment) = (origin.clone(), environment.clone());
            let read = aside(move || origin.read(&*environment)).await;
            doubted = false;
            taken = match &read {
                Ok(checked) => checked.step_files.clone(),
                Err(_) => looked.clone(),
            };
            if rereads.send(Reread { read, generation }).await.is_err() {
                return;
            }
        }
        last = looked;
    }
}

/// On a thread that may wait for a file system.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}
