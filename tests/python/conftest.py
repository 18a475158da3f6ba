"""What the tests share: the program under test, and its demo."""

import os
import selectors
import subprocess
from pathlib import Path

import pytest

from processes import running, tail, until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def binary():
    path = os.environ.get("IMAGEBUILDER_EXPORTER_BIN")
    assert path, "IMAGEBUILDER_EXPORTER_BIN must say where the program is, as tests/run does"
    return path


@pytest.fixture(scope="session")
def demo(binary, tmp_path_factory):
    """The URL of the metrics of a running demo."""
    log = tmp_path_factory.mktemp("demo") / "stderr"
    command = [binary, "demo", "--web.listen-address=127.0.0.1:0"]
    with running(command, log, stdout=subprocess.PIPE, text=True) as process:
        yield announced(process, "metrics: ", log)


def announced(process, what, log):
    """What follows `what` in the first line of the program's standard output."""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(timeout=30), f"no line within 30 s:\n{tail(log)}"
    line = process.stdout.readline()
    assert line.startswith(what), f"{line!r}\n{tail(log)}"
    return line.removeprefix(what).strip()
