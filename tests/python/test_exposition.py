"""What /metrics says, as other people's parsers read it."""

import gzip
import subprocess

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as text_format

from processes import get, until

# What Prometheus asks for, version 2.42, and version 3.5.
PROMETHEUS_ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3_ACCEPT = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def series_of(families):
    """Values by name and labels, where no two series may have both in common."""
    series = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in series, f"twice: {sample}"
            series[key] = sample.value
    return series


def as_text(body):
    return series_of(text_format.text_string_to_metric_families(body.decode()))


def as_openmetrics(body):
    return series_of(openmetrics.text_string_to_metric_families(body.decode()))


def kinds(families):
    return {family.name: (family.type, family.documentation) for family in families}


def between_two_like_it(demo, headers):
    """One answer, and what two plain scrapes around it agree on: the same series, and, of those
    that did not move, the values."""

    def attempt():
        before = as_text(get(demo)[0])
        answer = get(demo, headers)
        after = as_text(get(demo)[0])
        return before.keys() == after.keys() and (answer, before, after)

    answer, before, after = until("two scrapes with the same series", attempt)
    steady = {
        (name, labels): value
        for (name, labels), value in before.items()
        if after[name, labels] == value and not name.startswith("process_")
    }
    # Most of it stands still within a moment; were it not so, little would be compared.
    assert len(steady) > len(before) * 0.8
    return answer, before, steady


def agree(read, before, steady):
    assert read.keys() == before.keys()
    assert {key: read[key] for key in steady} == steady


@pytest.fixture(scope="module")
def metrics(demo):
    """The demo's metrics, once every step was asked for."""
    until("the demo to be ready", lambda: get(demo.replace("/metrics", "/-/ready")))
    return demo


def test_promtool_has_nothing_to_say_about_the_text(generation, metrics):
    text, headers = get(metrics)
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    said = generation.output_of(
        "promtool", "check", "metrics", input=text.decode(), stderr=subprocess.STDOUT
    )
    assert said == ""


@pytest.mark.parametrize("accept", [PROMETHEUS_ACCEPT, PROMETHEUS_3_ACCEPT])
def test_openmetrics_response_has_the_samples_of_the_text(metrics, accept):
    answer, before, steady = between_two_like_it(metrics, {"Accept": accept})
    body, headers = answer
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"\n# EOF\n")
    agree(as_openmetrics(body), before, steady)


def test_families_have_the_same_type_and_help_in_both_formats(metrics):
    text = kinds(text_format.text_string_to_metric_families(get(metrics)[0].decode()))
    body, _ = get(metrics, {"Accept": PROMETHEUS_ACCEPT})
    assert kinds(openmetrics.text_string_to_metric_families(body.decode())) == text


@pytest.mark.parametrize(
    "accept, parse", [("text/plain", as_text), (PROMETHEUS_ACCEPT, as_openmetrics)]
)
def test_compressed_response_is_the_same_text(metrics, accept, parse):
    answer, before, steady = between_two_like_it(
        metrics, {"Accept": accept, "Accept-Encoding": "gzip"}
    )
    body, headers = answer
    assert headers["Content-Encoding"] == "gzip"
    assert len(body) < len(get(metrics)[0]) / 4
    agree(parse(gzip.decompress(body)), before, steady)
