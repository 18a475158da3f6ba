"""The generations of Prometheus and Alertmanager that the tests run: the one on the PATH, and Debian
sid's, which tests/setup-sid unpacks. The ids of tests have the version that really runs."""

import os
import pathlib
import re
import subprocess

import pytest

from processes import clean_environment

SID = pathlib.Path(os.environ.get("IMAGEBUILDER_TESTS_SID", "/nonexistent"))
NO_SID = "there is nothing of Debian sid here: tests/setup could not fetch it"
NEEDS_SID = pytest.mark.skipif(not (SID / "bin").is_dir(), reason=NO_SID)


class Generation:
    """Programs of one time: `environment` has the PATH on which they are found first."""

    def __init__(self, directory=None):
        path = os.environ["PATH"]
        self.environment = {"PATH": f"{directory}:{path}" if directory else path}

    def version(self, program):
        """Major and minor version; nothing where there is no such program."""
        try:
            said = subprocess.run(
                [program, "--version"],
                env=clean_environment(**self.environment),
                capture_output=True,
                text=True,
                check=True,
            )
        except OSError:
            return ""
        # Some say it on standard error.
        return re.search(r"version (\d+\.\d+)", said.stdout + said.stderr)[1]


THE_SYSTEMS = Generation()
SIDS = Generation(SID / "bin")


def each_generation(program):
    """A parameter for each, named by the version of that program."""
    sids = f"{program}-{SIDS.version(program)}" if (SID / "bin").is_dir() else f"{program}-of-sid"
    return [
        pytest.param(THE_SYSTEMS, id=f"{program}-{THE_SYSTEMS.version(program)}"),
        pytest.param(SIDS, id=sids, marks=NEEDS_SID),
    ]
