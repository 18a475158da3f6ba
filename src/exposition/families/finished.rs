//! Steps that have finished.

use super::row::{Row, Series};
use crate::family::{Family, Kind};

const LABELS: &[&str] = &[
    "account_id",
    "region",
    "image",
    "workflow",
    "step",
    "status",
];

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_workflow_steps_finished_total",
            kind: Kind::Counter,
            labels: LABELS,
            help: "Step executions that have finished since the exporter started, each counted once, by the status they finished with.",
        },
        Series::FinishedCount,
    ),
    (
        Family {
            name: "imagebuilder_workflow_step_finished_duration_seconds",
            kind: Kind::Histogram,
            labels: LABELS,
            help: "How long the step executions that are counted as COMPLETED or FAILED took, in seconds.",
        },
        Series::FinishedDurations,
    ),
];
