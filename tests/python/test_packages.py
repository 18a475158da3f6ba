"""The .deb and .rpm, as Cargo.toml describes them. deploy/package/try installs and runs them."""

import os
import pathlib
import re
import subprocess
import tomllib

import pytest

from processes import output_of

PROGRAM = "target/release/imagebuilder_exporter"


@pytest.fixture
def metadata(root):
    return tomllib.loads((root / "Cargo.toml").read_text())["package"]["metadata"]


def full(source, destination):
    """The path in the package, where its metadata names the folder only."""
    name = source.rpartition("/")[2]
    return "/" + destination.lstrip("/") + (name if destination.endswith("/") else "")


@pytest.fixture
def deb(metadata):
    """By path in the package: its source and its mode. cargo-deb finds the unit by its name."""
    units = metadata["deb"]["systemd-units"]
    unit = f"{units['unit-name']}.service"
    files = {full(source, to): (source, mode) for source, to, mode in metadata["deb"]["assets"]}
    return files | {f"/usr/lib/systemd/system/{unit}": (f"{units['unit-scripts']}/{unit}", "644")}


@pytest.fixture
def rpm(metadata):
    assets = metadata["generate-rpm"]["assets"]
    return {full(file["source"], file["dest"]): (file["source"], file["mode"]) for file in assets}


def test_every_file_of_the_packages_is_there(root, metadata, deb, rpm):
    scripts = [
        value for name, value in metadata["generate-rpm"].items() if name.endswith("_script")
    ]
    assert len(scripts) == 3
    sources = {source for source, _ in (deb | rpm).values()} - {PROGRAM}
    named = [*sources, *scripts, *metadata["deb"]["license-file"][:1]]
    assert [name for name in named if not list(root.glob(name))] == []


def test_both_packages_have_the_same_files(deb, rpm):
    # Debian's own folder for completions of zsh; cargo-deb makes the file of the license itself.
    only_deb = {"/usr/share/zsh/vendor-completions/_imagebuilder_exporter"}
    only_rpm = {
        "/usr/share/zsh/site-functions/_imagebuilder_exporter",
        "/usr/share/licenses/imagebuilder-exporter/LICENSE",
    }
    assert deb.keys() - rpm.keys() == only_deb
    assert rpm.keys() - deb.keys() == only_rpm
    assert all(deb[path] == rpm[path] for path in deb.keys() & rpm.keys())


def test_packages_have_every_file_of_systemd_and_every_page(root, deb):
    sources = {source for source, _ in deb.values()}
    systemd = {f"deploy/systemd/{file.name}" for file in (root / "deploy/systemd").iterdir()}
    assert len(systemd) == 3
    assert systemd <= sources
    packaged = {file for source in sources for file in root.glob(source)}
    assert set((root / "docs").rglob("*.md")) <= packaged


def test_files_are_where_the_unit_expects_them(root, deb):
    unit = (root / "deploy/systemd/imagebuilder_exporter.service").read_text()
    (program,) = re.findall(r"^ExecStart=(\S+)$", unit, re.MULTILINE)
    (variables,) = re.findall(r"^EnvironmentFile=-(\S+)$", unit, re.MULTILINE)
    (folder,) = re.findall(r"^WorkingDirectory=(\S+)$", unit, re.MULTILINE)
    assert {f"/usr/bin/{program}", variables, f"{folder}/imagebuilder_exporter.yaml"} <= deb.keys()
    # It can hold credentials; systemd reads it as root.
    assert deb[variables][1] == "600"


def test_rpm_removes_its_folders(root, rpm):
    """cargo-generate-rpm lists no folders, so the script removes them."""
    script = (root / "deploy/package/rpm/post-uninstall").read_text()
    removed = set(re.findall(r"/[\w/]+/imagebuilder.exporter(?=[ ;])", script))
    parents = {str(parent) for path in rpm for parent in pathlib.PurePath(path).parents}
    assert removed == {path for path in parents if re.search("/imagebuilder.exporter$", path)}


def test_an_upgrade_keeps_what_the_operator_has_edited(metadata):
    """cargo-deb lists each file in /etc as a configuration file itself."""
    for file in metadata["generate-rpm"]["assets"]:
        kept = file.get("config") == "noreplace"
        assert kept == file["dest"].startswith("/etc/"), file["dest"]


def test_configuration_of_the_packages_is_accepted(root):
    file = root / "deploy/package/imagebuilder_exporter.yaml"
    said = output_of(os.environ["IMAGEBUILDER_EXPORTER_BIN"], "check-config", str(file))
    assert said == f"{file}: OK\n"


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["--web.t"], ["--web.telemetry-path"]),
        (["--log.format", "j"], ["json"]),
        (["do"], ["doctor"]),
        (["simulate", "--s"], ["--scenario", "--speed", "--seed"]),
    ],
)
def test_bash_completes_commands_flags_and_values(root, words, completed):
    completions = root / "deploy/package/completions/imagebuilder_exporter.bash"
    script = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        '_imagebuilder_exporter "$1" "${@: -1}" "${@: -2:1}"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    line = ["imagebuilder_exporter", *words]
    said = subprocess.run(
        ["bash", "-c", script, "bash", completions, *line],
        capture_output=True, text=True, check=True,
    )
    assert said.stdout.split() == completed
