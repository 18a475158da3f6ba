//! Contains a panic while a response is made.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll};

/// Returns the result of the future, or `None` after a panic. The panic hook has logged it.
pub(super) async fn contained<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    // What other requests use through locks stays whole when code under the lock panics.
    let poll = |context: &mut Context<'_>| {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)))
            .map_or(Poll::Ready(None), |poll| poll.map(Some))
    };
    poll_fn(poll).await
}
