"""The shipped alert and recording rules: promtool runs their unit tests, as they are and in
variants, and a real Prometheus that scrapes two exporters in front of the simulator evaluates them; so
does one that scrapes the demo."""

import os
import re
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from conftest import ROOT, SCENARIOS
from processes import free_port, get, listens, running_process, until
from prometheus_server import refusal, running_prometheus
from rule_variants import expanded, seconds, varied, variants

RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
RUNBOOKS = ROOT / "docs" / "runbooks"
UNIT_TESTS = sorted(
    file
    for file in (ROOT / "tests" / "prometheus").glob("*.yaml")
    if "rules.yaml" in file.read_text()
)

GROUPS = yaml.safe_load(RULES.read_text())["groups"]
RECORDED = [rule for group in GROUPS for rule in group["rules"] if "record" in rule]
ALERTS = {
    rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule
}
ALERT_GROUPS = {
    rule["alert"]: group["name"] for group in GROUPS for rule in group["rules"] if "alert" in rule
}

# What a summary has to name, by what the alert's name says that it is about.
NAMED = {
    "ImageBuilderStep": ["image", "workflow", "step", "account_id", "region"],
    "ImageBuilderImage": ["image", "account_id", "region"],
    "ImageBuilderNoGoodImage": ["image", "account_id", "region"],
    "ImageBuilderPipeline": ["pipeline", "account_id", "region"],
}
# This one tells of how many.
COUNTED = {"ImageBuilderStepNeverSeen"}

# Promtool takes one test after the other, and minutes for some files.
PARTS = os.cpu_count() or 1

EACH_UNIT_TEST = pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: file.stem)


def promtool(generation, *arguments):
    generation.output_of("promtool", *map(str, arguments))


def unit_tests(file):
    return yaml.safe_load(file.read_text())


@pytest.mark.parametrize(
    "values, what",
    [
        ("1", ["1"]),
        ("_x2 stale", ["_", "_", "stale"]),
        ("1x2 0", ["1", "1", "1", "0"]),
        ("-5+30x1", ["-5", "25"]),
        ("10-4x2", ["10", "6", "2"]),
    ],
)
def test_values_are_expanded_as_promtool_does(values, what):
    assert expanded(values) == what


@EACH_UNIT_TEST
def test_unit_tests_hold(generation, file):
    promtool(generation, "test", "rules", file)


@EACH_UNIT_TEST
def test_unit_tests_hold_with_replicas_restarts_and_moves(generation, file, tmp_path):
    suite = unit_tests(file)
    found = [
        varied(test, name, at, variant, ALERTS)
        for test in suite["tests"]
        for name, at, variant in variants(test, ALERTS)
    ]
    # Promtool evaluates all rules of a file all the time: those alone that the tests are about.
    alerts = {look["alertname"] for test in found for look in test.get("alert_rule_test", [])}
    used = {ALERT_GROUPS[alert] for alert in alerts} or {"imagebuilder-finished"}
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        yaml.safe_dump({"groups": [group for group in GROUPS if group["name"] in used]})
    )
    suite["rule_files"] = [str(rules)]

    def hold(part):
        variant_file = tmp_path / f"variants-{part}.yaml"
        tests = {"tests": found[part::PARTS]}
        variant_file.write_text(yaml.safe_dump(suite | tests, sort_keys=False))
        promtool(generation, "test", "rules", variant_file)

    with ThreadPoolExecutor() as parts:
        list(parts.map(hold, range(min(PARTS, len(found)))))


def test_rules_are_well_formed(generation):
    promtool(generation, "check", "rules", RULES)


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_is_complete(alert):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{alert}.md"
    page = (RUNBOOKS / f"{alert}.md").read_text()
    assert page.startswith(f"# {alert}\n")
    headings = re.findall(r"^#+ (.*)", page, re.MULTILINE)
    assert headings == [alert, "Meaning", "Impact", "Diagnosis", "Mitigation"]
    summary = rule["annotations"]["summary"]
    for about, labels in NAMED.items():
        if alert.startswith(about) and alert not in COUNTED:
            for label in labels:
                assert f"$labels.{label} " in summary, label
    # Counters forget at a restart what a state still tells.
    assert "increase(" not in rule["expr"]


def test_failed_step_and_breached_timeout_alert_within_a_minute():
    for alert in ("ImageBuilderStepFailed", "ImageBuilderStepTimeoutBreached"):
        assert seconds(ALERTS[alert]["for"]) <= 60


def test_every_runbook_is_an_alerts():
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == ALERTS.keys() | {"README"}


def looks_at_alerts():
    for file in UNIT_TESTS:
        for test in unit_tests(file)["tests"]:
            for look in test.get("alert_rule_test", []):
                yield look["alertname"], bool(look["exp_alerts"])


@pytest.mark.parametrize("fires", [True, False], ids=["fires", "is silent"])
def test_every_alert_has_a_unit_test_in_which_it(fires):
    assert ALERTS.keys() == {alert for alert, fired in looks_at_alerts() if fired == fires}


def lines_of_expressions():
    """The number of lines of each alert's expression in the file, without comments."""
    found, alert, within = {}, None, None
    for line in RULES.read_text().splitlines():
        indent = len(line) - len(line.lstrip())
        if key := re.match(r" *(?:- )?(alert|record|expr): (.*)", line):
            alert = {"alert": key[2], "record": None}.get(key[1], alert)
            within = indent if key[1] == "expr" and key[2] == "|" else None
            if key[1] == "expr" and alert:
                found[alert] = 0 if key[2] == "|" else 1
        elif within is not None and indent <= within:
            within = None
        elif within is not None and alert:
            found[alert] += not line.lstrip().startswith("#")
    return found


def test_expression_of_an_alert_has_at_most_six_lines():
    lines = lines_of_expressions()
    assert lines.keys() == ALERTS.keys()
    assert {alert: count for alert, count in lines.items() if not 1 <= count <= 6} == {}


def test_recording_rules_are_ratios_quantiles_and_their_increases():
    for rule in RECORDED:
        assert re.search(r":(ratio|p50|p90|p99|increase)_\d+[hd]$", rule["record"])


def test_alert_outlives_a_restart_of_the_exporter():
    # These are about scrapes, or about rates that a gap does not change.
    exempt = {"ExporterDown", "ExporterAbsent", "ExporterPanicked", "RateLimitStarving"}
    bridged = {alert for alert, rule in ALERTS.items() if rule.get("keep_firing_for") == "5m"}
    assert ALERTS.keys() - bridged == {f"ImageBuilder{name}" for name in exempt}


def test_every_recording_rule_has_a_unit_test():
    tests = "".join(file.read_text() for file in UNIT_TESTS)
    used = "".join(rule["expr"] for group in GROUPS for rule in group["rules"])
    for rule in RECORDED:
        assert rule["record"] in tests + used, rule["record"]


def test_every_metric_of_a_rule_is_documented():
    page = (ROOT / "docs" / "metrics.md").read_text()
    documented = set()
    for name, kind in re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE):
        suffixes = ["_bucket", "_sum", "_count"] if kind == "histogram" else [""]
        documented |= {name + suffix for suffix in suffixes}
    used = set()
    texts = [rule["expr"] for rule in [*RECORDED, *ALERTS.values()]]
    texts += [rule["annotations"]["summary"] for rule in ALERTS.values()]
    for text in texts:
        used |= set(re.findall(r"(?<![\w:])(?:imagebuilder|process)_\w+(?![\w:])", text))
    assert len(used) > 20
    assert used - {"imagebuilder_exporter"} <= documented


# A real Prometheus.

EXPORTER_CONFIGURATION = """
polling: {{interval: 2s, discovery_interval: 5s}}
metrics: {{counter_warmup: 2s}}
duration_budgets: [{{max_duration: 1m}}]
targets:
  - name: simulated
    regions: [us-west-2, eu-west-1]
    endpoint_url: "{url}"
    rate_limit: {{requests_per_second: 200, burst: 200}}
    labels: {{team: platform}}
    pipelines: ["*"]
    images: ["*"]
"""

PROMETHEUS_CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: imagebuilder
    static_configs: [{{targets: ["{one}", "{two}"]}}]
  - job_name: prometheus
    static_configs: [{{targets: ["{itself}"]}}]
"""


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    """The addresses of two replicas, which follow by discovery what the simulator plays."""
    directory = tmp_path_factory.mktemp("replicas")
    binary = os.environ["IMAGEBUILDER_EXPORTER_BIN"]
    simulator, one, two = (f"127.0.0.1:{free_port()}" for _ in range(3))
    config = directory / "exporter.yaml"
    config.write_text(EXPORTER_CONFIGURATION.format(url=f"http://{simulator}"))
    simulate = [
        binary,
        "simulate",
        f"--listen-address={simulator}",
        f"--scenario={SCENARIOS / 'discovery.yaml'}",
        "--speed=10",
    ]
    # Credentials that mean nothing, which the simulator asks for all the same.
    credentials = ["env", "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret"]
    follow = [*credentials, binary, f"--config.file={config}"]
    with running_process(simulate, directory / "simulator.log"):
        until("the simulator to listen", lambda: listens(simulator))
        with (
            running_process([*follow, f"--web.listen-address={one}"], directory / "one.log"),
            running_process([*follow, f"--web.listen-address={two}"], directory / "two.log"),
        ):
            for replica in (one, two):
                until(f"{replica} to be ready", lambda at=replica: get(f"http://{at}/-/ready"))
            yield one, two


@pytest.fixture(scope="module")
def prometheus(generation, replicas, tmp_path_factory):
    """A Prometheus that has evaluated the shipped rules on both replicas some times."""
    one, two = replicas
    itself = f"127.0.0.1:{free_port()}"
    configuration = PROMETHEUS_CONFIGURATION.format(rules=RULES, one=one, two=two, itself=itself)
    directory = tmp_path_factory.mktemp("rules")
    with running_prometheus(generation, itself, configuration, directory) as server:
        evaluations = "min(prometheus_rule_group_iterations_total) >= 5"
        until("the rules to be evaluated", lambda: server.query(evaluations))
        yield server


def evaluated(prometheus):
    for group in prometheus.api("rules")["groups"]:
        yield from group["rules"]


def test_no_rule_fails_on_real_metrics_of_two_replicas(prometheus):
    rules = list(evaluated(prometheus))
    assert len(rules) == len(RECORDED) + len(ALERTS)
    failed = {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"}
    assert failed == {}
    assert prometheus.value("sum(prometheus_rule_evaluation_failures_total)") == 0


def rule_name(rule):
    return rule.get("record") or rule["alert"]


@pytest.mark.parametrize("rule", [*RECORDED, *ALERTS.values()], ids=rule_name)
def test_expression_is_valid(prometheus, rule):
    prometheus.query(rule["expr"])


def queries_of_runbooks():
    """The blocks of the runbooks that are no commands, query by query."""
    for page in sorted(RUNBOOKS.glob("*.md")):
        text = page.read_text()
        for _, block in re.findall(r"^( *)```\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
            block = textwrap.dedent(block)
            if not block.startswith("aws "):
                # A line that is further in goes on with the query above it, and so does its end.
                for query in re.split(r"\n(?![ )])", block.strip()):
                    yield pytest.param(query, id=f"{page.stem}: {query.splitlines()[0]}")


@pytest.mark.parametrize("query", list(queries_of_runbooks()))
def test_query_of_a_runbook_is_valid(prometheus, query):
    prometheus.query(query)


def test_conditions_that_the_simulator_meets_are_not_empty(prometheus):
    """What nobody meets is no proof that an expression finds anything."""
    for expression in [
        "imagebuilder_workflow_step_running_seconds",
        "imagebuilder_workflow_step_unresolved_failure",
        "imagebuilder_image_unresolved_failure",
        "imagebuilder_exporter_discovery_age_seconds",
        ALERTS["ImageBuilderStepFailed"]["expr"],
        ALERTS["ImageBuilderStepBudgetExceeded"]["expr"],
        ALERTS["ImageBuilderPipelineDisabled"]["expr"],
    ]:
        until(f"an answer to {expression}", lambda query=expression: prometheus.query(query))


def test_alerts_of_two_replicas_are_there_once_and_keep_the_targets_labels(prometheus):
    def pending_or_firing():
        return [
            alert["labels"]
            for alert in prometheus.api("alerts")["alerts"]
            if alert["labels"]["alertname"] == "ImageBuilderStepFailed"
        ]

    found = until("the alert", pending_or_firing)
    ids = [labels["step_execution_id"] for labels in found]
    assert len(ids) == len(set(ids))
    for labels in found:
        assert labels["team"] == "platform"
        assert not labels.keys() & {"instance", "pod", "container", "endpoint"}


# What may find nothing in the demo, and why.

FULL_HOURS = "put together from full hours, of which the demo has had none"
NOT_THE_TIME = "comes and goes as builds do"
ALL_IS_WELL = "the demo's exporter is well"
MAY_BE_EMPTY = {
    rule["record"]: FULL_HOURS for rule in RECORDED if rule["record"].endswith(("_1d", "_7d"))
} | {
    "ImageBuilderStepFailedContinued": "a step that may fail does so by chance",
    "ImageBuilderStepTimeoutBreached": NOT_THE_TIME,
    "ImageBuilderStepTimeoutNear": NOT_THE_TIME,
    "ImageBuilderImageFailed": "a step explains every failed build of the demo",
    "ImageBuilderStepRollbackFailed": "every rollback of the demo goes well",
    "ImageBuilderStepRollbackLong": NOT_THE_TIME,
    "ImageBuilderStepWaitingLong": "the demo is ten times faster than life",
    "ImageBuilderNoGoodImage": "every image of the demo was built today",
    "ImageBuilderPipelineFailing": "the one that failed three times is disabled",
    "ImageBuilderPipelineMissedRun": "every pipeline of the demo runs when it should",
    "ImageBuilderExporterDown": ALL_IS_WELL,
    "ImageBuilderExporterAbsent": ALL_IS_WELL,
    "ImageBuilderTargetGone": ALL_IS_WELL,
    "ImageBuilderShardMissing": ALL_IS_WELL,
    "ImageBuilderTargetDown": ALL_IS_WELL,
    "ImageBuilderDiscoveryOld": ALL_IS_WELL,
    "ImageBuilderDataOld": ALL_IS_WELL,
    "ImageBuilderStepNeverSeen": ALL_IS_WELL,
    "ImageBuilderConfigReloadFailed": ALL_IS_WELL,
    "ImageBuilderExporterPanicked": ALL_IS_WELL,
    "ImageBuilderSeriesDropped": ALL_IS_WELL,
    "ImageBuilderRateLimitStarving": ALL_IS_WELL,
    "ImageBuilderClockSkew": ALL_IS_WELL,
}


@pytest.mark.parametrize("rule", [*RECORDED, *ALERTS.values()], ids=rule_name)
def test_expression_has_results_from_the_demo(demo_prometheus, rule):
    refused = refusal(demo_prometheus, rule["expr"])
    assert not refused, refused
    if rule_name(rule) not in MAY_BE_EMPTY:
        until("an answer", lambda: demo_prometheus.query(rule["expr"]))


def test_expression_that_may_be_empty_in_the_demo_is_of_a_rule():
    assert MAY_BE_EMPTY.keys() < {rule_name(rule) for rule in [*RECORDED, *ALERTS.values()]}
