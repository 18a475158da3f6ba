"""What runs, what failed, and whether there is a good image of everything."""

from boards import overview_images, overview_steps
from boards.board import board, choice, failures, window
from boards.choices import PLACE
from boards.overview_images import MOVING, builds, builds_seen, of_pipelines
from boards.overview_steps import STEPS
from boards.panels import (
    NONE_IS_BETTER,
    NONE_IS_GOOD,
    bars,
    by_status,
    columns_over_time,
    graph,
    instant,
    number,
    query,
    runbooks,
    timeline,
)
from boards.queries import IMAGE, at_least_zero, one


REGIONS = 'region=~"$region"'
TARGET_UP = f"imagebuilder_exporter_target_up{{{REGIONS}}}"


def at_a_glance():
    good, bad = builds_seen("AVAILABLE"), builds_seen("FAILED")
    failed_builds = f"({bad} unless on ({IMAGE}) {good})"
    ratio = f"count({good}) / (count({good} or {failed_builds}))"
    unlucky = f"{of_pipelines('consecutive_failures')} > 0"
    return [
        number(
            "Images being built",
            "Image builds that have begun and have not come to an end.",
            at_least_zero(f"count({builds(MOVING)})"),
        ),
        number(
            "Steps running",
            "Step executions that are RUNNING.",
            at_least_zero(f"count({STEPS.running()})"),
        ),
        number(
            "Near their timeout",
            "Running steps that have used up 80 % of their timeout, or all of it.",
            at_least_zero(f"count({STEPS.used()} >= 0.8)"),
            steps=NONE_IS_BETTER,
            links=runbooks("ImageBuilderStepTimeoutNear", "ImageBuilderStepTimeoutBreached"),
        ),
        number(
            "Waiting for somebody",
            "Running steps whose action is WaitForAction: a person has to resume or stop them.",
            at_least_zero(f"count({STEPS.waiting()})"),
            steps=NONE_IS_BETTER,
            links=runbooks("ImageBuilderStepWaitingLong"),
        ),
        number(
            "Steps failed",
            "Step executions that FAILED and ended in the time range, but for those of builds "
            "that were retried since.",
            at_least_zero(
                f"count({STEPS.failed_in_range()} unless on (step_execution_id) "
                f"{STEPS.superseded()})"
            ),
            steps=NONE_IS_GOOD,
            links=runbooks("ImageBuilderStepFailed", "ImageBuilderStepFailedContinued"),
        ),
        number(
            "Builds that came out well",
            "Of the image builds made in the time range that became AVAILABLE or FAILED: the part "
            "that became AVAILABLE, at once or by a retry.",
            f"{ratio} or 0 * count({failed_builds})",
            unit="percentunit",
            steps=[(None, "red"), (0.8, "orange"), (0.95, "green")],
            links=runbooks("ImageBuilderImageFailed"),
        ),
        number(
            "Pipelines that fail",
            "Pipelines whose last run failed, those that were disabled for it included. Not "
            "narrowed by the choice of images.",
            at_least_zero(f"count({unlucky})"),
            steps=NONE_IS_GOOD,
            links=runbooks("ImageBuilderPipelineFailing", "ImageBuilderPipelineDisabled"),
        ),
        number(
            "Targets not reached",
            "Targets and regions where no exporter can use the service. What is shown of them is "
            "old. Narrowed by the choice of regions alone.",
            at_least_zero(f"count({one(TARGET_UP)} == 0)"),
            steps=NONE_IS_GOOD,
            links=runbooks("ImageBuilderTargetDown"),
        ),
    ]


def over_time():
    return [
        graph(
            "Steps that came out well",
            "Of the steps that ended COMPLETED or FAILED: the part that COMPLETED, by image, over "
            "the window chosen above. Executions that ended before the exporter started don't "
            "count.",
            [query(STEPS.share("COMPLETED", "$window", "image"), "{{image}}")],
            "percentunit",
            steps=[(None, "red"), (0.95, "green")],
            largest=1,
        ),
        by_status(
            columns_over_time(
                graph(
                    "Steps that ended",
                    "Step executions that came to their end, by how.",
                    [query(STEPS.finished(".+", "$__rate_interval", "status"), "{{status}}", "5m")],
                    "none",
                )
            )
        ),
    ]


def exporter_health():
    data = f"imagebuilder_workflow_step_last_success_timestamp_seconds{{{REGIONS}}}"
    step = "target, region, step_execution_id"
    moving = f"max by ({step}) (imagebuilder_workflow_step_settled) == 0"
    discovered = f"imagebuilder_exporter_discovery_last_success_timestamp_seconds{{{REGIONS}}}"
    ages = [(None, "green"), (900, "red")]
    return [
        timeline(
            "Targets",
            "Whether an exporter can use the service, by target and region. Narrowed by the "
            "choice of regions alone, as are those beside it.",
            f"max by (target, region) ({one(TARGET_UP)})",
            "{{target}} {{region}}",
            {1: ("up", "green"), 0: ("down", "red")},
            size=(8, 7),
            links=runbooks("ImageBuilderTargetDown"),
        ),
        graph(
            "Age of discovery",
            "How long ago the exporter last looked with success for what is there to follow.",
            [query(f"time() - max by (target, region) ({discovered})", "{{target}} {{region}}")],
            "s",
            size=(8, 7),
            steps=ages,
            links=runbooks("ImageBuilderDiscoveryOld"),
        ),
        bars(
            "Age of moving steps",
            "How old the oldest data is of a step that may still change. A settled step is not "
            "asked for again, and its data does not grow old.",
            [
                instant(
                    f"max by (target, region) (time() - max by ({step}) ({data})"
                    f" and on ({step}) {moving})",
                    "{{target}} {{region}}",
                )
            ],
            "s",
            ages,
            size=(8, 7),
            links=runbooks("ImageBuilderDataOld"),
        ),
    ]


def overview():
    series = '{__name__=~"imagebuilder_(workflow_step_status|image_status|pipeline_enabled)"%s}'
    builds_or_steps = '{__name__=~"imagebuilder_(workflow_step_status|image_status)", %s}'
    return board(
        "Image Builder / Overview",
        "imagebuilder-overview",
        "What EC2 Image Builder builds now, what failed, and whether there is a good image of "
        "everything.",
        "now-6h",
        [
            choice("account", "Account", series % "", "account_id"),
            choice("region", "Region", series % ', account_id=~"$account"', "region"),
            choice("image", "Image", builds_or_steps % PLACE, "image"),
            window(),
        ],
        [
            failures(STEPS),
        ],
        [
            ("At a glance", at_a_glance()),
            ("What runs", overview_steps.running()),
            ("What failed", overview_steps.failed() + overview_images.failed()),
            ("Alerts", overview_steps.alerts()),
            ("Images", overview_images.images()),
            ("Pipelines", overview_images.pipelines()),
            ("Over time", over_time()),
            ("Is this up to date?", exporter_health()),
        ],
    )
