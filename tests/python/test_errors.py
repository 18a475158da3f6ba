"""What is refused, and every error of the service model, as boto3 raises it."""

import botocore.exceptions
import pytest
from botocore import UNSIGNED

from conftest import PIPELINES

GOLDEN = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1"
PIPELINE = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/golden"
UNKNOWN = "2e6fef0d-657c-4b7e-8706-ff24da9afa01"


def code_and_status(error):
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def calls(client, id=None, arn=GOLDEN):
    """The operations about executions, asked about something unknown unless told otherwise."""
    return [
        lambda: client.get_workflow_step_execution(stepExecutionId=id or f"step-{UNKNOWN}"),
        lambda: client.get_workflow_execution(workflowExecutionId=id or f"wf-{UNKNOWN}"),
        lambda: client.list_workflow_step_executions(workflowExecutionId=id or f"wf-{UNKNOWN}"),
        lambda: client.list_workflow_executions(imageBuildVersionArn=arn),
    ]


def catalog_calls(client, image=GOLDEN, pipeline=PIPELINE):
    """The operations about images and pipelines."""
    return [
        client.list_images,
        client.list_image_build_versions,
        client.list_image_pipelines,
        lambda: client.list_image_pipeline_images(imagePipelineArn=pipeline),
        lambda: client.get_image(imageBuildVersionArn=image),
        lambda: client.get_image_pipeline(imagePipelineArn=pipeline),
    ]


def error_shapes(client):
    model = client.meta.service_model
    for name in model.shape_names:
        shape = model.shape_for(name)
        if shape.metadata.get("exception"):
            yield name, shape.metadata["error"]["httpStatusCode"]


@pytest.mark.parametrize("form", ["header", "type", "code"])
def test_every_error_of_the_model_is_raised_as_its_exception(simulate, form):
    shapes = sorted(error_shapes(simulate().client()))
    faults = [
        f"  - {{times: 10, error: {{type: {name}, message: as scripted, form: {form}}}}}"
        for name, _ in shapes
    ]
    client = simulate("faults:\n" + "\n".join(faults) + PIPELINES).client()
    assert len(shapes) > 10
    for name, status in shapes:
        for call in calls(client) + catalog_calls(client):
            with pytest.raises(getattr(client.exceptions, name)) as error:
                call()
            assert code_and_status(error) == (name, status)
            assert error.value.response["Error"]["Message"] == "as scripted"


def test_error_the_model_does_not_know_keeps_its_name(simulate):
    faults = "faults: [{error: {type: ThrottlingException, form: type}}]"
    client = simulate(faults + PIPELINES).client()
    with pytest.raises(client.exceptions.ClientError) as error:
        calls(client)[0]()
    assert code_and_status(error) == ("ThrottlingException", 400)


def test_unknown_and_malformed_ids_are_invalid_requests(simulator):
    client = simulator.client()
    for call in calls(client, arn=GOLDEN.replace("golden", "unknown")):
        with pytest.raises(client.exceptions.InvalidRequestException) as error:
            call()
        assert "does not exist" in str(error.value)
    for call in calls(client, id="step-1", arn="arn:aws:imagebuilder"):
        with pytest.raises(client.exceptions.InvalidRequestException) as error:
            call()
        assert "does not match its pattern" in str(error.value)


def test_unknown_image_and_pipeline_are_not_found(simulator):
    client = simulator.client()
    unknown = {"image": GOLDEN.replace("golden", "unknown")}
    unknown["pipeline"] = PIPELINE.replace("golden", "unknown")
    get_image, get_pipeline = catalog_calls(client, **unknown)[-2:]
    for call in (get_image, get_pipeline):
        with pytest.raises(client.exceptions.ResourceNotFoundException) as error:
            call()
        assert code_and_status(error) == ("ResourceNotFoundException", 404)


def test_malformed_arn_of_an_image_or_a_pipeline_is_an_invalid_request(simulator):
    client = simulator.client()
    malformed = catalog_calls(client, image=f"{GOLDEN}/1", pipeline=GOLDEN)[-3:]
    version = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.x.x"
    malformed.append(lambda: client.list_image_build_versions(imageVersionArn=version))
    for call in malformed:
        with pytest.raises(client.exceptions.InvalidRequestException) as error:
            call()
        assert "does not match its pattern" in str(error.value)


@pytest.mark.parametrize(
    "filters, told",
    [
        ([{"name": "Name", "values": ["x"]}], "'Name' is not supported"),
        ([{"name": "status", "values": ["AVAILABLE"]}], "'status' is not supported"),
        ([{"name": "name", "values": ["a&b"]}], "match the pattern"),
        ([{"name": "name", "values": []}], "1 to 10"),
        ([], "1 to 10 filters"),
    ],
)
def test_filter_that_the_list_does_not_have_is_an_invalid_request(simulator, filters, told):
    client = simulator.client(parameter_validation=False)
    for call in (
        client.list_images,
        client.list_image_build_versions,
        lambda **options: client.list_image_pipeline_images(imagePipelineArn=PIPELINE, **options),
    ):
        with pytest.raises(client.exceptions.InvalidRequestException) as error:
            call(filters=filters)
        assert told in str(error.value)


def test_missing_required_member_is_an_invalid_request(simulator):
    client = simulator.client(parameter_validation=False)
    for operation in (
        client.get_workflow_step_execution,
        client.get_workflow_execution,
        client.list_workflow_step_executions,
        client.list_workflow_executions,
        client.list_image_pipeline_images,
        client.get_image,
        client.get_image_pipeline,
    ):
        with pytest.raises(client.exceptions.InvalidRequestException) as error:
            operation()
        assert "is required" in str(error.value)


def test_region_of_the_signature_determines_the_resources(simulator):
    elsewhere = "arn:aws:imagebuilder:eu-west-1:444455556666:image/elsewhere/1.0.0/1"
    there = simulator.client(region="eu-west-1")
    here = simulator.client()
    assert there.list_workflow_executions(imageBuildVersionArn=elsewhere)["workflowExecutions"]
    with pytest.raises(here.exceptions.InvalidRequestException):
        here.list_workflow_executions(imageBuildVersionArn=elsewhere)


def test_unsigned_request_is_refused(simulator):
    client = simulator.client(signature_version=UNSIGNED)
    for call in calls(client) + catalog_calls(client):
        with pytest.raises(client.exceptions.ClientError) as error:
            call()
        assert code_and_status(error) == ("MissingAuthenticationTokenException", 403)


def test_operation_that_is_not_simulated_is_unknown(simulator):
    client = simulator.client()
    with pytest.raises(client.exceptions.ClientError) as error:
        client.list_waiting_workflow_steps()
    assert code_and_status(error) == ("UnknownOperationException", 404)


def test_rate_limit_of_the_service_throttles(simulate):
    limit = "rate_limit: {requests_per_second: 0.001, burst: 1}"
    client = simulate(limit + PIPELINES).client()
    client.list_workflow_executions(imageBuildVersionArn=GOLDEN)
    with pytest.raises(client.exceptions.CallRateLimitExceededException):
        client.list_workflow_executions(imageBuildVersionArn=GOLDEN)


def test_broken_connections_are_errors_of_the_connection(simulate):
    faults = "faults: [{times: 1, reset: true}, {times: 1, no_answer: true}]"
    simulator = simulate(faults + PIPELINES)
    client = simulator.client()
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        client.list_workflow_executions(imageBuildVersionArn=GOLDEN)
    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        simulator.client(read_timeout=2).list_workflow_executions(imageBuildVersionArn=GOLDEN)
    assert client.list_workflow_executions(imageBuildVersionArn=GOLDEN)["workflowExecutions"]


@pytest.mark.parametrize("fault", ["truncated: true", "html: true", "missing: [workflowExecutions]"])
def test_invalid_response_has_no_executions(simulate, fault):
    client = simulate(f"faults: [{{{fault}}}]" + PIPELINES).client()
    try:
        answer = client.list_workflow_executions(imageBuildVersionArn=GOLDEN)
    except botocore.exceptions.BotoCoreError:
        return
    assert "workflowExecutions" not in answer


def test_replaced_member_is_seen_and_the_model_objects(simulate):
    faults = "faults: [{replaced: {status: EXPLODED, totalStepCount: '7', novel: 1}}]"
    client = simulate(faults + PIPELINES).client()
    answer = client.list_workflow_executions(imageBuildVersionArn=GOLDEN)
    assert {found["status"] for found in answer["workflowExecutions"]} == {"EXPLODED"}
    assert any("EXPLODED" in line for line in client.judgements)
    assert any("novel is no member" in line for line in client.judgements)
    assert any("'7', not a integer" in line for line in client.judgements)
