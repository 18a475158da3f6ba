//! Runs work that may block for ever on a thread of its own.
//!
//! A file system or a name server may never respond. tokio's pool of blocking threads is bounded and
//! serves the whole process, so such work must not wait in it.

use std::thread::Builder;

use tokio::sync::oneshot;

/// Starts the work. The receiver gets its result, or fails if the system refuses a thread or the work
/// panics.
pub(super) fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (done, result) = oneshot::channel();
    // A refused thread drops the work, and `done` with it.
    let _ = Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody may wait for it any more.
        let _ = done.send(work());
    });
    result
}
