"""What README.md and the pages under docs/ show is what is shipped, and works."""

import json
import os
import re
import subprocess
import textwrap

import botocore.session
import pytest
import yaml
from botocore import xform_name

from processes import get, output_of, until


def blocks(page, language):
    """Blocks in lists are indented as the list is."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", page, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for _, text in found]


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


def test_scrape_configuration_of_the_readme_is_the_shipped_one(readme, root):
    folder = root / "deploy/prometheus"
    (text,) = [block for block in blocks(readme, "yaml") if "scrape_configs:" in block]
    shown = yaml.safe_load(text)
    shipped = yaml.safe_load((folder / "scrape.yaml").read_text())
    assert shown == {key: shipped[key] for key in shown}
    assert all((folder / file).exists() for file in shown["rule_files"])


def test_shipped_policy_allows_each_operation_and_no_other(root, demo):
    policy = json.loads((root / "deploy/iam/policy.json").read_text())
    actions = [statement["Action"] for statement in policy["Statement"]]
    calls = r'^imagebuilder_exporter_api_requests_total\{.*operation="(\w+)"'
    allowed = {
        name.removeprefix("imagebuilder:")
        for names in actions
        for name in ([names] if isinstance(names, str) else names)
    }

    def called():
        operations = set(re.findall(calls, get(demo)[0].decode(), re.MULTILINE))
        # Each is called in its time.
        return operations >= allowed and operations

    assert until("each operation to be called", called) == allowed


@pytest.fixture
def pages(root):
    found = [*root.glob("*.md"), *root.glob("[cd]*/**/*.md")]
    assert len(found) > 7
    return found


def without_blocks(page):
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """As the places that render Markdown make them of headings."""
    headings = re.findall(r"^#+ (.*)$", without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere(pages):
    followed = 0
    for page in pages:
        for link in re.findall(r"\]\(([^)]+)\)", without_blocks(page)):
            if link.startswith("https://"):
                continue
            file, _, anchor = link.partition("#")
            target = page.parent / file if file else page
            assert target.exists(), f"{link} in {page}"
            assert not anchor or anchor in anchors(target), f"{link} in {page}"
            followed += bool(anchor)
    assert followed > 7


def test_every_table_is_one(pages):
    """Rows that no line of dashes precedes are shown as they are written."""
    tables = 0
    for page in pages:
        for table in re.findall(r"(?:^\|.*\n)+", without_blocks(page), re.MULTILINE):
            assert re.match(r"\|.*\|\n\|[-| ]+\|\n", table), f"{table} in {page}"
            columns = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
            assert len(columns) == 1, f"{table} in {page}"
            tables += 1
    assert tables > 7


def test_rules_link_to_the_status_page_as_the_page_on_alerting_says(root):
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


def commands_of_aws(pages):
    """The AWS CLI's commands, of blocks and of lines: service, operation, and all that follows."""
    for page in pages:
        text = page.read_text().replace("\\\n", " ")
        for found in re.findall(r"(?:^ *|`)(aws [^`\n]+)", text, re.MULTILINE):
            _, service, operation, *rest = found.split(maxsplit=3)
            yield service, operation, rest[0] if rest else ""


# Of the CLI alone: flags that every command has, and commands that are no single operation.
GLOBAL_FLAGS = {"region", "query", "output"}
OWN_COMMANDS = {
    ("cloudformation", "deploy"): {
        "stack-name",
        "template-file",
        "capabilities",
        "parameter-overrides",
    },
    ("sso", "login"): set(),
}


def test_commands_of_aws_have_the_operations_flags_and_members_that_there_are(pages):
    session = botocore.session.get_session()
    flags = members = 0
    for service, operation, rest in commands_of_aws(pages):
        given = set(re.findall(r"--([a-z-]+)", rest)) - GLOBAL_FLAGS
        own = OWN_COMMANDS.get((service, operation))
        if own is not None:
            assert given <= own, operation
            continue
        model = session.get_service_model(service)
        (name,) = [name for name in model.operation_names if xform_name(name, "-") == operation]
        known = model.operation_model(name)
        assert given <= {xform_name(member, "-") for member in known.input_shape.members}, operation
        flags += len(given)
        for query in re.findall(r"--query '([^']+)'", rest):
            for path in query.strip("[]").split(","):
                shape = known.output_shape
                for member in path.split("."):
                    name = member.removesuffix("[]")
                    assert name in shape.members, f"{path} of {operation}"
                    shape = shape.members[name]
                    if member != name:
                        shape = shape.member
                members += 1
    assert flags > 10 and members > 10
