//! What stays in scrapes under a limit of series.

use std::collections::{BTreeMap, BTreeSet};

use super::pieces::packed;
use super::properties::{Labels, parsed, some_scrape};
use super::*;
use crate::model::WorkflowStatus;

/// The series of a resource.
type Lines = BTreeSet<String>;

fn with_limit(scrape: &Scrape, limit: u64) -> Scrape {
    Scrape {
        series_limit: limit,
        ..scrape.clone()
    }
}

pub(super) fn limited(scrape: &Scrape, limit: u64) -> Scrape {
    let mut scrape = with_limit(scrape, limit);
    let is_limited = LimitedRecords::default().apply(&mut scrape);
    assert_eq!(is_limited, series_usage(&scrape).dropped > 0);
    scrape
}

pub(super) fn total(scrape: &Scrape) -> u64 {
    series_usage(&scrape.clone()).exposed
}

/// Returns the series of each resource in a text: a kind, and what identifies the resource.
pub(super) fn by_resource(text: &str) -> BTreeMap<String, Lines> {
    let mut all: BTreeMap<String, Lines> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels, _) = parsed(line).unwrap();
        if let Some(resource) = resource(&name, &labels) {
            all.entry(resource).or_default().insert(line.to_owned());
        }
    }
    all
}

/// Returns the resource of a series; `None` of a series of the exporter itself.
fn resource(name: &str, labels: &Labels) -> Option<String> {
    let kinds: [(&str, &[&str]); 8] = [
        ("imagebuilder_workflow_steps_finished", &[]),
        ("imagebuilder_workflow_step_finished", &[]),
        ("imagebuilder_workflow_step_", &["step_execution_id"]),
        (
            "imagebuilder_workflow_execution_",
            &["workflow_execution_id"],
        ),
        ("imagebuilder_image_last_available", &["image"]),
        ("imagebuilder_image_output", &["image"]),
        ("imagebuilder_image_", &["image", "image_version"]),
        ("imagebuilder_pipeline_", &["pipeline"]),
    ];
    let (kind, identity) = kinds.iter().find(|(kind, _)| name.starts_with(kind))?;
    let labels = labels.iter().filter(|(label, _)| match identity {
        [] => !["status", "le"].contains(&&**label),
        identity => identity.contains(&&**label),
    });
    let labels: Vec<_> = labels.map(|(_, value)| value.as_str()).collect();
    Some(match identity {
        [] => format!("finished {labels:?}"),
        _ => format!("{kind}{labels:?}"),
    })
}

/// Returns the steps and executions that are settled, and those that run.
fn settled_and_running(scrape: &Scrape) -> [HashSet<String>; 2] {
    let mut states = [HashSet::new(), HashSet::new()];
    for source in &scrape.sources {
        for step in source.snapshot.steps.iter() {
            let status = step
                .observed
                .as_ref()
                .map(|observed| &observed.values.status);
            let runs = step.phase == Phase::Active && status == Some(&StepStatus::Running);
            let is_settled = [Phase::Settled, Phase::Gone].contains(&step.phase);
            let id = step.id.to_string();
            let resource = format!("imagebuilder_workflow_step_{:?}", [id]);
            states[0].extend(is_settled.then(|| resource.clone()));
            states[1].extend(runs.then_some(resource));
        }
        for execution in source.snapshot.workflows.iter() {
            let status = execution.observed.as_ref().map(|observed| &observed.status);
            let runs = status == Some(&WorkflowStatus::Running);
            let is_settled = status.is_some_and(WorkflowStatus::is_terminal);
            let id = execution.id.to_string();
            let resource = format!("imagebuilder_workflow_execution_{:?}", [id]);
            states[0].extend(is_settled.then(|| resource.clone()));
            states[1].extend(runs.then_some(resource));
        }
    }
    states
}

/// Returns the scrape with steps in these phases, one after the other. Active steps run.
fn with_phases(mut scrape: Scrape, phases: &[Phase]) -> Scrape {
    for source in &mut scrape.sources {
        let steps = source.snapshot.steps.iter().zip(phases.iter().cycle());
        let steps: StepTable = StepTable::new(steps.map(|(step, phase)| {
            let mut step = step.clone();
            step.phase = *phase;
            if let Some(observed) = step.observed.as_mut().filter(|_| *phase == Phase::Active) {
                observed.values_mut().status = StepStatus::Running;
            }
            step
        }));
        source.snapshot = Arc::new(Snapshot {
            steps: steps.snapshot(),
            ..(*source.snapshot).clone()
        });
    }
    scrape
}

prop_compose! {
    fn some_mixed_scrape()(
        scrape in some_scrape(),
        phases in proptest::collection::vec(proptest::sample::select(&Phase::ALL[..]), 1..6),
    ) -> Scrape {
        with_phases(scrape, &phases)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn limited_scrape_has_whole_resources_and_settled_ones_are_kept_out_first(
        scrape in some_mixed_scrape(),
        percent in 0..110_u64,
    ) {
        let limit = total(&scrape) * percent / 100;
        let all = by_resource(&rendered(scrape.clone(), Format::Text));
        let scrape_with_limit = limited(&scrape, limit);
        let usage = series_usage(&scrape_with_limit);
        let kept = by_resource(&rendered(scrape_with_limit, Format::Text));
        let count = |lines: &BTreeMap<_, Lines>| lines.values().map(BTreeSet::len).sum::<usize>() as u64;
        prop_assert_eq!(count(&kept), usage.exposed);
        prop_assert_eq!(count(&all), usage.exposed + usage.dropped);
        prop_assert_eq!(usage, series_usage(&with_limit(&scrape, limit)));
        prop_assert!(limit == 0 || usage.exposed <= limit);
        prop_assert!(usage.dropped == 0 || limit > 0);
        for (resource, lines) in &kept {
            prop_assert_eq!(lines, &all[resource]);
        }
        let [settled, running] = settled_and_running(&scrape);
        let is_kept_out = |resource: &&String| all.contains_key(*resource) && !kept.contains_key(*resource);
        if running.iter().any(|resource| is_kept_out(&resource)) {
            prop_assert!(settled.iter().all(|resource| !kept.contains_key(resource)));
            prop_assert!(kept.keys().all(|resource| !resource.starts_with("finished")));
        }
    }

    #[test]
    fn scrapes_that_share_records_are_those_of_new_ones(
        scrapes in proptest::collection::vec((some_mixed_scrape(), 0..1_200_u64), 1..5),
    ) {
        let mut records = LimitedRecords::default();
        for (scrape, limit) in scrapes {
            let expected = by_resource(&rendered(limited(&scrape, limit), Format::Text));
            let mut scrape = with_limit(&scrape, limit);
            records.apply(&mut scrape);
            let actual = by_resource(&rendered(scrape, Format::Text));
            prop_assert_eq!(actual, expected);
        }
    }
}

fn settled(number: u64, millis: u64) -> StepRecord {
    StepRecord {
        id: scattered_id(number),
        phase: Phase::Settled,
        ..ended(StepStatus::Completed, millis)
    }
}

fn ids(scrape: &Scrape) -> HashSet<StepExecutionId> {
    let steps = scrape.sources[0].snapshot.steps.iter();
    steps.map(|step| step.id).collect()
}

#[test]
fn oldest_settled_steps_are_kept_out_first_and_unresolved_failures_last_of_them() {
    let failed = StepRecord {
        unresolved: Some(Arc::new(Unresolved {
            failure: Some(LabelText::default()),
            rollback: None,
        })),
        ..settled(1, 1_000)
    };
    let [old, new] = [settled(2, 2_000), settled(3, 3_000)];
    let running = StepRecord {
        id: scattered_id(4),
        ..running()
    };
    let in_order = [&old, &new, &failed, &running].map(|step| step.id);
    let scrape = scrape([failed, old, new, running], after(5_000));
    let total = total(&scrape);
    let mut sizes = HashSet::new();
    for limit in 1..=total {
        let kept = ids(&limited(&scrape, limit));
        let last = &in_order[4 - kept.len()..];
        assert_eq!(kept, last.iter().copied().collect());
        sizes.insert(kept.len());
    }
    assert_eq!(sizes.len(), 5);
}

#[test]
fn compressed_text_of_limited_records_is_kept_between_scrapes() {
    let steps = (0..2_000).map(|number| settled(number, number * 10));
    let mut first = scrape(steps, after(60_000));
    first.series_limit = total(&first) / 2;
    let mut second = first.clone();
    let mut records = LimitedRecords::default();
    records.apply(&mut first);
    let (_, made) = packed(first, Format::Text);
    assert!(made > 0);
    records.apply(&mut second);
    assert_eq!(packed(second, Format::Text).1, 0);
}
