//! Random cases: a scenario, a configuration, a reload and a rate of faults.

use std::time::Duration;

use proptest::prelude::*;

use super::HOUR;
use crate::oracle::generate::workflows;
use crate::oracle::truth::{ImageTruth, Selectors, StepTruth, Truth, WorkflowTruth};
use crate::support::poller::EPOCH;
use crate::support::wall_clock::ClockStep;

#[derive(Clone, Debug)]
pub struct Case {
    pub scenario: String,
    pub seed: u64,
    pub pace: Pace,
    pub selectors: Selectors,
    pub names: Names,
    /// A reload after so many minutes, with these selectors or the same.
    pub reload: Option<(u64, Option<Selectors>)>,
    /// The part of calls that fail.
    pub fault: f64,
    /// How the wall clock of the exporter steps.
    pub clock_steps: Vec<ClockStep>,
}

/// The configuration without the selectors.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub interval: Duration,
    pub discovery: Duration,
    retention: Duration,
    pub retention_failed: Duration,
}

impl Pace {
    pub fn write(&self) -> String {
        format!(
            "polling: {{interval: {}s, discovery_interval: {}s, request_timeout: 10s}}\n\
             metrics: {{retention: {}s, retention_failed: {}s}}",
            self.interval.as_secs(),
            self.discovery.as_secs(),
            self.retention.as_secs(),
            self.retention_failed.as_secs()
        )
    }

    pub fn retention(&self, failed: bool) -> Duration {
        match failed {
            true => self.retention_failed,
            false => self.retention,
        }
    }
}

/// What the configuration names one by one: numbers, which count around what the scenario has.
#[derive(Clone, Debug)]
pub struct Names {
    images: Vec<usize>,
    workflows: Vec<usize>,
    steps: Vec<usize>,
}

impl Names {
    /// Adds what is named, of what exists when the exporter starts.
    pub fn add_to(&self, truth: &Truth, mut selectors: Selectors) -> Selectors {
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
        for image in chosen(&self.images, &images) {
            push_new(&mut selectors.named_images, image.arn.clone());
        }
        for workflow in chosen(&self.workflows, &workflows) {
            push_new(&mut selectors.named_workflows, workflow.id);
        }
        for step in chosen(&self.steps, &steps) {
            push_new(&mut selectors.listed, step.id);
        }
        selectors
    }
}

fn chosen<'a, T>(numbers: &[usize], among: &[&'a T]) -> impl Iterator<Item = &'a T> {
    let places = numbers.iter();
    places.filter_map(|number| Some(among[number.checked_rem(among.len())?]))
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, entry: T) {
    if !list.contains(&entry) {
        list.push(entry);
    }
}

pub fn case(fault: f64) -> impl Strategy<Value = Case> {
    let few = || prop::collection::vec(any::<usize>(), 0..3);
    let names = (few(), few(), few()).prop_map(|(images, workflows, steps)| Names {
        images,
        workflows,
        steps,
    });
    let reload = prop::option::weighted(0.5, (5..300u64, prop::option::of(selectors())));
    (scenario(), any::<u64>(), pace(), selectors(), names, reload).prop_map(
        move |(scenario, seed, mut pace, selectors, names, reload)| {
            if fault > 0.0 {
                // A resource whose calls fail for longer than its retention is not found at all.
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
                clock_steps: Vec::new(),
            }
        },
    )
}

/// A case in which the wall clock steps, by up to ten years.
pub fn case_with_clock_steps() -> impl Strategy<Value = Case> {
    let day = 24 * 3_600;
    let ahead = prop_oneof![
        2 => -3 * 3_600..3 * 3_600i64,
        1 => Just(3_650 * day),
        1 => Just(-3_650 * day),
        1 => Just(0),
    ];
    let step = (0.0..6.0 * 3_600.0, ahead).prop_map(|(after, ahead)| ClockStep { after, ahead });
    let steps = prop::collection::vec(step, 1..6);
    (case(0.0), steps).prop_map(|(case, mut clock_steps)| {
        clock_steps.sort_by(|one, other| one.after.total_cmp(&other.after));
        Case {
            clock_steps,
            ..case
        }
    })
}

fn pace() -> impl Strategy<Value = Pace> {
    let seconds = Duration::from_secs;
    let minutes = move |minutes: u64| seconds(minutes * 60);
    prop_oneof![
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
    ]
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
                // Only tests and distributions are retried.
                let retries = if workflows.contains("type: test") { retries } else { 0 };
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
