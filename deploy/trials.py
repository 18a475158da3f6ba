"""Commands, waits and checks for the scripts of deploy/ that try a package or an image."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
PATIENCE = 120


def run(*command, **options):
    """Returns what a command writes, to standard error too; without success, ends the script."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def target_directory():
    command = ["cargo", "metadata", "--locked", "--format-version=1", "--no-deps"]
    return pathlib.Path(json.loads(subprocess.check_output(command, cwd=ROOT))["target_directory"])


def heading(text):
    print(f"\n{text}", flush=True)


def check(what, holds):
    print(f"    {what}", flush=True)
    if not holds:
        sys.exit(f"not so: {what}")


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as response:
        return response.read().decode()


def until(what, condition):
    """Returns the first true result of `condition`, which can fail while a server starts."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError):
            if result := condition():
                return result
        if time.monotonic() > deadline:
            sys.exit(f"not within {PATIENCE} s: {what}")
        time.sleep(0.02)


@contextlib.contextmanager
def running(command, log):
    """Runs a command as the child of unshare, and yields the child's id. Ends it with SIGTERM, which
    unshare does not pass on, and checks its exit code."""
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        child = int(until("the start of the program", children.read_text))
        yield child
        check("it runs until it is stopped", process.poll() is None)
        os.kill(child, 15)
        code = process.wait(timeout=PATIENCE)
    finally:
        process.kill()
    check(f"it ended with exit code {code} after SIGTERM", code == 0)
