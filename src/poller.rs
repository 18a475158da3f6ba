//! The loop that drives a tracker: takes tokens, makes calls, and applies what their responses change.
//!
//! Owns the waiting, the deadlines of calls, and everything that leaves: the published snapshot, log
//! lines, counters. It decides nothing that a plain function can decide; those are in
//! [`crate::tracker`]. Run by `app`, one for each target and region.

mod contained;
mod limiter;
mod news;
mod ownership;
mod published;
mod report;
mod tools;

use std::future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use limiter::RateLimiter;
pub use ownership::Claims;
use ownership::Owners;
pub use published::{Publication, Published};
use report::Reporter;
pub use tools::Tools;

use crate::api::{ApiError, ImageBuilder, Page, Purpose, Response, within};
use crate::clock::{Clock, Now};
use crate::health::Health;
use crate::labels::LabelText;
use crate::tracker::{Assignment, Changes, DueCall, Tracker, own_labels};

/// How often the image names with counters are compared with those in use.
const REVIEW_NAMES: Duration = Duration::from_secs(10 * 60);
/// The same while counters wait for their removal.
const REVIEW_REST: Duration = Duration::from_secs(1);

/// Polls one target in one region.
#[derive(Debug)]
pub struct Poller {
    tools: Tools,
    tracker: Tracker,
    owners: Owners,
    health: Arc<Health>,
    published: Arc<Published>,
    in_flight: JoinSet<(Response, Now)>,
    /// The token that was taken for the next call.
    token: Option<Token>,
    reporter: Reporter,
    /// When the image names with counters are reviewed next.
    names_due: Instant,
    /// The target's own labels.
    target_labels: LabelText,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    /// Since when the call waits for it.
    asked: Instant,
    /// From when on it may be used.
    ready: Instant,
}

impl Poller {
    pub fn new(assignment: impl Into<Arc<Assignment>>, tools: Tools) -> Self {
        let assignment = assignment.into();
        let owners = owners(&assignment, &tools);
        let reporter = Reporter::new(&assignment.target.name, &assignment.region);
        let target_labels = own_labels(&assignment.target, None);
        let now = tools.clock.now();
        let poller = Self {
            tracker: Tracker::new(assignment, tools.seed, &owners, now),
            owners,
            health: Arc::default(),
            published: Arc::default(),
            in_flight: JoinSet::new(),
            token: None,
            reporter,
            names_due: now.instant + REVIEW_NAMES,
            target_labels,
            tools,
        };
        poller.publish();
        poller
    }

    /// Goes on with another assignment of the same target and region. What both select keeps its
    /// state; calls in flight go on. What was published before is no longer replaced.
    pub fn reassign(&mut self, assignment: Assignment, tools: Tools) {
        // When a token may be used was computed by the limit there was: the new one says again.
        let now = tools.clock.now();
        if let Some(token) = self.token.take_if(|token| token.ready > now.instant) {
            self.tools.limiter.give_back();
            self.tools
                .metrics
                .rate_limit_wait(now.instant - token.asked);
        }
        self.owners = owners(&assignment, &tools);
        self.target_labels = own_labels(&assignment.target, None);
        self.tools = tools;
        let changes = self.tracker.configure(assignment, &self.owners, now);
        self.published = Arc::default();
        self.publish();
        self.apply(changes, None, now);
    }

    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    pub fn assignment(&self) -> &Arc<Assignment> {
        self.tracker.assignment()
    }

    pub fn published(&self) -> &Arc<Published> {
        &self.published
    }

    /// Polls as [`Self::run`] does, but does not contain a panic.
    async fn poll(
        mut self,
        mut stop: watch::Receiver<bool>,
        attempted: watch::Sender<bool>,
    ) -> Self {
        let mut claims = self.tools.claims.news();
        let mut all_attempted = false;
        loop {
            let now = self.tools.clock.now();
            let changes = self.tracker.handle_timeout(now);
            self.apply(changes, None, now);
            if !all_attempted && self.tracker.all_attempted() {
                all_attempted = true;
                attempted.send_replace(true);
            }
            let expiry = self.tracker.next_expiry();
            self.review_names(now.instant);
            let wake = self.start_due_calls().into_iter().chain(expiry);
            let wake = wake.chain([self.names_due]).min();
            self.publish();
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return self,
                Some(returned) = self.in_flight.join_next() => match returned {
                    Ok((response, at)) => self.handle(response, at),
                    Err(failure) => std::panic::resume_unwind(failure.into_panic()),
                },
                Ok(()) = claims.changed() => {
                    let now = self.tools.clock.now();
                    let changes = self.tracker.review_ownership(&self.owners, now);
                    self.apply(changes, None, now);
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Starts what is due as far as tokens and places allow. Returns when to try again, if not
    /// earlier for a response.
    fn start_due_calls(&mut self) -> Option<Instant> {
        loop {
            let polling = &self.tracker.assignment().polling;
            if self.in_flight.len() >= polling.max_concurrent_requests.get() {
                return None;
            }
            let timeout = polling.request_timeout;
            let at = self.tools.clock.now();
            let now = at.instant;
            let limiter = &self.tools.limiter;
            let poll = self.tracker.next_due();
            let mut history = self.tracker.next_history_due(at);
            if self.token.is_none() {
                // Other targets may need the tokens for their polls.
                history = history.map(|due| due.max(limiter.spare(now)));
            }
            let due = poll.into_iter().chain(history).min()?;
            if due > now {
                return Some(due);
            }
            let token = *self.token.get_or_insert_with(|| Token {
                asked: now,
                ready: limiter.reserve(now),
            });
            if token.ready > now {
                return Some(token.ready);
            }
            if let Some((due, page)) = self.tracker.next_call(at) {
                self.token = None;
                self.tools.metrics.rate_limit_wait(now - token.asked);
                if due.purpose == Purpose::Polling {
                    self.tools.metrics.poll_lag(now - due.due);
                }
                let (api, clock) = (self.tools.api.clone(), self.tools.clock);
                self.in_flight
                    .spawn(respond(due, page, api, timeout, now, clock));
            }
        }
    }

    /// Counts a response, and applies what it changes.
    fn handle(&mut self, response: Response, at: Now) {
        let at = self.tools.metrics.service_clock().corrected(at);
        let response = self.tracker.checked(response);
        let interval = self.tracker.assignment().polling.interval;
        let health = Arc::make_mut(&mut self.health);
        self.reporter
            .responded(&response, at, &self.tools, health, interval);
        let error = response.result.as_ref().err().cloned();
        let changes = self.tracker.handle(response, &self.owners, at);
        self.apply(changes, error.as_ref(), at);
    }

    /// Logs and counts what changed. What is released is published first: the target that takes it
    /// over may expose it at once.
    fn apply(&mut self, mut changes: Changes, error: Option<&ApiError>, now: Now) {
        let released = std::mem::take(&mut changes.released);
        let (tools, labels) = (&self.tools, &self.target_labels);
        self.reporter.changed(changes, error, tools, labels, now);
        if !released.is_empty() {
            self.publish();
        }
        for resource in &released {
            self.owners.release(resource);
        }
    }

    /// Removes the counters and baselines of image names that are no longer in use, each time that is
    /// due.
    fn review_names(&mut self, now: Instant) {
        if now < self.names_due {
            return;
        }
        self.names_due = now + REVIEW_NAMES;
        if let Some(listed) = self.tracker.listed_image_names() {
            let assignment = self.tracker.assignment();
            let (target, region) = (&assignment.target.name, &assignment.region);
            let Tools {
                finished,
                baselines,
                ..
            } = &self.tools;
            let mut in_use = self.tracker.used_image_names();
            baselines.review_names(target, region, &in_use, now);
            in_use.extend(listed.cloned().map(Some));
            if finished.review_names(target, region, &in_use, now) {
                self.names_due = now + REVIEW_REST;
            }
        }
    }

    fn publish(&self) {
        self.published.replace(Publication {
            snapshot: Arc::new(self.tracker.snapshot()),
            health: self.health.clone(),
        });
    }
}

/// Makes a call, one attempt of it, within its deadline.
async fn respond(
    DueCall { call, purpose, .. }: DueCall,
    page: Page,
    api: Arc<dyn ImageBuilder>,
    timeout: Duration,
    asked: Instant,
    clock: Clock,
) -> (Response, Now) {
    let result = within(timeout, call.clone().send(&*api, page.clone())).await;
    let response = Response {
        call,
        purpose,
        page,
        asked,
        result,
    };
    (response, clock.now())
}

fn owners(assignment: &Assignment, tools: &Tools) -> Owners {
    Owners {
        claims: tools.claims.clone(),
        rank: assignment.rank,
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => future::pending().await,
    }
}
