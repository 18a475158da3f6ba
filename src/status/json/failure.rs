//! Why a build failed, as a field of the JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::super::failure::BuildFailure;
use super::super::text::bounded;
use crate::labels::names;
use crate::model::{ImageFailure, RegionFailure, StepOutputs};

/// Texts by the name of their field; one that is unknown is absent.
pub(super) type Texts<'a> = BTreeMap<&'static str, Cow<'a, str>>;

#[derive(Serialize)]
pub(super) struct FailureFields<'a> {
    #[serde(flatten)]
    texts: Texts<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    regions: Vec<Texts<'a>>,
    commands: Texts<'a>,
}

impl<'a> FailureFields<'a> {
    pub(super) fn of(failure: BuildFailure<'a>) -> Self {
        let mut texts = Texts::new();
        if let Some(told) = failure.told {
            texts.extend(told_texts(told));
        }
        if let Some(outputs) = failure.outputs() {
            texts.extend(output_texts(outputs));
            // `step_error` has it.
            texts.remove("error");
        }
        let step = failure.step.map(|step| step.record.id.to_string());
        if let Some(id) = step {
            texts.insert(names::STEP_EXECUTION_ID, Cow::from(id));
        }
        texts.extend(present([
            (
                "step_error",
                { failure.step }.and_then(|step| step.observed()?.reason()),
            ),
            ("instance_id", failure.instance_id),
            ("log_stream", Some(failure.log_stream)),
        ]));
        let commands = failure.commands();
        let commands = commands
            .into_iter()
            .map(|one| (one.id, Cow::from(one.line)));
        if let Some(url) = failure.logs_url() {
            texts.insert("logs_url", Cow::from(url));
        }
        texts.insert("log_group", Cow::from(failure.log_group));
        Self {
            texts,
            regions: { failure.told.iter() }
                .flat_map(|told| told.regions.iter().map(region_texts))
                .collect(),
            commands: commands.collect(),
        }
    }
}

fn told_texts(told: &ImageFailure) -> Texts<'_> {
    let mut texts = present([
        ("reason", told.reason.as_deref()),
        (names::STAGE, told.stage.as_deref()),
        (names::FAILED_STEP, told.step.as_deref()),
        (names::COMPONENT, told.component.as_deref()),
        (names::PHASE, told.phase.as_deref()),
        (names::COMPONENT_STEP, told.component_step.as_deref()),
        (names::COMPONENT_ACTION, told.component_action.as_deref()),
        ("component_error", told.component_error.as_deref()),
        ("distribution_error", told.distribution_error.as_deref()),
    ]);
    if let Some(id) = told.step_execution_id {
        texts.insert(names::STEP_EXECUTION_ID, Cow::from(id.to_string()));
    }
    texts
}

/// The fields that the outputs of a FAILED step add, here and to the entry of the step.
pub(super) fn output_texts(outputs: &StepOutputs) -> Texts<'_> {
    present([
        ("error", outputs.error.as_deref()),
        ("run_command_id", outputs.run_command_id.as_deref()),
        ("log_bundle", outputs.log_url.as_deref()),
        ("instance_id", outputs.instance_id.as_deref()),
    ])
}

fn region_texts(failure: &RegionFailure) -> Texts<'_> {
    present([
        (names::TARGET_REGION, failure.region.as_deref()),
        (names::TARGET_ACCOUNT_ID, failure.account_id.as_deref()),
        (names::STATUS, failure.status.as_deref()),
        (
            names::CONFIGURATION_STEP,
            failure.configuration_step.as_deref(),
        ),
        ("error", failure.error.as_deref()),
    ])
}

fn present<'a, const N: usize>(fields: [(&'static str, Option<&'a str>); N]) -> Texts<'a> {
    let present = fields
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)));
    present
        .map(|(name, text)| (name, Cow::from(bounded(text).0)))
        .collect()
}
