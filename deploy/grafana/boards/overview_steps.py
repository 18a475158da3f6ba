"""Panels of the overview on steps: running and failed ones."""

from boards.choices import DONE_OVER, EXECUTION, IMAGE_NAME, IMAGES, SLOW, STEP_NAME, WHERE
from boards.panels import (
    NEAR_A_LIMIT,
    Column,
    bars,
    by_status,
    graph,
    instant,
    link,
    mapping,
    query,
    rows,
    runbooks,
    stacked,
)
from boards.queries import Steps, newest

STEPS = Steps(IMAGES)
SEVERITIES = {"critical": "red", "warning": "orange", "info": "blue"}


def running():
    def beside(expression):
        return f"{expression} and on (step_execution_id) {STEPS.running()}"

    seen = "max by (step_execution_id) (imagebuilder_workflow_step_last_success_timestamp_seconds)"
    return [
        rows(
            "Running step executions",
            "RUNNING steps, nearest to their timeout first. Budgets are the limits in the "
            "exporter's configuration. Usual is the median of the last executions that COMPLETED, "
            "and a slow step runs much longer than they explain. Data age is the time since the last successful poll. A "
            "step is shown until no poll of it has succeeded for 15 minutes.",
            [
                STEPS.elapsed(),
                beside(STEPS.limit()),
                STEPS.used(),
                STEPS.used("_budget_seconds"),
                beside(f"max by (step_execution_id) ({STEPS.series('_attempt')})"),
                f"time() - ({beside(seen)})",
                beside(STEPS.known("image_version, action")),
                STEPS.usual_of(STEPS.elapsed()),
                STEPS.slow(),
            ],
            [
                IMAGE_NAME,
                Column("image_version", "Build", width=90),
                Column("workflow", "Workflow"),
                STEP_NAME,
                Column("action", "Action"),
                Column("A", "Elapsed", unit="s", width=90),
                Column("H", "Usual", unit="s", width=90),
                Column("I", "Slow", width=70, texts=SLOW),
                Column("B", "Timeout", unit="s", width=90),
                Column("C", "Of timeout", "percentunit", 150, NEAR_A_LIMIT, gauge=True),
                Column("D", "Of budget", "percentunit", 150, NEAR_A_LIMIT, gauge=True),
                Column("E", "Attempt", unit="none", width=80),
                Column("F", "Data age", "s", 80, [(None, "green"), (300, "orange"), (900, "red")]),
                *WHERE,
                EXECUTION,
            ],
            size=(24, 9),
            sort=("Of timeout", True),
            links=runbooks(
                "ImageBuilderStepTimeoutNear",
                "ImageBuilderStepBudgetExceeded",
                "ImageBuilderStepSlow",
            ),
        ),
        bars(
            "Used part of timeouts",
            "Part of the timeout that running steps have used. At 100 % the service fails the "
            "step.",
            [instant(f"sort_desc(topk(15, {STEPS.used()}))", "{{image}}: {{step}}")],
            "percentunit",
            NEAR_A_LIMIT,
            size=(12, 8),
            links=runbooks("ImageBuilderStepTimeoutNear", "ImageBuilderStepTimeoutBreached"),
            largest=1,
        ),
        by_status(
            stacked(
                graph(
                    "Running and pending steps",
                    "Number of RUNNING and PENDING step executions. A PENDING step waits for its "
                    "turn, or its workflow failed before, and it stays PENDING.",
                    [
                        query(f"count({STEPS.running()})", "RUNNING"),
                        query(f"count({STEPS.status('PENDING')})", "PENDING"),
                    ],
                    "none",
                    size=(12, 8),
                )
            )
        ),
    ]


def unresolved():
    failed = STEPS.unresolved()
    return [
        rows(
            "Unresolved failures of steps",
            "Step executions that failed for good, newest first, as far as neither a retry of the "
            "build nor a later success has resolved that. These are the failures that alert. The "
            "step execution links to its reason on the status page.",
            [
                f"1000 * ({STEPS.of('_end_time_seconds')} and on (step_execution_id) {failed})",
                newest(
                    "step_execution_id",
                    "image_version, on_failure, cause",
                    STEPS.series("_unresolved_failure"),
                ),
            ],
            [
                Column("A", "Ended", unit="dateTimeAsIso", width=170),
                IMAGE_NAME,
                Column("image_version", "Build", width=90),
                Column("workflow", "Workflow"),
                STEP_NAME,
                Column("cause", "Cause", width=90),
                Column("on_failure", "On failure", width=90),
                *WHERE,
                EXECUTION,
            ],
            size=(24, 7),
            sort=("Ended", True),
            links=runbooks("ImageBuilderStepFailed", "ImageBuilderStepTimeoutBreached"),
        ),
    ]


def failed():
    def beside(expression, by="step_execution_id"):
        return f"{expression} and on (step_execution_id) {STEPS.failed_in_range(by)}"

    return [
        rows(
            "Failed step executions",
            "Step executions that FAILED and ended in the time range, newest first. Superseded "
            "means that the build was retried later. The exporter keeps failed executions for "
            "metrics.retention_failed (a day by default). The message requires "
            "metrics.message_labels.",
            [
                f"1000 * {STEPS.failed_in_range()}",
                beside(f"max by (step_execution_id) ({STEPS.series('_duration_seconds')})"),
                beside(STEPS.known("image_version, on_failure, action")),
                beside(f"max by (step_execution_id) ({STEPS.series('_timeout_breached')})"),
                beside(STEPS.superseded()),
                beside(f"max by (step_execution_id) ({STEPS.series('_attempt')})"),
                beside(newest("step_execution_id", "message", STEPS.series("_message_info"))),
            ],
            [
                Column("A", "Ended", unit="dateTimeAsIso", width=170),
                IMAGE_NAME,
                Column("image_version", "Build", width=90),
                Column("workflow", "Workflow"),
                STEP_NAME,
                Column("action", "Action"),
                Column("B", "Duration", unit="s", width=90),
                Column(
                    "D",
                    "At timeout",
                    width=90,
                    texts=mapping({1: ("yes", "red"), 0: ("no", "text")}),
                ),
                Column("on_failure", "On failure", width=90),
                Column("F", "Attempt", unit="none", width=80),
                Column("E", "Superseded", width=100, texts=DONE_OVER),
                Column("message", "Message"),
                *WHERE,
                EXECUTION,
            ],
            size=(24, 8),
            sort=("Ended", True),
            links=runbooks(
                "ImageBuilderStepFailed",
                "ImageBuilderStepFailedContinued",
                "ImageBuilderStepRollbackFailed",
            ),
        ),
    ]


def alerts():
    labels = ["alertname", "severity", "account_id", "region"]
    labels += ["image", "workflow", "step", "pipeline", "target"]
    return [
        rows(
            "Firing alerts",
            "Alerts of deploy/prometheus/rules.yaml, if Prometheus has loaded these rules. The "
            "name links to the runbook, at the URL in the variable runbooks. If an image is "
            "selected, alerts on pipelines, targets and exporters are not shown.",
            [
                f"max by ({', '.join(labels)})"
                f' (ALERTS{{alertname=~"ImageBuilder.+", alertstate="firing", {IMAGES}}})'
            ],
            [
                Column(
                    "alertname",
                    "Alert",
                    links=(link("Runbook", "${runbooks}/${__value.text}.md"),),
                ),
                Column(
                    "severity",
                    "Severity",
                    width=100,
                    texts=mapping({name: (name, colour) for name, colour in SEVERITIES.items()}),
                ),
                Column("image", "Image"),
                Column("workflow", "Workflow"),
                Column("step", "Step"),
                Column("pipeline", "Pipeline"),
                Column("target", "Target"),
                *WHERE,
            ],
            size=(24, 6),
            sort=("Severity", False),
        ),
    ]
