//! The pages of a list: which one is next, and what a page that fails means.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::context::Context;
use super::retry::{Policy, Retries};
use crate::api::{ApiError, ErrorKind, Page, Response};

/// How often in a row a page is requested again before the list is read from its beginning. In a
/// large account a list of many pages would hardly ever end if each failure began it again.
const PAGE_ATTEMPTS: u32 = 3;

/// How far one list has been read.
#[derive(Debug, Default)]
pub(super) struct Pager {
    /// Token of the next page; `None` at the first.
    token: Option<String>,
    /// Hashes of the tokens that this pass has had.
    seen: Vec<u64>,
    /// How often in a row the next page failed.
    page_failures: u32,
    /// Failures since the list was last read to its end.
    pub(super) retries: Retries,
    /// What is read was requested again while a page of it was in flight, so that it can be stale.
    pub(super) again: bool,
}

/// What follows from a page that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageFailure {
    pub wait: Duration,
    /// The next page is the first; otherwise the same page is requested again.
    pub restarted: bool,
    /// The list had been read in part, so that a client error may speak of its token.
    pub half_read: bool,
}

impl Pager {
    /// The page to request next.
    pub(super) fn page(&self, size: u16) -> Page {
        Page {
            size,
            token: self.token.clone(),
        }
    }

    /// Whether pages were read and others are to come.
    pub(super) fn is_half_read(&self) -> bool {
        self.token.is_some()
    }

    /// Returns the response, or a failed one if its page token occurred before in the same pass: such a
    /// list would never end.
    pub(super) fn checked(&self, mut response: Response) -> Response {
        let parsed = response.result.as_ref().ok();
        let next = parsed.and_then(|parsed| parsed.value.next_token());
        if next.is_some_and(|next| self.seen.contains(&hash(next))) {
            response.result = Err(ApiError::new(
                ErrorKind::Parse,
                "the page's nextToken is one of an earlier page, so the list would never end",
            ));
        }
        response
    }

    /// A page was read; `next` is the token of the one after it. Returns whether it was the last.
    pub(super) fn read(&mut self, next: Option<String>) -> bool {
        self.page_failures = 0;
        self.token = next;
        let ended = self.token.is_none();
        match &self.token {
            Some(token) => self.seen.push(hash(token)),
            None => self.seen.clear(),
        }
        self.retries = Retries {
            failures: if ended { 0 } else { self.retries.failures },
            ..Retries::default()
        };
        ended
    }

    /// The next page is the first.
    pub(super) fn restart(&mut self) {
        self.token = None;
        self.seen.clear();
        self.page_failures = 0;
    }

    /// A page failed. A token can expire between two pages.
    pub(super) fn failed(
        &mut self,
        kind: ErrorKind,
        policy: Policy,
        c: &mut Context,
    ) -> PageFailure {
        let half_read = self.is_half_read();
        let again = half_read && !matches!(kind, ErrorKind::Client | ErrorKind::Forbidden);
        if again && !self.again && self.page_failures < PAGE_ATTEMPTS {
            self.page_failures += 1;
            return PageFailure {
                wait: c
                    .jitter
                    .after_failure(kind, policy.interval, self.page_failures),
                restarted: false,
                half_read,
            };
        }
        self.restart();
        let expired = half_read && kind == ErrorKind::Client;
        let policy = match expired {
            true => Policy {
                gone_after: None,
                ..policy
            },
            false => policy,
        };
        let wait = self.retries.failed(kind, policy, c);
        let at_once = expired && policy.restarts_at_once && self.retries.failures == 1;
        let wait = if at_once { Duration::ZERO } else { wait };
        PageFailure {
            wait,
            restarted: true,
            half_read,
        }
    }
}

fn hash(token: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::api::{Account, Call, ListPage, Parsed, Payload};

    /// Whether a page with this token is refused.
    fn refuses(pager: &Pager, token: &str, now: Instant) -> bool {
        let page = ListPage {
            entries: Vec::new(),
            next: Some(token.to_owned()),
        };
        let response = Response {
            call: Call::ListImageBuildVersions(Account),
            page: pager.page(100),
            asked: now,
            result: Ok(Parsed::from(Payload::ListImageBuildVersions(Account, page))),
        };
        pager.checked(response).result.is_err()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "some instant")]
    fn token_counts_as_repeated_within_its_pass_alone() {
        let now = Instant::now();
        let mut pager = Pager::default();
        assert!(!refuses(&pager, "one", now));
        assert!(!pager.read(Some("one".to_owned())));
        assert!(!pager.read(Some("two".to_owned())));
        assert!(refuses(&pager, "one", now) && refuses(&pager, "two", now));
        assert!(!refuses(&pager, "three", now));
        assert!(pager.read(None));
        assert!(!refuses(&pager, "one", now));
        pager.read(Some("one".to_owned()));
        pager.restart();
        assert!(!refuses(&pager, "one", now));
    }
}
