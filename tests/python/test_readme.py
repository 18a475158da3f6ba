"""What README.md and the pages under docs/ show is what is shipped, and works."""

import json
import os
import re
import subprocess

import pytest

from processes import get


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def without_first_comment(text):
    lines = text.splitlines(keepends=True)
    return "".join(lines[1:] if lines[0].startswith("#") else lines)


@pytest.fixture
def readme(root):
    return (root / "README.md").read_text()


def test_configuration_of_the_readme_is_accepted(readme, tmp_path):
    (text,) = [block for block in blocks(readme, "yaml") if block.startswith("targets:")]
    file = tmp_path / "imagebuilder_exporter.yaml"
    file.write_text(text)
    check = subprocess.run(
        [os.environ["IMAGEBUILDER_EXPORTER_BIN"], "check-config", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (check.returncode, check.stdout) == (0, f"{file}: OK\n")


def test_alert_of_the_readme_is_the_shipped_one(readme, root):
    shipped = (root / "deploy/prometheus/first-alert.yaml").read_text()
    assert without_first_comment(shipped) in blocks(readme, "yaml")


def test_policy_of_the_readme_allows_each_operation_and_no_other(readme, demo):
    (policy,) = blocks(readme, "json")
    (statement,) = json.loads(policy)["Statement"]
    calls = r'^imagebuilder_exporter_api_requests_total\{.*operation="(\w+)"'
    operations = set(re.findall(calls, get(demo)[0].decode(), re.MULTILINE))
    assert set(statement["Action"]) == {f"imagebuilder:{name}" for name in operations}


def test_every_link_to_a_file_leads_somewhere(root):
    pages = [root / "README.md", root / "CHANGELOG.md", *root.glob("[cd]*/**/*.md")]
    assert len(pages) > 7
    for page in pages:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if not link.startswith("https://"):
                assert (page.parent / link).exists(), f"{link} in {page}"
