"""The systemd unit and what belongs to it, as systemd's own tools judge them."""

import pathlib
import re
import shutil
import subprocess

import pytest

from processes import output_of

UNIT = "imagebuilder_exporter.service"
# Of 100, as systemd-analyze takes it. What is left is a network, /proc/stat, and sockets for name
# lookups: 10 or so; versions of systemd judge a little differently.
EXPOSURE = 15


@pytest.fixture
def systemd(root):
    return root / "deploy/systemd"


@pytest.fixture
def installed(systemd, tmp_path):
    """A root directory with systemd's own units, and ours with the programs it runs."""
    own = pathlib.Path("/usr/lib/systemd/system")
    if not own.exists():
        own = pathlib.Path("/lib/systemd/system")
    shutil.copytree(own, tmp_path / "usr/lib/systemd/system", symlinks=True)
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    shutil.copy(systemd / UNIT, units)
    for program in ["usr/local/bin/imagebuilder_exporter", "bin/kill"]:
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / program).touch(mode=0o755)
    return tmp_path


def verify(installed):
    return subprocess.run(
        [
            "systemd-analyze",
            "verify",
            f"--root={installed}",
            "--man=no",
            "--recursive-errors=no",
            UNIT,
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_systemd_finds_nothing_to_say_of_the_unit(installed):
    said = verify(installed)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_systemd_would_find_a_setting_that_it_does_not_know(installed):
    """What the test above rests on."""
    unit = installed / "etc/systemd/system" / UNIT
    unit.write_text(unit.read_text().replace("NoNewPrivileges=", "NoMorePrivileges="))
    assert "NoMorePrivileges" in verify(installed).stderr


def test_unit_is_hardly_exposed(systemd):
    output_of(
        "systemd-analyze",
        "security",
        "--offline=yes",
        "--no-pager",
        f"--threshold={EXPOSURE}",
        str(systemd / UNIT),
    )


def settings(unit, name):
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


def test_user_of_the_unit_is_the_one_that_sysusers_makes(systemd, tmp_path):
    (tmp_path / "etc").mkdir()
    output_of(
        "systemd-sysusers",
        f"--root={tmp_path}",
        str(systemd / "imagebuilder_exporter.sysusers"),
    )
    (user,) = (tmp_path / "etc/passwd").read_text().splitlines()
    name, _, _, _, _, home, shell = user.split(":")
    assert [name] == settings(systemd / UNIT, "User") == settings(systemd / UNIT, "Group")
    assert (home, shell) == ("/", "/usr/sbin/nologin")


def test_reload_checks_the_file_and_then_sends_sighup(systemd):
    (start,) = settings(systemd / UNIT, "ExecStart")
    assert settings(systemd / UNIT, "ExecReload") == [
        f"{start} check-config imagebuilder_exporter.yaml",
        "/bin/kill -HUP $MAINPID",
    ]


def test_environment_file_names_flags_that_exist_with_their_defaults(root, systemd):
    assert settings(systemd / UNIT, "EnvironmentFile") == ["-/etc/default/imagebuilder_exporter"]
    flags = {
        variable: default
        for default, variable in re.findall(
            r"^\| `--[^|]+\| `?([^|`]+)`? \| `(IMAGEBUILDER_EXPORTER_\w+)`",
            (root / "docs/cli.md").read_text(),
            re.MULTILINE,
        )
    }
    named = re.findall(
        r"^#?(IMAGEBUILDER_EXPORTER_\w+)=(.*)$",
        (systemd / "imagebuilder_exporter.env").read_text(),
        re.MULTILINE,
    )
    assert len(named) > 2
    assert all(flags[variable] == value for variable, value in named)


def test_environment_file_sets_nothing_as_it_is_shipped(systemd):
    """A file of profiles that is named and isn't there would be warned of at each start."""
    text = (systemd / "imagebuilder_exporter.env").read_text()
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == []
    assert "#AWS_CONFIG_FILE=" in text
