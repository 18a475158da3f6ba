"""The overview: what runs, what failed, and the newest AVAILABLE build of each image."""

from boards import overview_images, overview_steps
from boards.board import board, choice, failed_builds, failures, window
from boards.choices import PLACE
from boards.overview_images import MOVING, UNRESOLVED, builds, builds_seen, of_pipelines
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
            "Number of image builds that have started and not ended.",
            at_least_zero(f"count({builds(MOVING)})"),
        ),
        number(
            "Steps running",
            "Number of RUNNING step executions.",
            at_least_zero(f"count({STEPS.running()})"),
            size=(2, 4),
        ),
        number(
            "Slow steps",
            "Number of running steps that run much longer than their last executions explain.",
            at_least_zero(f"count({STEPS.slow()} == 1)"),
            steps=NONE_IS_BETTER,
            size=(2, 4),
            links=runbooks("ImageBuilderStepSlow"),
        ),
        number(
            "Steps near timeout",
            "Number of running steps that have used at least 80 % of their timeout.",
            at_least_zero(f"count({STEPS.used()} >= 0.8)"),
            steps=NONE_IS_BETTER,
            links=runbooks("ImageBuilderStepTimeoutNear", "ImageBuilderStepTimeoutBreached"),
        ),
        number(
            "Waiting for a person",
            "Number of running steps with the action WaitForAction. A person must resume or stop "
            "them.",
            at_least_zero(f"count({STEPS.waiting()})"),
            steps=NONE_IS_BETTER,
            links=runbooks("ImageBuilderStepWaitingLong"),
        ),
        number(
            "Unresolved failures",
            "Number of failed step executions that neither a retry of the build nor a later "
            "success has resolved.",
            at_least_zero(f"count({STEPS.unresolved()})"),
            steps=NONE_IS_GOOD,
            links=runbooks("ImageBuilderStepFailed", "ImageBuilderStepFailedContinued"),
        ),
        number(
            "Successful builds",
            "Ratio of AVAILABLE to AVAILABLE and FAILED among the image builds created in the "
            "time range. A build that a retry made AVAILABLE counts as AVAILABLE.",
            f"{ratio} or 0 * count({failed_builds})",
            unit="percentunit",
            steps=[(None, "red"), (0.8, "orange"), (0.95, "green")],
            links=runbooks("ImageBuilderImageFailed"),
        ),
        number(
            "Failing pipelines",
            "Number of pipelines whose last run failed, including those that were disabled for "
            "it. Not filtered by image.",
            at_least_zero(f"count({unlucky})"),
            steps=NONE_IS_GOOD,
            links=runbooks("ImageBuilderPipelineFailing", "ImageBuilderPipelineDisabled"),
        ),
        number(
            "Targets down",
            "Number of targets and regions for which no exporter can call the service. Their "
            "values are stale. Filtered by region only.",
            at_least_zero(f"count({one(TARGET_UP)} == 0)"),
            steps=NONE_IS_GOOD,
            size=(2, 4),
            links=runbooks("ImageBuilderTargetDown"),
        ),
    ]


def over_time():
    return [
        graph(
            "Ratio of successful steps",
            "Ratio of COMPLETED to COMPLETED and FAILED step executions, by image, over the "
            "window selected above. Executions that ended before the exporter started do not "
            "count.",
            [query(STEPS.share("COMPLETED", "$window", "image"), "{{image}}")],
            "percentunit",
            steps=[(None, "red"), (0.95, "green")],
            largest=1,
        ),
        by_status(
            columns_over_time(
                graph(
                    "Finished steps",
                    "Number of step executions that ended, by status.",
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
    age = f"imagebuilder_exporter_discovery_age_seconds{{{REGIONS}}}"
    ages = [(None, "green"), (900, "red")]
    return [
        timeline(
            "Targets",
            "Whether an exporter can call the service, by target and region. The panels of this "
            "row are filtered by region only.",
            f"max by (target, region) ({one(TARGET_UP)})",
            "{{target}} {{region}}",
            {1: ("up", "green"), 0: ("down", "red")},
            size=(8, 7),
            links=runbooks("ImageBuilderTargetDown"),
        ),
        graph(
            "Age of the last discovery pass",
            "Time since the last successful discovery pass, or since the exporter began to poll "
            "the target if none has succeeded.",
            [query(f"min by (target, region) ({age})", "{{target}} {{region}}")],
            "s",
            size=(8, 7),
            steps=ages,
            links=runbooks("ImageBuilderDiscoveryOld"),
        ),
        bars(
            "Age of active steps",
            "Age of the oldest data of a step that can still change. A settled step is not polled "
            "again, and its data is never stale.",
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
        "What EC2 Image Builder builds now, what failed, and the newest AVAILABLE build of each "
        "image.",
        "now-6h",
        [
            choice("account", "Account", series % "", "account_id"),
            choice("region", "Region", series % ', account_id=~"$account"', "region"),
            choice("image", "Image", builds_or_steps % PLACE, "image"),
            window(),
        ],
        [
            failures(STEPS),
            failed_builds(UNRESOLVED),
        ],
        [
            ("Summary", at_a_glance()),
            ("Running builds and steps", overview_images.running() + overview_steps.running()),
            ("Unresolved failures", overview_steps.unresolved() + overview_images.unresolved()),
            ("Failures", overview_steps.failed() + overview_images.failed()),
            ("Alerts", overview_steps.alerts()),
            ("Images", overview_images.images()),
            ("Pipelines", overview_images.pipelines()),
            ("Trends", over_time()),
            ("Data freshness", exporter_health()),
        ],
    )
