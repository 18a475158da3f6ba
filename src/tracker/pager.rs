//! The pages of a list: which one is next, and what a page that fails means.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use super::context::Context;
use super::retry::{Policy, Retries};
use crate::api::{ApiError, ErrorKind, Page, Response};

/// How often in a row a page is requested again before the list is read from its beginning. In a
/// large account a list of many pages would hardly ever end if each failure began it again.
const PAGE_ATTEMPTS: u32 = 3;
/// The most pages of one pass. A full list of so many pages has a million entries.
const MAX_PAGES: usize = 10_000;
/// The most entries of one pass, because the memory of the exporter grows with them.
const MAX_ENTRIES: usize = 200_000;
/// The most empty pages in a row.
const MAX_EMPTY_PAGES: u32 = 1_000;
/// A service may filter a list after it has read a page. So a few empty pages are normal, and are
/// followed without a pause.
const EMPTY_PAGES_AT_ONCE: u32 = 10;
/// The pause after each further empty page in a row: a list without entries may take 5 calls/s.
const EMPTY_PAGE_PAUSE: Duration = Duration::from_millis(200);

/// How far one list has been read.
#[derive(Debug, Default)]
pub(super) struct Pager {
    /// Token of the next page; `None` at the first.
    token: Option<String>,
    /// Hashes of the tokens that this pass has had.
    seen: HashSet<u64>,
    /// Entries that this pass has had.
    entries: usize,
    /// Empty pages since the last entry of this pass.
    empty_pages: u32,
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

    /// Returns the response, or a failed one if the list would never end with its page, or has more
    /// than is kept of one list.
    pub(super) fn checked(&self, mut response: Response) -> Response {
        let parsed = response.result.as_ref().ok();
        if let Some(error) = parsed.and_then(|parsed| self.exceeded(parsed.value.page())) {
            response.result = Err(error);
        }
        response
    }

    /// Returns which bound is exceeded with a page of so many entries and this token.
    fn exceeded(&self, (entries, next): (usize, Option<&str>)) -> Option<ApiError> {
        if self.entries + entries > MAX_ENTRIES {
            return Some(ApiError::endless(format_args!(
                "it has more than {MAX_ENTRIES} entries"
            )));
        }
        let next = next?;
        if self.seen.contains(&hash(next)) {
            return Some(ApiError::endless(
                "the page's nextToken is one of an earlier page",
            ));
        }
        if self.seen.len() + 1 >= MAX_PAGES {
            return Some(ApiError::endless(format_args!(
                "it has more than {MAX_PAGES} pages"
            )));
        }
        (entries == 0 && self.empty_pages + 1 >= MAX_EMPTY_PAGES)
            .then(|| ApiError::endless(format_args!("{MAX_EMPTY_PAGES} pages in a row are empty")))
    }

    /// A page with so many entries was read; `next` is the token of the one after it. Returns how
    /// long the request for that one waits; `None` after the last page.
    pub(super) fn read(&mut self, entries: usize, next: Option<String>) -> Option<Duration> {
        self.page_failures = 0;
        let Some(next) = next else {
            self.restart();
            self.retries = Retries::default();
            return None;
        };
        self.seen.insert(hash(&next));
        self.token = Some(next);
        self.entries += entries;
        self.empty_pages = match entries {
            0 => self.empty_pages + 1,
            _ => 0,
        };
        self.retries = Retries {
            failures: self.retries.failures,
            ..Retries::default()
        };
        Some(match self.empty_pages > EMPTY_PAGES_AT_ONCE {
            true => EMPTY_PAGE_PAUSE,
            false => Duration::ZERO,
        })
    }

    /// The next page is the first.
    pub(super) fn restart(&mut self) {
        *self = Self {
            retries: self.retries,
            again: self.again,
            ..Self::default()
        };
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
                wait: c.wait_after(kind, policy.interval, self.page_failures),
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
    BuildHasherDefault::<DefaultHasher>::new().hash_one(token)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::api::{Account, Call, ListPage, Parsed, Payload, Purpose};

    /// Whether a page with this token is refused.
    fn refuses(pager: &Pager, token: &str, now: Instant) -> bool {
        let page = ListPage {
            entries: Vec::new(),
            next: Some(token.to_owned()),
        };
        let response = Response {
            call: Call::ListImageBuildVersions(Account),
            purpose: Purpose::Polling,
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
        assert!(pager.read(1, Some("one".to_owned())).is_some());
        assert!(pager.read(1, Some("two".to_owned())).is_some());
        assert!(refuses(&pager, "one", now) && refuses(&pager, "two", now));
        assert!(!refuses(&pager, "three", now));
        assert_eq!(pager.read(1, None), None);
        assert!(!refuses(&pager, "one", now));
        pager.read(1, Some("one".to_owned()));
        pager.restart();
        assert!(!refuses(&pager, "one", now));
    }

    /// How many pages with so many entries are read before the next one fails, and the longest
    /// pause before one of them.
    fn read_for_ever(entries: impl Fn(usize) -> usize) -> (usize, Duration) {
        let mut pager = Pager::default();
        let mut longest = Duration::ZERO;
        for number in 0.. {
            let token = format!("token-{number}");
            if pager.exceeded((entries(number), Some(&token))).is_some() {
                return (number, longest);
            }
            let pause = pager.read(entries(number), Some(token));
            longest = longest.max(pause.expect("there is a token"));
        }
        unreachable!("the loop is endless")
    }

    #[test]
    fn list_ends_at_its_bounds() {
        assert_eq!(read_for_ever(|_| 1), (9_999, Duration::ZERO));
        assert_eq!(read_for_ever(|_| 100), (2_000, Duration::ZERO));
        assert_eq!(read_for_ever(|_| 0), (999, EMPTY_PAGE_PAUSE));
        // Some empty pages in a row are normal.
        let sparse = |number| usize::from(number % 11 == 0);
        assert_eq!(read_for_ever(sparse), (9_999, Duration::ZERO));
    }
}
