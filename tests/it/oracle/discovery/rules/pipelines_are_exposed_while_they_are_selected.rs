//! A pipeline is exposed while it is selected, with the values that the service had at most a lag ago.

use std::collections::HashSet;
use std::time::Duration;

use imagebuilder_exporter::model::{ImageStatus, Timestamp};
use imagebuilder_exporter::simulator::PipelineView;
use proptest::prelude::*;

use crate::oracle::discovery::observation::{Observation, near};
use crate::oracle::exposed::ExposedObject;
use crate::oracle::truth::moments;
use crate::support::poller::EPOCH;

pub fn check(seen: &Observation<'_>) -> Result<(), TestCaseError> {
    let early = seen.ago(seen.lag()) < seen.since;
    let mut ever: HashSet<String> = HashSet::new();
    let mut so: HashSet<String> = HashSet::new();
    let mut always: Option<HashSet<String>> = None;
    for at in moments(&changes(seen), seen.ago(seen.lag()), seen.now) {
        let pipelines = seen.truth.pipelines(at);
        let selected = pipelines
            .iter()
            .filter(|one| seen.selectors.selects_pipeline(one));
        let mut there = HashSet::new();
        for pipeline in selected {
            let name = pipeline.arn.rsplit('/').next().unwrap_or_default();
            let exposed = seen.pipelines.get(name);
            if exposed.is_some_and(|exposed| is(exposed, pipeline)) {
                so.insert(name.to_owned());
            }
            ever.insert(name.to_owned());
            there.insert(name.to_owned());
        }
        always = Some(match always {
            Some(always) => always.intersection(&there).cloned().collect(),
            None => there,
        });
    }
    for (name, exposed) in &seen.pipelines {
        prop_assert!(ever.contains(name) || early, "{name} is exposed");
        prop_assert!(so.contains(name) || early, "{name} is stale: {exposed:?}");
    }
    if !early {
        for name in always.unwrap_or_default() {
            prop_assert!(seen.pipelines.contains_key(&name), "{name} is not exposed");
        }
    }
    Ok(())
}

/// The moments at which a pipeline may change: with its images, and each minute at which one is deleted.
fn changes(seen: &Observation<'_>) -> Vec<Timestamp> {
    let images = seen.truth.images.iter();
    let mut changes: Vec<Timestamp> = images.flat_map(|image| image.changes.clone()).collect();
    changes.extend((0..6 * 60).map(|minute| EPOCH.plus(Duration::from_secs(minute * 60))));
    changes.sort_unstable();
    changes
}

fn is(exposed: &ExposedObject, pipeline: &PipelineView) -> bool {
    let status = pipeline.last_run_status.as_ref();
    exposed.status.as_deref() == status.map(ImageStatus::as_str)
        && near(
            exposed.value("last_run_timestamp_seconds"),
            pipeline.last_run,
        )
        && near(
            exposed.value("next_run_timestamp_seconds"),
            pipeline.next_run,
        )
        && exposed.value("enabled") == Some(f64::from(u8::from(pipeline.enabled)))
        && exposed.value("consecutive_failures") == Some(pipeline.consecutive_failures.into())
}
