"""What the shipped inhibit rules keep silent, and what not, as a real Alertmanager has it."""

import json
import shutil

import pytest

from conftest import ROOT
from generations import each_generation
from processes import free_port, get, running_process, until
from prometheus_server import NEEDS_ALERTMANAGER

CONFIGURATION = ROOT / "deploy" / "compose" / "alertmanager.yaml"

IMAGE = {"account_id": "111122223333", "region": "us-west-2", "image": "golden"}
STEP = IMAGE | {"workflow": "build-image", "step": "Apply"}
TARGET = {"target": "production", "region": "us-west-2"}


def alert(name, *labels, **more):
    merged = {"alertname": f"ImageBuilder{name}"}
    for some in (*labels, more):
        merged |= some
    return merged


# What keeps others silent.
FIRING = [
    alert("StepTimeoutBreached", STEP, step_execution_id="step-2"),
    alert("TargetDown", TARGET),
    alert("ShardMissing", job="imagebuilder"),
]
SILENT = {
    "the failure at a timeout": alert(
        "StepFailed", STEP, step_execution_id="step-2", image_version="1.0.0/2"
    ),
    "the budget of a step at its timeout": alert(
        "StepBudgetExceeded", STEP, step_execution_id="step-2"
    ),
    "the slowness of a step at its timeout": alert("StepSlow", STEP, step_execution_id="step-2"),
    "the near timeout of a step at its timeout": alert(
        "StepTimeoutNear", STEP, step_execution_id="step-2"
    ),
    "the discovery of a target that is down": alert("DiscoveryOld", TARGET),
    "the data of a target that is down": alert("DataOld", TARGET),
    "the steps of a target that is down": alert("StepNeverSeen", TARGET),
    "the process of the missing shard": alert("ExporterDown", job="imagebuilder", instance="a"),
    "the targets of the missing shard": alert("TargetGone", TARGET, job="imagebuilder"),
}
HEARD = {
    # Its rule leaves out a build whose failed step alerts.
    "a build of the image": alert("ImageFailed", IMAGE, image_version="1.0.0/2"),
    "the failure of another step": alert(
        "StepFailed", STEP, step_execution_id="step-1", image_version="1.0.0/2"
    ),
    "the timeout of another step": alert("StepTimeoutNear", STEP, step_execution_id="step-1"),
    "the budget of another step": alert("StepBudgetExceeded", STEP, step_execution_id="step-1"),
    "the data of another region": alert("DataOld", TARGET, region="eu-west-1"),
    "the data of another target": alert("DataOld", TARGET, target="staging"),
    "the process of another job": alert("ExporterDown", job="other", instance="a"),
}


@pytest.fixture
def alertmanager(generation, tmp_path):
    """The address of one that has all these alerts."""
    address = f"127.0.0.1:{free_port()}"
    command = [
        shutil.which("prometheus-alertmanager") or "alertmanager",
        f"--config.file={CONFIGURATION}",
        f"--storage.path={tmp_path / 'data'}",
        "--cluster.listen-address=",
        f"--web.listen-address={address}",
    ]
    more = generation.environment
    with running_process(command, tmp_path / "log", more=more, cwd=tmp_path):
        until("Alertmanager to be ready", lambda: get(f"http://{address}/-/ready"))
        for labels in [*FIRING, *SILENT.values(), *HEARD.values()]:
            pairs = [f'{name}="{value}"' for name, value in labels.items()]
            amtool = ["amtool", f"--alertmanager.url=http://{address}"]
            generation.output_of(*amtool, "alert", "add", *pairs)
        yield address


@NEEDS_ALERTMANAGER
@pytest.mark.parametrize("generation", each_generation("amtool"))
def test_one_cause_is_notified_once_and_inhibits_no_other(alertmanager):
    def inhibited():
        body, _ = get(f"http://{alertmanager}/api/v2/alerts")
        return [one["labels"] for one in json.loads(body) if one["status"]["inhibitedBy"]]

    # It learns of what fires one by one; each of it keeps something silent.
    for what, labels in SILENT.items():
        until(f"{what} to be silent", lambda labels=labels: labels in inhibited())
    heard = [*FIRING, *HEARD.values()]
    assert [labels for labels in inhibited() if labels in heard] == []
