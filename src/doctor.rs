//! `doctor`: says before a configuration is used whether it will work, and what it will cost.
//!
//! Makes each call that the configuration needs once for real, with its own credentials, and tells
//! what came of it: `examine` asks about one target in one region, `found` says what of it is asked
//! next, `estimate` reckons calls and series, `advice` says what would be right, and `report` writes it
//! all. Fed by a checked `Config` and by whom [`Access`] leads to; shares with the exporter its clients,
//! its rate limit and its rules of what is needed and chosen. Changes nothing.

mod advice;
mod ask;
mod estimate;
mod examine;
mod findings;
mod found;
mod report;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::api::aws::Aws;
use crate::api::{Answer, Caller, ImageBuilder, ServiceClock};
use crate::clock::Clock;
use crate::config::{Config, LimitKey, RateLimit, Target};
use crate::schedule::RateLimiter;

pub use estimate::{Estimate, Seen};
pub use examine::examine;
pub use findings::{Check, Findings, Outcome};

/// Targets and regions that are examined at the same time.
const AT_ONCE: usize = 8;

/// Whom to ask about one target in one region.
pub struct Access {
    pub api: Arc<dyn ImageBuilder>,
    /// Whose credentials they are.
    pub caller: Answer<Caller>,
    /// Who assumes the target's role, where it has one.
    pub base: Answer<Caller>,
    /// Told of every answer that `api` gives.
    pub service_clock: ServiceClock,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// Through the SDK.
    pub fn through(aws: &Aws, config: &Config, target: &Target, region: &str) -> Self {
        let timeout = config.polling.request_timeout;
        let service_clock = ServiceClock::default();
        let client = aws.client(target, region, timeout, service_clock.clone());
        let (aws, region) = (aws.clone(), region.to_owned());
        let without_role = Target {
            assume_role: None,
            ..target.clone()
        };
        Self {
            caller: client.caller(),
            api: Arc::new(client),
            base: Box::pin(async move {
                let clock = ServiceClock::default();
                aws.client(&without_role, &region, timeout, clock)
                    .caller()
                    .await
            }),
            service_clock,
        }
    }
}

/// Examines every target in each of its regions, some at the same time, and writes what was found
/// in the order of the configuration. Answers whether all that is needed is there and allowed.
///
/// # Errors
///
/// The output's.
pub async fn run(
    config: Config,
    aws: &Aws,
    clock: Clock,
    out: &mut impl Write,
) -> io::Result<bool> {
    let config = Arc::new(config);
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
            write_statements(out, &all[all.len() - of_target..])?;
            of_target = 0;
        }
        out.flush()?;
    }
    let more = shared_accounts(&all);
    for warning in &more {
        report::line(out, "warning", warning)?;
    }
    write_verdict(out, &all, more.len())
}

/// One for all that AWS counts together, with the smallest of their limits, as the exporter has it.
fn limiters(config: &Config, clock: Clock) -> HashMap<LimitKey, Arc<RateLimiter>> {
    let now = clock.now().instant;
    let limits = config.shared_limits(|_, _| true).into_iter();
    limits
        .map(|(key, limit)| (key, Arc::new(RateLimiter::new(limit, now))))
        .collect()
}

/// The statements that would allow what was denied to one target, one for all regions that lack the
/// same.
fn write_statements(out: &mut impl Write, findings: &[Findings]) -> io::Result<()> {
    let mut lacking: Vec<(Vec<&Check>, Vec<&Findings>)> = Vec::new();
    for one in findings {
        let denied = one.denied();
        if denied.is_empty() {
            continue;
        }
        let operations = |denied: &[&Check]| {
            denied
                .iter()
                .map(|check| check.operation)
                .collect::<Vec<_>>()
        };
        match lacking
            .iter_mut()
            .find(|(known, _)| operations(known) == operations(&denied))
        {
            Some((_, regions)) => regions.push(one),
            None => lacking.push((denied, vec![one])),
        }
    }
    for (denied, of) in lacking {
        let regions: Vec<&str> = of.iter().map(|one| one.region.as_str()).collect();
        let everywhere = regions.len() == findings.len();
        let caller = of.iter().find_map(|one| one.caller.as_ref().ok());
        let mut wheres: Vec<&str> = Vec::new();
        let mut explicit = false;
        for check in &denied {
            let Outcome::Denied(error) = &check.outcome else {
                continue;
            };
            explicit |= advice::is_explicit(error);
            wheres.extend(advice::missing_in(error));
        }
        wheres.dedup();
        let place = match wheres.as_slice() {
            [] => advice::whose_policies(caller),
            kinds => format!(
                "the {} of the caller, which the service names",
                kinds.join(" and the ")
            ),
        };
        writeln!(
            out,
            "To allow target {} what was denied in {}, add this statement to {place}:\n",
            of[0].target,
            regions.join(" and ")
        )?;
        let within = (!everywhere).then_some(&regions[..]);
        writeln!(out, "{}\n", advice::statement(&denied, within))?;
        if explicit {
            writeln!(
                out,
                "Something denies it explicitly, as the service says above: that has to go first, as no statement\nthat allows overrules it.\n"
            )?;
        }
    }
    Ok(())
}

/// Targets with other credentials that are of one account and region after all: AWS counts their
/// calls together.
fn shared_accounts(findings: &[Findings]) -> Vec<String> {
    let mut accounts: BTreeMap<(&str, &str), Vec<&Findings>> = BTreeMap::new();
    for one in findings {
        if let Ok(caller) = &one.caller {
            let key = (caller.account.as_str(), one.region.as_str());
            accounts.entry(key).or_default().push(one);
        }
    }
    let mut warnings = Vec::new();
    for ((account, region), of) in accounts {
        let mut limits: Vec<(&LimitKey, RateLimit)> = Vec::new();
        for one in &of {
            if !limits.iter().any(|(key, _)| **key == one.limit_key) {
                limits.push((&one.limit_key, one.rate_limit));
            }
        }
        if limits.len() > 1 {
            let names: Vec<&str> = of.iter().map(|one| one.target.as_str()).collect();
            let rates = limits.iter().map(|(_, limit)| limit.requests_per_second);
            let sum: f64 = rates.sum();
            warnings.push(format!(
                "targets {} are all of account {account} in {region}, by other credentials: AWS counts their calls together, and their rate limits add up to {sum}/s",
                names.join(", ")
            ));
        }
    }
    warnings
}

fn write_verdict(out: &mut impl Write, all: &[Findings], more: usize) -> io::Result<bool> {
    let wrong: Vec<String> = { all.iter() }
        .filter(|one| !one.is_well())
        .map(|one| format!("{} in {}", one.target, one.region))
        .collect();
    let warnings = all.iter().map(Findings::count_warnings).sum::<usize>() + more;
    let warnings = match warnings {
        0 => String::new(),
        1 => ", with 1 warning".to_owned(),
        count => format!(", with {count} warnings"),
    };
    match wrong.as_slice() {
        [] => writeln!(out, "doctor: all that is needed is allowed{warnings}")?,
        wrong => writeln!(
            out,
            "doctor: not all is well of {}{warnings}",
            wrong.join(", ")
        )?,
    }
    out.flush()?;
    Ok(wrong.is_empty())
}
