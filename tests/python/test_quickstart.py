"""deploy/quickstart, from its start over the first alerts to what it leaves: nothing."""

import contextlib
import re
import shutil
import signal
import urllib.parse

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from conftest import ROOT, SCENARIOS
from generations import AVAILABLE
from processes import end, get, until
from prometheus_server import NEEDS_ALERTMANAGER, Prometheus
from quickstart import Quickstart

STEP = "imagebuilder_workflow_step"
ALERT = re.compile(
    r"^(critical|warning|info) +(\w+) (\S*)\n {9}(.+)\n {9}(docs/runbooks/\w+\.md)$", re.MULTILINE
)

# A minute or so, of which a rule waits for one; on a busy machine it may be more than the two minutes
# that the script allows of itself.
SOON = 600


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """One that ends with the first critical alert, out of a copy of what is shipped, for each
    generation, and one that stays; beside each other, as each takes a minute."""
    directory = tmp_path_factory.mktemp("quickstart")
    copy = directory / "with blanks [and more]"
    for file in ["quickstart", "compose/alertmanager.yaml", "prometheus/rules.yaml"]:
        (copy / "deploy" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "deploy" / file, copy / "deploy" / file)
    within = f"--within={SOON}"
    with contextlib.ExitStack() as running:
        script = copy / "deploy" / "quickstart"
        ends = {}
        for one in AVAILABLE:
            name = str(len(ends))
            ends[one] = Quickstart(
                directory / name, "--once", within, script=script, **one.environment
            )
            running.callback(end, ends[one].process)
        stays = Quickstart(directory / "stays", within)
        running.callback(end, stays.process)
        yield ends, stays


@NEEDS_ALERTMANAGER
def test_first_alerts_fire_and_no_process_remains(generation, both):
    ends = both[0][generation]
    assert ends.ends(SOON) == 0, ends.said()
    alerts = ALERT.findall(ends.said())
    assert (
        "critical",
        "ImageBuilderStepFailed",
        "Step ApplyBuildComponents failed and stopped workflow build-image of image legacy-app"
        " (account 444455556666, eu-west-1)",
        "docs/runbooks/ImageBuilderStepFailed.md",
    ) in [(severity, name, summary, runbook) for severity, name, _, summary, runbook in alerts]
    for _, name, _, _, runbook in alerts:
        assert runbook == f"docs/runbooks/{name}.md"
    # Each alert is told of once.
    assert len(set(alerts)) == len(alerts)


@pytest.fixture(scope="module")
def staying(both):
    """Where what the one that stays has started is."""
    _, stays = both
    stays.says("until Ctrl-C ends it:", SOON)
    stays.says("Alerts that begin")
    line = r"^    (status page|metrics|Prometheus|Alertmanager) +(http\S+)$"
    found = dict(re.findall(line, stays.said(), re.MULTILINE))
    assert len(found) == 4, stays.said()
    return found


@pytest.fixture(scope="module")
def prometheus(staying):
    return Prometheus(urllib.parse.urlsplit(staying["Prometheus"]).netloc)


@NEEDS_ALERTMANAGER
def test_printed_addresses_are_reachable(staying):
    get(staying["metrics"])
    page, _ = get(staying["status page"])
    assert b"legacy-app" in page
    for name in ("Prometheus", "Alertmanager"):
        get(f"{staying[name]}-/ready")


def firing(prometheus, name):
    return [
        alert["labels"]
        for alert in prometheus.api("alerts")["alerts"]
        if alert["labels"]["alertname"] == name
    ]


def unresolved_now(staying):
    """The steps that are exposed as unresolved failures, and those that failed and that nothing has
    made good, as the other metrics tell."""
    text, _ = get(staying["metrics"])
    families = list(text_string_to_metric_families(text.decode()))

    def samples(name):
        of_all = (sample for family in families for sample in family.samples)
        return [sample for sample in of_all if sample.name == name]

    status = {
        sample.labels["step_execution_id"]: sample.labels
        for sample in samples(f"{STEP}_status")
        if sample.value == 1
    }
    start = {
        sample.labels["step_execution_id"]: sample.value
        for sample in samples(f"{STEP}_start_time_seconds")
    }
    # Told a moment after the status.
    info = {sample.labels["step_execution_id"]: sample.labels for sample in samples(f"{STEP}_info")}
    retried = {
        sample.labels["workflow_execution_id"]
        for sample in samples("imagebuilder_workflow_execution_retried")
        if sample.value == 1
    }

    def builds(name, *labels):
        labels = ("account_id", "region", "image", *labels)
        return {
            tuple(sample.labels[label] for label in labels): sample.value
            for sample in samples(f"imagebuilder_image_{name}_timestamp_seconds")
        }

    created = builds("created", "image_version")
    available = builds("last_available")

    def newer_build(labels, version):
        image = tuple(labels[label] for label in ("account_id", "region", "image"))
        return available.get(image, 0) > created[(*image, version)]

    def same(one, other):
        names = ("account_id", "region", "image", "workflow", "step")
        return [one[name] for name in names] == [other[name] for name in names]

    def made_good(id, labels):
        return (
            info[id]["workflow_execution_id"] in retried
            or newer_build(labels, info[id]["image_version"])
            or any(
                other["status"] == "COMPLETED" and same(labels, other) and start[later] > start[id]
                for later, other in status.items()
            )
        )

    exposed = {
        sample.labels["step_execution_id"]
        for sample in samples(f"{STEP}_unresolved_failure")
        if sample.labels["on_failure"] == "Abort"
    }
    return exposed, {
        id
        for id, labels in status.items()
        if labels["status"] == "FAILED"
        and id in info
        and info[id]["on_failure"] == "Abort"
        and not made_good(id, labels)
    }


@NEEDS_ALERTMANAGER
def test_alerts_on_failed_steps_are_true(staying, prometheus):
    def matches_the_metrics():
        exposed, failed = unresolved_now(staying)
        alerts = firing(prometheus, "ImageBuilderStepFailed")
        found = {labels["step_execution_id"] for labels in alerts}
        return found if found >= failed and exposed == failed else None

    # A scrape and an evaluation are up to ten seconds behind.
    found = until("alerts that are as the metrics tell", matches_the_metrics)
    # An alert keeps firing for five minutes.
    lately = f'last_over_time({STEP}_unresolved_failure{{on_failure="Abort"}}[10m])'
    assert found <= {one["metric"]["step_execution_id"] for one in prometheus.query(lately)}


@NEEDS_ALERTMANAGER
def test_alerts_are_about_the_failures_of_the_scenario(prometheus):
    scenario = yaml.safe_load((SCENARIOS / "demo.yaml").read_text())["pipelines"]
    steps = {
        (pipeline.get("image", pipeline["name"]), step["name"])
        for pipeline in scenario
        for workflow in pipeline["workflows"]
        for step in workflow.get("steps", [])
        if {"failed", "hang"} & {*step.get("in_turn", []), *step.get("chances", {})}
    }

    def alerts(name):
        return until(f"{name} to fire", lambda: firing(prometheus, name))

    failed = alerts("ImageBuilderStepFailed")
    assert {(labels["image"], labels["step"]) for labels in failed} <= steps
    # A step explains each failed build.
    unresolved = "imagebuilder_image_unresolved_failure"
    assert until("a failed build", lambda: prometheus.query(unresolved))
    assert firing(prometheus, "ImageBuilderImageFailed") == []
    disabled = {labels["pipeline"] for labels in alerts("ImageBuilderPipelineDisabled")}
    assert disabled == {pipeline["name"] for pipeline in scenario if "disabled_at" in pipeline}


@NEEDS_ALERTMANAGER
def test_hung_step_is_noticed_long_before_its_timeout(prometheus):
    slow = until("a hung step to be slow", lambda: firing(prometheus, "ImageBuilderStepSlow"))
    assert {(labels["image"], labels["step"]) for labels in slow} == {("analytics", "CheckData")}
    hung = {labels["step_execution_id"] for labels in slow}
    for name in ("ImageBuilderStepTimeoutNear", "ImageBuilderStepTimeoutBreached"):
        late = {labels["step_execution_id"] for labels in firing(prometheus, name)}
        assert not late & hung, name
    used = prometheus.query(f"{STEP}_running_seconds / {STEP}_timeout_seconds")
    used = {one["metric"]["step_execution_id"]: float(one["value"][1]) for one in used}
    assert max(used[id] for id in hung) < 0.7


@NEEDS_ALERTMANAGER
def test_nothing_alerts_that_is_well(root, prometheus):
    """The demo's exporter sees everything, and its images are made all the time."""
    groups = yaml.safe_load((root / "deploy/prometheus/rules.yaml").read_text())["groups"]
    of_the_exporter = [
        rule["alert"]
        for group in groups
        if group["name"] == "imagebuilder-exporter"
        for rule in group["rules"]
    ]
    assert "ImageBuilderDataOld" in of_the_exporter
    names = [*of_the_exporter, "ImageBuilderNoGoodImage", "ImageBuilderPipelineMissedRun"]
    for name in names:
        # What a busy machine is late with is pending for a moment.
        until(f"no {name}", lambda name=name: not firing(prometheus, name))
    assert prometheus.value("sum(prometheus_rule_evaluation_failures_total) or vector(0)") == 0


@NEEDS_ALERTMANAGER
def test_interrupt_ends_it_and_no_process_remains(both, staying):
    _, stays = both
    assert len(list(stays.programs())) >= 3
    stays.process.send_signal(signal.SIGINT)
    assert stays.ends() == 130, stays.said()
