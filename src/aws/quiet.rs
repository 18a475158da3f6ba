//! Turns off the log lines of the SDK.

use std::future::Future;

use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

/// Runs the future. The SDK logs what it ignores in the shared files only if `is_logged`.
pub(super) async fn logged_if<F: Future>(is_logged: bool, future: F) -> F::Output {
    match is_logged {
        true => future.await,
        false => future.with_subscriber(NoSubscriber::default()).await,
    }
}
