"""The script deploy/quickstart, running."""

import os
import pathlib
import signal
import subprocess

from processes import PATIENCE, clean_environment, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "quickstart"


def hear_interrupts():
    """Also where the tests run as a job in the background, which is started deaf to them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Quickstart:
    """The script, running, with a temporary directory of its own for all that it makes."""

    def __init__(self, directory, *arguments, script=SCRIPT, cwd="/", **environment):
        # A blank in the path, as people have them.
        self.directory = directory / "temporary files"
        self.directory.mkdir(parents=True)
        self.output = directory / "output"
        settings = {
            "IMAGEBUILDER_EXPORTER_BIN": os.path.abspath(os.environ["IMAGEBUILDER_EXPORTER_BIN"]),
            # What is set for another exporter is nothing to the demo.
            "IMAGEBUILDER_EXPORTER_WEB_TELEMETRY_PATH": "/elsewhere",
            "TMPDIR": str(self.directory),
        }
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [script, *arguments],
                cwd=cwd,
                env=clean_environment(**settings | environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=hear_interrupts,
            )

    def said(self):
        return self.output.read_text()

    def says(self, what, seconds=PATIENCE):
        def said():
            assert self.process.poll() is None or what in self.said(), self.said()
            return what in self.said()

        until(f"{what!r} of the script", said, seconds)

    def ends(self, seconds=PATIENCE):
        """Its exit code, once it has ended and left nothing."""
        code = self.process.wait(seconds)
        assert list(self.programs()) == [], self.said()
        assert list(self.directory.iterdir()) == [], self.said()
        return code

    def programs(self):
        """The command lines of what it started: all of that works in its directory."""
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink().is_relative_to(self.directory):
                    yield (process / "cmdline").read_bytes()
            except OSError:
                # It has ended meanwhile, or is somebody else's.
                continue
