"""The Grafana dashboards, on a Prometheus that scrapes two replicas: they show what each one shows."""

import os
import re
import time

import pytest
import yaml
from conftest import ROOT, SCENARIOS
from grafana import (
    CHOICES,
    EACH_QUERY,
    MAY_BE_EMPTY,
    asked,
    chosen,
    each,
    interpolated,
    overrides,
    queries,
    renamed,
    title,
)
from generations import THE_SYSTEMS
from processes import free_port, get, listens, running_process, until
from prometheus_server import running_prometheus

PAIR = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: imagebuilder
    static_configs:
      - {{targets: ["{one}"], labels: {{pod: exporter-one, container: exporter, endpoint: http}}}}
      - {{targets: ["{two}"], labels: {{pod: exporter-two, container: exporter-v2, endpoint: metrics}}}}
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A Prometheus that scrapes two replicas as Kubernetes has them, and their instances; of the
    second only the status that each thing has is shown."""
    directory = tmp_path_factory.mktemp("pair")
    binary = os.environ["IMAGEBUILDER_EXPORTER_BIN"]
    simulator, one, two, itself = (f"127.0.0.1:{free_port()}" for _ in range(4))
    simulate = [binary, "simulate", f"--listen-address={simulator}", "--speed=10"]
    simulate += [f"--scenario={SCENARIOS / 'demo.yaml'}"]

    def follow(address, status_format):
        config = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
        config["metrics"]["status_format"] = status_format
        file = directory / f"{status_format}.yaml"
        file.write_text(yaml.safe_dump(config))
        environment = [
            f"IMAGEBUILDER_SIMULATOR_URL=http://{simulator}",
            f"AWS_ENDPOINT_URL_STS=http://{simulator}",
            "AWS_ACCESS_KEY_ID=AKID",
            "AWS_SECRET_ACCESS_KEY=secret",
        ]
        command = [binary, f"--config.file={file}", f"--web.listen-address={address}"]
        return running_process(["env", *environment, *command], directory / f"{status_format}.log")

    with running_process(simulate, directory / "simulator.log"):
        until("the simulator to listen", lambda: listens(simulator))
        with follow(one, "stateset"), follow(two, "sparse"):
            for replica in (one, two):
                until(f"{replica} to be ready", lambda at=replica: get(f"http://{at}/-/ready"))
            configuration = PAIR.format(one=one, two=two)
            with running_prometheus(THE_SYSTEMS, itself, configuration, directory) as server:
                yield server, one, two


def of_instance(expression, instance):
    """The same of one replica: its series are all that are ours."""

    def narrowed(found):
        matcher = f'{found[1]}{{instance="{instance}"'
        return f"{matcher}, " if found[2] else f"{matcher}}}"

    return re.sub(r"\b(imagebuilder_\w+)\b(\{?)", narrowed, expression)


def shown(server, expression, now):
    """Series and values."""
    return {
        tuple(sorted(one["metric"].items())): float(one["value"][1])
        for one in server.query(expression, time=now)
    }


def alike(one, other, unit):
    """The same but for what passes between two replicas' polls and scrapes: also the expected end of
    what overruns moves on."""
    tolerance = {"s": 5.0, "dateTimeAsIso": 5_000.0, "percentunit": 0.05}.get(unit, 0)
    return one.keys() == other.keys() and all(
        abs(one[series] - other[series]) <= tolerance for series in one
    )


def unit_of(panel, target):
    name = f"Value #{target['refId']}" if len(panel["targets"]) > 1 else "Value"
    if panel["type"] != "table":
        return panel["fieldConfig"]["defaults"]["unit"]
    return overrides(panel).get(renamed(panel).get(name), {}).get("unit")


def of_the_pair(board):
    """What is about the service; the exporters' own panels tell them apart. Each has begun to count
    when it began."""
    if board["uid"] == "imagebuilder-exporter":
        return []
    return [
        (panel, target)
        for panel, target in queries(board)
        if "increase(" not in target["expr"] and "ALERTS" not in target["expr"]
    ]


@pytest.mark.parametrize("board, panel, target", each(of_the_pair))
def test_panel_has_the_same_data_from_two_replicas_as_from_one(pair, board, panel, target):
    server, *replicas = pair

    def all_alike():
        now = time.time()
        whole = interpolated(target["expr"], chosen(board), now)
        both = shown(server, whole, now)
        parts = [shown(server, of_instance(whole, one), now) for one in replicas]
        assert all("instance" not in dict(series) for series in both)
        if not both and title(board, panel, target) not in MAY_BE_EMPTY:
            return False
        return all(alike(both, part, unit_of(panel, target)) for part in parts)

    until("both replicas to show the same", all_alike)


@EACH_QUERY
def test_query_of_a_panel_is_valid_with_two_replicas(pair, board, panel, target):
    server, *_ = pair
    now = time.time()
    for choices in ({}, CHOICES):
        asked(server, board, target, chosen(board, **choices), now)
