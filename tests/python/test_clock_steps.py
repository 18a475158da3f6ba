"""The wall clock of the exporter steps while it runs; its monotonic clock does not."""

import os
import pathlib
import re
import struct
import subprocess
import sys

import pytest
from processes import get, running_process, tail, until
from prometheus_client.parser import text_string_to_metric_families

HERE = pathlib.Path(__file__).parent
HOUR = 3600
YEAR = 365 * 24 * HOUR

SCENARIO = """
pipelines:
  - name: golden
    account: "111122223333"
    region: us-west-2
    first: 10s
    every: 50s
    builds: 1000
    workflows:
      - name: build
        type: build
        steps:
          - {name: Step, action: RunCommand, duration: 20s}
"""

CONFIGURATION = """
polling: {{interval: 500ms, discovery_interval: 500ms}}
metrics: {{counter_warmup: 0s, retention: 30m}}
targets:
  - name: main
    regions: [us-west-2]
    endpoint_url: {url}
    images: ["*"]
    rate_limit: {{requests_per_second: 100, burst: 100}}
"""

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}


class Clock:
    """The wall clock of a program."""

    def __init__(self, folder):
        self.library = folder / "wall_clock.so"
        source = HERE / "wall_clock.c"
        build = ["cc", "-shared", "-fPIC", "-O1", "-o", self.library, source, "-ldl"]
        subprocess.run(build, check=True)
        self.offset = folder / "offset"
        self.set(0)

    def set(self, seconds):
        # In place, as the program maps the file.
        with open(self.offset, "r+b" if self.offset.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))

    def environment(self):
        return {"LD_PRELOAD": str(self.library), "CLOCK_OFFSET": str(self.offset)}


class Seen:
    """What scrapes have shown so far: no counter falls, and no step leaves."""

    def __init__(self, url):
        self.url = url
        self.counters, self.steps = {}, set()

    def scrape(self):
        """The number of finished steps."""
        body, _ = get(f"{self.url}/metrics")
        steps, counters = set(), {}
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                if sample.name == "imagebuilder_workflow_steps_finished_total":
                    counters[tuple(sorted(sample.labels.items()))] = sample.value
                elif sample.name == "imagebuilder_workflow_step_settled":
                    steps.add(sample.labels["step_execution_id"])
        for series, before in self.counters.items():
            assert counters.get(series, -1) >= before, f"{series} fell from {before}"
        assert self.steps <= steps, "steps left before their retention had passed"
        self.counters, self.steps = counters, steps
        return sum(counters.values())

    def until_more(self):
        """Waits until another build has been found and counted."""
        known, finished = len(self.steps), self.scrape()
        more = lambda: self.scrape() > finished and len(self.steps) > known
        until("another step finishes", more)


@pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is for Linux")
def test_counters_and_steps_survive_steps_of_the_wall_clock(simulate, tmp_path):
    clock = Clock(tmp_path)
    config, log = tmp_path / "exporter.yaml", tmp_path / "exporter.log"
    config.write_text(CONFIGURATION.format(url=simulate(SCENARIO, speed=10).url))
    command = [
        os.environ["IMAGEBUILDER_EXPORTER_BIN"],
        f"--config.file={config}",
        "--web.listen-address=127.0.0.1:0",
    ]
    with running_process(command, log, more=KEYS | clock.environment()) as process:

        def bound():
            found = re.search(r"\baddress=\"?(127\.0\.0\.1:\d+)", log.read_text())
            assert found or process.poll() is None, tail(log)
            return found and found.group(1)

        seen = Seen(f"http://{until('it listens', bound)}")
        seen.until_more()
        for ahead in [-3 * HOUR, 10 * YEAR, 0]:
            clock.set(ahead)
            seen.until_more()
            skew = scraped(seen.url, "imagebuilder_exporter_clock_skew_seconds")
            assert abs(skew + ahead) < 10, "the clock did not step"
        assert len(seen.steps) >= 4


def scraped(url, name):
    body, _ = get(f"{url}/metrics")
    families = text_string_to_metric_families(body.decode())
    [value] = [one.value for family in families for one in family.samples if one.name == name]
    return value
