"""Panels on the exporter: its API calls, its poll lag, and the resources that it uses."""

from boards.board import board, choice
from boards.exporter_queries import (
    BUILD_INFO,
    BY_TARGET,
    ERRORS,
    EXPORTER,
    NAMED,
    POLLED,
    PROCESS,
    THROTTLED,
    about,
    calls,
    of_exporters,
    part_of_calls,
    within,
)
from boards.exporter_resources import resources
from boards.panels import (
    NONE_IS_GOOD,
    Column,
    graph,
    mapping,
    number,
    query,
    rows,
    runbooks,
    stacked,
    timeline,
)
from boards.queries import at_least_zero, one


def in_figures():
    up = of_exporters(f"up{{{PROCESS}}}")
    shards = about("shards", chosen=PROCESS)
    return [
        number(
            "Exporters up",
            "Number of exporters that Prometheus scrapes successfully.",
            f"count(({up}) == 1)",
            steps=[(None, "red"), (1, "green")],
            size=(3, 4),
            links=runbooks("ImageBuilderExporterAbsent"),
        ),
        number(
            "Exporters down",
            "Number of exporters that Prometheus scraped within a day and cannot scrape now.",
            at_least_zero(f"count(({up}) == 0)"),
            steps=NONE_IS_GOOD,
            size=(3, 4),
            links=runbooks("ImageBuilderExporterDown"),
        ),
        number(
            "Shards missing",
            "Number of configured shards that Prometheus does not scrape. The targets assigned to "
            "them are not monitored.",
            f"sum({one(shards, 'shard')} - count without (shard) ({one(shards)}))",
            steps=NONE_IS_GOOD,
            size=(3, 4),
            links=runbooks("ImageBuilderShardMissing"),
        ),
        number(
            "Failed reloads",
            "Number of exporters whose last reload failed. They keep the previous configuration.",
            at_least_zero(f"count({about('config_last_reload_successful', chosen=PROCESS)} == 0)"),
            steps=NONE_IS_GOOD,
            size=(3, 4),
            links=runbooks("ImageBuilderConfigReloadFailed"),
        ),
        number(
            "Targets down",
            "Number of targets and regions for which no exporter can call the service.",
            at_least_zero(f"count({one(about('target_up'))} == 0)"),
            steps=NONE_IS_GOOD,
            size=(3, 4),
            links=runbooks("ImageBuilderTargetDown", "ImageBuilderTargetGone"),
        ),
        number(
            "API calls",
            "Calls to the Image Builder API per second, by all exporters.",
            calls(""),
            unit="reqps",
            size=(3, 4),
        ),
        number(
            "Failed calls",
            "Ratio of failed calls to all calls. Throttled calls do not count as failed.",
            f"{part_of_calls(ERRORS)} or 0 * {calls('')}",
            unit="percentunit",
            steps=[(None, "green"), (0.01, "orange"), (0.1, "red")],
            size=(3, 4),
            links=runbooks("ImageBuilderTargetDown"),
        ),
        number(
            "Throttled calls",
            "Ratio of throttled calls to all calls. The exporter retries each and reduces its "
            "rate.",
            f"{part_of_calls(THROTTLED)} or 0 * {calls('')}",
            unit="percentunit",
            steps=[(None, "green"), (0.01, "orange"), (0.1, "red")],
            size=(3, 4),
            links=runbooks("ImageBuilderRateLimitStarving"),
        ),
    ]


def processes():
    def figure(series):
        return f"max by (job, instance) ({series})"

    success = "config_last_reload_successful"
    taken = "config_last_reload_success_timestamp_seconds"
    return [
        rows(
            "Exporters",
            "Version, start time and configuration of each process. If the last reload failed, it "
            "is rejected, and the previous configuration stays effective.",
            [
                figure(of_exporters(f"up{{{PROCESS}}}")),
                f"max by (job, instance, version, revision) ({BUILD_INFO})",
                f"1000 * {figure(of_exporters(f'process_start_time_seconds{{{PROCESS}}}'))}",
                figure(about(success, chosen=PROCESS)),
                f"1000 * {figure(about(taken, chosen=PROCESS))}",
            ],
            [
                Column("job", "Job"),
                Column("instance", "Instance"),
                Column(
                    "A", "Scraped", width=90, texts=mapping({1: ("yes", "green"), 0: ("no", "red")})
                ),
                Column("version", "Version", width=100),
                Column("revision", "Revision"),
                Column("C", "Started", unit="dateTimeAsIso", width=170),
                Column(
                    "D",
                    "Configuration",
                    width=120,
                    texts=mapping({1: ("effective", "green"), 0: ("rejected", "red")}),
                ),
                Column("E", "Effective since", unit="dateTimeAsIso", width=170),
            ],
            size=(24, 6),
            sort=("Instance", False),
            links=runbooks("ImageBuilderConfigReloadFailed", "ImageBuilderExporterDown"),
        )
    ]


def api():
    def latency(quantile):
        return within(quantile, "operation", about("api_request_duration_seconds_bucket"))

    return [
        stacked(
            graph(
                "Calls by operation",
                "Calls to the Image Builder API per second. docs/architecture.md explains when "
                "each is made.",
                [query(calls("operation"), "{{operation}}")],
                "reqps",
            )
        ),
        stacked(
            graph(
                "Calls by result",
                "Calls per second. Each attempt counts. With the result credentials, nothing "
                "could be sent.",
                [query(calls("result"), "{{result}}")],
                "reqps",
                links=runbooks("ImageBuilderTargetDown"),
            )
        ),
        graph(
            "Failed calls by target",
            "Ratio of failed calls to all calls. Throttled calls do not count as failed.",
            [query(f"{part_of_calls(ERRORS, BY_TARGET)} or 0 * {calls(BY_TARGET)}", NAMED)],
            "percentunit",
            size=(8, 8),
            steps=[(None, "green"), (0.1, "red")],
            links=runbooks("ImageBuilderTargetDown"),
        ),
        graph(
            "Throttled calls by target",
            "Throttled calls per second, by target. All clients in an account and region share "
            "one limit.",
            [query(f"{calls(BY_TARGET, THROTTLED)} or 0 * {calls(BY_TARGET)}", NAMED)],
            "reqps",
            size=(8, 8),
            links=runbooks("ImageBuilderRateLimitStarving"),
        ),
        graph(
            "Duration of calls",
            "90th percentile of the duration of calls, by operation.",
            [query(latency(0.9), "{{operation}}")],
            "s",
            size=(8, 8),
        ),
    ]


def lag():
    def late(quantile):
        return within(quantile, BY_TARGET, about("poll_lag_seconds_bucket"))

    waits = about("rate_limit_wait_seconds_total")
    return [
        graph(
            "Poll lag",
            "90th and 99th percentile of the time by which polls are overdue.",
            [
                query(late(0.9), f"{NAMED} p90"),
                query(late(0.99), f"{NAMED} p99"),
            ],
            "s",
            steps=[(None, "green"), (30, "red")],
            links=runbooks("ImageBuilderRateLimitStarving"),
        ),
        graph(
            "Calls waiting for the rate limiter",
            "Average number of calls that wait for the exporter's own rate limiter.",
            [query(f"sum by ({BY_TARGET}) (rate({waits}[$__rate_interval]))", NAMED)],
            "none",
            links=runbooks("ImageBuilderRateLimitStarving"),
        ),
        timeline(
            "Targets",
            "Whether an exporter can call the service.",
            f"max by ({BY_TARGET}) ({about('target_up')})",
            NAMED,
            {1: ("up", "green"), 0: ("down", "red")},
            size=(8, 8),
            links=runbooks("ImageBuilderTargetDown"),
        ),
        graph(
            "Age of the last discovery pass",
            "Time since the last successful discovery pass, or since the exporter began to poll "
            "the target if none has succeeded.",
            [query(f"min by ({BY_TARGET}) ({about('discovery_age_seconds')})", NAMED)],
            "s",
            size=(8, 8),
            steps=[(None, "green"), (900, "red")],
            links=runbooks("ImageBuilderDiscoveryOld"),
        ),
        graph(
            "Clock skew",
            "Service clock minus the clock of each exporter. Durations of running steps are wrong "
            "by this time. From five minutes on, AWS rejects calls that are signed with such a "
            "clock.",
            [query(about("clock_skew_seconds"), f"{NAMED} {{{{instance}}}}")],
            "s",
            size=(8, 8),
            steps=[(None, "green"), (60, "red")],
            links=runbooks("ImageBuilderClockSkew"),
            lowest=None,
        ),
    ]


def tracked():
    return [
        stacked(
            graph(
                "Steps by state",
                "Tracked step executions: pending (never seen), active (polled), settled (final), "
                "gone (the service no longer knows them).",
                [query(f"sum by (state) ({one(about('tracked_steps'))})", "{{state}}")],
                "none",
                size=(6, 8),
                links=runbooks("ImageBuilderStepNeverSeen"),
            )
        ),
        graph(
            "Active and pending steps by target",
            "Steps that are polled, and so cause API calls.",
            [
                query(
                    f"sum by ({BY_TARGET}) ({one(about('tracked_steps', POLLED))})",
                    NAMED,
                )
            ],
            "none",
            size=(6, 8),
        ),
        graph(
            "Series",
            "Series of resources and finished steps of each exporter, and those that "
            "metrics.series_limit keeps out of its metrics.",
            [
                query(about("series", chosen=PROCESS), "{{instance}}"),
                query(about("series_dropped", chosen=PROCESS), "{{instance}} kept out"),
            ],
            "none",
            size=(6, 8),
            links=runbooks("ImageBuilderSeriesDropped"),
        ),
        rows(
            "Matches of selectors",
            "Number of pipelines or images that each selector of the configuration matches. A "
            "selector with 0 matches may have a typing error.",
            [f"max by (target, region, kind, selector) ({about('selector_matches')})"],
            [
                Column("target", "Target"),
                Column("region", "Region"),
                Column("kind", "Kind"),
                Column("selector", "Selector"),
                Column("A", "Matches", "none", 90, [(None, "orange"), (1, "green")]),
            ],
            size=(6, 8),
            sort=("Matches", False),
        ),
    ]


def exporter():
    return board(
        "Image Builder / Exporter",
        "imagebuilder-exporter",
        "API calls of imagebuilder_exporter, its poll lag, and the resources that it uses.",
        "now-6h",
        [
            choice("job", "Job", f"{EXPORTER}build_info", "job"),
            choice("instance", "Instance", f'{EXPORTER}build_info{{job=~"$job"}}', "instance"),
            choice("target", "Target", f"{EXPORTER}tracked_steps{{{PROCESS}}}", "target"),
            choice(
                "region",
                "Region",
                f'{EXPORTER}tracked_steps{{{PROCESS}, target=~"$target"}}',
                "region",
            ),
        ],
        [],
        [
            ("Summary", in_figures()),
            ("Processes", processes()),
            ("API calls", api()),
            ("Lag", lag()),
            ("Tracked resources", tracked()),
            ("Resources", resources()),
        ],
    )
