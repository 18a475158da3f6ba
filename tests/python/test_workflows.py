"""The workflows of GitHub Actions, as actionlint and their pins say. No test runs them."""

import re
import subprocess

import pytest
import yaml


@pytest.fixture
def workflows(root):
    return sorted((root / ".github/workflows").glob("*.yml"))


def lint(*files):
    """Checks the scripts in them with shellcheck, too, which is in the virtual environment."""
    return subprocess.run(
        ["actionlint", "-no-color", *files], capture_output=True, text=True, check=False
    )


def test_actionlint_finds_nothing(workflows):
    assert len(workflows) == 2
    said = lint(*workflows)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


@pytest.mark.parametrize(
    ("valid", "wrong", "reported"),
    [
        ("needs: packages", "needs: packets", "packets"),
        ("${{ matrix.architecture }}", "${{ matrix.architectures }}", "architectures"),
        ('mkdir "$name"', "mkdir $name", "SC2086"),
    ],
)
def test_actionlint_would_find_a_mistake(root, tmp_path, valid, wrong, reported):
    text = (root / ".github/workflows/release.yml").read_text()
    file = tmp_path / "release.yml"
    file.write_text(text.replace(valid, wrong, 1))
    assert reported in lint(file).stdout


def test_each_action_is_pinned_to_a_commit_and_names_its_version(workflows):
    uses = [
        use
        for file in workflows
        for use in re.findall(r"uses: (.*)", file.read_text())
    ]
    assert uses
    pinned = re.compile(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [use for use in uses if not pinned.fullmatch(use)] == []
    assert len(set(uses)) == len({use.partition("@")[0] for use in uses}), "one version of each"


def test_no_job_has_more_permissions_than_it_lists(workflows):
    for file in workflows:
        workflow = yaml.safe_load(file.read_text())
        default = workflow["permissions"]
        assert all(access == "read" for access in default.values())
        for name, job in workflow["jobs"].items():
            permissions = job.get("permissions", default)
            assert permissions, f"{name} of {file.name} names none"
            writes = "write" in permissions.values()
            assert not writes or "event_name == 'push'" in str(job), f"{name} always publishes"


def test_jobs_build_on_the_base_of_the_image(root, workflows):
    builder, runtime = re.findall(r"^FROM (\S+)", (root / "Dockerfile").read_text(), re.MULTILINE)
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", base) for base in (builder, runtime))
    images = [
        image
        for file in workflows
        for image in re.findall(r"(?:container|image): (\S+:\S+)", file.read_text())
    ]
    assert images
    assert set(images) == {builder}


def test_a_release_publishes_nothing_without_a_tag(root):
    workflow = yaml.safe_load((root / ".github/workflows/release.yml").read_text())
    # YAML 1.1 reads the key `on` as true.
    assert workflow[True] == {"push": {"tags": ["v*"]}, "workflow_dispatch": None}
    assert workflow["jobs"]["publish"]["if"] == "github.event_name == 'push'"
    assert set(workflow["jobs"]["publish"]["needs"]) == {"try", "image"}
