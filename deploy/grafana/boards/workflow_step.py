"""The dashboard of a workflow and its steps: durations, failures, and the state of executions."""

from boards.board import board, choice, failed_builds, failures, window
from boards.choices import DONE_OVER, EXECUTION, IMAGES, ON_THE_PAGE, PLACE, WHERE
from boards.overview_images import UNRESOLVED
from boards.panels import (
    NEAR_A_LIMIT,
    STATUS_COLOURS,
    Column,
    bars,
    by_status,
    coloured,
    columns_over_time,
    graph,
    heat,
    instant,
    number,
    points,
    query,
    rows,
    runbooks,
    stacked,
    timeline,
)
from boards.queries import NAMED_STEP, STATUSES, UNKNOWN, Steps, at_least_zero, newest, one

STEPS = Steps(f'{IMAGES}, workflow=~"$workflow", step=~"$step"')
EXECUTIONS = Steps(f'{IMAGES}, workflow=~"$workflow"')

WORKFLOW = "account_id, region, image, workflow, workflow_execution_id"
STEP_STATUS = coloured(*STATUSES)
ROLLBACK = coloured("COMPLETED", "FAILED", "RUNNING", "SKIPPED")
FAILING = [(None, "green"), (0.05, "orange"), (0.2, "red")]


def in_figures():
    over = "over the window selected above"
    return [
        number(
            "Running",
            "Number of RUNNING step executions.",
            at_least_zero(f"count({STEPS.running()})"),
            size=(4, 4),
        ),
        number(
            "Ended",
            f"Number of step executions that ended, {over}. Of two replicas, the larger count "
            "applies. A replaced exporter can make it too small.",
            f"sum({one(f'increase({STEPS.counter()}[$window])')})",
            size=(4, 4),
            decimals=0,
        ),
        number(
            "Failed",
            f"Ratio of FAILED to COMPLETED and FAILED step executions, {over}.",
            STEPS.share("FAILED", "$window"),
            unit="percentunit",
            steps=FAILING,
            size=(4, 4),
            links=runbooks("ImageBuilderStepFailed"),
        ),
        *(
            number(
                name,
                f"{what} of the duration of COMPLETED step executions, {over}. The accuracy "
                "depends on metrics.duration_buckets.",
                STEPS.took(quantile, "$window"),
                unit="s",
                size=(4, 4),
            )
            for name, what, quantile in [
                ("Median duration", "Median", 0.5),
                ("90th percentile", "90th percentile", 0.9),
                ("99th percentile", "99th percentile", 0.99),
            ]
        ),
    ]


def states():
    texts = {number: (status, STATUS_COLOURS[status]) for number, status in enumerate(STATUSES, 1)}
    return [
        timeline(
            "Status",
            "Status of the newest execution of each step. Between two executions, the final "
            "status of the older one is shown while the exporter keeps it.",
            STEPS.newest_status(NAMED_STEP),
            "{{image}}: {{workflow}} / {{step}}",
            texts | {UNKNOWN: ("another", "dark-purple")},
            size=(24, 11),
            links=runbooks("ImageBuilderStepFailed"),
        ),
        executions(),
        workflows(),
    ]


def executions():
    began = f"topk(500, {STEPS.of('_start_time_seconds')} > time() - $__range_s)"

    def beside(expression):
        return f"{expression} and on (step_execution_id) ({began})"

    def figure(name):
        return f"max by (step_execution_id) ({STEPS.series(name)})"

    return rows(
        "Executions",
        "Step executions that started in the time range and that the exporter still exposes, "
        "newest first, at most 500. A rollback runs on COMPLETED steps after a later step has "
        "failed.",
        [
            f"1000 * {began}",
            beside(newest("step_execution_id", "status", f"{STEPS.series('_status')} == 1")),
            beside(figure("_duration_seconds")),
            beside(f"{figure('_duration_seconds')} / {figure('_timeout_seconds')}"),
            beside(f"{figure('_duration_seconds')} / {figure('_budget_seconds')}"),
            beside(figure("_attempt")),
            beside(figure("_max_attempts")),
            beside(STEPS.rollback()),
            beside(STEPS.known("image_version, on_failure, action")),
            beside(STEPS.usual_of(STEPS.of("_start_time_seconds"))),
        ],
        [
            Column("A", "Started", unit="dateTimeAsIso", width=170),
            Column("image", "Image"),
            Column("image_version", "Build", width=90),
            Column("workflow", "Workflow"),
            Column("step", "Step"),
            Column("action", "Action"),
            Column("status", "Status", width=110, texts=STEP_STATUS),
            Column("C", "Duration", unit="s", width=90),
            Column("J", "Usual", unit="s", width=90),
            Column("D", "Of timeout", "percentunit", 130, NEAR_A_LIMIT, gauge=True),
            Column("E", "Of budget", "percentunit", 130, NEAR_A_LIMIT, gauge=True),
            Column("F", "Attempt", unit="none", width=80),
            Column("G", "Max attempts", unit="none", width=110),
            Column("rollback", "Rollback", width=110, texts=ROLLBACK),
            Column("on_failure", "On failure", width=100),
            *WHERE,
            EXECUTION,
        ],
        size=(24, 10),
        sort=("Started", True),
    )


def workflows():
    def series(name):
        return f"imagebuilder_workflow_execution_{name}{{{EXECUTIONS.chosen}}}"

    began = f"topk(200, max by ({WORKFLOW}) ({series('start_time_seconds')}) > time() - $__range_s)"

    def beside(expression):
        return f"{expression} and on (workflow_execution_id) ({began})"

    def figure(name, result=""):
        shown = series(name).replace("}", f', result="{result}"}}') if result else series(name)
        return f"max by (workflow_execution_id) ({shown})"

    return rows(
        "Workflow executions",
        "Workflow executions that started in the time range and that the exporter still exposes, "
        "newest first, at most 200. Not filtered by step. Superseded means that the build was "
        "retried later.",
        [
            f"1000 * {began}",
            beside(newest("workflow_execution_id", "status", f"{series('status')} == 1")),
            beside(figure("duration_seconds")),
            beside(figure("steps_planned")),
            beside(figure("steps", "succeeded")),
            beside(figure("steps", "failed")),
            beside(figure("steps", "skipped")),
            beside(f"({figure('retried')} == 1)"),
            beside(
                newest(
                    "workflow_execution_id",
                    "image_version, workflow_type, workflow_version",
                    series("info"),
                )
            ),
            beside(f"1000 * {figure('expected_end_timestamp_seconds')}"),
        ],
        [
            Column("A", "Started", unit="dateTimeAsIso", width=170),
            Column("image", "Image"),
            Column("image_version", "Build", width=90),
            Column("workflow", "Workflow"),
            Column("workflow_version", "Version", width=90),
            Column("workflow_type", "Type", width=100),
            Column(
                "status",
                "Status",
                width=190,
                texts=coloured(
                    "CANCELLED",
                    "COMPLETED",
                    "FAILED",
                    "PENDING",
                    "ROLLBACK_COMPLETED",
                    "ROLLBACK_IN_PROGRESS",
                    "RUNNING",
                    "SKIPPED",
                ),
            ),
            Column("C", "Duration", unit="s", width=90),
            Column("J", "Expected end", unit="dateTimeAsIso", width=170),
            Column("D", "Steps", unit="none", width=70),
            Column("E", "Succeeded", unit="none", width=100),
            Column("F", "Failed", "none", 80, [(None, "text"), (1, "red")]),
            Column("G", "Skipped", unit="none", width=80),
            Column("H", "Superseded", width=100, texts=DONE_OVER),
            *WHERE,
            Column("workflow_execution_id", "Workflow execution", width=330, links=(ON_THE_PAGE,)),
        ],
        size=(24, 8),
        sort=("Started", True),
    )


def durations():
    # A poll observes an end late, so each point spans some minutes instead of a moment.
    just_ended = f"({STEPS.of('_end_time_seconds')} > time() - 300 - $__interval_ms / 1000)"
    ended = f"{STEPS.of('_duration_seconds')} and on (step_execution_id) {just_ended}"
    limits = [
        query(
            f"min by (workflow, step) ({STEPS.series(name)})",
            f"{{{{workflow}}}} / {{{{step}}}} {what}",
        )
        for name, what in [
            ("_timeout_seconds", "timeout"),
            ("_budget_seconds", "budget"),
            ("_slow_after_seconds", "slow after"),
        ]
    ]
    running_or_ended = f"({STEPS.elapsed()} or ({ended}))"
    return [
        points(
            graph(
                "Durations of ended executions",
                "Duration of each execution that ended, as points over some minutes. Skipped "
                "steps have a duration of 0.",
                [query(f"max by ({NAMED_STEP}) ({ended})", "{{image}}: {{workflow}} / {{step}}")],
                "s",
                size=(12, 9),
            )
        ),
        graph(
            "Elapsed time and limits",
            "Elapsed time of running executions, which restarts with the next execution, and the "
            "smallest timeout, budget and limit for slow ones of the exposed ones. After 15 minutes without a "
            "successful poll, the time is not shown.",
            [
                query(
                    f"max by ({NAMED_STEP}) ({STEPS.elapsed()})",
                    "{{image}}: {{workflow}} / {{step}}",
                ),
                *limits,
            ],
            "s",
            size=(12, 9),
            links=runbooks(
                "ImageBuilderStepTimeoutNear",
                "ImageBuilderStepBudgetExceeded",
                "ImageBuilderStepSlow",
            ),
        ),
        points(
            graph(
                "Durations against usual ones",
                "Ratio of the duration of running and ended executions to the usual duration of the "
                "step, the median of its last executions that COMPLETED. The lines are at 100 % and "
                "300 %: no step is slow before three times its usual duration.",
                [
                    query(
                        f"max by ({NAMED_STEP}) ({STEPS.against_usual(running_or_ended)})",
                        "{{image}}: {{workflow}} / {{step}}",
                    )
                ],
                "percentunit",
                size=(24, 8),
                steps=[(None, "green"), (1, "text"), (3, "orange")],
                links=runbooks("ImageBuilderStepSlow"),
            )
        ),
        graph(
            "Quantiles of durations",
            "50th, 90th and 99th percentile of the duration of COMPLETED executions, over the "
            "window selected above. The accuracy depends on metrics.duration_buckets. The values "
            "come from the buckets, because the series that deploy/prometheus/rules.yaml records "
            "cover all images.",
            [
                query(
                    STEPS.took(quantile, "$window", "workflow, step"),
                    f"{{{{workflow}}}} / {{{{step}}}} {name}",
                )
                for name, quantile in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)]
            ],
            "s",
            size=(12, 9),
        ),
        heat(
            "Durations",
            "Number of COMPLETED executions by duration, at the time of their end.",
            f"sum by (le) ({one(f'increase({STEPS.buckets()}[$__rate_interval])')})",
            "s",
            size=(12, 9),
        ),
    ]


def failing():
    rollbacks = f"max by (step_execution_id, status) ({STEPS.series('_rollback_status')} == 1)"
    return [
        columns_over_time(
            graph(
                "Failures by step",
                "Number of step executions that finally FAILED, at the time of their end.",
                [
                    query(
                        STEPS.finished("FAILED", "$__rate_interval", "workflow, step"),
                        "{{workflow}} / {{step}}",
                        "5m",
                    )
                ],
                "none",
                links=runbooks("ImageBuilderStepFailed"),
            )
        ),
        bars(
            "Failure ratio by step",
            "Ratio of FAILED to COMPLETED and FAILED executions of each step, over the window "
            "selected above, largest first.",
            [
                instant(
                    f"sort_desc(topk(15, {STEPS.share('FAILED', '$window', 'workflow, step')}))",
                    "{{workflow}} / {{step}}",
                )
            ],
            "percentunit",
            FAILING,
            size=(12, 8),
            links=runbooks("ImageBuilderStepFailed"),
            largest=1,
        ),
        graph(
            "Attempts",
            "Current attempt of running and failed executions, if the service reports attempts.",
            [
                query(
                    f"max by ({NAMED_STEP}) ({STEPS.series('_attempt')})",
                    "{{image}}: {{workflow}} / {{step}}",
                )
            ],
            "none",
            size=(12, 8),
            lowest=None,
        ),
        by_status(
            stacked(
                graph(
                    "Rollbacks",
                    "Number of exposed step executions with a rollback, by status of the "
                    "rollback. If a rollback FAILED, an instance or an image can remain.",
                    [query(f"count by (status) ({rollbacks})", "{{status}}")],
                    "none",
                    size=(12, 8),
                    links=runbooks(
                        "ImageBuilderStepRollbackFailed", "ImageBuilderStepRollbackLong"
                    ),
                )
            )
        ),
    ]


def workflow_step():
    # Counters still have the labels of evicted executions.
    series = '{__name__=~"imagebuilder_workflow_(step_status|steps_finished_total)"%s}'
    return board(
        "Image Builder / Workflow and step",
        "imagebuilder-workflow-step",
        "Durations, failures and states of the steps of a workflow.",
        "now-24h",
        [
            choice("account", "Account", series % "", "account_id"),
            choice("region", "Region", series % ', account_id=~"$account"', "region"),
            choice("image", "Image", series % f", {PLACE}", "image"),
            choice("workflow", "Workflow", series % f", {IMAGES}", "workflow"),
            choice("step", "Step", series % f', {IMAGES}, workflow=~"$workflow"', "step"),
            window(),
        ],
        [failures(STEPS), failed_builds(UNRESOLVED)],
        [
            ("Summary", in_figures()),
            ("States and executions", states()),
            ("Durations", durations()),
            ("Failures, attempts, rollbacks", failing()),
        ],
    )
