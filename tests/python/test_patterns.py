"""What the exporter takes for an ARN or an id, held against the patterns of botocore's service model."""

import os
import re
import subprocess
from itertools import product

import botocore.session
import pytest

MODEL = botocore.session.get_session().get_service_model("imagebuilder")
PARTITIONS = ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc"]
OWNERS = ["111122223333", "aws", "aws-marketplace", "aws-other-owner", "third-party"]
NAMES = ["golden", "a", "0", "golden-linux_2", "_", "-"]
VERSIONS = ["1.0.0/1", "0.0.0/0", "2024.12.31/12345"]
NO_VERSIONS = ["1.0.0", "1.0/1", "x.x.x/1", "1.0.0/1/2", "1.0.0/"]
UUIDS = ["2e6fef0d-657c-4b7e-8706-ff24da9afa01", "2E6FEF0D-657C-4B7E-8706-FF24DA9AFA01"]
NO_UUIDS = ["2e6fef0d657c4b7e8706ff24da9afa01", UUIDS[0][:-1], UUIDS[0] + "0", "g" + UUIDS[0][1:]]

# Accepted although the patterns of the model lack it: the service sends images of `third-party`, and
# the other owners do no harm with pipelines.
BEYOND = re.compile(
    r"^arn:aws[^:]*:imagebuilder:[^:]+:(?:aws(?:-[a-z-]+)?|third-party):"
    r"(?:image/[a-z0-9-_]+/[0-9]+\.[0-9]+\.[0-9]+/[0-9]+|image-pipeline/[a-z0-9-_]+)$"
)


def arns(resources):
    everything = product(PARTITIONS, [*OWNERS, "11112222333", "third", "Aws"], resources)
    for partition, owner, resource in everything:
        yield f"arn:{partition}:imagebuilder:us-west-2:{owner}:{resource}"


IMAGES = [f"image/{name}/{version}" for name in NAMES for version in VERSIONS + NO_VERSIONS]
PIPELINES = [f"image-pipeline/{name}" for name in [*NAMES, "golden/1", "Golden"]]
IDS = UUIDS + NO_UUIDS

# The key of the configuration, the shape of the model, and values for it.
ROWS = {
    "step_executions": ("WorkflowStepExecutionId", [f"{p}{i}" for p in ("step-", "wf-") for i in IDS]),
    "workflow_executions": ("WorkflowExecutionId", [f"{p}{i}" for p in ("wf-", "step-") for i in IDS]),
    "image_build_versions": ("ImageBuildVersionArn", list(arns(IMAGES))),
    "pipelines": ("ImagePipelineArn", list(arns(PIPELINES))),
}


# check-config counts further ones without showing them.
PROBLEMS_SHOWN = 100


def batched(values, size):
    return (values[at : at + size] for at in range(0, len(values), size))


def refused(tmp_path, key, values):
    """Those of the values that check-config refuses: a value a line, so that the line tells which."""
    file = tmp_path / "patterns.yaml"
    head = ["targets:", "- name: t", "  regions: [us-west-2]", f"  {key}:"]
    file.write_text("\n".join(head + [f"  - '{value}'" for value in values]) + "\n")
    binary = os.environ["IMAGEBUILDER_EXPORTER_BIN"]
    check = subprocess.run([binary, "check-config", file], capture_output=True, text=True, check=False)
    output = check.stdout + check.stderr
    lines = {
        int(line) for line in re.findall(rf"^{re.escape(str(file))}:(\d+):", output, re.MULTILINE)
    }
    assert output and min(lines, default=9) > len(head), output
    return {value for number, value in enumerate(values, len(head) + 1) if number in lines}


@pytest.mark.parametrize("key", ROWS)
def test_value_is_accepted_exactly_if_the_model_allows_it(tmp_path, key):
    shape, values = ROWS[key]
    pattern = re.compile(MODEL.shape_for(shape).metadata["pattern"])
    # The same id in another case is the same id, and listed once.
    for some in (values[::2], values[1::2]):
        for part in batched(some, PROBLEMS_SHOWN):
            unwanted = refused(tmp_path, key, part)
            for value in part:
                allowed = bool(pattern.search(value) or BEYOND.search(value))
                assert (value not in unwanted) == allowed, value


def test_values_include_allowed_and_rejected_ones():
    for shape, values in ROWS.values():
        pattern = MODEL.shape_for(shape).metadata["pattern"]
        assert len({bool(re.search(pattern, value)) for value in values}) == 2, shape


def test_no_owner_of_the_model_is_unknown_here():
    patterns = {
        name: MODEL.shape_for(name).metadata.get("pattern", "")
        for name in MODEL.shape_names
        if MODEL.shape_for(name).type_name == "string"
    }
    owners = {
        found
        for pattern in patterns.values()
        for found in re.findall(r":imagebuilder:.+?:\(\?:(.+?)\):", pattern)
    }
    known = {"[0-9]{12}", "aws", "aws(?:-[a-z-]+)?", "third-party"}
    assert owners
    assert {part for owner in owners for part in owner.split("|")} <= known
