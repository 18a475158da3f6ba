"""A real Prometheus scrapes the demo; its HTTP API tells what came of it."""

import re
import time
import urllib.parse

import pytest

from processes import free_port, get, until
from prometheus_server import running_prometheus

STEP = "imagebuilder_workflow_step"
JOB = 'job="imagebuilder"'

# Shown with message_labels alone, which the demo leaves off.
NOT_IN_THE_DEMO = {f"{STEP}_message_info"}
# Where the service reports attempts: in the demo for one step, maybe minutes after its start.
NOT_AT_ONCE = {
    f"{STEP}_attempt",
    f"{STEP}_max_attempts",
    f"{STEP}_unresolved_rollback_failure",
    "imagebuilder_pipeline_run_overdue_seconds",
}

CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: imagebuilder
    static_configs: [{{targets: ["{exporter}"]}}]
  - job_name: prometheus
    static_configs: [{{targets: ["{itself}"]}}]
"""


@pytest.fixture(scope="module")
def prometheus(generation, demo, root, tmp_path_factory):
    """A Prometheus that has scraped the demo, once that was ready, a few times."""
    until("the demo to be ready", lambda: get(demo.replace("/metrics", "/-/ready")))
    directory = tmp_path_factory.mktemp("prometheus")
    address = f"127.0.0.1:{free_port()}"
    configuration = CONFIGURATION.format(
        rules=root / "deploy/prometheus/first-alert.yaml",
        exporter=urllib.parse.urlsplit(demo).netloc,
        itself=address,
    )
    with running_prometheus(generation, address, configuration, directory) as server:
        yield server


def test_scrape_succeeds(prometheus):
    def succeeds():
        target = prometheus.target("imagebuilder")
        return (target["health"], target["lastError"]) == ("up", "")

    until("a scrape that succeeds", succeeds)
    # So did each before it, but for those that a busy machine did not finish within their second.
    failed = f"up{{{JOB}}} == bool 0 and scrape_duration_seconds < 1"
    assert prometheus.value(f"max_over_time(({failed})[5m:1s])") == 0
    scraped, kept = "scrape_samples_scraped", "scrape_samples_post_metric_relabeling"
    assert prometheus.value(f"{scraped}{{{JOB}}} > 0 and {scraped} == {kept}")


@pytest.mark.parametrize(
    "complaint",
    [
        "prometheus_target_scrapes_sample_duplicate_timestamp_total",
        "prometheus_target_scrapes_sample_out_of_order_total",
        "prometheus_target_scrapes_sample_out_of_bounds_total",
        "prometheus_target_scrapes_exceeded_sample_limit_total",
        "prometheus_rule_evaluation_failures_total",
    ],
)
def test_prometheus_has_no_complaint(prometheus, complaint):
    assert prometheus.value(f"sum({complaint})") == 0


def test_steps_in_many_states_are_there(prometheus):
    def four_and_failed():
        shown = prometheus.query(f"{STEP}_status{{{JOB}}} == 1")
        statuses = {series["metric"]["status"] for series in shown}
        return len(statuses) >= 4 and "FAILED" in statuses

    until("steps of four statuses, one of them FAILED", four_and_failed)
    until("a breached timeout", lambda: prometheus.query(f"{STEP}_timeout_breached == 1"))
    until("a rollback", lambda: prometheus.query(f"{STEP}_rollback_status == 1"))


def test_exporter_exposes_its_targets_and_calls(prometheus):
    up = prometheus.query("imagebuilder_exporter_target_up")
    assert up and all(series["value"][1] == "1" for series in up)
    calls = 'imagebuilder_exporter_api_requests_total{result="ok"}'
    first = prometheus.value(f"sum({calls})")
    assert first > 0
    until("calls to go on", lambda: prometheus.value(f"sum({calls})") > first)


def test_everything_discovered_is_there_of_both_accounts(prometheus):
    accounts = {"production": "111122223333", "staging": "444455556666"}
    regions = {"us-west-2", "eu-west-1"}
    for info in ("pipeline", "image", "workflow_execution", "workflow_step"):

        def of_everywhere(info=info):
            found = prometheus.query(f"imagebuilder_{info}_info{{{JOB}}}")
            series = [one["metric"] for one in found]
            there = {one["target"] for one in series} == accounts.keys()
            return there and {one["region"] for one in series} >= regions and series

        for one in until(f"each {info} of both accounts", of_everywhere):
            assert one["account_id"] == accounts[one["target"]], one
            assert "tag_Team" in one, one


@pytest.mark.parametrize(
    "expression",
    [
        # A running step, with what its info series has more than it.
        f'({STEP}_status{{status="RUNNING"}} == 1)'
        f" * on (instance, step_execution_id) group_left (image_version, workflow_execution_id)"
        f" {STEP}_info",
        # With how its workflow execution stands.
        f"{STEP}_info * on (instance, workflow_execution_id) group_left ()"
        " imagebuilder_workflow_execution_start_time_seconds",
        # With the pipeline that builds its image.
        "imagebuilder_workflow_execution_info"
        " * on (instance, account_id, region, image, image_version) group_left (pipeline)"
        ' imagebuilder_image_info{pipeline!=""}',
        # The age of what was last made of an image.
        "time() - imagebuilder_image_last_available_timestamp_seconds",
    ],
)
def test_series_of_different_families_can_be_joined(prometheus, expression):
    until("an answer", lambda: prometheus.query(expression))


def test_increase_counts_finished_steps(prometheus):
    finished = f"increase({STEP}s_finished_total[5m])"
    duration = f"increase({STEP}_finished_duration_seconds_count[5m])"
    until("a step to be counted", lambda: prometheus.query(f"{finished} > 0"))
    until("its duration to be counted", lambda: prometheus.query(f"{duration} > 0"))


def test_running_step_grows_with_the_clock_from_scrape_to_scrape(prometheus):
    """Also between polls: what it has run for is told as of each scrape, not of a moment before."""

    def runs_for_some_scrapes():
        started = {
            step["metric"]["step_execution_id"]: float(step["value"][1])
            for step in prometheus.query(
                f"{STEP}_start_time_seconds and on (step_execution_id)"
                f' min_over_time({STEP}_status{{status="RUNNING"}}[6s]) == 1'
                f" and on (step_execution_id) changes({STEP}_start_time_seconds[6s]) == 0"
            )
        }
        for step in prometheus.query(f"{STEP}_duration_seconds[5s]"):
            identity = step["metric"]["step_execution_id"]
            if identity in started and len(step["values"]) >= 4:
                return [(at, started[identity] + float(value)) for at, value in step["values"]]

    samples = until("a step to run for four scrapes", runs_for_some_scrapes)
    told = [moment for _, moment in samples]
    assert told == sorted(set(told)), samples
    # A scrape's time is when it was meant to begin; a busy machine begins it later.
    for at, moment in samples:
        assert at - 0.05 <= moment <= time.time(), samples


def families(root):
    """Names and types of what docs/metrics.md lists, but for what the demo has switched off."""
    page = (root / "docs/metrics.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE))
    assert len(rows) > 30 and rows.keys() > NOT_IN_THE_DEMO | NOT_AT_ONCE
    return {name: kind for name, kind in rows.items() if name not in NOT_IN_THE_DEMO}


def test_every_documented_family_is_there_and_no_other(prometheus, root):
    suffixes = {"histogram": ["_bucket", "_sum", "_count"]}
    documented = {
        name + suffix
        for name, kind in families(root).items()
        for suffix in suffixes.get(kind, [""])
    }
    ours = {"match[]": f'{{{JOB},alertname=""}}'}

    def all_documented():
        stored = set(prometheus.api("label/__name__/values", **ours))
        return documented - stored <= NOT_AT_ONCE and stored

    stored = until("every documented family", all_documented)
    of_the_scrape = {"up"} | {name for name in stored if name.startswith("scrape_")}
    assert stored - documented == of_the_scrape


def test_prometheus_knows_each_family_as_it_is_documented(prometheus, root):
    # Of a counter Prometheus keeps what OpenMetrics calls the family: its name without _total.
    wanted = {name.removesuffix("_total"): kind for name, kind in families(root).items()}
    known = {
        entry["metric"]: entry["type"]
        for entry in prometheus.api("targets/metadata", match_target=f"{{{JOB}}}")
    }
    assert known == wanted


def test_first_alert_sees_the_failed_steps(prometheus):
    def pending_or_firing():
        return [
            alert
            for alert in prometheus.api("alerts")["alerts"]
            if alert["labels"]["alertname"] == "ImageBuilderStepFailed"
        ]

    for alert in until("the alert", pending_or_firing):
        labels = alert["labels"]
        assert labels["cause"] in ("failure", "timeout")
        assert alert["annotations"]["summary"] == (
            f"{labels['step']} failed in {labels['workflow']} of image {labels['image']}"
            f" ({labels['account_id']}, {labels['region']})"
        )


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "config", "deploy/prometheus/scrape.yaml"],
        ["test", "rules", "tests/prometheus/first-alert.yaml"],
    ],
    ids=" ".join,
)
def test_promtool_accepts_the_shipped_files(generation, root, arguments):
    generation.output_of("promtool", *arguments, cwd=root)
