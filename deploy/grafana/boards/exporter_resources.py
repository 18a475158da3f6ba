"""Panels on what each process of the exporter uses, and on its defects."""

from boards.exporter_queries import PROCESS, about, of_exporters
from boards.panels import graph, query, runbooks, timeline


def resources():
    unparsable = about("unparsable_fields_total", chosen=PROCESS)
    panics = about("panics_total", chosen=PROCESS)

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
            "File descriptors of each process, mostly sockets.",
        ),
        process(
            "scrape_duration_seconds", "s", "Scrapes", "Duration of a scrape."
        ),
        process("scrape_samples_scraped", "none", "Samples", "Number of samples in a scrape."),
        graph(
            "Unreadable members",
            "Members of responses per second that the exporter could not read and ignored.",
            [
                query(
                    f"sum by (field) (rate({unparsable}[$__rate_interval]))",
                    "{{field}}",
                )
            ],
            "ops",
            size=(4, 7),
        ),
        graph(
            "Panics",
            "Panics within an hour, by the part of the exporter. Each is a defect; the log has its "
            "place.",
            [query(f"sum by (subsystem) (increase({panics}[1h]))", "{{subsystem}}")],
            "none",
            size=(4, 7),
            steps=[(None, "green"), (1, "red")],
            links=runbooks("ImageBuilderExporterPanicked"),
        ),
        timeline(
            "Configuration",
            "Whether the last reload of each exporter succeeded.",
            f"min by (instance) ({about('config_last_reload_successful', chosen=PROCESS)})",
            "{{instance}}",
            {1: ("effective", "green"), 0: ("rejected", "red")},
            size=(4, 7),
            links=runbooks("ImageBuilderConfigReloadFailed"),
        ),
    ]
