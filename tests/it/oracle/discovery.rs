//! Discovery in random worlds: what is selected is shown as the world has it, in time and for as long
//! as is promised, and counted once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use imagebuilder_exporter::api::Operation;
use imagebuilder_exporter::model::{ImageStatus, Timestamp};
use imagebuilder_exporter::simulator::{Scenario, World};
use proptest::prelude::*;

use super::generate::workflows;
use super::shown::{ShownObject, ShownStep, distinct};
use super::truth::{ImageTruth, Selectors, StepTruth, Truth, WorkflowTruth, moments};
use super::world::{Chances, Logged, WorldApi};
use crate::support::exposition::Sample;
use crate::support::poller::{EPOCH, Polling};

const LATENCY: Duration = Duration::from_secs(1);
/// How long the answers may take that lead to one look, pages and all.
const ANSWERS: Duration = Duration::from_secs(25);
/// The same for a round of discovery.
const ROUND: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// The longest wait between failures, twice: for what failed, and for what it has to be followed by.
const BACKOFF: Duration = Duration::from_secs(11 * 60);

/// What is configured beside the selectors.
#[derive(Clone, Copy, Debug)]
struct Pace {
    interval: Duration,
    discovery: Duration,
    retention: Duration,
    retention_failed: Duration,
}

impl Pace {
    fn write(&self) -> String {
        format!(
            "polling: {{interval: {}s, discovery_interval: {}s, request_timeout: 10s}}\n\
             metrics: {{retention: {}s, retention_failed: {}s}}",
            self.interval.as_secs(),
            self.discovery.as_secs(),
            self.retention.as_secs(),
            self.retention_failed.as_secs()
        )
    }

    fn retention(&self, failed: bool) -> Duration {
        match failed {
            true => self.retention_failed,
            false => self.retention,
        }
    }
}

/// By what is named one by one: what of the world, reduced to what there is.
#[derive(Clone, Debug)]
struct Names {
    images: Vec<usize>,
    workflows: Vec<usize>,
    steps: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Case {
    scenario: String,
    seed: u64,
    pace: Pace,
    selectors: Selectors,
    names: Names,
    /// A reload after so many minutes, with these selectors or the same.
    reload: Option<(u64, Option<Selectors>)>,
    fault: f64,
}

fn pipeline() -> impl Strategy<Value = String> {
    (
        -4 * 3_600..3_600i32,
        10..240u32,
        1..4u32,
        prop_oneof![3 => Just(""), 1 => Just("without_pipeline: true, "), 1 => Just("manual: true, ")],
        prop_oneof![
            2 => Just(""),
            2 => Just("tags: {Team: a}, "),
            1 => Just("tags: {Team: b}, "),
            1 => Just("tags: {Team: a}, image_tags: {Team: b}, "),
        ],
        (0..3u32, 60..1_200u32),
        prop_oneof![
            4 => Just(""),
            1 => Just("lifecycle: [{after: 1h, status: DEPRECATED}], "),
        ],
        prop_oneof![4 => Just(None), 1 => (0..6 * 60u32).prop_map(Some)],
        workflows(1..4),
    )
        .prop_map(
            |(first, every, builds, kind, tags, (retries, after), lifecycle, deleted, workflows)| {
                let deleted = deleted.filter(|_| !kind.starts_with("without"));
                let deleted = deleted.map(|minutes| format!("deleted_at: {minutes}m, "));
                format!(
                    "account: \"111122223333\", region: us-west-2, first: {first}s, every: {every}m, \
                     builds: {builds}, {kind}{tags}retries: {retries}, retry_after: {after}s, {lifecycle}{}\
                     workflows: [{workflows}]",
                    deleted.unwrap_or_default()
                )
            },
        )
}

fn scenario() -> impl Strategy<Value = String> {
    prop::collection::vec(pipeline(), 1..5).prop_map(|pipelines| {
        let mut text = "pipelines:\n".to_owned();
        for (at, pipeline) in pipelines.into_iter().enumerate() {
            text += &format!("  - {{name: image-{at}, {pipeline}}}\n");
        }
        text
    })
}

fn selectors() -> impl Strategy<Value = Selectors> {
    let globs = || {
        prop_oneof![
            2 => Just(vec![]),
            3 => Just(vec!["*"]),
            1 => Just(vec!["image-0", "none-*"]),
            1 => Just(vec!["image-1", "image-*"]),
        ]
    };
    let without = || prop_oneof![4 => Just(vec![]), 1 => Just(vec!["image-0"])];
    let team = |value| prop_oneof![4 => Just(None), 1 => Just(Some(value))];
    (globs(), globs(), team("a"), without(), without(), team("b")).prop_map(
        |(pipelines, images, team, without_pipelines, without_images, without_team)| Selectors {
            pipelines,
            images,
            team,
            without_pipelines,
            without_images,
            without_team,
            ..Selectors::default()
        },
    )
}

fn case(fault: f64) -> impl Strategy<Value = Case> {
    let seconds = Duration::from_secs;
    let minutes = move |minutes: u64| seconds(minutes * 60);
    let pace = prop_oneof![
        2 => Just(Pace {
            interval: seconds(30),
            discovery: seconds(120),
            retention: minutes(120),
            retention_failed: minutes(24 * 60),
        }),
        2 => Just(Pace {
            interval: seconds(20),
            discovery: seconds(180),
            retention: minutes(15),
            retention_failed: minutes(40),
        }),
        1 => Just(Pace {
            interval: seconds(60),
            discovery: seconds(60),
            retention: minutes(90),
            retention_failed: minutes(180),
        }),
    ];
    let few = || prop::collection::vec(any::<usize>(), 0..3);
    let names = (few(), few(), few()).prop_map(|(images, workflows, steps)| Names {
        images,
        workflows,
        steps,
    });
    let reload = prop::option::weighted(0.5, (5..300u64, prop::option::of(selectors())));
    (scenario(), any::<u64>(), pace, selectors(), names, reload).prop_map(
        move |(scenario, seed, mut pace, selectors, names, reload)| {
            if fault > 0.0 {
                // What fails for longer than it would be kept is not found at all.
                pace.retention = pace.retention.max(HOUR * 2);
                pace.retention_failed = pace.retention_failed.max(HOUR * 2);
            }
            Case {
                scenario,
                seed,
                pace,
                selectors,
                names,
                reload,
                fault,
            }
        },
    )
}

impl Names {
    /// Adds what is named, of what is there when the exporter starts.
    fn name(&self, truth: &Truth, mut selectors: Selectors) -> Selectors {
        let images: Vec<&ImageTruth> = { truth.images.iter() }
            .filter(|image| image.begins <= EPOCH)
            .collect();
        let workflows: Vec<&WorkflowTruth> = { images.iter() }
            .flat_map(|image| &image.workflows)
            .filter(|workflow| workflow.from <= EPOCH)
            .collect();
        let steps: Vec<&StepTruth> = { workflows.iter() }
            .flat_map(|workflow| &workflow.steps)
            .collect();
        let push_new = |at: &usize, length: usize| at.checked_rem(length);
        for at in self
            .images
            .iter()
            .filter_map(|at| push_new(at, images.len()))
        {
            if !selectors.named_images.contains(&images[at].arn) {
                selectors.named_images.push(images[at].arn.clone());
            }
        }
        for at in { self.workflows.iter() }.filter_map(|at| push_new(at, workflows.len())) {
            if !selectors.named_workflows.contains(&workflows[at].id) {
                selectors.named_workflows.push(workflows[at].id);
            }
        }
        for at in self.steps.iter().filter_map(|at| push_new(at, steps.len())) {
            if !selectors.listed.contains(&steps[at].id) {
                selectors.listed.push(steps[at].id);
            }
        }
        selectors
    }
}

/// Whether something must be shown, must not, or may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Must,
    May,
    MustNot,
}

/// One look at what is shown.
struct Look<'a> {
    case: &'a Case,
    truth: &'a Truth,
    selectors: &'a Selectors,
    /// Since when these selectors are in force.
    since: Timestamp,
    now: Timestamp,
    /// Calls fail, or did a short while ago.
    faulty: bool,
    /// A token expired a short while ago.
    expired: bool,
    samples: Vec<Sample>,
}

impl Look<'_> {
    fn pace(&self) -> Pace {
        self.case.pace
    }

    fn ago(&self, by: Duration) -> Timestamp {
        self.now.minus(by)
    }

    /// How late what discovery alone tells may be.
    fn lag(&self) -> Duration {
        let mut lag = self.pace().discovery + self.pace().interval + ROUND;
        if self.expired {
            lag += self.pace().discovery;
        }
        if self.faulty {
            lag += BACKOFF;
        }
        lag
    }

    /// The same of an image, which may be looked at seldom where it is named and nothing is selected.
    fn image_lag(&self, image: &ImageTruth) -> Duration {
        let named = self.selectors.named_images.contains(&image.arn);
        match named && !self.selectors.discovers() {
            true => self.lag() + self.pace().discovery * 10,
            false => self.lag(),
        }
    }

    /// How late a step may be.
    fn step_lag(&self) -> Duration {
        self.pace().interval + ANSWERS
    }

    fn known_from(&self, image: &ImageTruth) -> Timestamp {
        match self.selectors.named_images.contains(&image.arn) {
            true => self.since.max(image.begins),
            false => self.since.max(image.listed_from),
        }
    }

    /// Whether and from when until when a workflow execution with its steps is to be shown.
    fn workflow(&self, image: &ImageTruth, workflow: &WorkflowTruth) -> Expected {
        if self.now < workflow.from {
            return Expected::MustNot;
        }
        let named = self.selectors.named_workflows.contains(&workflow.id);
        let verdict = match named {
            true => Some(true),
            false => self.selectors.selects_image(self.truth, image, self.now),
        };
        let (lag, image_lag) = (self.lag(), self.image_lag(image));
        match verdict {
            Some(true) => {}
            // It may have been until a moment ago.
            _ if self.ago(lag) < self.since && self.since > EPOCH => return Expected::May,
            None => return Expected::May,
            Some(false) => {
                let before = self
                    .selectors
                    .selects_image(self.truth, image, self.ago(lag));
                return match before {
                    Some(false) => Expected::MustNot,
                    _ => Expected::May,
                };
            }
        }
        let known = match named {
            true => self.since,
            false => self.known_from(image).max(workflow.from),
        };
        let appears = match named {
            true => known
                .plus(ANSWERS)
                .plus(if self.faulty { BACKOFF } else { Duration::ZERO }),
            false => known.plus(image_lag),
        };
        if !workflow.is_over(self.now) {
            return match self.now >= appears {
                true => Expected::Must,
                false => Expected::May,
            };
        }
        let from = self.ago(image_lag).max(image.begins);
        let statuses = self.truth.statuses(image, from, self.now);
        let failed = |status: &ImageStatus| *status == ImageStatus::Failed;
        // A named one's image need not be known.
        let image_followed =
            self.selectors.selects_image(self.truth, image, self.now) == Some(true);
        let surely = workflow.failed || (image_followed && statuses.iter().all(failed));
        let maybe = workflow.failed || statuses.iter().any(failed);
        let leaves = workflow.end.plus(self.pace().retention(surely));
        if self.now < leaves && self.now >= appears {
            return Expected::Must;
        }
        let leaves = workflow.end.plus(self.pace().retention(maybe));
        let gone = leaves
            .max(self.settled_by(image, workflow))
            .plus(self.step_lag());
        match self.now > gone {
            true => Expected::MustNot,
            false => Expected::May,
        }
    }

    /// When the execution must be settled, and no longer asked for.
    fn settled_by(&self, image: &ImageTruth, workflow: &WorkflowTruth) -> Timestamp {
        let interval = self.pace().interval;
        let mut last = workflow.last_change;
        if workflow.leaves_steps_pending() {
            last = last.max(workflow.end.plus(HOUR));
        }
        // It may come back when its image fails after all.
        let fails = image.changes.iter().filter(|at| **at <= self.now).max();
        let back = fails.copied().unwrap_or(last).plus(self.image_lag(image));
        let found = self
            .known_from(image)
            .max(workflow.from)
            .plus(self.image_lag(image));
        last.plus(interval * 4 + ANSWERS * 2).max(found).max(back)
    }

    fn image(&self, image: &ImageTruth) -> Expected {
        let lag = self.image_lag(image);
        if self.now < image.begins {
            return Expected::MustNot;
        }
        match self.selectors.selects_image(self.truth, image, self.now) {
            Some(true) => {}
            _ if self.ago(lag) < self.since && self.since > EPOCH => return Expected::May,
            None => return Expected::May,
            Some(false) => {
                let before = self
                    .selectors
                    .selects_image(self.truth, image, self.ago(lag));
                return match before {
                    Some(false) => Expected::MustNot,
                    _ => Expected::May,
                };
            }
        }
        let appears = self.known_from(image).plus(lag + ANSWERS);
        let status = self.truth.image(image, self.now).status;
        let statuses = self
            .truth
            .statuses(image, self.ago(lag).max(image.begins), self.now);
        let over = image.workflows.iter().filter(|one| one.is_over(self.now));
        let last = over.map(|one| one.end).max().unwrap_or(image.begins);
        let surely = statuses.iter().all(|status| *status == ImageStatus::Failed);
        let maybe = statuses.contains(&ImageStatus::Failed);
        // One that moves again is seen to after a lag.
        let moves = statuses.iter().all(|status| !status.is_terminal());
        if moves || (status.is_terminal() && self.now < last.plus(self.pace().retention(surely))) {
            let again = image
                .changes
                .iter()
                .filter(|at| **at <= self.now && **at > last);
            let again = again
                .min()
                .map(|at| at.plus(lag))
                .filter(|_| !status.is_terminal());
            return match self.now >= appears && again.is_none_or(|again| self.now >= again) {
                true => Expected::Must,
                false => Expected::May,
            };
        }
        let begun = { image.workflows.iter() }.filter(|one| one.from <= self.now);
        let settled = begun.map(|one| self.settled_by(image, one)).max();
        let gone = settled
            .unwrap_or(last)
            .max(last.plus(self.pace().retention(maybe)));
        match status.is_terminal() && self.now > gone.plus(self.step_lag()).plus(lag) {
            true => Expected::MustNot,
            false => Expected::May,
        }
    }

    /// What an image and its executions go through, for whoever reads of a failure.
    fn life(&self, image: &ImageTruth) -> String {
        let seconds = |at: Timestamp| at.millis_since(EPOCH) / 1_000;
        let mut text = format!("listed {}", seconds(image.listed_from));
        for at in &image.changes {
            text += &format!(", {} {}", seconds(*at), self.truth.image(image, *at).status);
        }
        for one in &image.workflows {
            let last = self.truth.workflow(one, one.last_change).status;
            let times = [
                one.from,
                one.start.unwrap_or(one.end),
                one.end,
                one.last_change,
            ];
            text += &format!("; {} {:?} {last}", one.id, times.map(seconds));
        }
        text
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one scenario, checked at several moments"
    )]
    fn check(&self) -> Result<(), TestCaseError> {
        let steps = ShownStep::all(&self.samples);
        let key = ["workflow_execution_id"];
        let workflows = ShownObject::all(&self.samples, "imagebuilder_workflow_execution_", &key);
        let key = ["image", "image_version"];
        let images = ShownObject::all(&self.samples, "imagebuilder_image_", &key);
        let mut expected = HashSet::new();
        for image in &self.truth.images {
            let id = format!("{}/{}", image.arn.name(), image.arn.version());
            let wanted = self.image(image);
            let shown = images.get(&id);
            let life = || self.life(image);
            prop_assert!(
                wanted != Expected::Must || shown.is_some(),
                "{id} is not shown; {}",
                life()
            );
            prop_assert!(
                wanted != Expected::MustNot || shown.is_none(),
                "{id} is shown; {}",
                life()
            );
            if let Some(shown) = shown {
                self.check_image(image, shown)
                    .map_err(|error| TestCaseError::fail(format!("{id}: {error}")))?;
            }
            for workflow in &image.workflows {
                let id = workflow.id.to_string();
                let wanted = self.workflow(image, workflow);
                let shown = workflows.get(&id);
                prop_assert!(
                    wanted != Expected::Must || shown.is_some(),
                    "{id} is not shown; {}",
                    life()
                );
                prop_assert!(
                    wanted != Expected::MustNot || shown.is_none(),
                    "{id} is shown; {}",
                    life()
                );
                if let Some(shown) = shown {
                    self.check_workflow(image, workflow, shown)
                        .map_err(|error| TestCaseError::fail(format!("{id}: {error}")))?;
                }
                for step in &workflow.steps {
                    let id = step.id.to_string();
                    expected.insert(id.clone());
                    let listed = self.selectors.listed.contains(&step.id);
                    let shown = steps.get(&id);
                    let must = wanted == Expected::Must || listed;
                    prop_assert!(!must || shown.is_some(), "{id} is not shown");
                    let not = wanted == Expected::MustNot && !listed;
                    prop_assert!(!not || shown.is_none(), "{id} of {} is shown", workflow.id);
                    if let Some(shown) = shown {
                        self.check_step(image, workflow, step, shown, must)
                            .map_err(|error| TestCaseError::fail(format!("{id}: {error}")))?;
                    }
                }
            }
        }
        for id in steps.keys() {
            prop_assert!(expected.contains(id), "{id} is of no build");
        }
        self.check_pipelines()?;
        self.check_names()?;
        self.check_matches()
    }

    fn check_step(
        &self,
        image: &ImageTruth,
        workflow: &WorkflowTruth,
        step: &StepTruth,
        shown: &ShownStep,
        must: bool,
    ) -> Result<(), TestCaseError> {
        let Some(last_success) = shown.last_success else {
            let soon = self.ago(self.step_lag()) < self.since;
            prop_assert!(self.faulty || soon, "it has not been seen");
            return Ok(());
        };
        let seen = Timestamp::from_millis((last_success * 1_000.0).round() as i64);
        let world = &self.truth.world;
        let was_so_within = |from: Timestamp, to: Timestamp| {
            moments(&step.changes, from.max(workflow.from), to).any(|at| {
                let view = world.step(&step.id, at);
                view.is_some_and(|view| shown.is(&view.to_model(), self.now))
            })
        };
        prop_assert!(
            was_so_within(seen.minus(LATENCY), seen),
            "it shows what was not so when it was seen, {} ms ago: {shown:?}, but {:?}",
            self.now.millis_since(seen),
            world.step(&step.id, seen)
        );
        if shown.settled {
            let later = step.changes.iter().find(|at| **at > seen);
            prop_assert_eq!(later, None, "it is settled and changes later");
        } else if must && !self.faulty {
            let late = match self.expired {
                true => self.step_lag() * 2,
                false => self.step_lag(),
            };
            prop_assert!(
                was_so_within(self.ago(late), self.now),
                "it shows what has long not been so: {shown:?}, but {:?}",
                world.step(&step.id, self.now)
            );
            let settled = self.settled_by(image, workflow).plus(late);
            prop_assert!(self.now < settled, "it does not settle: {shown:?}");
        }
        // It may have left, and come back when its image failed after all.
        let leaves = workflow.end.plus(self.pace().retention(false));
        let changes = image.changes.iter().filter(|at| **at <= self.now);
        let back = changes.copied().max().filter(|_| self.now >= leaves);
        let known = self.known_from(image).max(workflow.from);
        let long = known
            .max(back.unwrap_or(known))
            .plus(self.lag() + self.step_lag());
        let full = shown.full || self.faulty || self.now < long;
        prop_assert!(full, "it has no info series");
        Ok(())
    }

    fn check_workflow(
        &self,
        image: &ImageTruth,
        workflow: &WorkflowTruth,
        shown: &ShownObject,
    ) -> Result<(), TestCaseError> {
        let was = |from: Timestamp, is: &dyn Fn(Timestamp) -> bool| {
            moments(&workflow.changes, from.max(workflow.from), self.now).any(is)
        };
        let from = self.ago(self.lag() + self.step_lag());
        let now = self.truth.workflow(workflow, self.now);
        let so = was(from, &|at| {
            let then = self.truth.workflow(workflow, at);
            shown.status.as_deref() == Some(then.status.as_str())
                && near(shown.value("start_time_seconds"), then.start)
                && near(shown.value("end_time_seconds"), then.end)
        });
        prop_assert!(
            so,
            "it shows what has long not been so: {shown:?}, but {now:?}"
        );
        let counts = was(from, &|at| {
            let then = self.truth.workflow(workflow, at);
            let is = |name: &str, count| shown.value(name) == Some(f64::from(count));
            is("steps succeeded", then.succeeded)
                && is("steps failed", then.failed)
                && is("steps skipped", then.skipped)
        });
        prop_assert!(
            counts,
            "its counts have long not been so: {shown:?}, but {now:?}"
        );
        let planned = f64::from(now.total_steps);
        prop_assert_eq!(shown.value("steps_planned"), Some(planned));
        let named = self.selectors.named_workflows.contains(&workflow.id);
        let followed = self.selectors.selects_image(self.truth, image, self.now) == Some(true);
        if !named || followed {
            let from = self.ago(self.image_lag(image));
            let retried = self.now < self.since.plus(self.lag()) || {
                let told = shown.value("retried");
                let is = |then: bool| told == Some(f64::from(u8::from(then)));
                was(from, &|at| is(self.truth.workflow(workflow, at).retried))
            };
            prop_assert!(retried, "retried is {:?}", shown.value("retried"));
        }
        Ok(())
    }

    fn check_image(&self, image: &ImageTruth, shown: &ShownObject) -> Result<(), TestCaseError> {
        let lag = self.image_lag(image);
        let from = self.ago(lag).max(image.begins);
        let so = moments(&image.changes, from, self.now).any(|at| {
            let then = self.truth.image(image, at);
            let failure = then.failure.as_ref();
            let failure = failure.and_then(|failure| failure.step_execution_id);
            let told = shown.failure.as_ref();
            let told = told.and_then(|labels| labels.get("step_execution_id").cloned());
            shown.status.as_deref() == Some(then.status.as_str())
                && near(shown.value("created_timestamp_seconds"), then.created)
                && told == failure.map(|id| id.to_string())
        });
        let now = self.truth.image(image, self.now);
        prop_assert!(
            so,
            "it shows what has long not been so: {shown:?}, but {now:?}"
        );
        let info = shown.info.as_ref();
        let told = info.and_then(|labels| labels.get("pipeline").map(String::as_str));
        let name = now.pipeline.as_ref().map(|arn| arn.name());
        let early = self.now < self.known_from(image).plus(lag + ANSWERS);
        let known = told == name || (told.is_none() && (early || self.faulty));
        prop_assert!(known, "its pipeline is {told:?}, not {name:?}");
        Ok(())
    }

    fn check_pipelines(&self) -> Result<(), TestCaseError> {
        let shown = ShownObject::all(&self.samples, "imagebuilder_pipeline_", &["pipeline"]);
        let lag = self.lag();
        let images = self.truth.images.iter();
        let mut changes: Vec<Timestamp> = images.flat_map(|image| image.changes.clone()).collect();
        changes.extend((0..6 * 60).map(|minute| EPOCH.plus(Duration::from_secs(minute * 60))));
        changes.sort_unstable();
        let early = self.ago(lag) < self.since;
        let mut seen: HashSet<String> = HashSet::new();
        let mut so: HashSet<String> = HashSet::new();
        let mut always: Option<HashSet<String>> = None;
        for at in moments(&changes, self.ago(lag), self.now) {
            let pipelines = self.truth.pipelines(at);
            let selected = pipelines
                .iter()
                .filter(|one| self.selectors.selects_pipeline(one));
            let mut there = HashSet::new();
            for pipeline in selected {
                let name = pipeline
                    .arn
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let is = shown.get(&name).is_some_and(|shown| {
                    let status = pipeline.last_run_status.as_ref();
                    shown.status.as_deref() == status.map(ImageStatus::as_str)
                        && near(shown.value("last_run_timestamp_seconds"), pipeline.last_run)
                        && near(shown.value("next_run_timestamp_seconds"), pipeline.next_run)
                        && shown.value("enabled") == Some(f64::from(u8::from(pipeline.enabled)))
                        && shown.value("consecutive_failures")
                            == Some(pipeline.consecutive_failures.into())
                });
                if is {
                    so.insert(name.clone());
                }
                seen.insert(name.clone());
                there.insert(name);
            }
            always = Some(match always {
                Some(always) => always.intersection(&there).cloned().collect(),
                None => there,
            });
        }
        for (name, shown) in &shown {
            prop_assert!(seen.contains(name) || early, "pipeline {name} is shown");
            prop_assert!(
                so.contains(name) || early,
                "pipeline {name} is not so: {shown:?}"
            );
        }
        if !early {
            for name in always.unwrap_or_default() {
                prop_assert!(shown.contains_key(&name), "pipeline {name} is not shown");
            }
        }
        Ok(())
    }

    /// When the newest AVAILABLE build of each name was made.
    fn check_names(&self) -> Result<(), TestCaseError> {
        let lag = self.lag();
        if self.ago(lag) < self.since {
            return Ok(());
        }
        let name = "imagebuilder_image_last_available_timestamp_seconds";
        let of_name = self.samples.iter().filter(|sample| sample.name == name);
        let shown: BTreeMap<&str, f64> = of_name
            .map(|sample| (sample.labels["image"].as_str(), sample.value))
            .collect();
        let mut names: BTreeMap<&str, Vec<&ImageTruth>> = BTreeMap::new();
        for image in &self.truth.images {
            names.entry(image.arn.name()).or_default().push(image);
        }
        for (name, images) in names {
            let changes: Vec<Timestamp> = { images.iter() }
                .flat_map(|image| image.changes.iter().copied().chain([image.listed_from]))
                .collect();
            let newest = |at: Timestamp| {
                let listed = images.iter().filter(|image| image.listed_from <= at);
                let listed = listed.map(|image| self.truth.image(image, at));
                let available = listed.filter(|image| image.status == ImageStatus::Available);
                available.filter_map(|image| image.created).max()
            };
            // A pipeline that is gone gives its name no more.
            let verdict = |at| {
                let image = self.truth.image(images[0], at);
                let pipeline = image.pipeline.as_ref();
                let there = pipeline.is_some_and(|arn| {
                    let pipeline = self.truth.world.pipeline(arn.as_str(), at);
                    pipeline.is_some()
                });
                let selected = self.selectors.selects_image(self.truth, images[0], at);
                let sure = there || self.selectors.selects_image_name(&image);
                selected.filter(|selected| sure || !selected)
            };
            let told = shown.get(name).copied();
            let possible =
                moments(&changes, self.ago(lag), self.now).any(|at| near(told, newest(at)));
            match (verdict(self.ago(lag)), verdict(self.now)) {
                // A name of which only some builds are named is shown while those are followed.
                _ if !self.selectors.named_images.is_empty() => {}
                (Some(true), Some(true)) => {
                    prop_assert!(possible, "{name} was last available {told:?}");
                }
                (Some(false), Some(false)) => {
                    prop_assert!(told.is_none(), "{name} was last available {told:?}");
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_matches(&self) -> Result<(), TestCaseError> {
        let lag = self.lag();
        if self.ago(lag) < self.since {
            return Ok(());
        }
        let name = "imagebuilder_exporter_selector_matches";
        let mut shown: HashMap<(&str, &str), f64> = HashMap::new();
        for sample in self.samples.iter().filter(|sample| sample.name == name) {
            let (kind, selector) = (&sample.labels["kind"], &sample.labels["selector"]);
            shown.insert((kind, selector), sample.value);
        }
        let images = &self.truth.images;
        for selector in &self.selectors.images {
            let one = Selectors {
                images: vec![*selector],
                ..self.selectors.clone()
            };
            let count = |at: Timestamp| {
                let listed = images.iter().filter(|image| image.listed_from <= at);
                let names: HashSet<&str> = listed
                    .filter(|image| one.selects_image_name(&self.truth.image(image, at)))
                    .map(|image| image.arn.name())
                    .collect();
                names.len() as f64
            };
            let told = shown.remove(&("images", *selector));
            let (least, most) = (count(self.ago(lag)), count(self.now));
            let is = told.is_some_and(|told| (least..=most).contains(&told));
            prop_assert!(
                is,
                "{selector} matches {told:?} images, not {least} to {most}"
            );
        }
        for selector in &self.selectors.pipelines {
            let one = Selectors {
                pipelines: vec![*selector],
                ..self.selectors.clone()
            };
            let count = |at| {
                let pipelines = self.truth.pipelines(at);
                pipelines
                    .iter()
                    .filter(|arn| one.selects_pipeline(arn))
                    .count() as f64
            };
            let told = shown.remove(&("pipelines", *selector));
            let (most, least) = (count(self.ago(lag)), count(self.now));
            let is = told.is_some_and(|told| (least..=most).contains(&told));
            prop_assert!(
                is,
                "{selector} matches {told:?} pipelines, not {least} to {most}"
            );
        }
        prop_assert!(shown.is_empty(), "nobody asked for {shown:?}");
        Ok(())
    }
}

fn near(shown: Option<f64>, then: Option<Timestamp>) -> bool {
    let then = then.map(|then| then.millis() as f64 / 1_000.0);
    match (shown, then) {
        (Some(shown), Some(then)) => (shown - then).abs() < 0.0015,
        (None, None) => true,
        _ => false,
    }
}

/// Whether an execution may come, end and leave between two looks at its image: these are seldom
/// where the image is named, nothing is selected, and it had ended before.
fn may_be_missed(
    pace: Pace,
    truth: &Truth,
    selectors: &Selectors,
    image: &ImageTruth,
    workflow: &WorkflowTruth,
) -> bool {
    let before = workflow.from.minus(Duration::from_millis(1));
    let had_ended = before >= image.begins && truth.image(image, before).status.is_terminal();
    let looks_apart = pace.discovery * 12 + pace.interval + ROUND;
    let leaves = workflow.end.plus(pace.retention(workflow.failed));
    had_ended && !selectors.discovers() && leaves < workflow.from.plus(looks_apart)
}

/// What the counter must at least and may at most hold, by its labels.
fn finished(pace: Pace, truth: &Truth, selectors: &[&Selectors]) -> BTreeMap<String, (u32, u32)> {
    let mut counts: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for image in &truth.images {
        for workflow in &image.workflows {
            let end = workflow.last_change;
            let verdicts: Vec<_> = { selectors.iter() }
                .map(|selectors| {
                    if selectors.named_workflows.contains(&workflow.id) {
                        return Some(true);
                    }
                    match selectors.selects_image(truth, image, end) {
                        Some(true) if may_be_missed(pace, truth, selectors, image, workflow) => {
                            None
                        }
                        verdict => verdict,
                    }
                })
                .collect();
            for step in &workflow.steps {
                let listed = |selectors: &&Selectors| selectors.listed.contains(&step.id);
                let last = &step.last;
                if !last.status.is_terminal() {
                    continue;
                }
                let always = verdicts.iter().all(|verdict| *verdict == Some(true))
                    || selectors.iter().all(&listed);
                let ever = verdicts.iter().any(|verdict| *verdict != Some(false))
                    || selectors.iter().any(listed);
                let ended = last.end.or(last.start);
                // One that was cancelled before it began tells no time.
                let counts_for = ended.map_or(Some(false), |ended| Some(ended >= EPOCH));
                let (least, most) = match (ended, counts_for) {
                    (None, _) => (0, u32::from(ever)),
                    (_, Some(true)) => (u32::from(always), u32::from(ever)),
                    _ => (0, 0),
                };
                let labels = format!(
                    "{} {} {} {}",
                    image.arn.name(),
                    last.workflow.as_ref().map_or("", |arn| arn.name()),
                    last.name.as_deref().unwrap_or_default(),
                    last.status
                );
                let count = counts.entry(labels).or_default();
                *count = (count.0 + least, count.1 + most);
            }
        }
    }
    counts
}

fn check_finished(
    samples: &[Sample],
    expected: &BTreeMap<String, (u32, u32)>,
) -> Result<(), TestCaseError> {
    let name = "imagebuilder_workflow_steps_finished_total";
    let mut shown: BTreeMap<String, f64> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.name == name) {
        let label = |name: &str| sample.labels.get(name).map_or("", String::as_str);
        let labels = ["image", "workflow", "step", "status"].map(label).join(" ");
        shown.insert(labels, sample.value);
    }
    for (labels, (least, most)) in expected {
        let told = shown.remove(labels).unwrap_or_default();
        let right = (f64::from(*least)..=f64::from(*most)).contains(&told);
        prop_assert!(
            right,
            "{labels}: {told} have finished, not {least} to {most}"
        );
    }
    let more: Vec<_> = shown.iter().filter(|(_, count)| **count > 0.0).collect();
    prop_assert!(more.is_empty(), "never finished: {more:?}");
    Ok(())
}

/// Lists of steps are asked for only while something can change, and not more often than that takes.
fn check_lists(look: &Look<'_>, log: &[Logged]) -> Result<(), TestCaseError> {
    let mut lists: HashMap<&str, Vec<Timestamp>> = HashMap::new();
    for call in log {
        if call.operation == Operation::ListWorkflowStepExecutions && call.first {
            lists.entry(&call.id).or_default().push(call.at);
        }
    }
    let interval = look.pace().interval;
    for image in &look.truth.images {
        for workflow in &image.workflows {
            let id = workflow.id.to_string();
            let Some(calls) = lists.get(id.as_str()) else {
                continue;
            };
            let known = look.known_from(image).max(workflow.from);
            let mut settled = workflow.last_change.max(known).plus(look.lag());
            if workflow.leaves_steps_pending() {
                settled = settled.max(workflow.end.plus(HOUR));
            }
            settled = settled.plus(interval * 4 + ANSWERS * 2);
            let last = calls.last().copied().unwrap_or(EPOCH);
            // It may have come back with its image, or a reload have asked for it again.
            let failed = image.changes.iter().max().copied().unwrap_or(EPOCH);
            let back = failed.plus(look.image_lag(image) + interval * 4);
            prop_assert!(
                last <= settled
                    .max(back)
                    .max(look.since.plus(look.lag() + interval * 4)),
                "{id} was listed {} s after all was settled",
                last.millis_since(settled) / 1_000
            );
            let begins = workflow.start.unwrap_or(workflow.end).max(EPOCH);
            let active = settled.millis_since(begins).max(0) as f64 / 1_000.0;
            let most = active / (0.9 * interval.as_secs_f64()) + 12.0;
            let waited = workflow.from.max(EPOCH).millis_since(begins).abs() as f64 / 1_000.0;
            // Of one that is named alone nothing else tells that it begins.
            let looks_apart = match look.selectors.named_workflows.contains(&workflow.id) {
                true => 0.9 * interval.as_secs_f64(),
                false => look.pace().discovery.as_secs_f64(),
            };
            let most = most + waited / looks_apart;
            let count = calls.len();
            prop_assert!(
                count as f64 <= most * 1.2,
                "{id} was listed {count} times, not {most}"
            );
        }
    }
    Ok(())
}

#[expect(
    clippy::too_many_lines,
    reason = "one scenario, checked at several moments"
)]
async fn watch(case: &Case) -> Result<(), TestCaseError> {
    let fail = |error: TestCaseError, at: Timestamp| {
        let after = at.millis_since(EPOCH) / 1_000;
        TestCaseError::fail(format!("after {after} s: {error}"))
    };
    let world = Scenario::parse(&case.scenario, "random")
        .map_err(|error| TestCaseError::fail(format!("{error}\n{}", case.scenario)))?;
    let world = Arc::new(World::new(world, case.seed, 1.0, EPOCH));
    let truth = Truth::of(world.clone());
    let mut selectors = case.names.name(&truth, case.selectors.clone());
    if selectors.is_empty() {
        selectors.images = vec!["*"];
    }
    let ends = truth.end();
    let calm = match case.fault > 0.0 {
        true => ends.plus(HOUR),
        false => EPOCH,
    };
    let chances = Chances {
        latency: LATENCY,
        fault: case.fault,
        faults_until: calm,
        expiry: 0.02,
        page: 8,
    };
    let api = WorldApi::new(world, case.seed, chances);
    let polling_text = case.pace.write();
    let mut polling = Polling::start(&selectors.write(&polling_text), Arc::new(api.clone()));
    let mut since = EPOCH;
    let mut all_selectors = vec![selectors.clone()];
    let mut reload = case.reload.clone();
    let mut chance = fastrand::Rng::with_seed(case.seed);

    let settled = ends.plus(HOUR * 2 + case.pace.retention_failed + BACKOFF * 2);
    let mut moment = 0.0;
    let mut told = 0;
    while EPOCH.plus(Duration::from_secs_f64(moment)) < settled {
        let active = EPOCH.plus(Duration::from_secs_f64(moment)) < ends.plus(HOUR);
        moment += chance.f64() * if active { 900.0 } else { 7_200.0 };
        let due = reload
            .as_ref()
            .is_some_and(|(minutes, _)| moment >= *minutes as f64 * 60.0);
        if due && let Some((minutes, other)) = reload.take() {
            polling.until(minutes as f64 * 60.0).await;
            if let Some(other) = other {
                let other = case.names.name(&truth, other);
                if !other.is_empty() {
                    selectors = other;
                    since = polling.now();
                    all_selectors.push(selectors.clone());
                }
            }
            polling = polling.reassign(&selectors.write(&polling_text)).await;
        }
        polling.until(moment).await;
        let now = polling.now();
        let log = api.log();
        let lately = now.minus(case.pace.discovery * 4 + ROUND * 2);
        let expired = log[told..]
            .iter()
            .any(|call| call.expired && call.at >= lately);
        told += log[told..]
            .iter()
            .take_while(|call| call.at < lately)
            .count();
        let look = Look {
            case,
            truth: &truth,
            selectors: &selectors,
            since,
            now,
            faulty: case.fault > 0.0 && now < calm.plus(BACKOFF * 2),
            expired,
            samples: distinct(&polling.metrics())?,
        };
        if let Err(error) = look.check() {
            tell(&log);
            return Err(fail(error, now));
        }
    }
    let now = polling.now();
    let expected = finished(case.pace, &truth, &all_selectors.iter().collect::<Vec<_>>());
    let samples = distinct(&polling.metrics())?;
    check_finished(&samples, &expected).inspect_err(|_| tell(&api.log()))?;

    // Nothing is to be found any more.
    let before = api.log().len();
    polling.until(moment + 3.0 * 3_600.0).await;
    let log = api.log();
    let look = Look {
        case,
        truth: &truth,
        selectors: &selectors,
        since,
        now,
        faulty: false,
        expired: true,
        samples: Vec::new(),
    };
    if case.fault == 0.0 {
        check_lists(&look, &log).inspect_err(|_| tell(&log))?;
    }
    for call in &log[before..] {
        let named = { selectors.named_images.iter() }.any(|arn| arn.as_str() == call.id) || {
            selectors.named_workflows.iter()
        }
        .any(|id| id.to_string() == call.id);
        let seldom = matches!(
            call.operation,
            Operation::GetImage | Operation::GetWorkflowExecution
        );
        let lists = matches!(
            call.operation,
            Operation::ListImageBuildVersions | Operation::ListImagePipelines
        );
        prop_assert!(lists || (seldom && named), "{call:?} though all is settled");
    }
    Ok(())
}

/// The calls of a case that failed, where they are asked for.
fn tell(log: &[Logged]) {
    if std::env::var_os("ORACLE_LOG").is_none() {
        return;
    }
    for call in log {
        let at = call.at.millis_since(EPOCH) as f64 / 1_000.0;
        let page = if call.first { "" } else { "next page" };
        println!("{at:9.1} {:?} {} {page}", call.operation, call.id);
    }
}

fn run(case: &Case) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can be built");
    runtime.block_on(watch(case))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn what_is_selected_is_shown_as_the_world_has_it_and_counted_once(case in case(0.0)) {
        run(&case)?;
    }

    #[test]
    fn what_is_selected_is_found_and_counted_once_though_calls_fail(case in case(0.1)) {
        run(&case)?;
    }
}
