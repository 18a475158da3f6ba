//! Which targets share a rate limit, and whether it suffices for the polling asked for.

use std::collections::HashMap;

use super::duration::format_duration;
use super::problem::{Draft, Place};
use super::{Config, Target};

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

/// What the targets of one limit ask for together.
struct Demand<'a> {
    targets: Vec<&'a str>,
    place: &'a Place,
    steps: usize,
    requests_per_second: f64,
    /// The smallest among the targets.
    allowed: f64,
}

/// A warning for each shared limit that is lower than what its targets' listed steps ask for.
pub(super) fn warnings(config: &Config, places: &[Place]) -> Vec<Draft> {
    let mut demands: Vec<Demand<'_>> = Vec::new();
    let mut known: HashMap<LimitKey, usize> = HashMap::new();
    for (target, place) in config.targets.iter().zip(places) {
        for region in &target.regions {
            let at = *known.entry(target.limit_key(region)).or_insert_with(|| {
                demands.push(Demand {
                    targets: Vec::new(),
                    place,
                    steps: 0,
                    requests_per_second: 0.0,
                    allowed: f64::INFINITY,
                });
                demands.len() - 1
            });
            let demand = &mut demands[at];
            demand.targets.push(&target.name);
            demand.allowed = demand.allowed.min(target.rate_limit.requests_per_second);
            demand.steps += target.step_executions.len();
            demand.requests_per_second += target
                .step_executions
                .iter()
                .map(|step| step.interval.as_secs_f64().recip())
                .sum::<f64>();
        }
    }
    demands.iter().filter_map(Demand::warning).collect()
}

impl Demand<'_> {
    fn warning(&self) -> Option<Draft> {
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
        let enough = std::time::Duration::from_secs((self.steps as f64 / allowed).ceil() as u64);
        Some(Draft {
            place: self.place.clone(),
            message: format!(
                "{who} {verb} for {asked_shown} requests/s to poll {} listed steps, but the rate limit allows {allowed_shown}, so steps will be seen late unless they share workflow executions; intervals of {} or a requests_per_second of {} would do",
                self.steps,
                format_duration(enough),
                asked.ceil(),
            ),
            first: None,
        })
    }
}

/// Both figures with as few digits as tell them apart.
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
        .find(|(one, other)| one != other)
        .unwrap_or_else(|| rounded(9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_as_few_digits_as_tell_them_apart() {
        assert_eq!(apart(10.0, 5.0), ("10".into(), "5".into()));
        assert_eq!(apart(33.333333, 5.0), ("33.33".into(), "5".into()));
        assert_eq!(apart(5.0001, 5.0), ("5.0001".into(), "5".into()));
    }
}
