"""A running Prometheus, and what it is asked; and the Alertmanager that can run beside it."""

import contextlib
import json
import pathlib
import shutil
import urllib.error
import urllib.parse

import pytest
from processes import get, running_process, until


# Debian's program looks for them there, wherever it stands itself.
TEMPLATES = pathlib.Path("/usr/share/prometheus/alertmanager/default.tmpl")
NEEDS_ALERTMANAGER = pytest.mark.skipif(
    bool(shutil.which("prometheus-alertmanager")) and not TEMPLATES.exists(),
    reason="Alertmanager's templates are not installed",
)


class Prometheus:
    def __init__(self, address):
        self.url = f"http://{address}"

    def api(self, path, **parameters):
        query = urllib.parse.urlencode(parameters, doseq=True)
        body, _ = get(f"{self.url}/api/v1/{path}?{query}")
        answer = json.loads(body)
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression, **parameters):
        """The series of a vector or a matrix."""
        return self.api("query", query=expression, **parameters)["result"]

    def value(self, expression):
        (series,) = self.query(expression)
        return float(series["value"][1])

    def target(self, job):
        (target,) = [
            target
            for target in self.api("targets")["activeTargets"]
            if target["labels"]["job"] == job
        ]
        return target


def refusal(server, expression):
    """What Prometheus has against a query, or nothing."""
    try:
        server.query(expression)
    except urllib.error.HTTPError as error:
        return json.loads(error.read())["error"]
    return ""


@contextlib.contextmanager
def running_prometheus(generation, address, configuration, directory):
    """A Prometheus that has scraped each of its targets some times."""
    file = directory / "prometheus.yaml"
    file.write_text(configuration)
    command = [
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={address}",
    ]
    log = directory / "prometheus.log"
    with running_process(command, log, more=generation.environment, cwd=directory):
        server = Prometheus(address)
        until("Prometheus to be ready", lambda: get(f"{server.url}/-/ready"))
        # A job that was never scraped has no `up`.
        jobs = f"count(count by (job) (up)) == {configuration.count('job_name:')}"
        scrapes = f"min(count_over_time(up[1m])) >= 5 and {jobs}"
        until("five scrapes of each target", lambda: server.query(scrapes))
        yield server
