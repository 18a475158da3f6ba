//! Applies the web configuration: TLS, passwords, headers and the rate limit.
//!
//! The file and the files that it names are read again while there are requests, so that a renewed
//! certificate is used at once.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use tokio::time::Instant;

use super::passwords::Passwords;
use crate::clock::Clock;
use crate::config::{Problem, Web, WebRateLimit};

/// Shortest time between two readings of the file.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// Longest time that a request waits for the file: a file system may not respond.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// The web configuration in effect.
pub struct WebFile {
    path: PathBuf,
    clock: Clock,
    current: RwLock<Arc<Web>>,
    /// Held while the file is read.
    reading: Arc<tokio::sync::Mutex<LastRead>>,
    passwords: Passwords,
    bucket: Mutex<Bucket>,
}

struct LastRead {
    at: Instant,
    /// The problems that were last logged, so that each is logged once.
    logged: Vec<Problem>,
}

impl fmt::Debug for WebFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl WebFile {
    /// Reads the file. Blocks.
    ///
    /// # Errors
    ///
    /// All of its problems.
    pub fn load(path: PathBuf, clock: Clock) -> Result<Self, Vec<Problem>> {
        let web = Web::load(&path)?;
        let now = clock.now().instant;
        let last = LastRead {
            at: now,
            logged: Vec::new(),
        };
        Ok(Self {
            path,
            clock,
            bucket: Mutex::new(Bucket::full(web.config.rate_limit, now)),
            current: RwLock::new(Arc::new(web)),
            reading: Arc::new(tokio::sync::Mutex::new(last)),
            passwords: Passwords::new(),
        })
    }

    /// Returns the configuration, as the file has it now. An invalid file changes nothing and is logged.
    pub(super) async fn current(self: &Arc<Self>) -> Arc<Web> {
        if let Ok(mut last) = self.reading.clone().try_lock_owned() {
            let now = self.clock.now().instant;
            if now >= last.at + READ_INTERVAL {
                last.at = now;
                let this = self.clone();
                let reading = tokio::task::spawn_blocking(move || {
                    let read = Web::load(&this.path);
                    this.apply(read, &mut last);
                });
                // It goes on if it takes longer.
                let _ = tokio::time::timeout(READ_TIMEOUT, reading).await;
            }
        }
        self.latest()
    }

    /// Returns whether the configuration in effect has TLS.
    pub fn has_tls(&self) -> bool {
        self.latest().tls.is_some()
    }

    fn latest(&self) -> Arc<Web> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn apply(&self, read: Result<Web, Vec<Problem>>, last: &mut LastRead) {
        match read {
            Ok(web) => {
                last.logged.clear();
                if web.config != self.latest().config {
                    let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                    *current = Arc::new(web);
                    tracing::info!(path = %self.path.display(), "web configuration reloaded");
                }
            }
            Err(problems) if problems != last.logged => {
                for problem in &problems {
                    tracing::error!(%problem, "web configuration reload failed; keeping the effective one");
                }
                last.logged = problems;
            }
            Err(_) => {}
        }
    }

    /// Returns whether the rate limit allows another request.
    pub(super) fn takes_token(&self, web: &Web) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(web.config.rate_limit, self.clock.now().instant)
    }

    /// Returns whether the request may be answered: there are no users, or it has a user's password.
    pub(super) async fn accepts(&self, web: &Web, headers: &HeaderMap) -> bool {
        let users = &web.config.basic_auth_users;
        users.is_empty() || self.passwords.accepts(users, headers).await
    }
}

/// Sets the configured headers, which take precedence.
pub(super) fn set_headers(web: &Web, headers: &mut HeaderMap) {
    for (name, value) in &web.config.http_server_config.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
}

/// A token bucket.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(limit: WebRateLimit, now: Instant) -> Self {
        Self {
            tokens: f64::from(limit.burst),
            at: now,
        }
    }

    /// Takes a token, if there is one or no limit.
    fn take(&mut self, limit: WebRateLimit, now: Instant) -> bool {
        if limit.interval.is_zero() {
            return true;
        }
        let elapsed = now.saturating_duration_since(self.at);
        let added = elapsed.as_secs_f64() / limit.interval.as_secs_f64();
        self.tokens = (self.tokens + added).min(f64::from(limit.burst));
        self.at = now;
        let is_taken = self.tokens >= 1.0;
        if is_taken {
            self.tokens -= 1.0;
        }
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limit_allows_a_burst_and_then_one_request_an_interval() {
        let limit = WebRateLimit {
            interval: Duration::from_secs(2),
            burst: 2,
        };
        let start = Clock::System.now().instant;
        let mut bucket = Bucket::full(limit, start);
        let mut take = |seconds| bucket.take(limit, start + Duration::from_secs(seconds));
        assert_eq!(
            [0, 0, 0, 1, 2, 3, 60, 60, 60].map(&mut take),
            [true, true, false, false, true, false, true, true, false]
        );
        let none = WebRateLimit {
            interval: Duration::ZERO,
            burst: 0,
        };
        assert!(Bucket::full(none, start).take(none, start));
    }
}
