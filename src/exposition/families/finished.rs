//! Families about finished steps.

use super::row::{Row, Series};
use crate::family::{Family, Kind};
use crate::labels::names;

const LABELS: &[&str] = &[
    names::ACCOUNT_ID,
    names::REGION,
    names::IMAGE,
    names::WORKFLOW,
    names::STEP,
    names::STATUS,
];

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_workflow_steps_finished_total",
            kind: Kind::Counter,
            labels: LABELS,
            help: "Number of step executions that finished since the exporter started, by final status. Each execution is counted once.",
        },
        Series::FinishedCount,
    ),
    (
        Family {
            name: "imagebuilder_workflow_step_finished_duration_seconds",
            kind: Kind::Histogram,
            labels: LABELS,
            help: "Duration of step executions that finished as COMPLETED or FAILED, in seconds.",
        },
        Series::FinishedDurations,
    ),
];
