//! Makes the calls, one at a time, each with a token of the rate limiter and a deadline.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use crate::api::{
    ApiError, ApiFuture, ErrorKind, ImageBuilder, ListPage, Page, ServiceClock, within,
};
use crate::clock::Clock;
use crate::poller::RateLimiter;
use crate::tracker::{LARGE_PAGE, SMALL_PAGE};

/// Maximum number of attempts of a call that is throttled.
const TRIES: usize = 5;
/// Maximum number of pages of a list that are read, so that a large list takes few calls.
const MOST_PAGES: usize = 50;
/// If this machine's clock is off by more than this, it may be the reason for a refusal. The SDK signs
/// by the service's clock after the first response.
const REFUSED_FOR_ITS_TIME_MILLIS: u64 = 4 * 60 * 1_000;

/// Calls the service for one target and region.
#[derive(Debug)]
pub(super) struct Requester {
    /// The target and the region, for the log.
    pub target: String,
    pub region: String,
    pub api: Arc<dyn ImageBuilder>,
    pub service_clock: ServiceClock,
    pub limiter: Arc<RateLimiter>,
    pub clock: Clock,
    pub timeout: Duration,
    /// The requested number of entries in a page; smaller after a large page was refused.
    pub page_size: u16,
}

/// The part of an account's list that was read.
#[derive(Debug)]
pub(super) struct ReadList<T> {
    pub entries: Vec<T>,
    pub pages: usize,
    /// The reason if the list is incomplete.
    pub cut: Option<String>,
}

impl Requester {
    /// Makes a call, and retries it if it is throttled.
    pub(super) async fn call<T>(
        &self,
        make: impl Fn(&dyn ImageBuilder) -> ApiFuture<T>,
    ) -> Result<T, ApiError> {
        let mut tries = 1;
        let mut signed_again = false;
        loop {
            let ready = self.limiter.reserve(self.clock.now().instant);
            tokio::time::sleep_until(ready).await;
            let sent = self.clock.now().instant;
            let error = match within(self.timeout, make(&*self.api)).await {
                Ok(parsed) => return Ok(parsed.value),
                Err(error) => error,
            };
            debug!(
                target = self.target,
                region = self.region,
                result = error.kind.as_str(),
                %error,
                "call failed"
            );
            if error.kind == ErrorKind::Throttled && tries < TRIES {
                tries += 1;
                self.limiter.throttled(sent, self.clock.now().instant);
            } else if error.caller_refused && !signed_again && self.clock_is_off() {
                signed_again = true;
            } else {
                return Err(error);
            }
        }
    }

    /// Requests a page; a small one if a large first page is refused.
    pub(super) async fn page<T>(
        &mut self,
        token: Option<String>,
        make: impl Fn(&dyn ImageBuilder, Page) -> ApiFuture<T>,
    ) -> Result<T, ApiError> {
        let of = |size| Page {
            size,
            token: token.clone(),
        };
        let size = self.page_size;
        let result = self.call(|api| make(api, of(size))).await;
        let refused = result
            .as_ref()
            .is_err_and(|error| error.kind == ErrorKind::Client);
        if !refused || size == SMALL_PAGE || token.is_some() {
            return result;
        }
        let small = self.call(|api| make(api, of(SMALL_PAGE))).await;
        if small.is_ok() {
            self.page_size = SMALL_PAGE;
        }
        small
    }

    /// Reads a list of the account.
    ///
    /// # Errors
    ///
    /// Its first page could not be read.
    pub(super) async fn list<T>(
        &mut self,
        make: impl Fn(&dyn ImageBuilder, Page) -> ApiFuture<ListPage<T>>,
    ) -> Result<ReadList<T>, ApiError> {
        let ListPage { entries, mut next } = self.page(None, &make).await?;
        let mut listed = ReadList {
            entries,
            pages: 1,
            cut: None,
        };
        let mut seen = HashSet::new();
        while let Some(token) = next.take() {
            if !seen.insert(token.clone()) {
                let pages = listed.pages;
                listed.cut = Some(format!("page {pages} has the token of an earlier page"));
                break;
            }
            if listed.pages == MOST_PAGES {
                listed.cut = Some(format!("only the first {MOST_PAGES} pages were read"));
                break;
            }
            match self.page(Some(token), &make).await {
                Ok(page) => {
                    listed.entries.extend(page.entries);
                    listed.pages += 1;
                    next = page.next;
                }
                Err(error) => {
                    let page = listed.pages + 1;
                    listed.cut = Some(format!("page {page} could not be read: {error}"));
                }
            }
        }
        Ok(listed)
    }

    /// Returns whether the service refuses pages of the usual size.
    pub(super) fn has_small_pages(&self) -> bool {
        self.page_size < LARGE_PAGE
    }

    fn clock_is_off(&self) -> bool {
        let skew = self.service_clock.skew_millis();
        skew.is_some_and(|skew| skew.unsigned_abs() > REFUSED_FOR_ITS_TIME_MILLIS)
    }
}
