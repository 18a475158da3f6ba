//! Simulates the service's own rate limit: a token bucket for each account and region.
//!
//! It shares nothing with the client's limiter, which tests judge by it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use imagebuilder_model::Timestamp;

use crate::scenario::RateLimit;

#[derive(Debug)]
pub(crate) struct Limiter {
    limit: Option<RateLimit>,
    buckets: Mutex<HashMap<(String, String), Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Limiter {
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        Self {
            limit,
            buckets: Mutex::default(),
        }
    }

    /// Takes a token for a call; returns `false` if there is none.
    pub(crate) fn pass(&self, account: &str, region: &str, now: Timestamp) -> bool {
        let Some(limit) = self.limit else {
            return true;
        };
        let full = f64::from(limit.burst);
        // A bucket is replaced in one assignment, so a panic elsewhere leaves it valid.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets
            .entry((account.to_owned(), region.to_owned()))
            .or_insert(Bucket {
                tokens: full,
                at: now,
            });
        let passed = now.millis_since(bucket.at).max(0) as f64 / 1000.0;
        let tokens = (bucket.tokens + passed * limit.requests_per_second).min(full);
        let pass = tokens >= 1.0;
        *bucket = Bucket {
            tokens: if pass { tokens - 1.0 } else { tokens },
            at: bucket.at.max(now),
        };
        pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_beyond_the_burst_wait_for_new_tokens() {
        let limiter = Limiter::new(Some(RateLimit {
            requests_per_second: 2.0,
            burst: 3,
        }));
        let pass = |millis| limiter.pass("1", "us-west-2", Timestamp::from_millis(millis));
        assert_eq!(
            [pass(0), pass(0), pass(0), pass(0)],
            [true, true, true, false]
        );
        assert_eq!([pass(499), pass(500), pass(501)], [false, true, false]);
        assert!(limiter.pass("1", "eu-west-1", Timestamp::from_millis(500)));
    }
}
