"""deploy/quickstart where something is missing, dies or is stopped: it says so, and leaves nothing."""

import os
import pathlib
import re
import subprocess

import pytest

from processes import PATIENCE, clean_environment, free_port, until
from prometheus_server import NEEDS_ALERTMANAGER
from quickstart import SCRIPT



# Not amtool: it runs too shortly to be met for sure. The test after this one holds it up.
@NEEDS_ALERTMANAGER
@pytest.mark.parametrize("program", ["imagebuilder_exporter", "prometheus", "sleep"])
def test_termination_while_it_starts_and_waits_leaves_nothing(quickstart, program):
    started = quickstart()
    until(f"{program} to run", lambda: any(program.encode() in run for run in started.programs()))
    started.process.terminate()
    assert started.ends() == 143, started.said()


@NEEDS_ALERTMANAGER
def test_termination_with_a_slow_alertmanager_leaves_no_process(quickstart, tmp_path):
    tools = tmp_path / "fakes"
    tools.mkdir()
    (tools / "amtool").write_text("#!/bin/sh\nexec sleep 2.5\n")
    (tools / "amtool").chmod(0o755)
    started = quickstart(PATH=f"{tools}:{os.environ['PATH']}")
    until("it to ask", lambda: any(b"2.5" in run for run in started.programs()))
    started.process.terminate()
    assert started.ends() == 143, started.said()


def without(tmp_path, *missing):
    """A directory with all programs of the PATH but those."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for directory in os.get_exec_path():
        if os.path.isdir(directory):
            for program in pathlib.Path(directory).iterdir():
                if program.name not in missing and not (tools / program.name).is_symlink():
                    (tools / program.name).symlink_to(program)
    return str(tools)


@pytest.mark.parametrize(
    "missing, named",
    [
        (["prometheus"], "prometheus"),
        (["prometheus-alertmanager", "alertmanager"], "prometheus-alertmanager"),
        (["amtool"], "amtool"),
        (["prometheus", "amtool"], "prometheus amtool"),
    ],
)
def test_missing_tools_are_reported_with_install_instructions(quickstart, tmp_path, missing, named):
    started = quickstart(PATH=without(tmp_path, *missing))
    assert started.ends() == 1
    assert started.said() == (
        f"deploy/quickstart: not on the PATH: {named}; on Debian: sudo apt-get install"
        " --no-install-recommends prometheus prometheus-alertmanager\n"
    )


@pytest.fixture
def program(tmp_path):
    """A program that stands in for the exporter."""

    def write(script):
        file = tmp_path / "some program"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return {"IMAGEBUILDER_EXPORTER_BIN": str(file)}

    return write


def test_exporter_that_cannot_start_is_reported_with_its_log(quickstart, program):
    started = quickstart(**program('echo "$1 cannot be" >&2; exit 3'))
    assert started.ends() == 1
    assert "deploy/quickstart: exporter has ended by itself, with exit code 3\n" in started.said()
    assert started.said().endswith("The last lines of exporter:\n    demo cannot be\n")


@NEEDS_ALERTMANAGER
def test_exporter_that_dies_later_is_reported_with_its_log(quickstart, program):
    script = "echo metrics: http://127.0.0.1:1/metrics; sleep 2; echo so long >&2; kill -9 $$"
    started = quickstart(**program(script))
    assert started.ends() == 1
    assert "deploy/quickstart: exporter has ended by itself, with exit code 137\n" in started.said()
    assert started.said().endswith("The last lines of exporter:\n    so long\n")


@NEEDS_ALERTMANAGER
def test_missing_alert_is_reported_with_all_logs(quickstart, program):
    address = f"http://127.0.0.1:{free_port()}/metrics"
    script = f"echo metrics: {address}; echo nothing fails here >&2; exec sleep 1000"
    started = quickstart("--once", "--within=10", **program(script))
    assert started.ends() == 1
    said = started.said()
    assert "deploy/quickstart: no critical alert within 10 s\n" in said
    assert "The last lines of exporter:\n    nothing fails here\n" in said
    assert "The last lines of amtool:\n" in said
    for name in ("alertmanager", "prometheus"):
        assert re.search(rf"^The last lines of {name}:\n    \S+=", said, re.MULTILINE), said


@NEEDS_ALERTMANAGER
def test_closed_pipe_ends_it_and_no_process_remains(quickstart, program, tmp_path):
    """As with `deploy/quickstart | head`."""
    # What it prints at last, it prints here soon.
    fake = tmp_path / "fakes"
    fake.mkdir()
    row = 'alertname="X" severity="critical"  runbook_url="r" summary="s"  2026-01-01 00:00:00 UTC'
    (fake / "amtool").write_text(f"#!/bin/sh\necho '{row}'\n")
    (fake / "amtool").chmod(0o755)
    directory = tmp_path / "files"
    directory.mkdir()
    reader, writer = os.pipe()
    environment = program("echo metrics: http://127.0.0.1:1/metrics; exec sleep 1000") | {
        "PATH": f"{fake}:{os.environ['PATH']}",
        "TMPDIR": str(directory),
    }
    process = subprocess.Popen(
        [SCRIPT], env=clean_environment(**environment), stdout=writer, stderr=writer
    )
    os.close(writer)
    os.close(reader)
    assert process.wait(PATIENCE) == 141
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    "argument, complaint",
    [
        ("--twice", "unknown argument: --twice"),
        ("--within=soon", "not a number of seconds: --within=soon"),
        ("--within=0", "not a number of seconds: --within=0"),
    ],
)
def test_bad_usage_is_reported(quickstart, argument, complaint):
    started = quickstart(argument)
    assert started.ends() == 2
    assert started.said().startswith(f"deploy/quickstart: {complaint}\n\nUsage: deploy/quickstart ")


def test_missing_program_is_reported(quickstart, tmp_path):
    started = quickstart(IMAGEBUILDER_EXPORTER_BIN=str(tmp_path / "none"))
    assert started.ends() == 1
    assert started.said() == (
        f"deploy/quickstart: IMAGEBUILDER_EXPORTER_BIN is no program: {tmp_path / 'none'}\n"
    )


def test_program_is_built_if_it_is_missing(quickstart, tmp_path):
    tools, target = tmp_path / "fakes", tmp_path / "built here"
    tools.mkdir()
    cargo = tools / "cargo"
    cargo.write_text(
        "#!/bin/sh\n"
        '[ "$*" = "build --release --locked" ] && [ -f Cargo.toml ] || exit 9\n'
        'mkdir -p "$CARGO_TARGET_DIR/release" && cd "$CARGO_TARGET_DIR/release" || exit 9\n'
        "printf '#!/bin/sh\\nexit 3\\n' >imagebuilder_exporter\n"
        "chmod +x imagebuilder_exporter\n"
    )
    cargo.chmod(0o755)
    # Relative, it is seen from where the script is started, as cargo has it.
    for place in (str(target), f"{target.name} too"):
        started = quickstart(
            cwd=tmp_path,
            IMAGEBUILDER_EXPORTER_BIN="",
            CARGO_TARGET_DIR=place,
            PATH=f"{tools}:{os.environ['PATH']}",
        )
        assert started.ends() == 1
        assert started.said().startswith("Nothing is built yet: cargo build --release, ")
        assert "exporter has ended by itself, with exit code 3\n" in started.said()
    assert (tmp_path / "built here too").exists()


def test_directory_for_temporary_files_may_be_a_relative_path(quickstart, program, tmp_path):
    started = quickstart(cwd=tmp_path, TMPDIR="0/temporary files", **program("exit 3"))
    assert started.ends() == 1
    assert "exporter has ended by itself, with exit code 3\n" in started.said()


def test_failed_build_of_the_program_is_reported(quickstart, tmp_path):
    started = quickstart(
        IMAGEBUILDER_EXPORTER_BIN="",
        CARGO_TARGET_DIR=str(tmp_path / "nothing"),
        PATH=without(tmp_path, "cargo"),
    )
    assert started.ends() == 1
    assert started.said() == (
        "deploy/quickstart: nothing is built, and there is no cargo to build it: install Rust, or"
        " name the program in IMAGEBUILDER_EXPORTER_BIN\n"
    )


def test_help_names_every_argument_and_variable(quickstart):
    started = quickstart("--help")
    assert started.ends() == 0
    script = SCRIPT.read_text()
    arguments = re.findall(r"^    (?:-h \| )?(--\w+)", script, re.MULTILINE)
    assert len(arguments) >= 3
    for word in [*arguments, *re.findall(r"\$\{([A-Z_]{6,}):-", script)]:
        assert word in started.said(), word
