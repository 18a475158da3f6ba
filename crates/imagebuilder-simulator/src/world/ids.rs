//! Ids in the service's form that can be read back.
//!
//! An id is the place of its execution in the world, encrypted with the seed. So a world without
//! end needs no table of its ids, and check bits reveal an id that does not belong to the world.

use imagebuilder_model::{StepExecutionId, WorkflowExecutionId};

use crate::random::hash;

/// The place of an execution: the pipeline in the scenario, its build, the run of that build (a
/// retry is another run), the workflow of the run and the step of the workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) pipeline: u16,
    pub(crate) build: u32,
    pub(crate) run: u8,
    pub(crate) workflow: u8,
    pub(crate) step: u8,
}

impl Place {
    /// The first step of a build.
    pub(crate) fn first(pipeline: u16, build: u32) -> Self {
        Self {
            pipeline,
            build,
            run: 0,
            workflow: 0,
            step: 0,
        }
    }

    pub(crate) fn in_run(self, run: usize) -> Self {
        Self {
            run: run as u8,
            ..self
        }
    }

    pub(crate) fn in_workflow(self, workflow: usize) -> Self {
        Self {
            workflow: workflow as u8,
            ..self
        }
    }

    pub(crate) fn at_step(self, step: usize) -> Self {
        Self {
            step: step as u8,
            ..self
        }
    }

    pub(crate) fn parts(self) -> [u64; 5] {
        [
            self.pipeline.into(),
            self.build.into(),
            self.run.into(),
            self.workflow.into(),
            self.step.into(),
        ]
    }
}

pub(crate) fn step_id(seed: u64, place: Place) -> StepExecutionId {
    format!("{}{}", StepExecutionId::PREFIX, uuid(seed, STEP, place))
        .parse()
        .expect("uuid writes what an id needs")
}

/// The id of the place's workflow execution, whatever its step.
pub(crate) fn workflow_id(seed: u64, place: Place) -> WorkflowExecutionId {
    let place = place.at_step(0);
    format!(
        "{}{}",
        WorkflowExecutionId::PREFIX,
        uuid(seed, WORKFLOW, place)
    )
    .parse()
    .expect("uuid writes what an id needs")
}

pub(crate) fn place_of_step(seed: u64, id: &StepExecutionId) -> Option<Place> {
    place(seed, STEP, id.uuid())
}

pub(crate) fn place_of_workflow(seed: u64, id: &WorkflowExecutionId) -> Option<Place> {
    place(seed, WORKFLOW, id.uuid())
}

/// Text in the form of a UUID, from any 128 bits.
pub(crate) fn uuid_text(high: u64, low: u64) -> String {
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

const STEP: u64 = 1;
const WORKFLOW: u64 = 2;
const ROUNDS: u64 = 6;
const CHECK_BITS: u64 = 0xff_ffff_ffff_ffff;

fn uuid(seed: u64, kind: u64, place: Place) -> String {
    let (mut left, mut right) = plain(seed, kind, place);
    for round in 0..ROUNDS {
        (left, right) = (right, left ^ hash(seed, &[round, right]));
    }
    uuid_text(left, right)
}

fn plain(seed: u64, kind: u64, place: Place) -> (u64, u64) {
    let left = u64::from(place.pipeline) << 48
        | u64::from(place.build) << 16
        | u64::from(place.run) << 8
        | u64::from(place.workflow);
    let check = hash(seed, &[kind, left, place.step.into()]) & CHECK_BITS;
    (left, u64::from(place.step) << 56 | check)
}

fn place(seed: u64, kind: u64, text: &str) -> Option<Place> {
    let digits = text.replace('-', "");
    let mut left = u64::from_str_radix(digits.get(..16)?, 16).ok()?;
    let mut right = u64::from_str_radix(digits.get(16..)?, 16).ok()?;
    for round in (0..ROUNDS).rev() {
        (left, right) = (right ^ hash(seed, &[round, left]), left);
    }
    let place = Place {
        pipeline: (left >> 48) as u16,
        build: (left >> 16) as u32,
        run: (left >> 8) as u8,
        workflow: left as u8,
        step: (right >> 56) as u8,
    };
    // The service compares ids as text, so one in capitals is unknown.
    (plain(seed, kind, place) == (left, right) && uuid(seed, kind, place) == text).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        pipeline: 3,
        build: 70_000,
        run: 1,
        workflow: 2,
        step: 6,
    };

    #[test]
    fn id_is_read_back_with_its_own_seed_only() {
        let id = step_id(7, PLACE);
        assert_eq!(place_of_step(7, &id), Some(PLACE));
        assert_eq!(place_of_step(8, &id), None);
        assert_eq!(
            place_of_workflow(7, &workflow_id(7, PLACE)),
            Some(Place { step: 0, ..PLACE })
        );
    }

    #[test]
    fn id_of_a_workflow_is_none_of_a_step() {
        let place = Place { step: 0, ..PLACE };
        assert_ne!(step_id(7, place).uuid(), workflow_id(7, place).uuid());
    }

    #[test]
    fn invented_id_and_one_in_capitals_are_unknown() {
        let invented = "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01".parse().unwrap();
        assert_eq!(place_of_step(7, &invented), None);
        let id = step_id(7, PLACE).uuid().to_uppercase();
        assert_eq!(
            place_of_step(7, &format!("step-{id}").parse().unwrap()),
            None
        );
    }
}
