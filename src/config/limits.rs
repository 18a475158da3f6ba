//! Shared rate limits, and warnings where they are below the requests that the configuration needs.

use std::collections::HashMap;
use std::time::Duration;

use super::keys::{Config, Polling, RateLimit, Target};
use super::reading::Place;
use crate::model::format_duration;

/// What AWS counts calls by, as far as a configuration knows: whose they are, and where they go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LimitKey {
    pub profile: Option<String>,
    pub role_arn: Option<String>,
    pub region: String,
}

impl Target {
    /// The key of the rate limit that this target's calls in the region count against.
    pub fn limit_key(&self, region: &str) -> LimitKey {
        LimitKey {
            profile: self.profile.clone(),
            role_arn: self.assume_role.as_ref().map(|role| role.role_arn.clone()),
            region: region.to_owned(),
        }
    }
}

impl Config {
    /// The rate limits of the targets and regions that `are_called`, one for those that AWS counts
    /// together: the smallest of theirs.
    pub fn shared_limits(
        &self,
        are_called: impl Fn(&Target, &str) -> bool,
    ) -> HashMap<LimitKey, RateLimit> {
        let mut limits: HashMap<LimitKey, RateLimit> = HashMap::new();
        for target in &self.targets {
            let regions = target.regions.iter();
            for region in regions.filter(|region| are_called(target, region)) {
                limits
                    .entry(target.limit_key(region))
                    .and_modify(|limit| *limit = smaller(*limit, target.rate_limit))
                    .or_insert(target.rate_limit);
            }
        }
        limits
    }
}

fn smaller(one: RateLimit, other: RateLimit) -> RateLimit {
    RateLimit {
        requests_per_second: one.requests_per_second.min(other.requests_per_second),
        burst: one.burst.min(other.burst),
    }
}

/// Targets that share a rate limit in one region.
struct Sharing<'a> {
    targets: Vec<&'a Target>,
    /// Of the first of them.
    place: Place,
}

/// Returns a warning for each shared limit that is below the certain number of requests: for what is
/// listed, and for discovery passes. How much they will discover is unknown.
pub(super) fn warnings(config: &Config, places: &[Place]) -> Vec<(Place, String)> {
    let mut all: Vec<Sharing<'_>> = Vec::new();
    let mut known: HashMap<LimitKey, usize> = HashMap::new();
    for (target, &place) in config.targets.iter().zip(places) {
        for region in &target.regions {
            let at = *known.entry(target.limit_key(region)).or_insert(all.len());
            match all.get_mut(at) {
                Some(sharing) => sharing.targets.push(target),
                None => all.push(Sharing {
                    targets: vec![target],
                    place,
                }),
            }
        }
    }
    all.iter()
        .filter_map(|sharing| Some((sharing.place, sharing.warning(&config.polling)?)))
        .collect()
}

impl Sharing<'_> {
    fn sum(&self, count: impl Fn(&Target) -> usize) -> usize {
        self.targets.iter().map(|target| count(target)).sum()
    }

    fn warning(&self, polling: &Polling) -> Option<String> {
        let steps = self
            .targets
            .iter()
            .flat_map(|target| &*target.step_executions);
        let per_second = |interval: Duration| interval.as_secs_f64().recip();
        // A workflow execution takes one List of its steps.
        let workflows = self.sum(|target| target.workflow_executions.len());
        // At least one page of the account's images, and one of its pipelines where they are selected.
        let lookups = self.sum(|target| match (&*target.pipelines, &*target.images) {
            ([], []) => 0,
            ([], _) => 1,
            _ => 2,
        });
        let asked = steps
            .clone()
            .map(|step| per_second(step.interval(polling)))
            .sum::<f64>()
            + workflows as f64 * per_second(polling.interval)
            + lookups as f64 * per_second(polling.discovery_interval);
        let limits = self.targets.iter().map(|target| target.rate_limit);
        let allowed = limits
            .map(|limit| limit.requests_per_second)
            .fold(f64::INFINITY, f64::min);
        // The sum of many fractions is inexact.
        if asked <= allowed * (1.0 + 1e-9) {
            return None;
        }
        let steps = steps.count();
        let names: Vec<&str> = self.targets.iter().map(|target| &*target.name).collect();
        let who = match names.as_slice() {
            [one] => format!("target {one} needs"),
            all => format!(
                "targets {}, which share one rate limit, need",
                all.join(", ")
            ),
        };
        let (asked_shown, allowed_shown) = apart(asked, allowed);
        let unless = match steps {
            0 => "",
            _ => " unless they share workflow executions",
        };
        let calls = (steps + workflows + lookups) as f64;
        let enough = Duration::from_secs((calls / allowed).ceil() as u64);
        Some(format!(
            "{who} {asked_shown} requests/s to {}, but the rate limit allows {allowed_shown}, so polls will be overdue{unless}; increase the intervals to {} or requests_per_second to {}",
            purpose(steps, workflows, lookups),
            format_duration(enough),
            asked.ceil(),
        ))
    }
}

/// Words what the requests are for.
fn purpose(steps: usize, workflows: usize, lookups: usize) -> String {
    let polled = match (steps, workflows) {
        (0, 0) => return "discover new images".to_owned(),
        (steps, 0) => format!("poll {steps} listed steps"),
        (0, workflows) => format!("poll {workflows} listed workflow executions"),
        (steps, workflows) => {
            format!("poll {steps} listed steps and {workflows} listed workflow executions")
        }
    };
    match lookups {
        0 => polled,
        _ => polled + " and discover new images",
    }
}

/// Formats two figures above 0 with as few digits as make them differ, and neither of them 0.
fn apart(one: f64, other: f64) -> (String, String) {
    let rounded = |digits: usize| {
        let figure = |value: f64| match format!("{value:.digits$}") {
            text if text.contains('.') => {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            text => text,
        };
        (figure(one), figure(other))
    };
    (2..9)
        .map(rounded)
        .find(|(one, other)| one != other && one != "0" && other != "0")
        .unwrap_or_else(|| rounded(9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_fewest_digits_that_differ() {
        assert_eq!(apart(10.0, 5.0), ("10".into(), "5".into()));
        assert_eq!(
            apart(1.0 / 120.0, 0.001),
            ("0.008".into(), "0.001".into()),
            "nothing that is allowed is shown as 0"
        );
        assert_eq!(apart(33.333333, 5.0), ("33.33".into(), "5".into()));
        assert_eq!(apart(5.0001, 5.0), ("5.0001".into(), "5".into()));
    }
}
