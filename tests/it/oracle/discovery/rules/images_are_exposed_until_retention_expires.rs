//! An image is exposed from its discovery until its retention expires, and as long as it moves.

use imagebuilder_exporter::model::ImageStatus;
use proptest::prelude::*;

use crate::oracle::discovery::ANSWERS;
use crate::oracle::discovery::observation::{Expected, Observation};
use crate::oracle::truth::ImageTruth;

pub fn check(seen: &Observation<'_>) -> Result<(), TestCaseError> {
    for image in &seen.truth.images {
        let id = image.id();
        let exposed = seen.images.contains_key(&id);
        expected(seen, image).check(exposed, &id, &seen.life(image))?;
    }
    Ok(())
}

fn expected(seen: &Observation<'_>, image: &ImageTruth) -> Expected {
    let lag = seen.image_lag(image);
    if seen.now < image.begins {
        return Expected::MustNot;
    }
    let selected = seen.selectors.selects_image(seen.truth, image, seen.now);
    if selected != Some(true) {
        return seen.expected_of_unselected(image, selected, lag);
    }
    let appears = seen.known_from(image).plus(lag + ANSWERS);
    let status = seen.truth.image(image, seen.now).status;
    let from = seen.ago(lag).max(image.begins);
    let statuses = seen.truth.statuses(image, from, seen.now);
    let over = image.workflows.iter().filter(|one| one.is_over(seen.now));
    let last = over.map(|one| one.end).max().unwrap_or(image.begins);
    let surely_failed = statuses.iter().all(|status| *status == ImageStatus::Failed);
    let maybe_failed = statuses.contains(&ImageStatus::Failed);
    // An image that moves again is seen to after a lag.
    let moves = statuses.iter().all(|status| !status.is_terminal());
    let retained = last.plus(seen.pace().retention(surely_failed));
    if moves || (status.is_terminal() && seen.now < retained) {
        let changes = image.changes.iter();
        let again = changes.filter(|at| **at <= seen.now && **at > last).min();
        let again = again
            .map(|at| at.plus(lag))
            .filter(|_| !status.is_terminal());
        return match seen.now >= appears && again.is_none_or(|again| seen.now >= again) {
            true => Expected::Must,
            false => Expected::May,
        };
    }
    let begun = { image.workflows.iter() }.filter(|one| one.from <= seen.now);
    let settled = begun.map(|one| seen.settled_by(image, one)).max();
    let gone = settled
        .unwrap_or(last)
        .max(last.plus(seen.pace().retention(maybe_failed)));
    match status.is_terminal() && seen.now > gone.plus(seen.step_lag()).plus(lag) {
        true => Expected::MustNot,
        false => Expected::May,
    }
}
