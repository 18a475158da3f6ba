"""Chromium, and an exporter for it to look at."""

import contextlib
import json
import os
import pathlib
import re
import shutil

from playwright.sync_api import sync_playwright

from processes import PATIENCE, get, running_process, tail, until

# Debian's wants no sandbox where it runs as root, and nothing of the network.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Notes what the page itself would not tell: what its policy forbade.
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""

CONFIGURATION = """
polling: {{interval: 500ms, discovery_interval: 1s, request_timeout: 30s}}
metrics: {{retention: 2d, retention_failed: 2d}}
duration_budgets: [{{step: ApplyBuildComponents, max_duration: 30s}}]
targets:
  - name: main
    regions: [us-west-2]
    endpoint_url: {url}
    rate_limit: {{requests_per_second: 100000, burst: 1000}}
    images: ["*"]
"""


@contextlib.contextmanager
def chromium():
    with sync_playwright() as playwright:
        executable = shutil.which("chromium")
        assert executable, "there is no chromium on the PATH"
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@contextlib.contextmanager
def looking(browser, **options):
    """A page that must end without a word on its console, and without having broken its policy."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    said = []
    page.add_init_script(WATCH)
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.said = said
    yield page
    if options.get("java_script_enabled", True):
        assert page.evaluate("window.violations") == []
    assert not said, said
    context.close()


class Exporter:
    def __init__(self, process, address):
        self.process = process
        self.url = f"http://{address}/"

    def steps(self, query=""):
        body, _ = get(f"{self.url}api/v1/steps{query}")
        return json.loads(body)

    def until(self, what, condition, seconds=PATIENCE):
        """Asks until what is shown is so, and gives that."""

        def so():
            shown = self.steps()
            return shown if condition(shown) else None

        return until(what, so, seconds)


@contextlib.contextmanager
def exporting(simulator, folder, address="127.0.0.1:0"):
    """An exporter of everything that a simulator has, once it is ready."""
    folder = pathlib.Path(folder)
    file, log = folder / "exporter.yaml", folder / "exporter.log"
    file.write_text(CONFIGURATION.format(url=simulator.url))
    command = [
        os.environ["IMAGEBUILDER_EXPORTER_BIN"],
        f"--config.file={file}",
        f"--web.listen-address={address}",
    ]
    keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
    with running_process(command, log, more=keys) as process:

        def bound():
            found = re.search(r"\baddress=\"?(127\.0\.0\.1:\d+)", log.read_text())
            assert found or process.poll() is None, tail(log)
            return found and found.group(1)

        exporter = Exporter(process, until("it listens", bound))
        until("it is ready", lambda: get(f"{exporter.url}-/ready"))
        yield exporter
