"""Reads `GET /config` with PyYAML, a reader of YAML 1.1."""

import json
import os

import pytest
import yaml

from processes import free_port, get, running_process, until

# Texts that YAML 1.1 or YAML 1.2 takes for another type if they are not quoted.
TYPED = """
    no No NO yes on On off OFF y Y n N ~ null Null true TRUE false = <<
    0 12 +12 -1 1_000 012 0o7 0x1f 0b1 1e3 1.5e+3 1.5 .5 685_230.15 .inf -.INF .nan
    12:30 12:30:45 -12:30:45 190:20:30.15 2026-01-01 2026-01-01T00:00:00Z
""".split()
NAMES = [text for text in TYPED if text.replace("_", "a").replace("-", "a").isalnum()]
LABEL_NAMES = ["no", "yes", "on", "y", "n", "null", "true", "_1"]


@pytest.fixture
def effective(tmp_path):
    """Returns what PyYAML reads from `/config` of an exporter with these targets."""

    def read(targets):
        # JSON is YAML in which each string is quoted.
        file = tmp_path / "imagebuilder_exporter.yaml"
        file.write_text(json.dumps({"targets": targets}))
        address = f"127.0.0.1:{free_port()}"
        command = [
            os.environ["IMAGEBUILDER_EXPORTER_BIN"],
            f"--config.file={file}",
            f"--web.listen-address={address}",
        ]
        with running_process(command, tmp_path / "stderr"):
            body, _ = until("/config", lambda: get(f"http://{address}/config"))
        return yaml.safe_load(body)["targets"]

    return read


def target(name, **more):
    # Nothing listens there, and nothing has to.
    here = {"endpoint_url": "http://127.0.0.1:9", "regions": ["us-west-2"], "images": ["*"]}
    return {"name": name} | here | more


def test_pyyaml_reads_each_text_as_a_string(effective):
    tags = {text: text for text in TYPED}
    targets = [target(name) for name in NAMES]
    targets[0] |= {"profile": "null", "tags": tags, "images": ["012", "on"]}
    targets[1] |= {"labels": {name: "no" for name in LABEL_NAMES}}
    targets += [target(f"label-{n}", labels={"a": text}) for n, text in enumerate(TYPED)]
    rate_limit = {"requests_per_second": 5, "burst": 10}
    assert effective(targets) == [one | {"rate_limit": rate_limit} for one in targets]


def test_pyyaml_reads_numbers_as_numbers(effective):
    rates = [0.001, 0.25, 5, 1e16, 1e22]
    targets = [
        target(f"rate-{n}", rate_limit={"requests_per_second": rate, "burst": 1})
        for n, rate in enumerate(rates)
    ]
    assert effective(targets) == targets


def test_pyyaml_reads_every_character(effective):
    texts = ["a: b", "a #b", "- a", "\"'\\", "é🚀", "a\nb\t\r", "\x85\u2028\u2029\ufeff", " a ", "#"]
    targets = [target(f"label-{n}", labels={"a": text}) for n, text in enumerate(texts)]
    assert [one["labels"]["a"] for one in effective(targets)] == texts
