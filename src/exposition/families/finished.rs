//! Families about finished steps.

use super::super::finished;
use super::row::{Row, Series};
use crate::family::{Family, MetricType};
use crate::labels::names::*;

const LABELS: &[&str] = &[ACCOUNT_ID, REGION, IMAGE, WORKFLOW, STEP, STATUS];

pub(super) static FAMILIES: &[Row] = &[
    (
        Family {
            name: "imagebuilder_workflow_steps_finished_total",
            metric_type: MetricType::Counter,
            identity: LABELS,
            labels: &[],
            help: "Number of step executions that finished since the exporter started, by final status. Each execution is counted once.",
        },
        Series::Finished(finished::write_count),
    ),
    (
        Family {
            name: "imagebuilder_workflow_step_finished_duration_seconds",
            metric_type: MetricType::Histogram,
            identity: LABELS,
            labels: &[],
            help: "Duration of step executions that finished as COMPLETED or FAILED, in seconds.",
        },
        Series::Finished(finished::write_durations),
    ),
];
