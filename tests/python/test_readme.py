"""What README.md and the pages under docs/ show is what is shipped, and works."""

import json
import os
import re
import subprocess

import pytest
import yaml

from processes import get, output_of, until


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
    allowed = {name.removeprefix("imagebuilder:") for name in statement["Action"]}

    def called():
        operations = set(re.findall(calls, get(demo)[0].decode(), re.MULTILINE))
        # Each is called in its time.
        return operations >= allowed and operations

    assert until("each operation to be called", called) == allowed


def test_every_link_to_a_file_leads_somewhere(root):
    pages = [root / "README.md", root / "CHANGELOG.md", *root.glob("[cd]*/**/*.md")]
    assert len(pages) > 7
    for page in pages:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if not link.startswith("https://"):
                assert (page.parent / link).exists(), f"{link} in {page}"


def test_rules_lead_to_the_status_page_as_the_page_on_alerting_says(root):
    page = (root / "docs/alerting.md").read_text()
    (command,) = re.findall(r"^sed .*status_page.*$", page, re.MULTILINE)
    rules = output_of("sh", "-c", command, cwd=root / "deploy/prometheus")
    annotations = [
        rule["annotations"]
        for group in yaml.safe_load(rules)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert len(annotations) > 10
    for annotation in annotations:
        assert annotation["status_page"] == (
            "https://YOUR-HOST/PATH/"
            "?q={{ $labels.step_execution_id }}&image={{ $labels.image }}"
        )
