//! The bucket by itself, and simulations of a service that throttles.

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

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
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
fn token_that_is_given_back_is_the_next_one_to_be_taken() {
    let now = start();
    let limiter = RateLimiter::new(limit(5.0, 1), now);
    limiter.reserve(now);
    let ready = limiter.reserve(now);
    limiter.give_back();
    assert_eq!(limiter.reserve(now), ready);
}

#[test]
fn many_that_can_wait_delay_the_others_by_no_token() {
    let begin = start();
    let limiter = RateLimiter::new(limit(5.0, 10), begin);
    let mut now = begin;
    let mut taken = 0;
    while now < begin + seconds(100.0) {
        // Ten readers are ready at the same time; one of them takes the token that is spare.
        for _ in 0..10 {
            if limiter.spare(now) <= now {
                assert_eq!(limiter.reserve(now), now);
                taken += 1;
            }
        }
        if taken % 5 == 0 {
            assert_eq!(limiter.reserve(now), now, "after {:?}", now - begin);
        }
        now = limiter.spare(now).max(now + seconds(0.01));
    }
    assert!((400..500).contains(&taken), "{taken} in 100 s");
}

#[test]
fn nothing_is_spare_after_throttling_until_the_rate_has_recovered_a_part_of_the_burst() {
    let (limiter, now) = steady();
    for _ in 0..10 {
        limiter.throttled(now, now);
    }
    let spare = limiter.spare(now);
    assert!(spare > now + seconds(0.1), "{:?}", spare - now);
    assert!(limiter.spare(spare) <= spare + seconds(0.001));
}

/// A limiter through which ten calls a second were accepted for long, and when.
fn steady() -> (RateLimiter, Instant) {
    let mut now = start();
    let limiter = RateLimiter::new(limit(10.0, 1), now);
    for _ in 0..200 {
        now = limiter.reserve(now);
        limiter.accepted(now);
    }
    (limiter, now)
}

#[test]
fn throttling_leaves_seven_tenths_of_the_accepted_rate_and_is_reported_once() {
    let (limiter, mut now) = steady();
    let mut rate = None;
    for _ in 0..10 {
        now += seconds(0.1);
        rate = rate.or(limiter.throttled(now, now));
    }
    let rate = rate.expect("a second of throttling is more than 5 % of ten");
    assert!((5.5..=7.0).contains(&rate), "{rate}");
    assert!(limiter.slowed_to(now).is_some());
    assert_eq!(
        limiter.throttled(now + seconds(1.0), now + seconds(1.1)),
        None
    );
    assert_eq!(limiter.slowed_to(now + seconds(15.0)), None);
}

#[test]
fn call_sent_before_the_rate_was_lowered_does_not_lower_it_again() {
    let (limiter, mut now) = steady();
    let sent = now;
    while limiter.slowed_to(now).is_none() {
        now += seconds(0.1);
        limiter.throttled(now, now);
    }
    let slowed = limiter.slowed_to(now);
    for _ in 0..100 {
        limiter.throttled(sent, now);
    }
    assert_eq!(limiter.slowed_to(now), slowed);
}

#[test]
fn rate_never_falls_to_nothing() {
    for (configured, slowest) in [(1_000.0, 0.5), (5.0, 0.5), (1.0, 0.1)] {
        let mut now = start();
        let limiter = RateLimiter::new(limit(configured, 1), now);
        for _ in 0..100 {
            now = limiter.reserve(now) + seconds(0.001);
            limiter.throttled(now, now);
        }
        let rate = limiter.slowed_to(now).unwrap();
        assert!((rate - slowest).abs() <= 0.01, "{rate} of {configured}");
    }
}

/// Calls that are made as soon as there is a token and there is demand, and their responses.
struct Load {
    limiter: RateLimiter,
    begin: Instant,
    now: Instant,
    /// Calls a second that would be made without the limiter.
    demand: f64,
}

impl Load {
    fn new(limit: RateLimit, demand: f64) -> Self {
        let begin = start();
        Self {
            limiter: RateLimiter::new(limit, begin),
            begin,
            now: begin,
            demand,
        }
    }

    /// Makes calls for a while. `is_throttled` takes the time since the beginning in seconds.
    /// Returns the calls and the accepted calls a second.
    fn run(&mut self, length: f64, mut is_throttled: impl FnMut(f64) -> bool) -> (f64, f64) {
        let end = self.now + seconds(length);
        let (mut calls, mut accepted) = (0.0, 0.0);
        while self.now < end {
            let sent = self.limiter.reserve(self.now).max(self.now);
            let answered = sent + seconds(0.05);
            calls += 1.0;
            if is_throttled((sent - self.begin).as_secs_f64()) {
                self.limiter.throttled(sent, answered);
            } else {
                self.limiter.accepted(answered);
                accepted += 1.0;
            }
            self.now = sent.max(self.now + seconds(1.0 / self.demand));
        }
        (calls / length, accepted / length)
    }
}

#[test]
fn few_throttled_calls_cost_little_of_the_rate() {
    for (rate, least) in [(1.0, 0.9), (5.0, 4.5), (50.0, 45.0), (500.0, 450.0)] {
        let mut chance = fastrand::Rng::with_seed(1);
        let mut load = Load::new(limit(rate, 10), f64::INFINITY);
        let (calls, _) = load.run(1_200.0, |_| chance.f64() < 0.01);
        println!("1 % throttled: {calls:.2} of {rate} calls/s");
        assert!(calls >= least, "{calls} of {rate}");
    }
}

/// A service with a token bucket of its own.
fn bucket_of(rate: f64) -> impl FnMut(f64) -> bool {
    let (mut tokens, mut at) = (rate, 0.0);
    move |now| {
        tokens = f64::min(tokens + (now - at) * rate, rate);
        at = now;
        let is_throttled = tokens < 1.0;
        if !is_throttled {
            tokens -= 1.0;
        }
        is_throttled
    }
}

#[test]
fn rate_follows_what_the_service_accepts() {
    for (configured, of_the_service) in [(5.0, 2.0), (50.0, 10.0), (1_000.0, 100.0)] {
        let mut load = Load::new(limit(configured, 10), f64::INFINITY);
        let mut service = bucket_of(of_the_service);
        load.run(60.0, &mut service);
        let (calls, accepted) = load.run(600.0, &mut service);
        println!(
            "the service takes {of_the_service}/s: {accepted:.2} accepted, {:.1} % throttled",
            100.0 * (1.0 - accepted / calls)
        );
        assert!(
            accepted >= 0.8 * of_the_service,
            "{accepted} of {of_the_service}"
        );
        assert!(
            calls <= 1.25 * accepted,
            "{calls} calls, {accepted} accepted"
        );
    }
}

#[test]
fn storm_of_throttling_is_met_with_few_calls_and_is_soon_forgotten() {
    for (configured, demand) in [(1_000.0, 30.0), (1_000.0, 900.0), (5.0, 5.0)] {
        let mut load = Load::new(limit(configured, 10), demand);
        let (before, _) = load.run(60.0, |_| false);
        let (storm, _) = load.run(60.0, |_| true);
        load.run(15.0, |_| false);
        let (after, _) = load.run(10.0, |_| false);
        println!("{before:.1} calls/s before the storm, {storm:.2} in it, {after:.1} after it");
        assert!(storm <= 0.6 * before, "{storm} of {before}");
        assert!(after >= 0.95 * before, "{after} of {before}");
    }
}

proptest! {
    #[test]
    fn no_more_tokens_are_given_than_burst_and_rate_allow(
        rate in 1.0..50.0f64,
        burst in 1..20u32,
        pauses in prop::collection::vec((0..500u64, any::<bool>()), 1..200),
    ) {
        let begin = start();
        let limiter = RateLimiter::new(limit(rate, burst), begin);
        let mut now = begin;
        for (given, (pause, is_throttled)) in pauses.iter().enumerate() {
            now += Duration::from_millis(*pause);
            let at = limiter.reserve(now);
            let after = at.duration_since(begin).as_secs_f64();
            let allowed = f64::from(burst) + after * rate;
            prop_assert!(given as f64 + 1.0 <= allowed + 1e-6, "{given} by {after}");
            match is_throttled {
                true => {
                    limiter.throttled(now, now);
                }
                false => limiter.accepted(now),
            }
        }
    }

    /// Whatever was throttled, the rate is between its bounds, and the limit again 15 seconds
    /// after.
    #[test]
    fn rate_stays_within_its_bounds_and_recovers(
        rate in 0.1..1_000.0f64,
        responses in prop::collection::vec((0..2_000u64, any::<bool>()), 1..200),
    ) {
        let mut now = start();
        let limiter = RateLimiter::new(limit(rate, 1), now);
        for (pause, is_throttled) in responses {
            now += Duration::from_millis(pause);
            match is_throttled {
                true => {
                    limiter.throttled(now, now);
                }
                false => limiter.accepted(now),
            }
            let slowed = limiter.slowed_to(now).unwrap_or(rate);
            prop_assert!(slowed <= rate + 0.01);
            prop_assert!(slowed >= SLOWEST.min(rate * SLOWEST_PART) - 0.01);
        }
        prop_assert_eq!(limiter.slowed_to(now + seconds(15.0)), None);
    }

    /// A token comes when the rate has made it, also where the rate grows while it is waited for.
    #[test]
    fn token_is_ready_as_soon_as_it_is_gained(
        rate in 1.0..1_000.0f64,
        throttled in 0..50usize,
        ahead in 1..100usize,
    ) {
        let mut now = start();
        let mut bucket = Bucket::new(limit(rate, 1), now);
        for _ in 0..throttled {
            now += seconds(0.1);
            bucket.throttled(now, now);
        }
        bucket.refill(now);
        for _ in 0..ahead {
            let ready = bucket.reserve(now);
            let missing = -bucket.tokens;
            let gained = bucket.gained(now, ready);
            prop_assert!((gained - missing.max(0.0)).abs() <= 1e-3, "{gained} of {missing}");
        }
    }
}
