//! Which part of what is known is asked for.

use super::builds::{Build, BuildState, Execution, Step, group};
use super::known::{Known, StatusSource};
use super::query::{GONE, OTHER, Query, STATUSES, UNSEEN};
use crate::labels::LabelText;
use crate::model::{ImageArn, ImageStatus};
use crate::snapshot::{FailureRecord, ImageRecord, Phase, StepRecord};

/// What is shown: of what matches the query, one page.
#[derive(Debug)]
pub struct Status<'a> {
    pub(super) known: &'a Known,
    pub(super) query: &'a Query,
    /// In their order, and of each the executions that are on this page.
    pub(super) builds: Vec<Build<'a>>,
    /// How many builds match, by how they stand.
    pub(super) counts: [usize; BuildState::ALL.len()],
    /// How many executions match; a build that has none counts as one.
    pub(super) matched: usize,
    /// How many pages there are, at least 1.
    pub(super) pages: usize,
    /// The names of all images, in their order.
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
    /// Whether something of a build is asked for; leaves in it the executions that are.
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
        if self.takes_image(build.image, build.source, build.arn) {
            return true;
        }
        let (image, arn) = (build.image, build.arn);
        build.executions.retain(|execution| {
            self.takes_execution(execution, image, arn) || { execution.steps.iter() }
                .any(|step| self.takes_step(step, execution, image, arn))
        });
        !build.executions.is_empty()
    }

    fn takes_image(
        &self,
        image: Option<&ImageRecord>,
        source: &StatusSource,
        arn: Option<&ImageArn>,
    ) -> bool {
        let status = image.map(|image| match &image.status {
            ImageStatus::Failed => "FAILED",
            ImageStatus::Cancelled => "CANCELLED",
            ImageStatus::Pending => "PENDING",
            ImageStatus::Unknown(_) => OTHER,
            status if status.is_terminal() => "COMPLETED",
            _ => "RUNNING",
        });
        let Some(status) = status else {
            return false;
        };
        self.takes_status(status, false)
            && self.takes_words(|word| image_has(word, image, source, arn))
    }

    fn takes_execution(
        &self,
        execution: &Execution<'_>,
        image: Option<&ImageRecord>,
        arn: Option<&ImageArn>,
    ) -> bool {
        execution
            .observed
            .is_some_and(|observed| self.takes_status(observed.status.as_str(), false))
            && self.takes_words(|word| {
                execution_has(word, execution) || image_has(word, image, execution.source, arn)
            })
    }

    /// Whether a step is asked for by itself, not for the others of its execution.
    pub(super) fn takes_step(
        &self,
        step: &Step<'_>,
        execution: &Execution<'_>,
        image: Option<&ImageRecord>,
        arn: Option<&ImageArn>,
    ) -> bool {
        let record = step.record;
        let status = { step.observed() }.map_or(UNSEEN, |observed| observed.status.as_str());
        self.takes_status(status, record.phase == Phase::Gone)
            && self.takes_words(|word| {
                step_has(word, record)
                    || execution_has(word, execution)
                    || image_has(word, image, step.source, arn)
            })
    }

    fn takes_status(&self, status: &str, gone: bool) -> bool {
        let known = STATUSES.contains(&status);
        self.statuses.is_empty()
            || self.statuses.iter().any(|wanted| match *wanted {
                GONE => gone,
                OTHER => !known || status == OTHER,
                wanted => wanted == status,
            })
    }

    fn takes_words(&self, has: impl Fn(&str) -> bool) -> bool {
        self.words.iter().all(|word| has(word))
    }
}

fn image_has(
    word: &str,
    image: Option<&ImageRecord>,
    source: &StatusSource,
    arn: Option<&ImageArn>,
) -> bool {
    contains(&source.target, word)
        || contains(&source.region, word)
        || arn.is_some_and(|arn| contains(arn.as_str(), word))
        || image.is_some_and(|image| {
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

/// `word` is in lower case.
fn contains(text: &str, word: &str) -> bool {
    if text.is_ascii() && word.is_ascii() {
        let (text, word) = (text.as_bytes(), word.as_bytes());
        return text
            .windows(word.len())
            .any(|part| part.eq_ignore_ascii_case(word));
    }
    text.to_lowercase().contains(word)
}
