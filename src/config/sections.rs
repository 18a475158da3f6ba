//! What each section of the file must hold: a node in, a part of [`Config`] out.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::field::Field;
use super::keys;
use super::labels::tag_label;
use super::names::{TAG_KEY, is_tag_key};
use super::node::Value;
use super::reading::Place;
use super::section::{self, Section};
use super::targets::targets;
use super::{Config, DurationBudget, Metrics, Polling, StatusFormat, TagLabel};
use crate::model::format_duration;

/// The whole file, and where each target stands in it.
pub(super) fn file(top: Field<'_>) -> Option<(Config, Vec<Place>)> {
    match top.value {
        Value::Mapping(_) => {}
        Value::Null => return top.problem("the file is empty; it needs at least the key targets"),
        other => {
            return top.problem(format!(
                "the file must be a mapping with the keys {}, not {}",
                keys::FILE.listed(),
                other.described()
            ));
        }
    }
    section::read(top, &keys::FILE, |section| {
        let polling = section.get("polling", |field| {
            section::read(field, &keys::POLLING, polling)
        });
        let metrics = section.get("metrics", |field| {
            section::read(field, &keys::METRICS, metrics)
        });
        let budgets = section.optional("duration_budgets", |field| {
            field.each("a list of budgets, each with a dash before it", |item| {
                section::read(item, &keys::DURATION_BUDGET, duration_budget)
            })
        });
        let interval = polling.as_ref().map(|polling| polling.interval);
        let targets = section.get("targets", |field| targets(field, interval));
        let (targets, places) = targets?.into_iter().unzip();
        let config = Config {
            polling: polling?,
            metrics: metrics?,
            duration_budgets: budgets?.unwrap_or_default(),
            targets,
        };
        Some((config, places))
    })
}

fn polling(section: &Section<'_>) -> Option<Polling> {
    let interval = section.get("interval", |field| field.duration());
    let discovery_interval = section.get("discovery_interval", |field| field.duration());
    let request_timeout = section.get("request_timeout", |field| field.duration());
    let concurrent = section.get("max_concurrent_requests", |field| field.count(1..=10_000));
    Some(Polling {
        interval: interval?,
        discovery_interval: discovery_interval?,
        request_timeout: request_timeout?,
        max_concurrent_requests: NonZeroUsize::new(concurrent? as usize)?,
    })
}

fn metrics(section: &Section<'_>) -> Option<Metrics> {
    let status_format = section.get("status_format", |field| {
        field.choice(&[
            ("stateset", StatusFormat::Stateset),
            ("sparse", StatusFormat::Sparse),
        ])
    });
    let retention = section.get("retention", |field| field.duration());
    let retention_failed = section.get("retention_failed", |field| field.duration());
    let counter_warmup = section.get("counter_warmup", |field| field.duration_or_none());
    let duration_buckets = section.get("duration_buckets", duration_buckets);
    let tag_labels = section.get("tag_labels", tag_labels);
    let message_labels = section.get("message_labels", |field| field.switch());
    Some(Metrics {
        status_format: status_format?,
        retention: retention?,
        retention_failed: retention_failed?,
        counter_warmup: counter_warmup?,
        duration_buckets: duration_buckets?,
        tag_labels: tag_labels?,
        message_labels: message_labels?,
    })
}

/// Each is series by the thousand: what nobody needs is more likely a slip.
const MOST_BUCKETS: usize = 50;

fn duration_buckets(field: Field<'_>) -> Option<Vec<Duration>> {
    let mut last: Option<(Duration, Place)> = None;
    let buckets = field.each("a list of durations, such as [30s, 5m, 1h]", |item| {
        let bucket = item.duration()?;
        let before = last.replace((bucket, item.place()));
        match before {
            Some((before, place)) if before == bucket => {
                item.repeats("this bucket is listed twice; keep one", place)
            }
            Some((before, _)) if before > bucket => item.problem(format!(
                "{} stands after {}; list the buckets from the shortest to the longest",
                format_duration(bucket),
                format_duration(before),
            )),
            _ => Some(bucket),
        }
    })?;
    match buckets.len() {
        0 => field.problem("is empty; list at least one duration, such as [30s, 5m, 1h]"),
        1..=MOST_BUCKETS => Some(buckets),
        count => field.problem(format!(
            "has {count} buckets, each of them a series for every step's name; list {MOST_BUCKETS} at most"
        )),
    }
}

fn tag_labels(field: Field<'_>) -> Option<Vec<TagLabel>> {
    let mut seen: HashMap<String, (String, Place)> = HashMap::new();
    field.each("a list of the keys of tags, such as [Team]", |item| {
        let key = item.text_that(TAG_KEY, is_tag_key)?;
        let label = tag_label(&key);
        match seen.get(&label) {
            Some((first, place)) if *first == key => {
                item.repeats("this tag is listed twice; keep one", *place)
            }
            Some((_, place)) => item.repeats(
                "this tag gives the same label as another, all characters but letters, digits and _ becoming _; keep one",
                *place,
            ),
            None => {
                seen.insert(label.clone(), (key.clone(), item.place()));
                Some(TagLabel { key, label })
            }
        }
    })
}

fn duration_budget(section: &Section<'_>) -> Option<DurationBudget> {
    let step = section.get("step", |field| field.glob());
    let workflow = section.get("workflow", |field| field.glob());
    let image = section.get("image", |field| field.glob());
    let max_duration = section.get("max_duration", |field| field.duration());
    Some(DurationBudget {
        step: step?,
        workflow: workflow?,
        image: image?,
        max_duration: max_duration?,
    })
}
