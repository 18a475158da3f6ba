//! For each selected name of images, the creation time of the newest AVAILABLE build is exposed.

use std::collections::BTreeMap;

use imagebuilder_exporter::model::{ImageStatus, Timestamp};
use proptest::prelude::*;

use crate::oracle::discovery::observation::{Observation, near};
use crate::oracle::truth::{ImageTruth, moments};

pub fn check(seen: &Observation<'_>) -> Result<(), TestCaseError> {
    let then = seen.ago(seen.lag());
    if then < seen.since {
        return Ok(());
    }
    let metric = "imagebuilder_image_last_available_timestamp_seconds";
    let of_metric = seen.samples.iter().filter(|sample| sample.name == metric);
    let exposed: BTreeMap<&str, f64> = of_metric
        .map(|sample| (sample.labels["image"].as_str(), sample.value))
        .collect();
    let mut names: BTreeMap<&str, Vec<&ImageTruth>> = BTreeMap::new();
    for image in &seen.truth.images {
        names.entry(image.arn.name()).or_default().push(image);
    }
    for (name, images) in names {
        let changes: Vec<Timestamp> = { images.iter() }
            .flat_map(|image| image.changes.iter().copied().chain([image.listed_from]))
            .collect();
        let exposed = exposed.get(name).copied();
        let is = |at| near(exposed, newest(seen, &images, at));
        let possible = moments(&changes, then, seen.now).any(is);
        let selected = |at| is_selected(seen, images[0], at);
        match (selected(then), selected(seen.now)) {
            // A name of which only some builds are named is exposed while those are tracked.
            _ if !seen.selectors.named_images.is_empty() => {}
            (Some(true), Some(true)) => {
                prop_assert!(possible, "{name} was last available {exposed:?}");
            }
            (Some(false), Some(false)) => {
                prop_assert!(exposed.is_none(), "{name} was last available {exposed:?}");
            }
            _ => {}
        }
    }
    Ok(())
}

fn newest(seen: &Observation<'_>, images: &[&ImageTruth], at: Timestamp) -> Option<Timestamp> {
    let listed = images.iter().filter(|image| image.listed_from <= at);
    let listed = listed.map(|image| seen.truth.image(image, at));
    let available = listed.filter(|image| image.status == ImageStatus::Available);
    available.filter_map(|image| image.created).max()
}

/// Whether a name is selected; `None` where it cannot be said, as a deleted pipeline selects no name.
fn is_selected(seen: &Observation<'_>, image: &ImageTruth, at: Timestamp) -> Option<bool> {
    let then = seen.truth.image(image, at);
    let pipeline = then.pipeline.as_ref();
    let there = pipeline.is_some_and(|arn| {
        let pipeline = seen.truth.world.pipeline(arn.as_str(), at);
        pipeline.is_some()
    });
    let selected = seen.selectors.selects_image(seen.truth, image, at);
    let sure = there || seen.selectors.selects_image_name(&then);
    selected.filter(|selected| sure || !selected)
}
