//! Tests a configuration on AWS before it is used, and estimates its calls and series.
//!
//! Makes each call that the configuration needs once, with its own credentials, and reports the
//! outcome. `examine` tests one target in one region, `calls` each operation, and `requester` makes the calls.
//! `found` selects the next resource to request. `estimate` calculates calls and series, and `advice`
//! says how to fix a failure. `report` writes the findings, and `summary` the result for all targets.
//! It shares the clients and the rules of selection with the exporter, and changes nothing.

mod access;
mod advice;
mod calls;
mod estimate;
mod examine;
mod findings;
mod found;
mod report;
mod requester;
mod summary;

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::aws::Aws;
use crate::clock::Clock;
use crate::config::{Checked, Config, LimitKey, RateLimit};
use crate::poller::RateLimiter;

pub use access::Access;
pub use estimate::{Estimate, EstimateInput};
pub use examine::examine;
pub use findings::{Check, CheckOutcome, Findings};

/// Targets and regions that are examined at the same time.
const AT_ONCE: usize = 8;
/// The lowest rate limit, in calls a second.
const SLOWEST: f64 = 1.0;

/// Examines every target in each of its regions, some at the same time, and writes the findings in
/// the order of the configuration. Returns whether everything that is needed exists and is allowed.
///
/// # Errors
///
/// Errors of the output.
pub async fn run(
    checked: Checked,
    aws: &Aws,
    clock: Clock,
    out: &mut impl Write,
) -> io::Result<bool> {
    for warning in &checked.warnings {
        writeln!(out, "{}\n", warning.as_warning())?;
    }
    let config = Arc::new(checked.config);
    let limiters = limiters(&config, clock);
    let turn = Arc::new(Semaphore::new(AT_ONCE));
    let mut examined = Vec::new();
    for (at, target) in config.targets.iter().enumerate() {
        for region in &target.regions {
            let access = Access::through(aws, &config, target, region);
            let limiter = limiters[&target.limit_key(region)].clone();
            let (config, region, turn) = (config.clone(), region.clone(), turn.clone());
            let examining = tokio::spawn(async move {
                let _turn = turn.acquire().await;
                let target = &config.targets[at];
                examine(&config, target, &region, access, limiter, clock).await
            });
            examined.push((at, examining));
        }
    }
    let mut all: Vec<Findings> = Vec::new();
    let mut of_target = 0;
    for (at, examining) in examined {
        let findings = match examining.await {
            Ok(findings) => findings,
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
        };
        let target = &config.targets[at];
        report::write(out, &findings, target, &config.polling)?;
        all.push(findings);
        of_target += 1;
        if of_target == target.regions.len() {
            summary::write_statements(out, &all[all.len() - of_target..])?;
            of_target = 0;
        }
        out.flush()?;
    }
    summary::write(out, &all, checked.warnings.len())
}

/// Returns one rate limiter for all calls that AWS counts together, with the smallest of their limits,
/// as in the exporter. A person waits for the report, so a very low limit is raised to [`SLOWEST`].
fn limiters(config: &Config, clock: Clock) -> HashMap<LimitKey, Arc<RateLimiter>> {
    let now = clock.now().instant;
    let limits = config.shared_limits(|_, _| true).into_iter();
    limits
        .map(|(key, limit)| {
            let limit = RateLimit {
                requests_per_second: limit.requests_per_second.max(SLOWEST),
                ..limit
            };
            (key, Arc::new(RateLimiter::new(limit, now)))
        })
        .collect()
}
