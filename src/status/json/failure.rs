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
        let mut texts = { failure.reported }.map(reported_texts).unwrap_or_default();
        let outputs = failure.outputs();
        let step = { failure.step }.and_then(|step| step.observed()?.reason());
        texts.extend(present([
            ("step_error", step),
            (
                "run_command_id",
                outputs.and_then(|outputs| outputs.run_command_id.as_deref()),
            ),
            (
                "log_bundle",
                outputs.and_then(|outputs| outputs.log_url.as_deref()),
            ),
            ("instance_id", failure.instance_id),
            ("log_stream", Some(failure.log_stream)),
        ]));
        let named = { failure.reported }.and_then(|reported| reported.step_execution_id);
        if let Some(id) = { failure.step }.map(|step| step.record.id).or(named) {
            texts.insert(names::STEP_EXECUTION_ID, Cow::from(id.to_string()));
        }
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
            regions: { failure.reported.iter() }
                .flat_map(|reported| reported.regions.iter().map(region_texts))
                .collect(),
            commands: commands.collect(),
        }
    }
}

fn reported_texts(reported: &ImageFailure) -> Texts<'_> {
    present([
        ("reason", reported.reason.as_deref()),
        (names::STAGE, reported.stage.as_deref()),
        (names::FAILED_STEP, reported.step.as_deref()),
        (names::COMPONENT, reported.component.as_deref()),
        (names::PHASE, reported.phase.as_deref()),
        (names::COMPONENT_STEP, reported.component_step.as_deref()),
        (
            names::COMPONENT_ACTION,
            reported.component_action.as_deref(),
        ),
        ("component_error", reported.component_error.as_deref()),
        ("distribution_error", reported.distribution_error.as_deref()),
    ])
}

/// Returns the fields that the outputs of a step add to its entry.
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
