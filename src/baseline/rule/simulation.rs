//! Simulates steps, to measure how often a rule calls a healthy execution slow and misses a hang.
//!
//! The chance of a false alarm is not counted but calculated: for each drawn history, the chance that
//! the next healthy execution takes longer than the rule allows. So few histories are enough.

use std::f64::consts::{SQRT_2, TAU};
use std::time::Duration;

use fastrand::Rng;

use super::{MARGIN, median};

/// A rule for *slow*, of the last durations of a step.
pub(super) type Rule = fn(&[Duration]) -> Option<Duration>;

/// How many histories are drawn for each distribution.
const DRAWS: usize = 3_000;

/// The service gives up on a step after this time at the latest.
const TIMEOUT: Duration = Duration::from_secs(12 * 60 * 60);

/// The numbers of samples in the tables.
pub(super) const SAMPLES: [usize; 5] = [3, 4, 5, 7, 10];

/// How the durations of a step are distributed.
pub(super) struct Distribution {
    pub name: &'static str,
    pub shape: Shape,
    /// The spread of the normal noise of the logarithm.
    pub sigma: f64,
    /// The duration without noise.
    pub typical: Duration,
    /// From how many samples on the rule has less than one false alarm in 2 000 executions.
    pub meets_from: Option<usize>,
}

/// What the noise of a duration multiplies.
pub(super) enum Shape {
    LogNormal,
    /// A share of the executions takes so many times as long: a cache miss.
    Bimodal {
        share: f64,
        factor: f64,
    },
    /// Each execution takes so many times as long as the one before.
    Drift {
        growth: f64,
    },
    /// A factor of at least 1 with a heavy tail: the greater the index, the lighter.
    Pareto {
        index: f64,
    },
}

/// What a rule does with one distribution and one number of samples.
#[derive(Clone, Copy)]
pub(super) struct Figures {
    /// The expected number of false alarms in 2 000 healthy executions.
    pub false_alarms: f64,
    /// When it notices a hang, in medians of the samples: the median of all histories.
    pub noticed: f64,
    /// The share of hangs that the service ends before the rule notices them.
    pub missed: f64,
}

/// The rule that was there first.
pub(super) fn starting_rule(durations: &[Duration]) -> Option<Duration> {
    let largest = *durations.iter().max()?;
    Some((largest * 2).max(median(durations)? + MARGIN))
}

impl Distribution {
    fn draw(&self, rng: &mut Rng, build: i32) -> Duration {
        let times = match self.shape {
            Shape::LogNormal => 1.0,
            Shape::Bimodal { share, factor } if rng.f64() < share => factor,
            Shape::Bimodal { .. } => 1.0,
            Shape::Drift { growth } => growth.powi(build),
            Shape::Pareto { index } => (1.0 - rng.f64()).powf(-index.recip()),
        };
        self.typical.mul_f64(times * noise(rng, self.sigma))
    }

    /// The chance that an execution takes longer than `limit`.
    fn chance_beyond(&self, limit: Duration, rng: &mut Rng, build: i32) -> f64 {
        let times = limit.div_duration_f64(self.typical);
        let beyond = |factor: f64| normal_beyond((times / factor).ln() / self.sigma);
        match self.shape {
            Shape::LogNormal => beyond(1.0),
            Shape::Bimodal { share, factor } => {
                share * beyond(factor) + (1.0 - share) * beyond(1.0)
            }
            Shape::Drift { growth } => beyond(growth.powi(build)),
            Shape::Pareto { index } => (times / noise(rng, self.sigma)).max(1.0).powf(-index),
        }
    }

    /// The figures of several rules, for each number of samples. All rules have the same histories.
    pub(super) fn simulate<const N: usize>(
        &self,
        rules: [Rule; N],
    ) -> [[Figures; SAMPLES.len()]; N] {
        let mut rng = Rng::with_seed(1);
        let histories: Vec<[Duration; 10]> = (0..DRAWS)
            .map(|_| std::array::from_fn(|build| self.draw(&mut rng, build as i32)))
            .collect();
        rules.map(|rule| SAMPLES.map(|samples| self.judge(rule, samples, &histories)))
    }

    fn judge(&self, rule: Rule, samples: usize, histories: &[[Duration; 10]]) -> Figures {
        let mut rng = Rng::with_seed(2);
        let mut chances = 0.0;
        let mut missed = 0;
        let mut noticed = Vec::new();
        for history in histories {
            let last = &history[10 - samples..];
            let limit = rule(last).unwrap();
            chances += self.chance_beyond(limit, &mut rng, 10);
            missed += u32::from(limit >= TIMEOUT);
            noticed.push(limit.div_duration_f64(median(last).unwrap()));
        }
        noticed.sort_by(f64::total_cmp);
        let all = histories.len() as f64;
        Figures {
            false_alarms: 2_000.0 * chances / all,
            noticed: noticed[noticed.len() / 2],
            missed: f64::from(missed) / all,
        }
    }
}

/// What a step does whose healthy duration changes for good, after ten executions as before.
pub(super) struct Change {
    /// How many of the executions after the change are called slow: the mean, and the most.
    pub slow: f64,
    pub most_slow: usize,
    /// After how many a hang is noticed within three medians of the new duration again: the mean.
    pub steady: f64,
}

impl Change {
    /// Simulates a change of the duration by `factor`, with a noise of 10 %.
    pub(super) fn simulate(rule: Rule, factor: f64) -> Self {
        const CHANGES: usize = 1_000;
        const AFTER: usize = 20;
        let mut rng = Rng::with_seed(3);
        let typical = Duration::from_secs(30 * 60);
        let (mut slow, mut most_slow, mut steady) = (0, 0, 0);
        for _ in 0..CHANGES {
            let mut builds: Vec<_> = (0..10 + AFTER)
                .map(|build| if build < 10 { 1.0 } else { factor })
                .map(|factor| typical.mul_f64(factor * noise(&mut rng, 0.1)))
                .collect();
            let limits = builds.windows(10).map(|last| rule(last).unwrap());
            let limits: Vec<_> = limits.collect();
            let after = builds.split_off(10);
            let slow_now = after.iter().zip(&limits).filter(|(one, limit)| one > limit);
            let slow_now = slow_now.count();
            let enough = typical.mul_f64(3.5 * factor);
            let unsteady = limits.iter().rposition(|limit| *limit > enough);
            slow += slow_now;
            most_slow = most_slow.max(slow_now);
            steady += unsteady.map_or(0, |at| at + 1);
        }
        Self {
            slow: slow as f64 / CHANGES as f64,
            most_slow,
            steady: steady as f64 / CHANGES as f64,
        }
    }
}

/// A factor whose logarithm is normal with this standard deviation.
pub(super) fn noise(rng: &mut Rng, sigma: f64) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    (sigma * radius * (TAU * rng.f64()).cos()).exp()
}

/// The chance that a standard normal value is above `z`: formula 7.1.26 of Abramowitz and Stegun,
/// with an error below 1e-7.
fn normal_beyond(z: f64) -> f64 {
    let x = z.abs() / SQRT_2;
    let t = (1.0 + 0.327_591_1 * x).recip();
    let factors = [
        1.061_405_429,
        -1.453_152_027,
        1.421_413_741,
        -0.284_496_736,
        0.254_829_592,
    ];
    let sum = factors.iter().fold(0.0, |sum, factor| sum * t + factor);
    let half = 0.5 * sum * t * (-x * x).exp();
    if z < 0.0 { 1.0 - half } else { half }
}

const fn step(
    name: &'static str,
    shape: Shape,
    sigma: f64,
    seconds: u64,
    meets_from: Option<usize>,
) -> Distribution {
    Distribution {
        name,
        shape,
        sigma,
        typical: Duration::from_secs(seconds),
        meets_from,
    }
}

/// The distributions in the tables.
pub(super) const DISTRIBUTIONS: [Distribution; 16] = [
    step("log-normal, 10 %", Shape::LogNormal, 0.1, 1800, Some(3)),
    step("log-normal, 25 %", Shape::LogNormal, 0.25, 1800, Some(3)),
    step("log-normal, 35 %", Shape::LogNormal, 0.35, 1800, Some(3)),
    step("log-normal, 50 %", Shape::LogNormal, 0.5, 1800, Some(7)),
    step("log-normal, 80 %", Shape::LogNormal, 0.8, 1800, None),
    step("log-normal, 80 %, 20 s", Shape::LogNormal, 0.8, 20, Some(3)),
    step(
        "drift, 5 % a build",
        Shape::Drift { growth: 1.05 },
        0.1,
        1800,
        Some(3),
    ),
    step(
        "drift, 15 % a build",
        Shape::Drift { growth: 1.15 },
        0.1,
        1800,
        Some(3),
    ),
    step(
        "cache miss, 20 %, 2 x",
        Shape::Bimodal {
            share: 0.2,
            factor: 2.0,
        },
        0.1,
        1800,
        Some(3),
    ),
    step(
        "cache miss, 50 %, 2.5 x",
        Shape::Bimodal {
            share: 0.5,
            factor: 2.5,
        },
        0.1,
        1800,
        Some(7),
    ),
    step(
        "cache miss, 20 %, 4 x",
        Shape::Bimodal {
            share: 0.2,
            factor: 4.0,
        },
        0.1,
        1800,
        None,
    ),
    step(
        "cache miss, 50 %, 4 x",
        Shape::Bimodal {
            share: 0.5,
            factor: 4.0,
        },
        0.1,
        1800,
        None,
    ),
    step(
        "cache miss, 20 %, 4 x, 1 min",
        Shape::Bimodal {
            share: 0.2,
            factor: 4.0,
        },
        0.1,
        60,
        Some(3),
    ),
    step(
        "heavy tail, index 8",
        Shape::Pareto { index: 8.0 },
        0.1,
        1800,
        Some(3),
    ),
    step(
        "heavy tail, index 6",
        Shape::Pareto { index: 6.0 },
        0.1,
        1800,
        None,
    ),
    step(
        "heavy tail, index 3",
        Shape::Pareto { index: 3.0 },
        0.1,
        1800,
        None,
    ),
];
