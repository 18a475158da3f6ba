//! The configuration in force, written as a file that means the same, for whoever asks what is in force.
//!
//! Every default is filled in, what was put in for `${VAR}` stands there, and the steps of step files
//! stand with the others. Secrets are left out; what is left to say of them is that there is one.

use std::collections::BTreeMap;
use std::time::Duration;

use globset::Glob;
use serde_yaml::{Mapping, Value};

use super::keys::{self, Group};
use super::{
    AssumeRole, Config, DurationBudget, Exclude, ListedStep, Metrics, PipelineSelector, Polling,
    RateLimit, StatusFormat, Target,
};
use crate::model::format_duration;

/// What stands where a secret is.
const SECRET: &str = "<secret>";

impl Config {
    /// The whole configuration as YAML, in the order of the reference. Once its secrets are put in it
    /// can be read, and is the same; only of a target whose step files hold nothing it can't say so,
    /// and says that it lists nothing.
    pub fn effective(&self) -> String {
        let file = section(&keys::FILE, |key| match key {
            "polling" => Some(polling(&self.polling)),
            "metrics" => Some(metrics(&self.metrics)),
            "duration_budgets" => list(&self.duration_budgets, duration_budget),
            "targets" => list(&self.targets, |one| target(one, self.polling.interval)),
            other => unknown(other),
        });
        serde_yaml::to_string(&file).expect("text, numbers and lists of them are YAML")
    }
}

/// A mapping of the keys that have a value.
fn section(group: &Group, value: impl Fn(&str) -> Option<Value>) -> Value {
    let entries = group.keys.iter();
    let entries = entries.filter_map(|key| Some((key.name.into(), value(key.name)?)));
    Value::Mapping(entries.collect())
}

fn unknown(key: &str) -> ! {
    unreachable!("{key} is a key of the table, and nothing says what its value is")
}

fn polling(polling: &Polling) -> Value {
    section(&keys::POLLING, |key| {
        Some(match key {
            "interval" => duration(polling.interval),
            "discovery_interval" => duration(polling.discovery_interval),
            "request_timeout" => duration(polling.request_timeout),
            "max_concurrent_requests" => polling.max_concurrent_requests.get().into(),
            other => unknown(other),
        })
    })
}

fn metrics(metrics: &Metrics) -> Value {
    section(&keys::METRICS, |key| {
        Some(match key {
            "status_format" => match metrics.status_format {
                StatusFormat::Stateset => "stateset".into(),
                StatusFormat::Sparse => "sparse".into(),
            },
            "retention" => duration(metrics.retention),
            "retention_failed" => duration(metrics.retention_failed),
            "counter_warmup" => duration(metrics.counter_warmup),
            "duration_buckets" => {
                let buckets = metrics.duration_buckets.iter();
                buckets.map(|bucket| duration(*bucket)).collect()
            }
            "tag_labels" => {
                let tags = metrics.tag_labels.iter();
                tags.map(|tag| text(&tag.key)).collect()
            }
            "message_labels" => metrics.message_labels.into(),
            other => unknown(other),
        })
    })
}

fn duration_budget(budget: &DurationBudget) -> Value {
    section(&keys::DURATION_BUDGET, |key| {
        Some(match key {
            "step" => glob(&budget.step),
            "workflow" => glob(&budget.workflow),
            "image" => glob(&budget.image),
            "max_duration" => duration(budget.max_duration),
            other => unknown(other),
        })
    })
}

fn target(target: &Target, interval: Duration) -> Value {
    section(&keys::TARGET, |key| match key {
        "name" => Some(text(&target.name)),
        "regions" => list(&target.regions, |region| text(region)),
        "assume_role" => target.assume_role.as_ref().map(assume_role),
        "profile" => target.profile.as_deref().map(text),
        "endpoint_url" => target.endpoint_url.as_deref().map(text),
        "rate_limit" => Some(rate_limit(target.rate_limit)),
        "labels" => texts(&target.labels),
        "step_executions" => {
            match list(&target.step_executions, |step| listed_step(step, interval)) {
                None if follows_nothing(target) => Some(Value::Sequence(Vec::new())),
                steps => steps,
            }
        }
        // Their steps stand above.
        "step_executions_files" => None,
        "workflow_executions" => list(&target.workflow_executions, |id| text(&id.to_string())),
        "image_build_versions" => list(&target.image_build_versions, |arn| text(arn.as_str())),
        "pipelines" => list(&target.pipelines, |pipeline| match pipeline {
            PipelineSelector::Name(name) => glob(name),
            PipelineSelector::Arn(arn) => text(arn.as_str()),
        }),
        "images" => list(&target.images, glob),
        "tags" => globs(&target.tags),
        "exclude" => (target.exclude != Exclude::default()).then(|| exclude(&target.exclude)),
        other => unknown(other),
    })
}

/// Whether its lists are empty, as those of a target may be that has step files.
fn follows_nothing(target: &Target) -> bool {
    target.workflow_executions.is_empty()
        && target.image_build_versions.is_empty()
        && target.pipelines.is_empty()
        && target.images.is_empty()
}

fn assume_role(role: &AssumeRole) -> Value {
    section(&keys::ASSUME_ROLE, |key| match key {
        "role_arn" => Some(text(&role.role_arn)),
        "external_id" => role.external_id.as_ref().map(|_| SECRET.into()),
        "session_name" => Some(text(&role.session_name)),
        other => unknown(other),
    })
}

fn rate_limit(limit: RateLimit) -> Value {
    section(&keys::RATE_LIMIT, |key| {
        Some(match key {
            "requests_per_second" => number(limit.requests_per_second),
            "burst" => limit.burst.get().into(),
            other => unknown(other),
        })
    })
}

/// The id alone where there is nothing else to say.
fn listed_step(step: &ListedStep, interval: Duration) -> Value {
    let id = text(&step.id.to_string());
    if step.interval == interval && step.labels.is_empty() {
        return id;
    }
    section(&keys::LISTED_STEP, |key| match key {
        "id" => Some(id.clone()),
        "interval" => Some(duration(step.interval)),
        "labels" => texts(&step.labels),
        other => unknown(other),
    })
}

fn exclude(exclude: &Exclude) -> Value {
    section(&keys::EXCLUDE, |key| match key {
        "pipelines" => list(&exclude.pipelines, glob),
        "images" => list(&exclude.images, glob),
        "tags" => globs(&exclude.tags),
        other => unknown(other),
    })
}

/// `None` where there is nothing, which is what is left out of a file.
fn list<T>(items: &[T], value: impl Fn(&T) -> Value) -> Option<Value> {
    (!items.is_empty()).then(|| items.iter().map(value).collect())
}

fn texts(of: &BTreeMap<String, String>) -> Option<Value> {
    mapping(of, |value| text(value))
}

fn globs(of: &BTreeMap<String, Glob>) -> Option<Value> {
    mapping(of, glob)
}

/// Keys of a user's own, in which nothing is replaced.
fn mapping<T>(of: &BTreeMap<String, T>, value: impl Fn(&T) -> Value) -> Option<Value> {
    let entries = of
        .iter()
        .map(|(key, one)| (key.as_str().into(), value(one)));
    (!of.is_empty()).then(|| Value::Mapping(entries.collect::<Mapping>()))
}

fn glob(glob: &Glob) -> Value {
    text(glob.glob())
}

/// Text that nothing is replaced in when it is read.
fn text(text: &str) -> Value {
    text.replace('$', "$$").into()
}

fn duration(duration: Duration) -> Value {
    format_duration(duration).into()
}

/// A whole number without a fraction, as one writes it.
fn number(number: f64) -> Value {
    const EXACT: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
    if number.fract() == 0.0 && number < EXACT {
        return Value::from(number as u64);
    }
    number.into()
}

#[cfg(test)]
mod tests;
