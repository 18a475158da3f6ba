"""Programs that run beside a test, and what is asked of them over HTTP."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

# What is on loopback needs no proxy, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def clean_environment(**more):
    """The environment without what would change the exporter, its AWS SDK or boto3."""
    ours = ("AWS_", "IMAGEBUILDER_", "HTTPS_PROXY", "NO_PROXY")
    rest = {name: value for name, value in os.environ.items() if not name.upper().startswith(ours)}
    return rest | more


@contextlib.contextmanager
def running_process(command, log, more=None, **options):
    """Runs `command`, with `log` as its standard error and `more` in its environment; ended by its
    own id, and well."""
    environment = clean_environment(**(more or {}))
    with open(log, "wb") as stderr:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=stderr, env=environment, **options
        )
    try:
        yield process
        assert process.poll() is None, f"{command[0]} ended by itself:\n{tail(log)}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    assert code == 0, f"{command[0]} ended with {code}:\n{tail(log)}"


def output_of(*command, **options):
    """What a command writes to standard output; it has to end with 0."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{said}"
    return done.stdout


def need(tool):
    """Skips the test where a tool is missing that tests/run can't install."""
    if not shutil.which(tool):
        pytest.skip(f"there is no {tool} here")


def tail(log, lines=20):
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def get(url, headers=None):
    """The answer's body and headers; `urllib.error.HTTPError` where the status is an error's."""
    with _opener.open(urllib.request.Request(url, headers=headers or {}), timeout=10) as answer:
        return answer.read(), answer.headers


def until(what, condition, seconds=30):
    """Asks until `condition` gives something true, and gives that."""
    deadline = time.monotonic() + seconds
    while True:
        failure = None
        try:
            if outcome := condition():
                return outcome
        except (OSError, urllib.error.URLError) as error:
            failure = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}") from failure
        time.sleep(0.1)


def free_port():
    """A port that nobody had a moment ago, for a program that cannot be given port 0."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
