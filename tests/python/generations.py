"""The generations of Prometheus and Alertmanager that the tests run: the one on the PATH, and Debian
sid's, which tests/setup-sid unpacks. The ids of tests have the version that really runs."""

import os
import pathlib
import re
import subprocess

import pytest

from processes import clean_environment, output_of

SID = pathlib.Path(os.environ.get("IMAGEBUILDER_TESTS_SID", "/nonexistent"))
NEEDS_SID = pytest.mark.skipif(
    not (SID / "bin").is_dir(),
    reason="there is nothing of Debian sid here: tests/setup could not fetch it",
)


class Generation:
    """Programs of one time: `environment` has the PATH on which they are found first."""

    def __init__(self, directory=None):
        path = os.environ["PATH"]
        self.environment = {"PATH": f"{directory}:{path}" if directory else path}

    def output_of(self, *command, **options):
        return output_of(*command, env=clean_environment(**self.environment), **options)

    def version(self, program):
        """Major and minor version; nothing where there is no such program."""
        try:
            said = self.output_of(program, "--version", stderr=subprocess.STDOUT)
        except OSError:
            return ""
        return re.search(r"version (\d+\.\d+)", said)[1]


THE_SYSTEMS = Generation()
SIDS = Generation(SID / "bin")
AVAILABLE = [THE_SYSTEMS, SIDS] if (SID / "bin").is_dir() else [THE_SYSTEMS]


def each_generation(program):
    """A parameter for each, named by the version of that program."""
    here = [pytest.param(one, id=f"{program}-{one.version(program)}") for one in AVAILABLE]
    missing = pytest.param(SIDS, id=f"{program}-of-sid", marks=NEEDS_SID)
    return here if SIDS in AVAILABLE else [*here, missing]
