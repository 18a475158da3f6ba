//! `doctor`: says before a configuration is used whether it will work, and what it will cost.
//!
//! Makes each call that the configuration needs once for real, with its own credentials, and tells
//! what came of it: `examine` asks about one target in one region, `calls` has each operation, `ask`
//! how a call is made, `found` what is asked next. `estimate` reckons calls and series, `advice` says
//! what would be right; `report` writes it, and `summary` what it comes to for all of them. Fed by a
//! checked configuration and by whom [`Access`] leads to; shares with the exporter its clients and its
//! rules of what is needed and chosen. Changes nothing.

mod access;
mod advice;
mod ask;
mod calls;
mod estimate;
mod examine;
mod findings;
mod found;
mod report;
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
/// Calls a second, where the rate limit is lower.
const SLOWEST: f64 = 1.0;

/// Examines every target in each of its regions, some at the same time, and writes what was found
/// in the order of the configuration. Answers whether all that is needed is there and allowed.
///
/// # Errors
///
/// The output's.
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

/// One for all that AWS counts together, with the smallest of their limits, as the exporter has it,
/// but that somebody waits: the few calls are made within minutes.
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
