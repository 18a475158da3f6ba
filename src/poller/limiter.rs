//! The token bucket of one account and region: each attempt of a call takes a token, and throttling
//! lowers the rate to what the service accepts.
//!
//! The rate follows the adaptive mode of the AWS SDKs: a throttled response lowers it to 0.7 of the
//! accepted calls a second, and it recovers along a cubic curve. It differs in one point. A share of
//! throttled responses of up to 5 % lowers nothing: at hundreds of calls a second even a few in a
//! thousand would come faster than the rate recovers, and keep it low.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::RateLimit;

/// The part of the accepted rate that a throttled response leaves.
const KEPT: f64 = 0.7;
/// Growth of the rate in calls a second, for each cubed second. As in the AWS SDKs.
const GROWTH: f64 = 0.4;
/// The rate never falls below this many calls a second, nor below a tenth of the configured rate if
/// that is less. So recovery is noticed soon.
const SLOWEST: f64 = 0.5;
const SLOWEST_PART: f64 = 0.1;
/// The share of throttled responses that lowers nothing.
const TOLERATED: f64 = 0.05;
/// The time constants in seconds by which older responses count less: for the accepted rate, which
/// has to be the present one, and for the share of throttled ones, which a single one must not raise.
const RATE_MEMORY: f64 = 2.0;
const SHARE_MEMORY: f64 = 10.0;
/// The part of the burst that calls which can wait leave to the others.
const SPARED: f64 = 0.25;
/// Throttling that begins again within this time is not reported again.
const QUIET: Duration = Duration::from_secs(60);

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

    /// Returns when a quarter of the burst is there, unless somebody takes a token before. A call that
    /// can wait takes none earlier, so that tokens are left for the others.
    pub fn spare(&self, now: Instant) -> Instant {
        self.bucket(|bucket| bucket.spare(now))
    }

    /// Takes back a token whose time had not come: nobody will use it.
    pub fn give_back(&self) {
        self.bucket(|bucket| bucket.tokens += 1.0);
    }

    /// The service accepted a call.
    pub fn accepted(&self, now: Instant) {
        self.bucket(|bucket| bucket.recent.add(false, now));
    }

    /// The service throttled a call that was sent at `sent`. Returns the new rate in calls a second
    /// where this begins a period of throttling.
    pub fn throttled(&self, sent: Instant, now: Instant) -> Option<f64> {
        self.bucket(|bucket| bucket.throttled(sent, now))
    }

    /// Calls a second, where throttling has made them fewer than configured.
    pub fn slowed_to(&self, now: Instant) -> Option<f64> {
        self.bucket(|bucket| {
            let rate = bucket.rate(now);
            (rate < bucket.limit.requests_per_second).then(|| shown(rate))
        })
    }

    /// Goes on with another limit.
    pub fn configure(&self, limit: RateLimit, now: Instant) {
        self.bucket(|bucket| bucket.configure(limit, now));
    }

    fn bucket<T>(&self, act: impl FnOnce(&mut Bucket) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A rate for people: two decimals.
fn shown(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}

#[derive(Debug)]
struct Bucket {
    limit: RateLimit,
    /// Tokens at `at`; below 0 where reservations are ahead of it.
    tokens: f64,
    at: Instant,
    recent: Recent,
    recovery: Option<Recovery>,
}

impl Bucket {
    fn new(limit: RateLimit, now: Instant) -> Self {
        Self {
            limit,
            tokens: f64::from(limit.burst.get()),
            at: now,
            recent: Recent::new(now),
            recovery: None,
        }
    }

    fn reserve(&mut self, now: Instant) -> Instant {
        self.refill(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 {
            return now;
        }
        now + Duration::from_secs_f64(self.time_to_gain(-self.tokens, now))
    }

    fn spare(&mut self, now: Instant) -> Instant {
        self.refill(now);
        let missing = (f64::from(self.limit.burst.get()) * SPARED).max(1.0) - self.tokens;
        if missing <= 0.0 {
            return now;
        }
        now + Duration::from_secs_f64(self.time_to_gain(missing, now))
    }

    fn throttled(&mut self, sent: Instant, now: Instant) -> Option<f64> {
        // A call that was sent at the rate before says nothing about the present one.
        let cut_at = self.recovery.map(|recovery| recovery.since);
        if cut_at.is_some_and(|at| sent <= at) {
            return None;
        }
        self.recent.add(true, now);
        if self.recent.throttled_share() <= TOLERATED {
            return None;
        }
        self.refill(now);
        let rate = self.rate(now);
        let limit = self.limit.requests_per_second;
        let slowest = SLOWEST.min(limit * SLOWEST_PART);
        self.recovery = Some(Recovery {
            since: now,
            peak: rate.min(self.recent.accepted_rate()).max(slowest / KEPT),
        });
        self.tokens = self.tokens.min(0.0);
        let is_new = rate >= limit && cut_at.is_none_or(|at| now - at >= QUIET);
        is_new.then(|| shown(self.rate(now)))
    }

    fn configure(&mut self, limit: RateLimit, now: Instant) {
        self.refill(now);
        self.limit = limit;
        self.tokens = self.tokens.min(f64::from(limit.burst.get()));
    }

    fn refill(&mut self, now: Instant) {
        let burst = f64::from(self.limit.burst.get());
        self.tokens = (self.tokens + self.gained(self.at, now)).min(burst);
        self.at = now;
    }

    /// Tokens a second.
    fn rate(&self, now: Instant) -> f64 {
        let limit = self.limit.requests_per_second;
        let recovery = self.recovery;
        recovery.map_or(limit, |recovery| recovery.rate(now).min(limit))
    }

    /// Tokens from one moment to another.
    fn gained(&self, from: Instant, to: Instant) -> f64 {
        let limit = self.limit.requests_per_second;
        match &self.recovery {
            Some(recovery) => recovery.calls(to, limit) - recovery.calls(from, limit),
            None => (to - from).as_secs_f64() * limit,
        }
    }

    /// Seconds from `now` until that many tokens are there.
    fn time_to_gain(&self, tokens: f64, now: Instant) -> f64 {
        // The rate only grows, so that this is the longest time.
        let mut most = tokens / self.rate(now);
        if self.recovery.is_none() || self.rate(now) >= self.limit.requests_per_second {
            return most;
        }
        let mut least = 0.0;
        while most - least > 1e-6 * most {
            let middle = f64::midpoint(least, most);
            match self.gained(now, now + Duration::from_secs_f64(middle)) < tokens {
                true => least = middle,
                false => most = middle,
            }
        }
        most
    }
}

/// The curve along which the rate recovers after throttling: quickly up to what was accepted before,
/// slowly around that, and then ever faster.
#[derive(Clone, Copy, Debug)]
struct Recovery {
    /// When the rate was lowered.
    since: Instant,
    /// Calls a second that the service accepted before.
    peak: f64,
}

impl Recovery {
    /// Calls a second, whatever the configured limit.
    fn rate(&self, now: Instant) -> f64 {
        let seconds = self.seconds(now);
        GROWTH * (seconds - self.plateau()).powi(3) + self.peak
    }

    /// Calls since the rate was lowered, at no more than `limit` calls a second.
    fn calls(&self, now: Instant, limit: f64) -> f64 {
        let plateau = self.plateau();
        let seconds = self.seconds(now);
        let at_limit = plateau + ((limit - self.peak) / GROWTH).cbrt();
        let recovering = seconds.min(at_limit.max(0.0));
        let curve = (recovering - plateau).powi(4) - plateau.powi(4);
        GROWTH / 4.0 * curve + self.peak * recovering + limit * (seconds - recovering)
    }

    /// Seconds until the rate is at its peak again.
    fn plateau(&self) -> f64 {
        (self.peak * (1.0 - KEPT) / GROWTH).cbrt()
    }

    fn seconds(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.since).as_secs_f64()
    }
}

/// The responses of the last seconds. Each counts less the older it is.
#[derive(Debug)]
struct Recent {
    at: Instant,
    /// By [`RATE_MEMORY`].
    accepted: f64,
    /// By [`SHARE_MEMORY`].
    throttled: f64,
    all: f64,
}

impl Recent {
    fn new(now: Instant) -> Self {
        Self {
            at: now,
            accepted: 0.0,
            throttled: 0.0,
            all: 0.0,
        }
    }

    fn add(&mut self, is_throttled: bool, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.accepted *= (-passed / RATE_MEMORY).exp();
        let left = (-passed / SHARE_MEMORY).exp();
        self.throttled *= left;
        self.all = self.all * left + 1.0;
        match is_throttled {
            true => self.throttled += 1.0,
            false => self.accepted += 1.0,
        }
        self.at = self.at.max(now);
    }

    fn throttled_share(&self) -> f64 {
        self.throttled / self.all
    }

    /// Accepted calls a second.
    fn accepted_rate(&self) -> f64 {
        self.accepted / RATE_MEMORY
    }
}

#[cfg(test)]
mod tests;
