"""The exporter itself: what it asks of AWS, how late it is, what it takes."""

from boards.board import board, choice
from boards.exporter_queries import (
    ASKED_FOR,
    BUILD_INFO,
    BY_TARGET,
    ERRORS,
    EXPORTER,
    NAMED,
    PROCESS,
    THROTTLED,
    about,
    calls,
    of_exporters,
    part_of_calls,
    within,
)
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
            "Exporters that Prometheus scrapes with success.",
            f"count(({up}) == 1)",
            steps=[(None, "red"), (1, "green")],
            size=(3, 4),
            links=runbooks("ImageBuilderExporterAbsent"),
        ),
        number(
            "Exporters down",
            "Exporters that Prometheus has scraped within a day and cannot scrape now.",
            at_least_zero(f"count(({up}) == 0)"),
            steps=NONE_IS_GOOD,
            size=(3, 4),
            links=runbooks("ImageBuilderExporterDown"),
        ),
        number(
            "Shards missing",
            "How many of the shards that there are to be no exporter is scraped as. What they poll "
            "is not seen.",
            f"sum({one(shards, 'shard')} - count without (shard) ({one(shards)}))",
            steps=NONE_IS_GOOD,
            size=(3, 4),
            links=runbooks("ImageBuilderShardMissing"),
        ),
        number(
            "Configurations refused",
            "Exporters that refused their configuration when they last read it, and work on with "
            "the one before.",
            at_least_zero(f"count({about('config_last_reload_successful', chosen=PROCESS)} == 0)"),
            steps=NONE_IS_GOOD,
            size=(3, 4),
            links=runbooks("ImageBuilderConfigReloadFailed"),
        ),
        number(
            "Targets down",
            "Targets and regions where no exporter can use the service.",
            at_least_zero(f"count({one(about('target_up'))} == 0)"),
            steps=NONE_IS_GOOD,
            size=(3, 4),
            links=runbooks("ImageBuilderTargetDown", "ImageBuilderTargetGone"),
        ),
        number(
            "API calls",
            "Calls of the Image Builder API a second, of all exporters together.",
            calls(""),
            unit="reqps",
            size=(3, 4),
        ),
        number(
            "Calls that failed",
            "The part of the calls that came to nothing, throttled ones left out.",
            f"{part_of_calls(ERRORS)} or 0 * {calls('')}",
            unit="percentunit",
            steps=[(None, "green"), (0.01, "orange"), (0.1, "red")],
            size=(3, 4),
            links=runbooks("ImageBuilderTargetDown"),
        ),
        number(
            "Calls throttled",
            "The part of the calls that the service throttled. Each is made again, and the "
            "exporter slows down.",
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
            "Each process: its version, since when it runs, and whether it took its configuration "
            "when it last read it.",
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
                Column("C", "Since", unit="dateTimeAsIso", width=170),
                Column(
                    "D",
                    "Configuration",
                    width=120,
                    texts=mapping({1: ("taken", "green"), 0: ("refused", "red")}),
                ),
                Column("E", "Taken", unit="dateTimeAsIso", width=170),
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
                "Calls of the Image Builder API a second. docs/architecture.md says which is made "
                "when.",
                [query(calls("operation"), "{{operation}}")],
                "reqps",
            )
        ),
        stacked(
            graph(
                "Calls by result",
                "Each attempt counts; credentials are those for which nothing could be sent.",
                [query(calls("result"), "{{result}}")],
                "reqps",
                links=runbooks("ImageBuilderTargetDown"),
            )
        ),
        graph(
            "Failed part by target",
            "The part of the calls that came to nothing, throttled ones left out.",
            [query(f"{part_of_calls(ERRORS, BY_TARGET)} or 0 * {calls(BY_TARGET)}", NAMED)],
            "percentunit",
            size=(8, 8),
            steps=[(None, "green"), (0.1, "red")],
            links=runbooks("ImageBuilderTargetDown"),
        ),
        graph(
            "Throttled calls",
            "Calls a second that the service throttled, by target. The limit is one for an "
            "account and region, whoever calls.",
            [query(f"{calls(BY_TARGET, THROTTLED)} or 0 * {calls(BY_TARGET)}", NAMED)],
            "reqps",
            size=(8, 8),
            links=runbooks("ImageBuilderRateLimitStarving"),
        ),
        graph(
            "How long calls take",
            "Nine in ten calls of each operation took no longer than this.",
            [query(latency(0.9), "{{operation}}")],
            "s",
            size=(8, 8),
        ),
    ]


def lag():
    def late(quantile):
        return within(quantile, BY_TARGET, about("poll_lag_seconds_bucket"))

    waits = about("rate_limit_wait_seconds_total")
    discovered = about("discovery_last_success_timestamp_seconds")
    return [
        graph(
            "How late polls begin",
            "Nine in ten polls that were due began no later than this, and 99 in a hundred.",
            [
                query(late(0.9), f"{NAMED} p90"),
                query(late(0.99), f"{NAMED} p99"),
            ],
            "s",
            steps=[(None, "green"), (30, "red")],
            links=runbooks("ImageBuilderRateLimitStarving"),
        ),
        graph(
            "Calls that wait for the rate limit",
            "How many calls wait at a time for the exporter's own rate limit, on average.",
            [query(f"sum by ({BY_TARGET}) (rate({waits}[$__rate_interval]))", NAMED)],
            "none",
            links=runbooks("ImageBuilderRateLimitStarving"),
        ),
        timeline(
            "Targets",
            "Whether an exporter can use the service.",
            f"max by ({BY_TARGET}) ({about('target_up')})",
            NAMED,
            {1: ("up", "green"), 0: ("down", "red")},
            size=(8, 8),
            links=runbooks("ImageBuilderTargetDown"),
        ),
        graph(
            "Age of discovery",
            "How long ago what is there to follow was last looked for with success.",
            [query(f"time() - max by ({BY_TARGET}) ({discovered})", NAMED)],
            "s",
            size=(8, 8),
            steps=[(None, "green"), (900, "red")],
            links=runbooks("ImageBuilderDiscoveryOld"),
        ),
        graph(
            "Clock skew",
            "The service's clock minus each exporter's. Durations of running steps are wrong by "
            "as much, and AWS refuses calls that are signed minutes off.",
            [query(about("clock_skew_seconds"), f"{NAMED} {{{{instance}}}}")],
            "s",
            size=(8, 8),
            steps=[(None, "green"), (60, "red")],
            links=runbooks("ImageBuilderClockSkew"),
            lowest=None,
        ),
    ]


def followed():
    return [
        stacked(
            graph(
                "Steps by state",
                "Step executions that are known of: pending were never seen, active are still "
                "asked for, settled are final, gone are those that the service has forgotten.",
                [query(f"sum by (state) ({one(about('tracked_steps'))})", "{{state}}")],
                "none",
                size=(8, 8),
                links=runbooks("ImageBuilderStepNeverSeen"),
            )
        ),
        graph(
            "Active and pending steps by target",
            "What is asked for, and so what takes API calls.",
            [
                query(
                    f"sum by ({BY_TARGET}) ({one(about('tracked_steps', ASKED_FOR))})",
                    NAMED,
                )
            ],
            "none",
            size=(8, 8),
        ),
        rows(
            "What the configuration chooses",
            "How many pipelines or images each pattern or ARN of the configuration chooses. "
            "Nothing may be a name that is misspelt.",
            [f"max by (target, region, kind, selector) ({about('selector_matches')})"],
            [
                Column("target", "Target"),
                Column("region", "Region"),
                Column("kind", "Kind"),
                Column("selector", "Selector"),
                Column("A", "Chosen", "none", 90, [(None, "orange"), (1, "green")]),
            ],
            size=(8, 8),
            sort=("Chosen", False),
        ),
    ]


def resources():
    unparsable = about("unparsable_fields_total", chosen=PROCESS)

    def process(name, unit, title, description, expression=None, links=()):
        series = f"{name}{{{PROCESS}}}"
        found = of_exporters(expression.format(series) if expression else series)
        return graph(
            title, description, [query(found, "{{instance}}")], unit, size=(6, 7), links=links
        )

    return [
        process(
            "process_resident_memory_bytes", "bytes", "Memory", "Resident memory of each process."
        ),
        process(
            "process_cpu_seconds_total",
            "percentunit",
            "CPU",
            "CPU time of each process; 100 % is one core.",
            "rate({}[$__rate_interval])",
        ),
        process("process_threads", "none", "Threads", "Threads of each process."),
        process(
            "process_open_fds",
            "none",
            "Open files",
            "File descriptors of each process: sockets, above all.",
        ),
        process(
            "scrape_duration_seconds", "s", "Scrapes", "How long Prometheus took for a scrape."
        ),
        process("scrape_samples_scraped", "none", "Samples", "How many samples a scrape brings."),
        graph(
            "Members not understood",
            "Members of the service's answers that the exporter left out as it could not read "
            "them, a second.",
            [
                query(
                    f"sum by (field) (rate({unparsable}[$__rate_interval]))",
                    "{{field}}",
                )
            ],
            "ops",
            size=(6, 7),
        ),
        timeline(
            "Configuration",
            "Whether each exporter took its configuration when it last read it.",
            f"min by (instance) ({about('config_last_reload_successful', chosen=PROCESS)})",
            "{{instance}}",
            {1: ("taken", "green"), 0: ("refused", "red")},
            size=(6, 7),
            links=runbooks("ImageBuilderConfigReloadFailed"),
        ),
    ]


def exporter():
    return board(
        "Image Builder / Exporter",
        "imagebuilder-exporter",
        "What imagebuilder_exporter asks of AWS, how late it is, and what it takes.",
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
            ("In figures", in_figures()),
            ("Processes", processes()),
            ("API calls", api()),
            ("Lag", lag()),
            ("What is followed", followed()),
            ("Resources", resources()),
        ],
    )
