"""The role path: AssumeRole, GetCallerIdentity, and what a session may see."""

import time

import pytest

from conftest import PIPELINES
from processes import PATIENCE

ROLES = """
roles:
  - {arn: "arn:aws:iam::111122223333:role/exporter", external_id: correct}
  - {arn: "arn:aws:iam::444455556666:role/exporter"}
  - {arn: "arn:aws:iam::444455556666:role/brief", lifetime: 300ms}
  - {arn: "arn:aws:iam::444455556666:role/denied", denied: true}
"""
HERE = "arn:aws:iam::111122223333:role/exporter"
THERE = "arn:aws:iam::444455556666:role/%s"
IMAGE = "arn:aws:imagebuilder:eu-west-1:444455556666:image/elsewhere/1.0.0/1"


def code(error):
    return error.value.response["Error"]["Code"]


def session(simulator, arn, **options):
    """A client with the role's credentials, in the region of account 444455556666."""
    sts = simulator.client("sts")
    answer = sts.assume_role(RoleArn=arn, RoleSessionName="test", **options)["Credentials"]
    return {
        "aws_access_key_id": answer["AccessKeyId"],
        "aws_secret_access_key": answer["SecretAccessKey"],
        "aws_session_token": answer["SessionToken"],
    }


def test_session_sees_its_own_account_alone(simulate):
    simulator = simulate(ROLES + PIPELINES)
    for arn, sees in [(HERE, False), (THERE % "exporter", True)]:
        credentials = session(simulator, arn, ExternalId="correct")
        client = simulator.client(region="eu-west-1", credentials=credentials)
        if sees:
            assert client.list_workflow_executions(imageBuildVersionArn=IMAGE)
        else:
            with pytest.raises(client.exceptions.InvalidRequestException):
                client.list_workflow_executions(imageBuildVersionArn=IMAGE)


def test_identity_is_the_role_session(simulate):
    simulator = simulate(ROLES + PIPELINES)
    credentials = session(simulator, THERE % "exporter")
    identity = simulator.client("sts", credentials=credentials).get_caller_identity()
    assert identity["Account"] == "444455556666"
    assert identity["Arn"] == "arn:aws:sts::444455556666:assumed-role/exporter/test"
    assert simulator.client("sts").get_caller_identity()["Account"] == "111122223333"


@pytest.mark.parametrize(
    "arn, external_id",
    [(HERE, None), (HERE, "wrong"), (THERE % "denied", None), (THERE % "unheard-of", None)],
)
def test_role_that_is_not_let_in_is_denied(simulate, arn, external_id):
    sts = simulate(ROLES + PIPELINES).client("sts")
    options = {"ExternalId": external_id} if external_id else {}
    with pytest.raises(sts.exceptions.ClientError) as error:
        sts.assume_role(RoleArn=arn, RoleSessionName="test", **options)
    assert code(error) == "AccessDenied"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_session_ends_when_its_lifetime_is_over(simulate):
    simulator = simulate(ROLES + PIPELINES)
    credentials = session(simulator, THERE % "brief")
    client = simulator.client(region="eu-west-1", credentials=credentials)
    deadline = time.monotonic() + PATIENCE
    with pytest.raises(client.exceptions.ClientError) as error:
        while time.monotonic() < deadline:
            client.list_workflow_executions(imageBuildVersionArn=IMAGE)
    assert code(error) == "ExpiredTokenException"


def test_invented_session_is_not_recognized(simulate):
    simulator = simulate(ROLES + PIPELINES)
    credentials = session(simulator, THERE % "exporter")
    credentials["aws_session_token"] = "invented"
    client = simulator.client(region="eu-west-1", credentials=credentials)
    with pytest.raises(client.exceptions.ClientError) as error:
        client.list_workflow_executions(imageBuildVersionArn=IMAGE)
    assert code(error) == "UnrecognizedClientException"


def test_faults_reach_sts_too(simulate):
    faults = "faults: [{operation: AssumeRole, error: {type: Throttling, message: slower}}]"
    sts = simulate(faults + PIPELINES).client("sts")
    with pytest.raises(sts.exceptions.ClientError) as error:
        sts.assume_role(RoleArn=HERE, RoleSessionName="test")
    assert code(error) == "Throttling"
