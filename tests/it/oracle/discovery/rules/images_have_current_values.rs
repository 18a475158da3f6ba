//! An exposed image has the values that the service had at most a lag of discovery ago.

use proptest::prelude::*;

use crate::oracle::discovery::ANSWERS;
use crate::oracle::discovery::observation::{Observation, near};
use crate::oracle::exposed::ExposedObject;
use crate::oracle::truth::{ImageTruth, moments};

pub fn check(seen: &Observation<'_>) -> Result<(), TestCaseError> {
    for image in &seen.truth.images {
        if let Some(exposed) = seen.images.get(&image.id()) {
            check_image(seen, image, exposed)
                .map_err(|error| TestCaseError::fail(format!("{}: {error}", image.id())))?;
        }
    }
    Ok(())
}

fn check_image(
    seen: &Observation<'_>,
    image: &ImageTruth,
    exposed: &ExposedObject,
) -> Result<(), TestCaseError> {
    let lag = seen.image_lag(image);
    let from = seen.ago(lag).max(image.begins);
    let so = moments(&image.changes, from, seen.now).any(|at| {
        let then = seen.truth.image(image, at);
        let failure = then.failure.as_ref();
        let failure = failure.and_then(|failure| failure.step_execution_id);
        let told = exposed.failure.as_ref();
        let told = told.and_then(|labels| labels.get("step_execution_id").cloned());
        exposed.status.as_deref() == Some(then.status.as_str())
            && near(exposed.value("created_timestamp_seconds"), then.created)
            && told == failure.map(|id| id.to_string())
    });
    let now = seen.truth.image(image, seen.now);
    prop_assert!(so, "it is stale: {exposed:?}, but {now:?}");
    let info = exposed.info.as_ref();
    let told = info.and_then(|labels| labels.get("pipeline").map(String::as_str));
    let name = now.pipeline.as_ref().map(|arn| arn.name());
    let early = seen.now < seen.known_from(image).plus(lag + ANSWERS);
    let known = told == name || (told.is_none() && (early || seen.faulty));
    prop_assert!(known, "its pipeline is {told:?}, not {name:?}");
    Ok(())
}
