"""Panels of the overview on images and pipelines."""

from boards import queries
from boards.choices import EXECUTION, IMAGE_NAME, IMAGES, PLACE, WHERE, YES
from boards.panels import (
    NEUTRAL,
    Column,
    bars,
    by_status,
    coloured,
    instant,
    link,
    rows,
    runbooks,
)
from boards.queries import IMAGE, PIPELINE, newest

FAILED = 'status="FAILED"'
MOVING = f'status!~"{queries.STILL}"'
# The status page filters by image and status.
FAILURES_ON_THE_PAGE = link(
    "Status page", "${status_page}/?status=FAILED&image=${__data.fields.Image}"
)
RESULTS = coloured(
    "AVAILABLE", "BUILDING", "CANCELLED", "CREATING", "DISTRIBUTING", "FAILED", "TESTING"
)


def image_series(name, *more):
    return f"imagebuilder_image_{name}{{{', '.join([IMAGES, *more])}}}"


UNRESOLVED = image_series("unresolved_failure")


def builds(matcher):
    """Returns the image builds whose status the matcher selects."""
    shown = image_series("status", matcher)
    return f"max by ({IMAGE}) ({shown} == 1)"


def builds_seen(status):
    """Returns the image builds created in the time range that had this status in it."""
    shown = image_series("status", f'status="{status}"')
    made = image_series("created_timestamp_seconds")
    return (
        f"(max by ({IMAGE}) (max_over_time({shown}[$__range]) == 1) and on ({IMAGE})"
        f" max by ({IMAGE}) (last_over_time({made}[$__range]) > time() - $__range_s))"
    )


def pipeline_series(name, *more):
    return f"imagebuilder_pipeline_{name}{{{', '.join([PLACE, *more])}}}"


def of_pipelines(name, *more):
    return f"max by ({PIPELINE}) ({pipeline_series(name, *more)})"


def running():
    ends = f"max by ({IMAGE}) ({image_series('expected_end_timestamp_seconds')})"
    shown = newest(IMAGE, "status", f"({image_series('status', MOVING)} == 1)")
    return [
        rows(
            "Running builds",
            "Image builds that have started and not ended, with the expected end of their workflow "
            "executions. It is known if each step that runs or is to come has COMPLETED three times.",
            [
                f"1000 * (max by ({IMAGE}) ({image_series('created_timestamp_seconds')})"
                f" and on ({IMAGE}) {builds(MOVING)})",
                shown,
                f"1000 * {ends}",
                f"{ends} - time()",
            ],
            [
                Column("A", "Created", unit="dateTimeAsIso", width=170),
                IMAGE_NAME,
                Column("image_version", "Build", width=90),
                Column("status", "Status", width=120, texts=RESULTS),
                Column("C", "Expected end", unit="dateTimeAsIso", width=170),
                Column("D", "Remaining", unit="s", width=100),
                *WHERE,
            ],
            size=(24, 6),
            sort=("Created", True),
        ),
    ]


def images():
    made = (
        f"max by (account_id, region, image) ({image_series('last_available_timestamp_seconds')})"
    )
    by_status_now = f"max by ({IMAGE}, status) ({image_series('status')} == 1)"
    return [
        by_status(
            bars(
                "Image builds by status",
                "Number of image builds that the exporter exposes, by current status. Successful "
                "ones are evicted after metrics.retention (two hours by default).",
                [
                    instant(
                        f"count by (status) ({by_status_now})",
                        "{{status}}",
                    )
                ],
                "none",
                NEUTRAL,
                size=(8, 8),
            )
        ),
        rows(
            "Newest AVAILABLE build of each image",
            "Creation time of the newest AVAILABLE build of each image, oldest first. "
            "ImageBuilderNoGoodImage fires after 35 days.",
            [f"time() - {made}", f"1000 * {made}"],
            [
                IMAGE_NAME,
                Column(
                    "A",
                    "Age",
                    "s",
                    110,
                    [(None, "green"), (30 * 86400, "orange"), (35 * 86400, "red")],
                ),
                Column("B", "Created", unit="dateTimeAsIso", width=170),
                *WHERE,
            ],
            size=(16, 8),
            sort=("Age", True),
            links=runbooks("ImageBuilderNoGoodImage"),
        ),
    ]


def pipelines():
    last_run = newest(PIPELINE, "status", f"{pipeline_series('last_run_status')} == 1")
    return [
        rows(
            "Pipelines",
            "Last and next run of each pipeline. Not filtered by image. Overdue is the delay of a "
            "run that had not started at the last discovery pass.",
            [
                of_pipelines("enabled"),
                of_pipelines("consecutive_failures"),
                f"1000 * {of_pipelines('last_run_timestamp_seconds')}",
                f"1000 * {of_pipelines('next_run_timestamp_seconds')}",
                last_run,
                newest(PIPELINE, "platform, schedule", pipeline_series("info")),
                of_pipelines("run_overdue_seconds"),
            ],
            [
                Column("pipeline", "Pipeline"),
                Column("A", "Enabled", width=90, texts=YES),
                Column(
                    "B",
                    "Consecutive failures",
                    "none",
                    140,
                    [(None, "green"), (1, "orange"), (3, "red")],
                ),
                Column("status", "Last result", width=120, texts=RESULTS),
                Column("C", "Last run", unit="dateTimeAsIso", width=170),
                Column("D", "Next run", unit="dateTimeAsIso", width=170),
                Column("G", "Overdue", "s", 100, [(None, "text"), (3600, "red")]),
                Column("schedule", "Schedule"),
                Column("platform", "Platform", width=100),
                *WHERE,
            ],
            size=(24, 8),
            sort=("Consecutive failures", True),
            links=runbooks(
                "ImageBuilderPipelineFailing",
                "ImageBuilderPipelineDisabled",
                "ImageBuilderPipelineMissedRun",
            ),
        ),
    ]


def unresolved():
    return [
        rows(
            "Unresolved failures of builds",
            "FAILED image builds that neither a retry nor a newer AVAILABLE build has resolved, "
            "newest first. A build with a step execution is explained by that step, and has no "
            "alert of its own.",
            [
                f"1000 * (max by ({IMAGE}) ({image_series('created_timestamp_seconds')})"
                f" and on ({IMAGE}) {UNRESOLVED})",
                newest(IMAGE, "failed_step, step_execution_id", UNRESOLVED),
            ],
            [
                Column("A", "Created", unit="dateTimeAsIso", width=170),
                IMAGE_NAME,
                Column("image_version", "Build", width=90, links=(FAILURES_ON_THE_PAGE,)),
                Column("failed_step", "Failed step"),
                *WHERE,
                EXECUTION,
            ],
            size=(24, 6),
            sort=("Created", True),
            links=runbooks("ImageBuilderImageFailed"),
        ),
    ]


def failed():
    return [
        rows(
            "Failed images",
            "FAILED image builds, newest first, with the place of the failure as far as the "
            "service reports it. A build that is retried is no longer FAILED.",
            [
                f"1000 * (max by ({IMAGE}) ({image_series('created_timestamp_seconds')})"
                f" and on ({IMAGE}) {builds(FAILED)})",
                newest(
                    IMAGE,
                    "stage, failed_step, component, phase, component_step, component_action",
                    image_series("failure_info"),
                ),
                f"{newest(IMAGE, 'pipeline', image_series('info'))} and on ({IMAGE}) "
                f"{builds(FAILED)}",
            ],
            [
                Column("A", "Created", unit="dateTimeAsIso", width=170),
                IMAGE_NAME,
                Column("image_version", "Build", width=90),
                Column("pipeline", "Pipeline"),
                Column("stage", "Stage", width=120),
                Column("failed_step", "Failed step"),
                Column("component", "Component"),
                Column("phase", "Phase", width=90),
                Column("component_step", "Component step"),
                Column("component_action", "Component action"),
                *WHERE,
            ],
            size=(24, 7),
            sort=("Created", True),
            links=runbooks("ImageBuilderImageFailed"),
        ),
    ]
