//! Applies a query to the builds, and selects one page of those that match.

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
        if self.takes_image(build) {
            return true;
        }
        let mut executions = std::mem::take(&mut build.executions);
        executions.retain(|execution| {
            self.takes_execution(execution, build) || { execution.steps.iter() }
                .any(|step| self.takes_step(step, execution, build))
        });
        build.executions = executions;
        !build.executions.is_empty()
    }

    fn takes_image(&self, build: &Build<'_>) -> bool {
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
        self.takes_status(status, |_| false)
            && self.takes_words(|word| build_has(word, build, build.source))
    }

    fn takes_execution(&self, execution: &Execution<'_>, build: &Build<'_>) -> bool {
        { execution.observed }
            .is_some_and(|observed| self.takes_status(observed.status.as_str(), |_| false))
            && self.takes_words(|word| {
                execution_has(word, execution) || build_has(word, build, execution.source)
            })
    }

    /// Returns whether the query selects the step itself, apart from its execution.
    pub(super) fn takes_step(
        &self,
        step: &Step<'_>,
        execution: &Execution<'_>,
        build: &Build<'_>,
    ) -> bool {
        let record = step.record;
        let status = { step.observed() }.map_or(UNSEEN, |observed| observed.status.as_str());
        let also = |wanted: &str| match wanted {
            GONE => record.phase == Phase::Gone,
            SLOW => step.is_slow(),
            _ => false,
        };
        self.takes_status(status, also)
            && self.takes_words(|word| {
                step_has(word, record)
                    || execution_has(word, execution)
                    || build_has(word, build, step.source)
            })
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

    fn takes_words(&self, has: impl Fn(&str) -> bool) -> bool {
        self.words.iter().all(|word| has(word))
    }
}

/// Returns whether the word occurs in what is known of the build, or in the target and region of
/// `source`, which polls the resource in question.
fn build_has(word: &str, build: &Build<'_>, source: &StatusSource) -> bool {
    contains(&source.target, word)
        || contains(&source.region, word)
        || build.arn.is_some_and(|arn| contains(arn.as_str(), word))
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
    { execution.id }.is_some_and(|id| contains(&id.to_string(), word)) || { execution.workflow() }
        .is_some_and(|workflow| contains(workflow.as_str(), word))
}

fn step_has(word: &str, record: &StepRecord) -> bool {
    contains(&record.id.to_string(), word)
        || contains(record.own_labels.as_str(), word)
        || record.observed.as_ref().is_some_and(|observed| {
            let definition = &observed.definition;
            let texts = [definition.name.as_deref(), definition.action.as_deref()];
            { texts.into_iter().chain([observed.reason()]).flatten() }
                .any(|text| contains(text, word))
        })
}

/// Returns whether the text contains the word, which is in lower case.
fn contains(text: &str, word: &str) -> bool {
    if text.is_ascii() && word.is_ascii() {
        let (text, word) = (text.as_bytes(), word.as_bytes());
        return text
            .windows(word.len())
            .any(|part| part.eq_ignore_ascii_case(word));
    }
    text.to_lowercase().contains(word)
}
