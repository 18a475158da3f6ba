//! For each selector, the number of names that match it is exposed.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use imagebuilder_exporter::model::Timestamp;
use proptest::prelude::*;

use crate::oracle::discovery::observation::Observation;
use crate::oracle::truth::Selectors;

pub fn check(seen: &Observation<'_>) -> Result<(), TestCaseError> {
    let then = seen.ago(seen.lag());
    if then < seen.since {
        return Ok(());
    }
    let metric = "imagebuilder_exporter_selector_matches";
    let mut exposed: HashMap<(&str, &str), f64> = HashMap::new();
    for sample in seen.samples.iter().filter(|sample| sample.name == metric) {
        let (kind, selector) = (&sample.labels["kind"], &sample.labels["selector"]);
        exposed.insert((kind, selector), sample.value);
    }
    let mut check = |kind, selector: &'static str, possible: RangeInclusive<f64>| {
        let count = exposed.remove(&(kind, selector));
        prop_assert!(
            count.is_some_and(|count| possible.contains(&count)),
            "{selector} matches {count:?} {kind}, not {possible:?}"
        );
        Ok(())
    };
    for selector in &seen.selectors.images {
        // More and more images are listed.
        let count = |at| matching_images(seen, selector, at) as f64;
        check("images", selector, count(then)..=count(seen.now))?;
    }
    for selector in &seen.selectors.pipelines {
        // Pipelines are deleted, and none is added.
        let count = |at| matching_pipelines(seen, selector, at) as f64;
        check("pipelines", selector, count(seen.now)..=count(then))?;
    }
    prop_assert!(exposed.is_empty(), "nobody asked for {exposed:?}");
    Ok(())
}

fn matching_images(seen: &Observation<'_>, selector: &'static str, at: Timestamp) -> usize {
    let one = Selectors {
        images: vec![selector],
        ..seen.selectors.clone()
    };
    let images = seen.truth.images.iter();
    let listed = images.filter(|image| image.listed_from <= at);
    let names: HashSet<&str> = listed
        .filter(|image| one.selects_image_name(&seen.truth.image(image, at)))
        .map(|image| image.arn.name())
        .collect();
    names.len()
}

fn matching_pipelines(seen: &Observation<'_>, selector: &'static str, at: Timestamp) -> usize {
    let one = Selectors {
        pipelines: vec![selector],
        ..seen.selectors.clone()
    };
    let pipelines = seen.truth.pipelines(at);
    let matching = pipelines.iter().filter(|arn| one.selects_pipeline(arn));
    matching.count()
}
