"""Programs that run beside a test, and what is asked of them over HTTP."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

# How long anything may take that is waited for: only a test that fails comes near it, also on a busy
# machine.
PATIENCE = 180

# What is on loopback needs no proxy, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def clean_environment(**more):
    """The environment without what would change the exporter, its AWS SDK or boto3, or lead what
    Prometheus and amtool ask for on loopback elsewhere; and all speak English, without a word on a
    language that is not installed."""
    changing = ("AWS_", "IMAGEBUILDER_", "LANG", "LC_")
    rest = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(changing) and not name.lower().endswith("_proxy")
    }
    return rest | {"LC_ALL": "C.UTF-8"} | more


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
        code = end(process)
    assert code == 0, f"{command[0]} ended with {code}:\n{tail(log)}"


def end(process):
    """Ends a process by its own id, by force where it doesn't hear; gives its exit code."""
    process.terminate()
    try:
        return process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def output_of(*command, **options):
    """What a command writes to standard output; it has to end with 0."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    done = subprocess.run(command, text=True, check=False, **options)
    said = done.stdout + (done.stderr or "")
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{said}"
    return done.stdout


def need(tool):
    """Skips the test where a tool is missing that tests/setup can't install."""
    if not shutil.which(tool):
        pytest.skip(f"there is no {tool} here")


def tail(log, lines=20):
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def get(url, headers=None):
    """The answer's body and headers; `urllib.error.HTTPError` where the status is an error's."""
    with _opener.open(urllib.request.Request(url, headers=headers or {}), timeout=60) as answer:
        return answer.read(), answer.headers


def until(what, condition, seconds=PATIENCE):
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


def listens(address):
    """Whether somebody does; else an error, as `until` expects it."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE):
        return True


_held = []


def free_port():
    """A port for a program that cannot be given port 0, or that is to be found again where it was.
    Nobody else is given it while the tests run: it stays bound here without listening, which hinders
    no server that binds it to use it again, as all of ours do."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _held.append(held)
    return held.getsockname()[1]
