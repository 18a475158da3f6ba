"""VictoriaMetrics in Prometheus's place: vmagent scrapes the demo, victoria-metrics stores that, and
vmalert evaluates the shipped rules on it."""

import contextlib
import urllib.parse

import pytest

from conftest import ROOT
from generations import NEEDS_SID, SIDS
from processes import free_port, get, running_process, until
from prometheus_server import Prometheus
from test_prometheus import JOB, NOT_AT_ONCE, families
from test_rules import ALERTS, RECORDED, RULES

pytestmark = NEEDS_SID

SCRAPES = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: imagebuilder
    static_configs: [{{targets: ["{exporter}"]}}]
"""


def test_vmalert_accepts_the_rules():
    SIDS.output_of("vmalert", "-dryRun", f"-rule={RULES}")


@pytest.fixture(scope="module")
def victoria(demo, tmp_path_factory):
    """The addresses of VictoriaMetrics and vmalert: queries, and the state of the rules."""
    until("the demo to be ready", lambda: get(demo.replace("/metrics", "/-/ready")))
    directory = tmp_path_factory.mktemp("victoriametrics")
    scrapes = directory / "scrapes.yaml"
    scrapes.write_text(SCRAPES.format(exporter=urllib.parse.urlsplit(demo).netloc))
    storage, agent, alert = (f"127.0.0.1:{free_port()}" for _ in range(3))

    @contextlib.contextmanager
    def running(program, address, *flags):
        command = [program, f"-httpListenAddr={address}", *flags]
        log = directory / f"{program}.log"
        with running_process(command, log, more=SIDS.environment, cwd=directory):
            until(f"{program} to answer", lambda: get(f"http://{address}/health"))
            yield

    # What was scraped is there for queries at once, and not after half a minute.
    at_once = ["-search.latencyOffset=0s", "-inmemoryDataFlushInterval=1s"]
    write = f"-remoteWrite.url=http://{storage}"
    # Each answers before the next one starts: vmalert counts an evaluation without storage as an error.
    with (
        running("victoria-metrics", storage, "-storageDataPath=data", *at_once),
        running(
            "vmagent",
            agent,
            f"-promscrape.config={scrapes}",
            f"{write}/api/v1/write",
            "-remoteWrite.flushInterval=1s",
            "-remoteWrite.tmpDataPath=queue",
        ),
        running(
            "vmalert",
            alert,
            f"-rule={RULES}",
            f"-datasource.url=http://{storage}",
            write,
            "-remoteWrite.flushInterval=1s",
            "-evaluationInterval=1s",
            "-rule.evalDelay=0s",
            "-notifier.blackhole",
        ),
    ):
        yield Prometheus(storage), Prometheus(alert)


def test_every_documented_family_is_stored(victoria, root):
    stored, _ = victoria
    until("a scrape", lambda: stored.query(f"up{{{JOB}}} == 1"))
    suffixes = {"histogram": ["_bucket", "_sum", "_count"]}
    documented = {
        name + suffix
        for name, kind in families(root).items()
        for suffix in suffixes.get(kind, [""])
    }

    def all_documented():
        return documented - set(stored.api("label/__name__/values")) <= NOT_AT_ONCE

    until("every documented family", all_documented)


@pytest.fixture(scope="module")
def firing(victoria):
    """The alerts on failed steps of the demo, once they fire: each rule was evaluated on real metrics
    about sixty times by then."""
    _, vmalert = victoria

    def alerts():
        return [
            alert
            for alert in vmalert.api("alerts")["alerts"]
            if alert["labels"]["alertname"] == "ImageBuilderStepFailed"
            and alert["state"] == "firing"
        ]

    return until("the alert to fire", alerts)


def test_failed_step_of_the_demo_alerts(firing):
    for alert in firing:
        assert alert["labels"]["image"] in alert["annotations"]["summary"]


def test_no_rule_fails(victoria, firing):
    _, vmalert = victoria
    rules = [rule for group in vmalert.api("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == len(RECORDED) + len(ALERTS)
    failed = {rule["name"]: rule["lastError"] for rule in rules if rule["health"] != "ok"}
    assert failed == {}
    text, _ = get(f"{vmalert.url}/metrics")
    errors = [line for line in text.decode().splitlines() if line.startswith("vmalert_execution_err")]
    assert errors == ["vmalert_execution_errors_total 0"]
