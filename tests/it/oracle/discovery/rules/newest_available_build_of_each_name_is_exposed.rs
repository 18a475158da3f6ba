//! For each selected name of images, the creation time and the AMIs of the newest AVAILABLE build are
//! exposed.

use std::collections::{BTreeMap, BTreeSet};

use imagebuilder_exporter::model::{Image, ImageStatus, Timestamp};
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
        let outputs = exposed_outputs(seen, name);
        let is = |at| {
            let newest = newest(seen, &images, at);
            near(exposed, newest.as_ref().and_then(|image| image.created))
                && outputs == newest.as_ref().map(outputs_of).unwrap_or_default()
        };
        let possible = moments(&changes, then, seen.now).any(is);
        let selected = |at| is_selected(seen, images[0], at);
        match (selected(then), selected(seen.now)) {
            // A name of which only some builds are named is exposed while those are tracked.
            _ if !seen.selectors.named_images.is_empty() => {}
            (Some(true), Some(true)) => {
                let told = format!("{exposed:?} with {outputs:?}");
                prop_assert!(possible, "{name} was last available {told}");
            }
            (Some(false), Some(false)) => {
                prop_assert!(exposed.is_none(), "{name} was last available {exposed:?}");
                prop_assert!(outputs.is_empty(), "{name} has {outputs:?}");
            }
            _ => {}
        }
    }
    Ok(())
}

fn newest(seen: &Observation<'_>, images: &[&ImageTruth], at: Timestamp) -> Option<Image> {
    let listed = images.iter().filter(|image| image.listed_from <= at);
    let listed = listed.map(|image| seen.truth.image(image, at));
    let available = listed.filter(|image| image.status == ImageStatus::Available);
    available.max_by_key(|image| image.created)
}

/// The AMIs that are exposed for this name: version of the image, region, account and id.
fn exposed_outputs(seen: &Observation<'_>, name: &str) -> BTreeSet<[String; 4]> {
    let metric = "imagebuilder_image_output_info";
    let of_metric = seen.samples.iter().filter(|sample| sample.name == metric);
    let of_name = of_metric.filter(|sample| sample.labels["image"] == name);
    let labels = [
        "image_version",
        "output_region",
        "output_account_id",
        "ami_id",
    ];
    of_name
        .map(|sample| labels.map(|label| sample.labels[label].clone()))
        .collect()
}

fn outputs_of(image: &Image) -> BTreeSet<[String; 4]> {
    let version = image.arn.version();
    let amis = image.amis.iter();
    amis.map(|ami| [version, &ami.region, &ami.account_id, &ami.id].map(str::to_owned))
        .collect()
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
