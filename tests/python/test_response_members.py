"""Holds docs/response-members.md against the service model and against the code that parses responses."""

import re
from pathlib import Path

import botocore.loaders
import botocore.model
import pytest

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = re.findall(r"^    (\w+)\(.*\) -> ", (ROOT / "src/api/operation.rs").read_text(), re.M)


def documented():
    """The rows of each structure: the members, and whether they are read."""
    sections = {}
    for section in (ROOT / "docs/response-members.md").read_text().split("\n## ")[1:]:
        name, _, body = section.partition("\n")
        rows = re.findall(r"^\| (`.*?) \| (.*) \|$", body, re.M)
        sections[name.strip("`")] = {
            member: not use.startswith("not read")
            for members, use in rows
            for member in re.findall(r"`(\w+)`", members)
        }
    return sections


@pytest.fixture(scope="module")
def model():
    loader = botocore.loaders.Loader()
    return botocore.model.ServiceModel(loader.load_service_model("imagebuilder", "service-2"))


def structures(model, sections):
    """The structures that can be in a response, but for those within a member that is not read."""
    found = {}
    waiting = [model.operation_model(name).output_shape for name in OPERATIONS]
    while waiting:
        shape = waiting.pop()
        if shape.type_name == "list":
            waiting.append(shape.member)
        elif shape.type_name == "structure" and shape.name not in found:
            found[shape.name] = set(shape.members)
            read = sections.get(shape.name, {})
            waiting += [member for name, member in shape.members.items() if read.get(name)]
    return found


def test_every_member_of_a_response_is_documented_and_no_other(model):
    assert len(OPERATIONS) == 7
    sections = documented()
    assert {name: set(rows) for name, rows in sections.items()} == structures(model, sections)


def test_every_member_that_is_documented_as_read_is_read():
    code = "".join(path.read_text() for path in (ROOT / "src/aws").rglob("*.rs"))
    read = {name for rows in documented().values() for name, is_read in rows.items() if is_read}
    snake = {name: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in read}
    missing = [name for name, field in snake.items() if not re.search(rf"\b(r#)?{field}\b", code)]
    assert missing == []
