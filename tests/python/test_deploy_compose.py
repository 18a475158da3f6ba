"""The Compose file and what it mounts: that each part finds the others."""

import re
import shutil
import subprocess

import pytest
import yaml

from processes import need, output_of
from test_readme import blocks


@pytest.fixture
def folder(root):
    return root / "deploy/compose"


@pytest.fixture
def services(folder):
    return yaml.safe_load((folder / "compose.yaml").read_text())["services"]


def test_compose_accepts_the_file(folder):
    command = ["docker", "compose"]
    if (
        not shutil.which("docker")
        or subprocess.run([*command, "version"], capture_output=True, check=False).returncode
    ):
        need("docker-compose")
        command = ["docker-compose"]
    output_of(*command, "-f", str(folder / "compose.yaml"), "config", "--quiet")


def test_every_image_has_a_version_and_no_registry_of_its_own(services):
    for service in services.values():
        assert re.fullmatch(r"([a-z_]+/)?[a-z_]+:v?\d+\.\d+\.\d+", service["image"])


def test_nothing_is_reached_from_outside(services):
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_every_file_mounted_is_there_and_is_only_read(folder, services):
    mounts = [
        mount.split(":")
        for service in services.values()
        for mount in service.get("volumes", [])
        if mount.startswith(".")
    ]
    assert len(mounts) == 6
    for here, _, mode in mounts:
        assert (folder / here).exists(), here
        assert mode == "ro"


def test_each_service_is_scraped_at_its_port(folder, services):
    ports = {
        f"{name}:{port.split(':')[2]}"
        for name, service in services.items()
        for port in service["ports"]
    }
    files = ["prometheus.yaml", "../grafana/provisioning/datasources/prometheus.yaml"]
    text = "".join((folder / file).read_text() for file in files)
    asked = set(re.findall(r"\b(?:exporter|alertmanager|prometheus):\d+", text))
    assert len(asked) == 3
    assert asked <= ports


def test_exporter_plays_the_demo(services):
    exporter = services["exporter"]
    assert (exporter["build"], exporter["command"]) == ("../..", ["demo"])


def test_promtool_accepts_the_configuration_with_its_rules(generation, folder):
    file = str(folder / "prometheus.yaml")
    assert "rules found" in generation.output_of("promtool", "check", "config", file)


def test_path_to_the_rules_is_the_same_in_the_container(folder, services):
    (rules,) = yaml.safe_load((folder / "prometheus.yaml").read_text())["rule_files"]
    inside = dict(
        mount.split(":")[:2] for mount in services["prometheus"]["volumes"] if mount.startswith(".")
    )
    config = inside["./prometheus.yaml"]
    assert f"--config.file={config}" in services["prometheus"]["command"]
    assert rules.startswith("../prometheus/")
    assert config == "/etc/imagebuilder_exporter/compose/prometheus.yaml"
    assert inside["../prometheus"] == "/etc/imagebuilder_exporter/prometheus"


def test_rules_are_the_complete_set(folder):
    rule_files = yaml.safe_load((folder / "prometheus.yaml").read_text())["rule_files"]
    assert rule_files == ["../prometheus/rules.yaml"]


def test_amtool_accepts_the_configuration_of_alertmanager(generation, folder):
    file = str(folder / "alertmanager.yaml")
    assert "SUCCESS" in generation.output_of("amtool", "check-config", file)


def test_data_source_of_grafana_is_the_prometheus_beside_it(folder):
    file = folder / "../grafana/provisioning/datasources/prometheus.yaml"
    (source,) = yaml.safe_load(file.read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    scrape = yaml.safe_load((folder / "prometheus.yaml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"] == {"timeInterval": scrape}


def test_groups_and_inhibitions_match_the_page_on_alerting(root, folder):
    (shown,) = [
        yaml.safe_load(block)
        for block in blocks((root / "docs/alerting.md").read_text(), "yaml")
        if block.startswith("route:")
    ]
    config = yaml.safe_load((folder / "alertmanager.yaml").read_text())
    assert config["inhibit_rules"] == shown["inhibit_rules"]
    assert config["route"]["group_by"] == shown["route"]["group_by"]


def test_repeat_intervals_are_within_the_retention_of_alertmanager(root, folder):
    """It does so for five days, unless --data.retention says otherwise."""
    texts = [(root / "docs/alerting.md").read_text(), (folder / "alertmanager.yaml").read_text()]
    intervals = re.findall(r"repeat_interval: (\d+)([hd])\b", "".join(texts))
    assert len(intervals) == 3
    for count, unit in intervals:
        assert int(count) * {"h": 1, "d": 24}[unit] <= 5 * 24


def test_grafana_finds_its_provisioning_and_the_dashboards(folder, services):
    grafana = services["grafana"]
    inside = dict(mount.split(":")[:2] for mount in grafana["volumes"])
    inside = {where: here for here, where in inside.items()}
    for kind in ("datasources", "dashboards"):
        assert inside[f"/etc/grafana/provisioning/{kind}"] == f"../grafana/provisioning/{kind}"
    file = folder / "../grafana/provisioning/dashboards/imagebuilder.yaml"
    (provider,) = yaml.safe_load(file.read_text())["providers"]
    assert provider["type"] == "file"
    path = provider["options"]["path"]
    assert inside[path] == "../grafana/dashboards"
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(f"{path}/")
    assert (folder / "../grafana/dashboards" / home.removeprefix(f"{path}/")).exists()


def test_version_of_grafana_is_one_that_the_dashboards_are_for(root, services):
    """Grafana reads what was made for an earlier version, and may not what is for a later one."""
    requirements = (root / "tests/python/requirements.txt").read_text()
    made_for = re.search(r"^grafana-foundation-sdk==\d+!(\d+)\.(\d+)", requirements, re.MULTILINE)
    run = re.search(r":(\d+)\.(\d+)", services["grafana"]["image"])
    assert [int(part) for part in run.groups()] >= [int(part) for part in made_for.groups()]
