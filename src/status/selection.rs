//! Applies a query to the builds, and selects one page of those that match.

use std::fmt::Display;

use super::builds::{Build, BuildState, Execution, Step, group};
use super::known::{Known, StatusSource};
use super::query::{GONE, OTHER, Query, SLOW, STATUSES, UNSEEN};
use crate::labels::LabelText;
use crate::model::{ImageArn, ImageStatus};
use crate::snapshot::{FailureRecord, Phase, StepRecord};

/// The builds of one page of those that match a query.
#[derive(Debug)]
pub struct Status<'a> {
    pub(super) known: &'a Known,
    pub(super) query: &'a Query,
    /// The builds in their order, each with its executions on this page.
    pub(super) builds: Vec<Build<'a>>,
    /// The number of builds that match, by state.
    pub(super) counts: [usize; BuildState::ALL.len()],
    /// The number of slow steps of the executions that match.
    pub(super) slow_steps: usize,
    /// The number of executions that match; a build without executions counts as one.
    pub(super) matched: usize,
    /// The number of pages, at least 1.
    pub(super) pages: usize,
    /// The names of all images in alphabetical order.
    pub(super) images: Vec<&'a str>,
}

impl<'a> Status<'a> {
    pub fn of(known: &'a Known, query: &'a Query) -> Self {
        let all = group(known);
        let mut images: Vec<&str> = { all.iter() }
            .filter_map(|build| build.arn.map(ImageArn::name))
            .collect();
        images.sort_unstable();
        images.dedup();
        let mut status = Self {
            known,
            query,
            builds: Vec::new(),
            counts: [0; BuildState::ALL.len()],
            slow_steps: 0,
            matched: 0,
            pages: 1,
            images,
        };
        let first = (query.page - 1).saturating_mul(query.per_page);
        let page = first..first.saturating_add(query.per_page);
        for mut build in all {
            if !query.takes(&mut build) {
                continue;
            }
            status.counts[build.state as usize] += 1;
            let slow_steps = build.executions.iter().map(Execution::slow_steps);
            status.slow_steps += slow_steps.sum::<usize>();
            let before = status.matched;
            status.matched += build.executions.len().max(1);
            if build.executions.is_empty() {
                if page.contains(&before) {
                    status.builds.push(build);
                }
                continue;
            }
            let mut at = before..;
            build
                .executions
                .retain(|_| at.next().is_some_and(|at| page.contains(&at)));
            if !build.executions.is_empty() {
                status.builds.push(build);
            }
        }
        status.pages = status.matched.div_ceil(query.per_page).max(1);
        status
    }
}

impl Query {
    /// Returns whether the query selects the build, and removes the executions that it does not select.
    fn takes(&self, build: &mut Build<'_>) -> bool {
        let name = build.arn.map(ImageArn::name).unwrap_or_default();
        if let Some((_, glob)) = &self.image
            && !glob.is_match(name)
        {
            return false;
        }
        if self.statuses.is_empty() && self.words.is_empty() {
            return true;
        }
        let words = self.words_left(build);
        if self.takes_image(build, &words) {
            return true;
        }
        build.executions.retain(|execution| {
            let words = words_left(&words, |word| execution_has(word, execution));
            self.takes_execution(execution, &words) || { execution.steps.iter() }
                .any(|step| self.takes_step(step, &words))
        });
        !build.executions.is_empty()
    }

    /// Returns the steps of the execution that the query selects, apart from the execution itself.
    pub(super) fn steps<'s, 'a>(
        &'s self,
        execution: &'s Execution<'a>,
        build: &Build<'_>,
    ) -> impl Iterator<Item = &'s Step<'a>> {
        let words = words_left(&self.words_left(build), |word| {
            execution_has(word, execution)
        });
        let steps = execution.steps.iter();
        steps.filter(move |step| self.takes_step(step, &words))
    }

    /// Returns the words that do not occur in what is known of the build itself.
    fn words_left(&self, build: &Build<'_>) -> Vec<&str> {
        let words = self.words.iter().map(String::as_str);
        words.filter(|word| !build_has(word, build)).collect()
    }

    // The words of these are those that do not occur in what contains the resource.

    fn takes_image(&self, build: &Build<'_>, words: &[&str]) -> bool {
        let Some(image) = build.image else {
            return false;
        };
        let status = match &image.status {
            ImageStatus::Failed => "FAILED",
            ImageStatus::Cancelled => "CANCELLED",
            ImageStatus::Pending => "PENDING",
            ImageStatus::Unknown(_) => OTHER,
            status if status.is_terminal() => "COMPLETED",
            _ => "RUNNING",
        };
        self.takes_status(status, |_| false) && { words.iter() }
            .all(|word| source_has(word, build.source))
    }

    fn takes_execution(&self, execution: &Execution<'_>, words: &[&str]) -> bool {
        { execution.observed }
            .is_some_and(|observed| self.takes_status(observed.status.as_str(), |_| false))
            && { words.iter() }.all(|word| source_has(word, execution.source))
    }

    fn takes_step(&self, step: &Step<'_>, words: &[&str]) -> bool {
        let record = step.record;
        let status = { step.observed() }.map_or(UNSEEN, |observed| observed.values.status.as_str());
        let also = |wanted: &str| match wanted {
            GONE => record.phase == Phase::Gone,
            SLOW => step.is_slow(),
            _ => false,
        };
        self.takes_status(status, also) && { words.iter() }
            .all(|word| source_has(word, step.source) || step_has(word, record))
    }

    /// `also` returns whether a status of the exporter's own applies.
    fn takes_status(&self, status: &str, also: impl Fn(&str) -> bool) -> bool {
        let known = STATUSES.contains(&status);
        self.statuses.is_empty()
            || self.statuses.iter().any(|wanted| match *wanted {
                OTHER => !known || status == OTHER,
                wanted => wanted == status || also(wanted),
            })
    }
}

fn words_left<'w>(words: &[&'w str], has: impl Fn(&str) -> bool) -> Vec<&'w str> {
    { words.iter().copied() }
        .filter(|word| !has(word))
        .collect()
}

/// Returns whether the word occurs in the target or region that polls a resource.
fn source_has(word: &str, source: &StatusSource) -> bool {
    contains(&source.target, word) || contains(&source.region, word)
}

fn build_has(word: &str, build: &Build<'_>) -> bool {
    build.arn.is_some_and(|arn| contains(arn.as_str(), word))
        || build.image.is_some_and(|image| {
            let failure = image.failure.as_ref();
            contains(image.details.as_str(), word)
                || contains(image.own_labels.as_str(), word)
                || failure.is_some_and(|failure| failure_has(word, failure))
        })
}

fn failure_has(word: &str, record: &FailureRecord) -> bool {
    let failure = &record.failure;
    let texts = [
        &failure.reason,
        &failure.component_error,
        &failure.distribution_error,
    ];
    let labels = record.labels.iter().map(LabelText::as_str);
    let texts = texts.into_iter().flatten().map(String::as_str);
    labels.chain(texts).any(|text| contains(text, word))
}

fn execution_has(word: &str, execution: &Execution<'_>) -> bool {
    { execution.id }.is_some_and(|id| id_has(word, id)) || { execution.workflow() }
        .is_some_and(|workflow| contains(workflow.as_str(), word))
}

fn step_has(word: &str, record: &StepRecord) -> bool {
    id_has(word, record.id)
        || contains(record.extra.own.as_str(), word)
        || record.observed.as_ref().is_some_and(|observed| {
            let definition = &observed.definition;
            let texts = [definition.name.as_deref(), definition.action.as_deref()];
            { texts.into_iter().chain([observed.reason()]).flatten() }
                .any(|text| contains(text, word))
        })
}

fn id_has(word: &str, id: impl Display) -> bool {
    // Most words have a letter that no id has, so the text of the id is not needed.
    let in_ids = |b: u8| b.is_ascii_hexdigit() || b"stepwf-".contains(&b);
    word.bytes().all(in_ids) && contains(&id.to_string(), word)
}

/// Returns whether the text contains the word, which is in lower case.
fn contains(text: &str, word: &str) -> bool {
    let [first, rest @ ..] = word.as_bytes() else {
        return true;
    };
    if text.is_ascii() && word.is_ascii() {
        let text = text.as_bytes();
        let Some(last) = text.len().checked_sub(word.len()) else {
            return false;
        };
        return text[..=last].iter().zip(1..).any(|(b, next)| {
            b.to_ascii_lowercase() == *first
                && text[next..next + rest.len()].eq_ignore_ascii_case(rest)
        });
    }
    text.to_lowercase().contains(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::WorkflowExecutionId;

    proptest! {
        #[test]
        fn word_is_found_in_any_case(text in "[abAB-é]{0,8}", word in "[ab-é]{1,3}") {
            prop_assert_eq!(contains(&text, &word), text.to_lowercase().contains(&word));
        }

        #[test]
        fn every_part_of_an_id_is_found(from in 0..39_usize, length in 1..39_usize) {
            let text = "wf-01234567-89ab-4cde-8f01-23456789abcd";
            let id: WorkflowExecutionId = text.parse().unwrap();
            let part = &text[from..(from + length).min(text.len())];
            prop_assert!(id_has(part, id));
            let longer = format!("{part}x");
            prop_assert!(!id_has(&longer, id));
        }
    }
}
