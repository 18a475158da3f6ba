"""The JSON Schemas for editors: what they see of a configuration's mistakes, and that they see none
where the exporter sees none."""

import copy
import json
import os
import re
import subprocess
from itertools import product

import jsonschema
import pytest
import yaml

from conftest import ROOT
from test_readme import blocks

CONFIG = ROOT / "config"
BAD = ROOT / "tests/config/bad"

# Mistakes that take more than one value to see, or an environment, or a parser of what is within a
# text. All others a schema sees.
UNSEEN = {
    "alias_repeats_an_id",
    "arn_of_another_region",
    "buckets_out_of_order",
    "buckets_twice",
    "counter_retention_too_short",
    "endpoint_url_without_host",
    "glob_does_not_compile",
    "glob_range_backwards",
    "image_arn_twice_in_two_targets",
    "key_twice",
    "label_twice",
    "pipeline_arn_twice_in_two_targets",
    "rate_limit_not_finite",
    "secret_is_not_told",
    "step_id_of_environment_malformed",
    "step_id_twice_in_two_targets",
    "substituted_number_is_none",
    "tag_labels_of_one_label",
    "target_name_twice",
    "variable_malformed",
    "variable_not_closed",
    "variable_unset",
    "variable_within_a_default",
    "variable_without_braces",
    "workflow_id_twice_in_two_targets",
    "yaml_escape_of_half_a_character",
}
# Those that are none of the schema's: what is wrong there, YAML or its use, is the parser's.
NO_YAML = {"alias_unknown", "key_not_text", "second_document", "tagged_value"}


class Loader(yaml.SafeLoader):
    """Reads as the exporter and editors do, by YAML 1.2: `on` is a text, and so is a date."""


KEPT = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "int", "float")}
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in KEPT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def validator(name):
    schema = json.loads((CONFIG / name).read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


@pytest.fixture(scope="module")
def file_schema():
    return validator("imagebuilder_exporter.schema.json")


@pytest.fixture(scope="module")
def step_schema():
    return validator("step_executions.schema.json")


def faults(schema, text):
    return [error.message for error in schema.iter_errors(yaml.load(text, Loader))]


def accepted(files):
    """Those of the files that the exporter accepts."""
    binary = os.environ["IMAGEBUILDER_EXPORTER_BIN"]
    check = subprocess.run(
        [binary, "check-config", *files], capture_output=True, text=True, check=False
    )
    lines = set(check.stdout.splitlines())
    assert lines, check.stderr
    return [file for file in files if f"{file}: OK" in lines]


SHIPPED = [*CONFIG.glob("*.yaml")]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_shipped_configuration_is_right(file_schema, file):
    assert faults(file_schema, file.read_text()) == []


def test_configurations_on_the_pages_are_right(file_schema):
    pages = [ROOT / "README.md", *ROOT.glob("d*/**/*.md")]
    texts = [text for page in pages for text in blocks(page.read_text(), "yaml")]
    configurations = [text for text in texts if re.search("^targets:", text, re.MULTILINE)]
    assert configurations
    for text in configurations:
        assert faults(file_schema, text) == [], text


def test_each_mistake_is_seen_or_known_not_to_be(file_schema):
    unseen, unread = set(), set()
    for file in BAD.glob("*.yaml"):
        try:
            found = faults(file_schema, file.read_bytes())
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
            unread.add(file.stem)
            continue
        if not found:
            unseen.add(file.stem)
    assert unseen - NO_YAML == UNSEEN
    assert {name for name in unread if not name.startswith("yaml_")} <= NO_YAML


# What may be written somewhere, or may look as if it might.
VALUES = [
    None, True, False, 0, 1, -1, 16, 10000, 10001, 4294967295, 4294967296, 0.5, 0.001, 0.0009, 1e300,
    "", "a", "A", "*", "0", "0s", "1ms", "30s", "1h30m", "30m1h", "1y1w1d1h1m1s1ms", "5", "5s ", "007s",
    "true", "on", "sparse", "golden-*", "Golden *", "[!a-z]?{a,b}", "[]A]x", "[^A", "a\\*b", "\\-", "a,b",
    "us-west-2", "us-gov-east-1", "us-iso-b-1", "US-WEST-2", "us-west-2a", "eusc-de-east-1",
    "${UNSET:-5}", "${UNSET:-30s}", "${UNSET:-true}", "${UNSET:-sparse}", "${UNSET:-us-west-2}", "$$", "5$",
    "arn:aws:iam::111122223333:role/a", "arn:aws-cn:iam::111122223333:role/p/q+=,.@-", "arn:aws:iam::1:role/a",
    "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/2",
    "arn:aws:imagebuilder:us-west-2:aws:image/golden_x/1.0.0/22",
    "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/other-1",
    "arn:aws:imagebuilder:eu-west-1:111122223333:image-pipeline/other",
    "http://[::1]:8080/a@b", "https://host", "https://host?x", "http://user@host", "ftp://host",
    "step-00000000-89ab-cdef-0123-456789ABCDEF", "wf-00000000-89AB-cdef-0123-456789abcdef", "step-1",
    "steps.d/*.yaml", "*/a.yaml", "/a", "a/", "a b\n", "\u00e4\u00f6", "x" * 128, "x" * 129, "x" * 256, "x" * 257,
    [], ["*"], ["a", "a"], ["a", "b"], ["30s", "1m"], ["1m", "30s"], ["us-west-2", "us-east-1"], [1], [None],
    ["${UNSET:-us-west-2}"], [{"id": "step-00000000-89ab-cdef-0123-456789abcdef"}],
    {}, {"a": "b"}, {"a": ""}, {"a": 1}, {"tag_a": "b"}, {"__a": "b"}, {"job": "b"}, {"a-b": "*"},
    {"images": ["*"]}, {"tags": {"a b": "*"}}, {"burst": 3}, {"requests_per_second": "${UNSET:-0.5}"},
]  # fmt: skip


LEFT_OUT = object()


def paths(node, path=()):
    """The way to each value."""
    if path:
        yield path
    if isinstance(node, (dict, list)):
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield from paths(inner, (*path, key))


def changed(document, path, value):
    """The document with another value in one place, or without it."""
    document = copy.deepcopy(document)
    *way, last = path
    node = document
    for key in way:
        node = node[key]
    if value is LEFT_OUT:
        del node[last]
    else:
        node[last] = value
    return document


def test_schema_refuses_nothing_that_the_exporter_accepts(file_schema, tmp_path):
    whole = yaml.load((CONFIG / "imagebuilder_exporter.yaml").read_text(), Loader)
    whole["targets"].append({"name": "b", "regions": ["us-west-2", "eu-west-1"], "images": ["a"]})
    documents = {}
    for number, (path, value) in enumerate(product(paths(whole), [*VALUES, LEFT_OUT])):
        # In a folder of its own: some name the files beside it as step files.
        file = tmp_path / str(number) / "file.yaml"
        file.parent.mkdir()
        documents[str(file)] = document = changed(whole, path, value)
        # Which is YAML too, and quickly written.
        file.write_text(json.dumps(document))
    right = accepted(list(documents))
    # Else little was tried.
    assert len(right) > 500 and len(documents) - len(right) > 2_000
    schema = file_schema.is_valid
    assert [documents[file] for file in right if not schema(documents[file])] == []
    # Nor does it accept much of what the exporter refuses: every fifth is enough to tell.
    wrong = sorted(documents.keys() - set(right))[::5]
    seen = sum(not schema(documents[file]) for file in wrong)
    assert seen > 0.9 * len(wrong)


STEP = "step-2e6fef0d-657c-4b7e-8706-ff24da9afa01"


@pytest.mark.parametrize(
    "text, right",
    [
        ("[]", True),
        (f"- {STEP}", True),
        (f"- {{id: {STEP}, interval: 10s, labels: {{change: CHG0042}}}}", True),
        ('- "${STEP}"', True),
        ("", False),
        ("{}", False),
        ("- step-1", False),
        (f"- {STEP}\n- {STEP}", False),
        (f"- {{id: {STEP}, intervall: 10s}}", False),
        ("- {interval: 10s}", False),
        (f"- {{id: {STEP}, labels: {{job: a}}}}", False),
    ],
)
def test_schema_separates_valid_and_invalid_step_files(step_schema, text, right):
    assert (faults(step_schema, text) == []) == right


def test_step_file_on_the_page_is_right(step_schema):
    page = (ROOT / "docs/configuration.md").read_text()
    (example,) = [text for text in blocks(page, "yaml") if text.startswith("- step-")]
    assert faults(step_schema, example) == []


@pytest.mark.parametrize("file", ["imagebuilder_exporter.yaml", "minimal.yaml"])
def test_shipped_configuration_names_its_schema(file):
    first, *_ = (CONFIG / file).read_text().splitlines()
    (schema,) = re.findall(r"^# yaml-language-server: \$schema=(\S+)$", first)
    assert (CONFIG / schema).is_file()
