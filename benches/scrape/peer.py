"""Serves step families with a custom collector of prometheus_client, for `cargo bench --bench scrape`.

Reads the families from standard input, prints its port, and ends when standard input is closed.
"""

import sys

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily

SEPARATOR = "\x1f"


class Steps:
    """Makes all families at each scrape."""

    def __init__(self, families):
        self.families = families

    def collect(self):
        for name, text, labels, samples in self.families:
            family = GaugeMetricFamily(name, text, labels=labels)
            for values, value in samples:
                family.add_metric(values, value)
            yield family


def lines():
    """The lines up to an empty one."""
    while line := sys.stdin.readline().rstrip("\n"):
        yield line


def sample(line):
    value, *labels = line.split(SEPARATOR)
    return [sys.intern(label) for label in labels], float(value)


def families():
    """The families up to an empty one."""
    while head := sys.stdin.readline().rstrip("\n"):
        name, text, *labels = head.split(SEPARATOR)
        yield name, text, labels, [sample(line) for line in lines()]


registry = CollectorRegistry()
registry.register(Steps(list(families())))
server, _ = start_http_server(0, "127.0.0.1", registry)
print(server.server_port, flush=True)
sys.stdin.read()
