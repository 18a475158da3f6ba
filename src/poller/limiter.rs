//! The token bucket of one account and region: each attempt of a call takes a token, and throttling
//! makes tokens rarer for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::RateLimit;

/// What a throttled answer leaves of the rate.
const SLOWED_BY: f64 = 0.5;
/// The rate never falls below this part of the configured one, so that recovery is noticed.
const SLOWEST: f64 = 1.0 / 32.0;
/// Throttled answers within this time are one sign, not many: they were sent at the same rate.
const ONE_SIGN: Duration = Duration::from_secs(1);
/// How long the way back from nothing to the configured rate takes.
const RECOVERY: Duration = Duration::from_secs(60);

/// A token bucket that several pollers may share.
#[derive(Debug)]
pub struct RateLimiter(Mutex<Bucket>);

impl RateLimiter {
    pub fn new(limit: RateLimit, now: Instant) -> Self {
        Self(Mutex::new(Bucket::new(limit, now)))
    }

    /// Takes the next token; says from when on it may be used. Whoever asks first is served first.
    pub fn reserve(&self, now: Instant) -> Instant {
        self.bucket(|bucket| bucket.reserve(now))
    }

    /// Takes back a token whose time had not come: nobody will use it.
    pub fn give_back(&self) {
        self.bucket(|bucket| bucket.tokens += 1.0);
    }

    /// The service throttled a call. Returns the new rate, a second, where this began a slow time.
    pub fn throttled(&self, now: Instant) -> Option<f64> {
        self.bucket(|bucket| bucket.throttled(now))
    }

    /// How many calls a second are made, where throttling has made it fewer than configured.
    pub fn slowed_to(&self, now: Instant) -> Option<f64> {
        self.bucket(|bucket| (bucket.pace(now) < 1.0).then(|| bucket.rate(now)))
    }

    /// Goes on with another limit.
    pub fn configure(&self, limit: RateLimit, now: Instant) {
        self.bucket(|bucket| bucket.configure(limit, now));
    }

    fn bucket<T>(&self, act: impl FnOnce(&mut Bucket) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug)]
struct Bucket {
    limit: RateLimit,
    /// Tokens at `at`; below 0 where reservations are ahead of it.
    tokens: f64,
    at: Instant,
    /// The part of the configured rate that was left when the service last throttled.
    pace: f64,
    paced_at: Option<Instant>,
}

impl Bucket {
    fn new(limit: RateLimit, now: Instant) -> Self {
        Self {
            limit,
            tokens: f64::from(limit.burst.get()),
            at: now,
            pace: 1.0,
            paced_at: None,
        }
    }

    fn reserve(&mut self, now: Instant) -> Instant {
        self.refill(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 {
            return now;
        }
        now + Duration::from_secs_f64(-self.tokens / self.rate(now))
    }

    fn throttled(&mut self, now: Instant) -> Option<f64> {
        self.refill(now);
        if self.paced_at.is_some_and(|at| now < at + ONE_SIGN) {
            return None;
        }
        let pace = self.pace(now);
        self.pace = (pace * SLOWED_BY).max(SLOWEST);
        self.paced_at = Some(now);
        self.tokens = self.tokens.min(0.0);
        (pace >= 1.0).then(|| self.rate(now))
    }

    fn configure(&mut self, limit: RateLimit, now: Instant) {
        self.refill(now);
        self.limit = limit;
        self.tokens = self.tokens.min(f64::from(limit.burst.get()));
    }

    fn refill(&mut self, now: Instant) {
        let gained = now.duration_since(self.at).as_secs_f64() * self.rate(now);
        self.tokens = (self.tokens + gained).min(f64::from(self.limit.burst.get()));
        self.at = now;
    }

    /// Tokens a second.
    fn rate(&self, now: Instant) -> f64 {
        self.limit.requests_per_second * self.pace(now)
    }

    fn pace(&self, now: Instant) -> f64 {
        match self.paced_at {
            Some(at) => {
                let recovered = now.duration_since(at).as_secs_f64() / RECOVERY.as_secs_f64();
                (self.pace + recovered).min(1.0)
            }
            None => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn limit(requests_per_second: f64, burst: u32) -> RateLimit {
        RateLimit {
            requests_per_second,
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "some instant to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn burst_is_served_at_once_and_the_rest_at_the_rate() {
        let now = start();
        let limiter = RateLimiter::new(limit(5.0, 3), now);
        let waits: Vec<_> = (0..6)
            .map(|_| limiter.reserve(now).duration_since(now).as_millis())
            .collect();
        assert_eq!(waits, [0, 0, 0, 200, 400, 600]);
    }

    #[test]
    fn throttling_lowers_the_rate_once_for_one_sign_and_it_recovers_by_itself() {
        let now = start();
        let limiter = RateLimiter::new(limit(10.0, 1), now);
        assert_eq!(limiter.throttled(now), Some(5.0));
        let wait = limiter.reserve(now).duration_since(now);
        assert_eq!(wait.as_millis(), 200);
        assert_eq!(limiter.throttled(now + ONE_SIGN / 2), None);
        assert_eq!(limiter.slowed_to(now), Some(5.0));

        let later = now + RECOVERY;
        limiter.reserve(later);
        let wait = limiter.reserve(later).duration_since(later);
        assert_eq!(wait.as_millis(), 100);
        assert_eq!(limiter.slowed_to(later), None);
    }

    #[test]
    fn token_that_is_given_back_is_the_next_one_to_be_taken() {
        let now = start();
        let limiter = RateLimiter::new(limit(5.0, 1), now);
        limiter.reserve(now);
        let ready = limiter.reserve(now);
        limiter.give_back();
        assert_eq!(limiter.reserve(now), ready);
    }

    #[test]
    fn rate_never_falls_to_nothing() {
        let mut now = start();
        let limiter = RateLimiter::new(limit(32.0, 1), now);
        for _ in 0..100 {
            now += ONE_SIGN;
            limiter.throttled(now);
        }
        let wait = limiter.reserve(now).duration_since(now);
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
    }

    proptest! {
        #[test]
        fn no_more_tokens_are_given_than_burst_and_rate_allow(
            rate in 1.0..50.0f64,
            burst in 1..20u32,
            pauses in prop::collection::vec(0..500u64, 1..200),
        ) {
            let begin = start();
            let limiter = RateLimiter::new(limit(rate, burst), begin);
            let mut now = begin;
            for (given, pause) in pauses.iter().enumerate() {
                now += Duration::from_millis(*pause);
                let at = limiter.reserve(now).duration_since(begin).as_secs_f64();
                let allowed = f64::from(burst) + at * rate;
                prop_assert!(given as f64 + 1.0 <= allowed + 1e-6, "{given} by {at}");
            }
        }
    }
}
