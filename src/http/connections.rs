//! Tracks the open connections and the requests in progress, and decides which give way when there are
//! too many.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::limits::Limits;
use crate::clock::Clock;

/// The open connections of all listeners.
#[derive(Debug)]
pub(super) struct Connections {
    clock: Clock,
    pub limits: Limits,
    open: Mutex<Open>,
    /// Requests in progress that the limit counts.
    in_progress: AtomicUsize,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    by_id: HashMap<u64, Arc<Connection>>,
}

/// One connection, as its stream, its requests and the others see it.
#[derive(Debug)]
pub(super) struct Connection {
    id: u64,
    clock: Clock,
    activity: Mutex<Activity>,
    /// Signals that the connection must close.
    close: Notify,
}

/// What a connection does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activity {
    /// Whether a request is in progress.
    busy: bool,
    /// Whether the limit counts the request.
    limited: bool,
    /// The last progress of that request, or the time since when there is none.
    since: Instant,
    /// The number of requests so far.
    requests: u64,
}

impl Connections {
    pub(super) fn new(clock: Clock, limits: Limits) -> Self {
        Self {
            clock,
            limits,
            open: Mutex::default(),
            in_progress: AtomicUsize::new(0),
        }
    }

    /// Registers a connection. If there are too many, closes the one that has been idle for longest.
    pub(super) fn open(self: &Arc<Self>) -> Opened {
        let mut open = self.lock();
        if open.by_id.len() >= self.limits.connections {
            open.close_longest_idle();
        }
        let id = open.next;
        open.next += 1;
        let connection = Arc::new(Connection {
            id,
            clock: self.clock,
            activity: Mutex::new(Activity {
                busy: false,
                limited: false,
                since: self.clock.now().instant,
                requests: 0,
            }),
            close: Notify::new(),
        });
        open.by_id.insert(id, connection.clone());
        Opened {
            connection,
            connections: self.clone(),
        }
    }

    /// Closes the connection that has been idle for longest, because the process needs its file
    /// descriptor.
    pub(super) fn close_longest_idle(&self) {
        self.lock().close_longest_idle();
    }

    /// Returns the number of open connections.
    pub(super) fn count(&self) -> usize {
        self.lock().by_id.len()
    }

    /// Begins a request.
    pub(super) fn begin(self: &Arc<Self>, connection: &Arc<Connection>) -> Request {
        let now = self.clock.now().instant;
        connection.update(|activity| {
            *activity = Activity {
                busy: true,
                limited: false,
                since: now,
                requests: activity.requests + 1,
            }
        });
        Request {
            connection: connection.clone(),
            connections: self.clone(),
            is_limited: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes a connection without a request; if all have one, that with the oldest progress.
    fn close_longest_idle(&mut self) {
        let idle = self.longest(|activity| !activity.busy);
        if let Some(id) = idle.or_else(|| self.longest(|_| true)) {
            self.close(id);
        }
    }

    /// Returns the connection whose activity began first, among those that `is_eligible` selects.
    fn longest(&self, is_eligible: impl Fn(&Activity) -> bool) -> Option<u64> {
        let all = self
            .by_id
            .values()
            .map(|connection| (connection.activity(), connection.id));
        let eligible = all.filter(|(activity, _)| is_eligible(activity));
        let longest = eligible.min_by_key(|(activity, id)| (activity.since, *id));
        longest.map(|(_, id)| id)
    }

    fn close(&mut self, id: u64) {
        if let Some(connection) = self.by_id.remove(&id) {
            connection.close.notify_one();
        }
    }
}

impl Connection {
    /// Returns whether a request is in progress, and the number of requests so far.
    pub(super) fn state(&self) -> (bool, u64) {
        let activity = self.activity();
        (activity.busy, activity.requests)
    }

    /// Records that the client has taken bytes of a response.
    pub(super) fn progressed(&self) {
        let now = self.clock.now().instant;
        self.update(|activity| {
            if activity.busy {
                activity.since = now;
            }
        });
    }

    /// Waits until the connection must close.
    pub(super) async fn must_close(&self) {
        self.close.notified().await;
    }

    fn activity(&self) -> Activity {
        *self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut Activity)) {
        change(&mut self.activity.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// An open connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Opened {
    connection: Arc<Connection>,
    connections: Arc<Connections>,
}

impl Deref for Opened {
    type Target = Arc<Connection>;

    fn deref(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.connections.lock().by_id.remove(&self.connection.id);
    }
}

/// A request in progress, until it is dropped at the end of its response.
#[derive(Debug)]
pub(super) struct Request {
    connection: Arc<Connection>,
    connections: Arc<Connections>,
    /// Whether the limit counts the request.
    is_limited: AtomicBool,
}

impl Request {
    /// Counts the request, unless there are too many. A response whose client has not read for some
    /// time gives way.
    pub(super) fn admit(&self) -> bool {
        let connections = &self.connections;
        let max = connections.limits.requests;
        let now = connections.clock.now().instant;
        let mut open = connections.lock();
        if max > 0 && connections.in_progress.load(Ordering::Relaxed) >= max {
            let stalled = open.longest(|activity| {
                activity.limited && activity.since + connections.limits.stalled_after <= now
            });
            let Some(stalled) = stalled else {
                return false;
            };
            open.close(stalled);
        }
        connections.in_progress.fetch_add(1, Ordering::Relaxed);
        self.is_limited.store(true, Ordering::Relaxed);
        self.connection.update(|activity| {
            activity.limited = true;
            activity.since = now;
        });
        true
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.is_limited.load(Ordering::Relaxed) {
            self.connections.in_progress.fetch_sub(1, Ordering::Relaxed);
        }
        let now = self.connections.clock.now().instant;
        self.connection.update(|activity| {
            activity.busy = false;
            activity.limited = false;
            activity.since = now;
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;
    use crate::clock::Now;
    use crate::model::Timestamp;

    fn connections(connections: usize, requests: usize) -> Arc<Connections> {
        let limits = Limits {
            connections,
            requests,
            ..Limits::default()
        };
        let instant = (Clock::System.now()).instant;
        let time = Timestamp::from_millis(0);
        Arc::new(Connections::new(
            Clock::Tokio(Now { instant, time }),
            limits,
        ))
    }

    /// Returns a request that is counted, if the limit allows it.
    fn admitted(connections: &Arc<Connections>, connection: &Opened) -> Option<Request> {
        let request = connections.begin(connection);
        request.admit().then_some(request)
    }

    /// Returns whether the connection must close.
    async fn is_closed(opened: &Opened) -> bool {
        tokio::time::timeout(Duration::ZERO, opened.must_close())
            .await
            .is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn connection_that_has_been_idle_for_longest_is_closed_first() {
        let connections = connections(3, 0);
        let busy = connections.open();
        let _request = admitted(&connections, &busy).unwrap();
        let used = connections.open();
        advance(Duration::from_secs(1)).await;
        let unused = connections.open();
        advance(Duration::from_secs(1)).await;
        drop(admitted(&connections, &used).unwrap());
        let _fourth = connections.open();
        assert!(is_closed(&unused).await);
        let _fifth = connections.open();
        assert!(is_closed(&used).await);
        assert!(!is_closed(&busy).await);
        assert_eq!(connections.count(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn among_requests_the_one_without_progress_gives_way_to_a_connection() {
        let connections = connections(2, 0);
        let (first, second) = (connections.open(), connections.open());
        let _requests = [&first, &second].map(|one| admitted(&connections, one).unwrap());
        advance(Duration::from_secs(1)).await;
        first.progressed();
        let _third = connections.open();
        assert!(is_closed(&second).await);
        assert!(!is_closed(&first).await);
    }

    #[tokio::test(start_paused = true)]
    async fn request_beyond_the_limit_is_refused_until_another_stalls() {
        let connections = connections(9, 1);
        let (first, second) = (connections.open(), connections.open());
        let _request = admitted(&connections, &first).unwrap();
        assert!(admitted(&connections, &second).is_none());
        let almost = connections.limits.stalled_after - Duration::from_millis(1);
        advance(almost).await;
        first.progressed();
        advance(almost).await;
        assert!(admitted(&connections, &second).is_none());
        advance(Duration::from_millis(1)).await;
        assert!(admitted(&connections, &second).is_some());
        assert!(is_closed(&first).await);
    }

    #[tokio::test(start_paused = true)]
    async fn ended_request_makes_room_for_another() {
        let connections = connections(9, 1);
        let opened = connections.open();
        drop(admitted(&connections, &opened).unwrap());
        assert!(admitted(&connections, &opened).is_some());
    }
}
