"""The shipped alert and recording rules: promtool runs their unit tests, as they are and in variants,
and a real Prometheus that scrapes the exporter in front of the simulator evaluates them."""

import itertools
import os
import re
import subprocess
import urllib.parse

import pytest
import yaml

from conftest import ROOT, SCENARIOS
from processes import free_port, get, running_process, until
from test_prometheus import Prometheus

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

# What a summary has to name, by what the alert is about.
NAMED = {
    "imagebuilder-steps": ["image", "workflow", "step", "account_id", "region"],
    "imagebuilder-images": ["account_id", "region"],
    "imagebuilder-exporter": [],
}

# These are about the scrapes of one process themselves: to them a restart, or another instance, is
# another world. Their unit tests say what they make of it.
ABOUT_SCRAPES = {"ImageBuilderExporterDown", "ImageBuilderExporterAbsent"}

PROMETHEUS_OWN = {"up"}


def promtool(*arguments, cwd=ROOT):
    done = subprocess.run(
        ["promtool", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def unit_tests(file):
    return yaml.safe_load(file.read_text())


def every_unit_test():
    return [
        pytest.param(test, id=f"{file.stem}: {test['name']}")
        for file in UNIT_TESTS
        for test in unit_tests(file)["tests"]
    ]


# What promtool's notation for values means, sample by sample; `_` is none.


def expanded(values):
    return list(itertools.chain.from_iterable(map(samples, values.split())))


def samples(item):
    if found := re.fullmatch(r"_(?:x(\d+))?", item):
        return ["_"] * int(found[1] or 1)
    if found := re.fullmatch(r"(-?[\d.]+)(?:([+-][\d.]+))?x(\d+)", item):
        first, step = float(found[1]), float(found[2] or 0)
        return [f"{first + step * index:.15g}" for index in range(int(found[3]) + 1)]
    return [item]


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


# Variants of a unit test, in all of which the same is expected. `at` is the sample at which something
# happens to the exporter.


def of_exporter(series):
    return series["series"].startswith("imagebuilder_")


def on_instance(series, instance):
    moved = series["series"].replace('instance="a"', f'instance="{instance}", pod="{instance}"')
    return {**series, "series": moved}


def two_replicas(series, _):
    return [series, on_instance(series, "b")]


def restart(series, at):
    """Not scraped for two minutes: the scrape that fails marks what it lacks as stale."""
    values = expanded(series["values"])
    return [{**series, "values": " ".join(without(values, at, at + 4))}]


def other_instance(series, at):
    """Another pod takes over, and is seen a minute after the first one is gone."""
    values = expanded(series["values"])
    before = without(values, at, len(values))
    after = ["_" for _ in values[: at + 2]] + values[at + 2 :]
    return [
        {**series, "values": " ".join(before)},
        {**on_instance(series, "b"), "values": " ".join(after)},
    ]


def overlapping_instance(series, at):
    """The other pod is there for a minute before the first one goes."""
    values = expanded(series["values"])
    before = without(values, at, len(values))
    after = ["_" for _ in values[: max(at - 2, 0)]] + values[max(at - 2, 0) :]
    return [
        {**series, "values": " ".join(before)},
        {**on_instance(series, "b"), "values": " ".join(after)},
    ]


def without(values, begin, end):
    """Nothing from `begin` to before `end`, the first of it marked as stale where there was something."""
    gone = ["_"] * len(values[begin:end])
    if gone and begin > 0 and values[begin - 1] != "_":
        gone[0] = "stale"
    return values[:begin] + gone + values[end:]


def sparse(series, _):
    """status_format: sparse has the status that is, and no other."""
    if "_status{" not in series["series"]:
        return [series]
    values = expanded(series["values"])
    shown = [value if value == "1" else "_" for value in values]
    for index in range(1, len(shown)):
        if shown[index] == "_" and shown[index - 1] == "1":
            shown[index] = "stale"
    return [{**series, "values": " ".join(shown)}] if "1" in shown else []


def sample_at(test, eval_time):
    return seconds(eval_time) // seconds(test["interval"])


def seconds(duration):
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([hms])", duration))


def variants(test):
    looks = test.get("alert_rule_test", []) + test.get("promql_expr_test", [])
    yield "two replicas", 0, two_replicas
    if {look.get("alertname") for look in looks} & ABOUT_SCRAPES:
        return
    yield "sparse", 0, sparse
    if "alert_rule_test" not in test:
        # A counter does begin anew with its process: what a gap does to it is in the unit tests.
        return
    # It hurts most just before an alert is to fire, and while one that fires is looked at.
    firing = [look for look in looks if look["exp_alerts"]]
    at = sorted(sample_at(test, look["eval_time"]) for look in firing or looks)
    first, last = at[0] - 1, at[-1] - 1
    for at, variant in [
        (first, restart),
        (last, restart),
        (first, other_instance),
        (last // 2, overlapping_instance),
    ]:
        yield f"{variant.__name__} at sample {at}", at, variant


def varied(test, name, at, variant):
    kept = []
    if variant is two_replicas and any('instance="b"' in s["series"] for s in test["input_series"]):
        return None
    for series in test["input_series"]:
        kept += variant(series, at) if of_exporter(series) else [series]
    return {**test, "name": f"{test['name']} [{name}]", "input_series": kept}


@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: file.stem)
def test_unit_tests_hold(file):
    promtool("test", "rules", file)


@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: file.stem)
def test_unit_tests_hold_with_replicas_restarts_and_moves(file, tmp_path):
    suite = unit_tests(file)
    found = []
    for test in suite["tests"]:
        for name, at, variant in variants(test):
            if made := varied(test, name, at, variant):
                found.append(made)
    assert len(found) > len(suite["tests"]) / 2
    # Promtool evaluates all rules of a file all the time: those alone that the tests are about.
    alerts = {look["alertname"] for test in found for look in test.get("alert_rule_test", [])}
    used = {ALERT_GROUPS[alert] for alert in alerts} or {"imagebuilder-finished"}
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        yaml.safe_dump({"groups": [group for group in GROUPS if group["name"] in used]})
    )
    suite |= {"rule_files": [str(rules)], "tests": found}
    variant_file = tmp_path / "variants.yaml"
    variant_file.write_text(yaml.safe_dump(suite, sort_keys=False))
    promtool("test", "rules", variant_file)
