"""What deploy/ says of itself, and the container image that much of it rests on."""

import os
import re

import pytest
import yaml

from manifests import render, the
from processes import output_of
from test_readme import blocks


@pytest.fixture
def deploy(root):
    return root / "deploy"


def test_index_names_every_folder(deploy):
    index = (deploy / "README.md").read_text()
    folders = {path.name for path in deploy.iterdir() if path.is_dir()}
    assert set(re.findall(r"^\| \[(\w+)/\]\(", index, re.MULTILINE)) == folders


def test_every_file_that_a_command_names_is_there(root, deploy):
    named = {
        name
        for page in deploy.glob("**/README.md")
        for block in blocks(page.read_text(), "")
        for name in re.findall(r"(?<![\w/.])(?:file://|\./)?((?:deploy|config)/[\w./-]+)", block)
    }
    assert len(named) > 7
    assert [name for name in named if not (root / name).exists()] == []


def test_every_documented_configuration_is_accepted(deploy, tmp_path):
    shown = [
        block
        for page in deploy.glob("**/README.md")
        for block in blocks(page.read_text(), "yaml")
        if block.startswith("targets:")
    ]
    assert shown
    for number, text in enumerate(shown):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        said = output_of(os.environ["IMAGEBUILDER_EXPORTER_BIN"], "check-config", str(file))
        assert said == f"{file}: OK\n"


def test_pair_has_the_documented_half_of_the_rate_limit(root, deploy):
    (half,) = re.findall(r"`(rate_limit: \{.*?\})`", (deploy / "helm/imagebuilder-exporter/README.md").read_text())
    defaults = (root / "docs/configuration.md").read_text()
    for name, value in yaml.safe_load(half)["rate_limit"].items():
        (default,) = re.findall(rf"^\| `{name}` \| [a-z ]+ \| `(\d+)` \|", defaults, re.MULTILINE)
        assert value == int(default) / 2


def test_image_matches_the_manifests(root, deploy):
    """Not root, by a number that Kubernetes can tell from root; its port; its configuration."""
    *_, image = re.split(r"^FROM ", (root / "Dockerfile").read_text(), flags=re.MULTILINE)
    base, *_ = image.splitlines()
    # The nonroot images of distroless run as 65532.
    assert "/cc-debian12:nonroot@" in base
    chart = deploy / "helm/imagebuilder-exporter"
    manifests = render(chart, f"--values={chart}/ci/minimal-values.yaml")
    pod = the("Deployment", manifests)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsUser"] == 65532
    assert f"EXPOSE {container['ports'][0]['containerPort']}\n" in image
    assert f"WORKDIR {container['volumeMounts'][0]['mountPath']}\n" in image
    version = re.search(r'^version = "(.*)"', (root / "Cargo.toml").read_text(), re.MULTILINE)[1]
    compose = yaml.safe_load((deploy / "compose/compose.yaml").read_text())
    assert container["image"] == f"imagebuilder_exporter:{version}"
    assert compose["services"]["exporter"]["image"] == container["image"]
