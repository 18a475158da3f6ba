"""Images that failed outside a component, or were imported, judged by botocore's service model."""

import pytest

ACCOUNT = "arn:aws:imagebuilder:us-west-2:111122223333"
WORLD = """
listed_after: 0
pipelines:
  - name: undistributed
    account: "111122223333"
    region: us-west-2
    first: -10h
    every: 7d
    log_group: /imagebuilder/undistributed
    tags: {Team: data}
    distribution:
      - {region: us-west-2}
      - {region: eu-west-1, outcome: failed, configuration_step: EXPORT_AMI, error: No role}
      - {region: us-west-2, account: "444455556666", outcome: hang, error: Too slow}
    workflows: [{managed: build-image}]
  - name: copied
    account: "111122223333"
    region: us-west-2
    first: -10h
    every: 7d
    distribution: [{region: us-west-2}, {region: eu-west-1, account: "444455556666"}]
    workflows: [{managed: build-image}]
  - name: not-integrated
    account: "111122223333"
    region: us-west-2
    first: -10h
    every: 7d
    integration: {in_turn: [failed], error: No launch template}
    workflows: [{managed: build-image}]
  - name: no-agent
    account: "111122223333"
    region: us-west-2
    first: -10h
    every: 7d
    keep_instance: true
    workflows: [{managed: build-image, steps: [{name: LaunchBuildInstance, outcome: hang}]}]
  - name: imported
    account: "111122223333"
    region: us-west-2
    first: -10h
    every: 7d
    without_pipeline: true
    import: {build_type: IMPORT_ISO, error: No access}
"""


@pytest.fixture
def client(simulate):
    return simulate(WORLD).client()


def arn(name):
    return f"{ACCOUNT}:image/{name}/1.0.0/1"


def image(client, name):
    """The image, as GetImage and the list have it."""
    got = client.get_image(imageBuildVersionArn=arn(name))["image"]
    assert client.judgements == []
    listed = client.list_image_build_versions()["imageSummaryList"]
    assert client.judgements == []
    (entry,) = (entry for entry in listed if entry["arn"] == arn(name))
    assert entry["state"] == got["state"]
    return got


def test_failed_distribution_has_each_region_and_account(client):
    got = image(client, "undistributed")
    error = "In region 'eu-west-1' - 'No role', In region 'us-west-2' - 'Too slow'"
    assert got["state"]["reason"] == error
    assert got["state"]["failureContext"] == {
        "imageStatus": "DISTRIBUTING",
        "distributionFailure": {
            "errorMessage": error,
            "regionFailures": [
                {
                    "region": "eu-west-1",
                    "targetAccountId": "111122223333",
                    "status": "FAILED",
                    "imageConfigurationStep": "EXPORT_AMI",
                    "errorMessage": "No role",
                },
                {
                    "region": "us-west-2",
                    "targetAccountId": "444455556666",
                    "status": "TIMED_OUT",
                    "errorMessage": "Too slow",
                },
            ],
        },
    }
    assert got["loggingConfiguration"] == {"logGroupName": "/imagebuilder/undistributed"}
    assert got["tags"] == {"Team": "data"} and "outputResources" not in got
    executions = client.list_workflow_executions(imageBuildVersionArn=arn("undistributed"))
    assert client.judgements == [] and executions["message"] == error


def test_available_image_has_an_ami_in_each_region_and_account(client):
    amis = image(client, "copied")["outputResources"]["amis"]
    places = [(ami["region"], ami["accountId"]) for ami in amis]
    assert places == [("us-west-2", "111122223333"), ("eu-west-1", "444455556666")]
    assert len({ami["image"] for ami in amis}) == 2


def test_failed_integration_has_the_error_as_its_reason(client):
    assert image(client, "not-integrated")["state"] == {
        "status": "FAILED",
        "reason": "No launch template",
        "failureContext": {"imageStatus": "INTEGRATING"},
    }


def test_agent_that_never_registered_leaves_an_instance(client):
    got = image(client, "no-agent")
    assert "SSM Agent" in got["state"]["reason"]
    assert got["infrastructureConfiguration"]["terminateInstanceOnFailure"] is False
    id = got["state"]["failureContext"]["stepExecutionId"]
    step = client.get_workflow_step_execution(stepExecutionId=id)
    assert client.judgements == []
    assert '"instanceId":"i-' in step["outputs"] and "SSM Agent" in step["message"]


def test_imported_image_has_no_recipe_and_no_executions(client):
    got = image(client, "imported")
    assert (got["buildType"], got["imageSource"]) == ("IMPORT_ISO", "IMPORTED")
    assert got["state"]["reason"] == "No access"
    assert not {"imageRecipe", "sourcePipelineArn", "infrastructureConfiguration"} & got.keys()
    executions = client.list_workflow_executions(imageBuildVersionArn=arn("imported"))
    assert client.judgements == [] and executions["workflowExecutions"] == []
