"""Starts the program that IMAGEBUILDER_EXPORTER_BIN names, as simulator with clients that talk to
it, and as demo."""

import contextlib
import itertools
import json
import os
import pathlib
import re
import selectors
import subprocess
import threading
import urllib.parse

import boto3
import pytest
from botocore.config import Config
from browser import chromium, exporting
from generations import each_generation
from judge import judge
from processes import (
    PATIENCE,
    clean_environment,
    end,
    free_port,
    get,
    running_process,
    tail,
    until,
)
from prometheus_server import running_prometheus
from quickstart import Quickstart
from status_page import WORLD, all_is_known

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "config" / "scenarios"

# One build that has ended, one that runs, and one of another account and region.
PIPELINES = """
pipelines:
  - name: golden
    account: "111122223333"
    region: us-west-2
    first: -10h
    every: 10h
    workflows:
      - managed: build-image
        steps:
          - {name: LaunchBuildInstance, description: Starts the build instance}
          - {name: ApplyBuildComponents, attempts: {max: 3, fails: 1}}
      - {managed: test-image, parallel_group: tests}
  - name: broken
    account: "111122223333"
    region: us-west-2
    first: -10h
    every: 7d
    retries: 1
    workflows:
      - managed: build-image
      - managed: test-image
        steps: [{name: CollectImageScanFindings, outcome: failed, on_failure: Abort, message: "No space left"}]
  - name: elsewhere
    account: "444455556666"
    region: eu-west-1
    first: -10h
    every: 7d
    workflows: [{managed: build-image}]
"""

DEMO_PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: imagebuilder
    static_configs: [{{targets: ["{exporter}"]}}]
"""


def pytest_configure():
    """What somebody's machine has set changes neither boto3 nor Chromium nor any program that is
    started here."""
    clean = clean_environment()
    for name in os.environ.keys() - clean.keys():
        if not name.startswith("IMAGEBUILDER_"):
            del os.environ[name]
    os.environ |= clean


def pytest_terminal_summary(terminalreporter):
    """A test is skipped only for want of a tool that can't be installed here. What was skipped so
    ends the run, and where CHECKS_NOT_MADE names a file, tests/run reads it there."""
    if hasattr(terminalreporter.config, "workerinput"):
        return  # Its reports go to the process that started it.
    skipped = {}
    for report in terminalreporter.stats.get("skipped", []):
        what = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
        skipped.setdefault(report.longrepr[2].removeprefix("Skipped: "), []).append(what)
    # A whole generation of Prometheus that is missing is hundreds of tests.
    lines = [
        f"{what}: {reason}\n"
        for reason, tests in skipped.items()
        for what in (tests if len(tests) < 10 else [f"{len(tests)} tests"])
    ]
    if lines:
        terminalreporter.section("checks that could not be made")
        terminalreporter.write("".join(lines))
    if file := os.environ.get("CHECKS_NOT_MADE"):
        with open(file, "a", encoding="utf-8") as not_made:
            not_made.write("".join(lines))


class Simulator:
    """A running simulator."""

    def __init__(self, process, address):
        self.process = process
        self.url = f"http://{address}"

    def client(self, service="imagebuilder", region="us-west-2", credentials=None, **options):
        """A client without retries whose every answer is judged by the service model."""
        credentials = credentials or {
            "aws_access_key_id": "AKID",
            "aws_secret_access_key": "secret",
        }
        options = {"read_timeout": PATIENCE, "proxies": {}} | options
        config = Config(retries={"total_max_attempts": 1}, **options)
        client = boto3.session.Session().client(
            service, region_name=region, endpoint_url=self.url, config=config, **credentials
        )
        client.answers = []
        if service == "imagebuilder":
            client.meta.events.register("before-parse.imagebuilder", recorder(client))
        return client


def recorder(client):
    def record(operation_model, response_dict, **_):
        if response_dict["status_code"] != 200:
            return
        try:
            answer = json.loads(response_dict["body"])
        except ValueError:
            # A scripted fault; the test that scripted it looks at what boto3 makes of it.
            return
        client.answers.append(answer)
        client.judgements = list(judge(operation_model.output_shape, answer))

    return record


@pytest.fixture
def simulate(tmp_path):
    """Starts a simulator with a scenario's text, or its file."""
    numbers = itertools.count()

    def start(text=None, file=None, speed=1, seed=7):
        if file is None:
            file = tmp_path / f"scenario-{next(numbers)}.yaml"
            file.write_text(PIPELINES if text is None else text)
        process = subprocess.Popen(
            [
                os.environ["IMAGEBUILDER_EXPORTER_BIN"],
                "simulate",
                "--listen-address=127.0.0.1:0",
                f"--scenario={file}",
                f"--speed={speed}",
                f"--seed={seed}",
            ],
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        running.callback(end, process)
        return Simulator(process, bound_address(process))

    with contextlib.ExitStack() as running:
        yield start


def bound_address(process):
    said = []
    for line in process.stderr:
        said.append(line)
        found = re.search(r"\baddress=\"?(127\.0\.0\.1:\d+)", line)
        if found:
            # Whatever it still says must not fill the pipe.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return found.group(1)
    raise AssertionError(f"the simulator ended without an address: {''.join(said)}")


@pytest.fixture
def simulator(simulate):
    return simulate()


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The URL of the metrics of a running demo."""
    log = tmp_path_factory.mktemp("demo") / "stderr"
    binary = os.environ["IMAGEBUILDER_EXPORTER_BIN"]
    command = [binary, "demo", "--web.listen-address=127.0.0.1:0"]
    with running_process(command, log, stdout=subprocess.PIPE, text=True) as process:
        yield announced(process, "metrics: ", log)


@pytest.fixture(scope="module", params=each_generation("prometheus"))
def generation(request):
    """Each generation of Prometheus, with the Alertmanager of its time."""
    return request.param


@pytest.fixture(scope="session")
def demo_prometheus_of(demo, tmp_path_factory):
    """Gives the Prometheus of a generation with all shipped rules that scrapes the demo."""
    until("the demo to be ready", lambda: get(demo.replace("/metrics", "/-/ready")))
    configuration = DEMO_PROMETHEUS.format(
        rules=ROOT / "deploy/prometheus/rules.yaml", exporter=urllib.parse.urlsplit(demo).netloc
    )
    servers = {}

    def of(generation):
        if generation not in servers:
            address = f"127.0.0.1:{free_port()}"
            directory = tmp_path_factory.mktemp("demo-prometheus")
            server = running_prometheus(generation, address, configuration, directory)
            servers[generation] = running.enter_context(server)
        return servers[generation]

    with contextlib.ExitStack() as running:
        yield of


@pytest.fixture(scope="module")
def demo_prometheus(demo_prometheus_of, generation):
    return demo_prometheus_of(generation)


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def exporter(simulate, tmp_path):
    """An exporter for the status page, which knows all builds of its simulated account."""
    with exporting(simulate(WORLD), tmp_path) as exporter:
        exporter.until("all builds are there", all_is_known)
        yield exporter


@pytest.fixture
def quickstart(tmp_path):
    numbers = itertools.count()

    def start(*arguments, **options):
        one = Quickstart(tmp_path / str(next(numbers)), *arguments, **options)
        running.callback(end, one.process)
        return one

    with contextlib.ExitStack() as running:
        yield start


def announced(process, what, log):
    """What follows `what` in the first line of the program's standard output."""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(timeout=PATIENCE), f"no line within {PATIENCE} s:\n{tail(log)}"
    line = process.stdout.readline()
    assert line.startswith(what), f"{line!r}\n{tail(log)}"
    return line.removeprefix(what).strip()
