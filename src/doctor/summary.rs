//! Writes the policy statements for a target, and the result for all targets.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::findings::{Check, CheckOutcome, Findings};
use super::{advice, report};
use crate::config::{LimitKey, RateLimit};

/// Writes the warnings about several targets and the result. Returns whether all checks passed.
///
/// `warnings` is the number of warnings written before, which are not in the findings.
pub(super) fn write(
    out: &mut impl Write,
    all: &[Findings],
    mut warnings: usize,
) -> io::Result<bool> {
    for warning in shared_accounts(all).iter().chain(&starved(all)) {
        writeln!(out, "warning: {}\n", report::plain(warning))?;
        warnings += 1;
    }
    warnings += all.iter().map(Findings::count_warnings).sum::<usize>();
    let warnings = match warnings {
        0 => String::new(),
        count => format!(", with {}", report::counted(count, "warning")),
    };
    let wrong: Vec<String> = { all.iter() }
        .filter(|one| !one.is_well())
        .map(|one| format!("{} in {}", one.target, one.region))
        .collect();
    let throttled: usize = all.iter().map(Findings::throttled).sum();
    match wrong.as_slice() {
        [] if throttled > 0 => writeln!(
            out,
            "doctor: nothing is denied, but {} stayed throttled; run doctor again later{warnings}",
            report::counted(throttled, "call")
        )?,
        [] => writeln!(out, "doctor: all required calls are allowed{warnings}")?,
        wrong => writeln!(
            out,
            "doctor: problems found for {}{warnings}",
            wrong.join(", ")
        )?,
    }
    out.flush()?;
    Ok(wrong.is_empty())
}

/// Writes the statements that allow the denied actions of one target. Regions that lack the same
/// actions share a statement.
pub(super) fn write_statements(out: &mut impl Write, findings: &[Findings]) -> io::Result<()> {
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
            let CheckOutcome::Denied(error) = &check.outcome else {
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
            "To allow the denied actions for target {} in {}, add this statement to {place}:\n",
            of[0].target,
            regions.join(" and ")
        )?;
        let within = (!everywhere).then_some(&regions[..]);
        writeln!(out, "{}\n", advice::statement(&denied, within))?;
        if explicit {
            writeln!(
                out,
                "A policy denies the action explicitly, as the service reports above. Remove that statement first:\na statement that allows the action does not override it.\n"
            )?;
        }
    }
    Ok(())
}

/// Returns warnings about targets that poll one account and region with different credentials. AWS
/// counts their calls together.
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
                "targets {} poll account {account} in {region} with different credentials: AWS applies one limit to all their calls, and their rate limits add up to {sum}/s",
                names.join(", ")
            ));
        }
    }
    warnings
}

/// Returns warnings about targets whose shared rate limit is lower than their calls.
fn starved(findings: &[Findings]) -> Vec<String> {
    let mut shared: Vec<(&LimitKey, Vec<&Findings>)> = Vec::new();
    for one in findings {
        match shared.iter_mut().find(|(key, _)| **key == one.limit_key) {
            Some((_, of)) => of.push(one),
            None => shared.push((&one.limit_key, vec![one])),
        }
    }
    let mut warnings = Vec::new();
    for (key, of) in shared.iter().filter(|(_, of)| of.len() > 1) {
        let estimates = of.iter().filter_map(|one| one.estimate.as_ref());
        let calls: f64 = estimates.map(|estimate| estimate.now).sum();
        let rates = of.iter().map(|one| one.rate_limit.requests_per_second);
        let rate = rates.fold(f64::INFINITY, f64::min);
        if calls > rate * 3_600.0 {
            let names: Vec<&str> = of.iter().map(|one| one.target.as_str()).collect();
            warnings.push(format!(
                "targets {} share one rate limit in {}: together they now make up to {calls:.0} calls per hour, but the limit allows {:.0}",
                names.join(", "),
                key.region,
                rate * 3_600.0
            ));
        }
    }
    warnings
}
