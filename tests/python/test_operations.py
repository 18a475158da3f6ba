"""Every operation, judged by botocore's service model."""

import json
import re

import pytest

import conftest

GOLDEN = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0"
BROKEN = "arn:aws:imagebuilder:us-west-2:111122223333:image/broken/1.0.0/1"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def workflows(client, arn):
    return client.list_workflow_executions(imageBuildVersionArn=arn)["workflowExecutions"]


def steps(client, workflow):
    answer = client.list_workflow_step_executions(
        workflowExecutionId=workflow["workflowExecutionId"]
    )
    return answer["steps"]


def all_ids(client):
    for arn in (f"{GOLDEN}/1", f"{GOLDEN}/2", BROKEN):
        for workflow in workflows(client, arn):
            yield "workflow", workflow["workflowExecutionId"]
            for step in steps(client, workflow):
                yield "step", step["stepExecutionId"]


def test_every_response_is_valid_in_the_service_model(simulator):
    client = simulator.client()
    judged = 0
    for kind, id in list(all_ids(client)):
        assert client.judgements == []
        if kind == "step":
            answer = client.get_workflow_step_execution(stepExecutionId=id)
            assert answer["stepExecutionId"] == id
        else:
            answer = client.get_workflow_execution(workflowExecutionId=id)
            assert answer["workflowExecutionId"] == id
        assert client.judgements == []
        judged += 1
    assert judged > 30


def test_step_has_every_member_of_the_documented_response(simulator):
    client = simulator.client()
    first = steps(client, workflows(client, f"{GOLDEN}/1")[0])[0]
    answer = client.get_workflow_step_execution(stepExecutionId=first["stepExecutionId"])
    raw = client.answers[-1]
    assert set(raw) == {
        "requestId",
        "stepExecutionId",
        "workflowBuildVersionArn",
        "workflowExecutionId",
        "imageBuildVersionArn",
        "name",
        "description",
        "action",
        "status",
        "inputs",
        "outputs",
        "startTime",
        "endTime",
        "onFailure",
        "timeoutSeconds",
    }
    assert answer["name"] == "LaunchBuildInstance"
    assert answer["status"] == "COMPLETED"
    assert answer["onFailure"] == "Abort"
    assert answer["timeoutSeconds"] == 4500
    assert TIME.fullmatch(raw["startTime"]) and TIME.fullmatch(raw["endTime"])
    assert json.loads(raw["inputs"])["token"] == "planted-secret-that-must-not-leak"
    assert json.loads(raw["outputs"])["instanceId"].startswith("i-")
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-requestid"] == raw["requestId"]
    assert "date" in headers


def test_list_returns_a_step_like_get_without_timeout_and_on_failure(simulator):
    client = simulator.client()
    for listed in steps(client, workflows(client, f"{GOLDEN}/1")[0]):
        got = client.get_workflow_step_execution(stepExecutionId=listed["stepExecutionId"])
        assert listed.items() <= got.items()
        assert not {"timeoutSeconds", "onFailure"} & listed.keys()


def test_retried_step_has_its_attempts(simulator):
    client = simulator.client()
    step = steps(client, workflows(client, f"{GOLDEN}/1")[0])[1]
    assert (step["attemptNumber"], step["maxAttempts"]) == (2, 3)


def test_retried_build_marks_superseded_executions(simulator):
    client = simulator.client()
    listed = [(one["type"], one["status"], one["retried"]) for one in workflows(client, BROKEN)]
    assert listed == [
        ("BUILD", "COMPLETED", False),
        ("TEST", "ROLLBACK_COMPLETED", True),
        ("TEST", "COMPLETED", False),
    ]


def test_failed_component_has_its_error_in_the_outputs_and_no_message(simulate):
    world = conftest.PIPELINES.replace("CollectImageScanFindings, ", "ApplyTestComponents, ")
    world = world.replace("    retries: 1\n", "")
    client = simulate(world).client()
    listed = workflows(client, BROKEN)
    reason = client.answers[-1]["message"]
    assert reason == f"""Workflow Execution ID: '{listed[1]["workflowExecutionId"]}' failed with \
reason: Document arn:aws:imagebuilder:us-west-2:111122223333:component/install-packages/1.0.0/1 \
failed!"""
    (failed,) = (step for step in steps(client, listed[1]) if step["status"] == "FAILED")
    assert client.judgements == []
    assert failed["name"] == "ApplyTestComponents" and "message" not in failed
    outputs = json.loads(failed["outputs"])
    assert outputs["error"] == "No space left" and outputs["runCommandId"]
    assert outputs["summary"]["logUrl"].startswith("s3://")
    secret = "planted-secret-that-must-not-leak"
    assert secret in failed["outputs"] and secret in failed["inputs"]


def test_skipped_step_has_no_message(simulator):
    client = simulator.client()
    listed = steps(client, workflows(client, f"{GOLDEN}/1")[0])
    (skipped,) = (step for step in listed if step["status"] == "SKIPPED")
    assert "message" not in skipped
    assert skipped["startTime"] == skipped["endTime"]


def test_failure_has_its_message_and_the_rollback(simulator):
    client = simulator.client()
    listed = {step["name"]: step for step in steps(client, workflows(client, BROKEN)[1])}
    assert listed["CollectImageScanFindings"]["status"] == "FAILED"
    assert listed["CollectImageScanFindings"]["message"] == "No space left"
    assert listed["LaunchTestInstance"]["rollbackStatus"] == "COMPLETED"
    assert listed["TerminateTestInstance"]["status"] == "PENDING"


@pytest.mark.parametrize("name", ["demo", "failures", "pages"])
def test_responses_of_shipped_scenario_are_valid_in_the_service_model(simulate, name):
    simulator = simulate(file=conftest.SCENARIOS / f"{name}.yaml", speed=600)
    images = {
        "demo": ["golden-linux", "golden-windows"],
        "failures": ["aborts", "hangs", "fails-first", "retried"],
        "pages": ["long"],
    }
    client = simulator.client()
    for image in images[name]:
        arn = f"arn:aws:imagebuilder:us-west-2:111122223333:image/{image}/1.0.0/1"
        pages = client.get_paginator("list_workflow_executions").paginate(imageBuildVersionArn=arn)
        for workflow in pages.search("workflowExecutions[]"):
            assert client.judgements == []
            pages = client.get_paginator("list_workflow_step_executions").paginate(
                workflowExecutionId=workflow["workflowExecutionId"]
            )
            for step in pages.search("steps[]"):
                assert client.judgements == []
                client.get_workflow_step_execution(stepExecutionId=step["stepExecutionId"])
                assert client.judgements == []


def test_example_in_the_readme_of_the_simulator_works(simulator, root, capsys):
    page = (root / "crates/imagebuilder-simulator/README.md").read_text()
    example = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    exec(example.replace("http://127.0.0.1:10851", simulator.url), {})
    assert f"{GOLDEN}/1 AVAILABLE\n" in capsys.readouterr().out
