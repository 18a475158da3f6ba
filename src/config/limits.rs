//! Which targets share a rate limit, and whether it suffices for the polling asked for.

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

/// What the targets of one limit ask for together.
struct Demand<'a> {
    targets: Vec<&'a str>,
    place: Place,
    steps: usize,
    workflows: usize,
    /// The calls of one look for new images and workflow executions.
    lookups: usize,
    requests_per_second: f64,
    /// The smallest among the targets.
    allowed: f64,
}

/// Returns a warning for each shared limit that is below the certain number of requests: for what is
/// listed, and for discovery passes. How much they will discover is unknown.
pub(super) fn warnings(config: &Config, places: &[Place]) -> Vec<(Place, String)> {
    let mut demands: Vec<Demand<'_>> = Vec::new();
    let mut known: HashMap<LimitKey, usize> = HashMap::new();
    for (target, &place) in config.targets.iter().zip(places) {
        for region in &target.regions {
            let at = *known.entry(target.limit_key(region)).or_insert_with(|| {
                demands.push(Demand {
                    targets: Vec::new(),
                    place,
                    steps: 0,
                    workflows: 0,
                    lookups: 0,
                    requests_per_second: 0.0,
                    allowed: f64::INFINITY,
                });
                demands.len() - 1
            });
            let demand = &mut demands[at];
            demand.targets.push(&target.name);
            demand.allowed = demand.allowed.min(target.rate_limit.requests_per_second);
            demand.add(target, &config.polling);
        }
    }
    demands.iter().filter_map(Demand::warning).collect()
}

impl Demand<'_> {
    fn add(&mut self, target: &Target, polling: &Polling) {
        let per_second = |interval: Duration| interval.as_secs_f64().recip();
        let steps = target.step_executions.iter();
        self.requests_per_second += steps.map(|step| per_second(step.interval)).sum::<f64>();
        self.steps += target.step_executions.len();
        // One List of its steps each.
        let workflows = target.workflow_executions.len();
        self.requests_per_second += workflows as f64 * per_second(polling.interval);
        self.workflows += workflows;
        // A page at least of the account's images, and of its pipelines where they are named.
        let lookups = match (target.pipelines.is_empty(), target.images.is_empty()) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => 2,
        };
        self.requests_per_second += lookups as f64 * per_second(polling.discovery_interval);
        self.lookups += lookups;
    }

    fn warning(&self) -> Option<(Place, String)> {
        let Self {
            requests_per_second: asked,
            allowed,
            ..
        } = *self;
        // What adding up many fractions may be off by is no reason to warn.
        if asked <= allowed * (1.0 + 1e-9) {
            return None;
        }
        let (asked_shown, allowed_shown) = apart(asked, allowed);
        let (who, verb) = match self.targets.as_slice() {
            [one] => (format!("target {one}"), "asks"),
            all => (
                format!("targets {}, which share one rate limit,", all.join(", ")),
                "ask",
            ),
        };
        let calls = self.steps + self.workflows + self.lookups;
        let enough = Duration::from_secs((calls as f64 / allowed).ceil() as u64);
        let unless = match self.steps {
            0 => "",
            _ => " unless they share workflow executions",
        };
        let message = format!(
            "{who} {verb} for {asked_shown} requests/s to {}, but the rate limit allows {allowed_shown}, so steps will be seen late{unless}; intervals of {} or a requests_per_second of {} would do",
            self.purpose(),
            format_duration(enough),
            asked.ceil(),
        );
        Some((self.place, message))
    }

    /// What the requests are for.
    fn purpose(&self) -> String {
        let mut polled = Vec::new();
        if self.steps > 0 {
            polled.push(format!("{} listed steps", self.steps));
        }
        if self.workflows > 0 {
            polled.push(format!("{} listed workflow executions", self.workflows));
        }
        let mut purposes = Vec::new();
        if !polled.is_empty() {
            purposes.push(format!("poll {}", polled.join(" and ")));
        }
        if self.lookups > 0 {
            purposes.push("look for new images".to_owned());
        }
        purposes.join(" and ")
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
    fn figures_have_as_few_digits_as_tell_them_apart() {
        assert_eq!(apart(10.0, 5.0), ("10".into(), "5".into()));
        assert_eq!(
            apart(1.0 / 120.0, 0.001),
            ("0.008".into(), "0.001".into()),
            "nothing that is allowed is told as 0"
        );
        assert_eq!(apart(33.333333, 5.0), ("33.33".into(), "5".into()));
        assert_eq!(apart(5.0001, 5.0), ("5.0001".into(), "5".into()));
    }
}
