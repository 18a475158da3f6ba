"""Images and pipelines, judged by botocore's service model."""

import re

import pytest

import conftest

ACCOUNT = "arn:aws:imagebuilder:us-west-2:111122223333"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

# Lists tell of everything at once; what is late is asked for by the test about that.
WORLD = """
listed_after: 0
keep_images: 90d
roles: [{arn: "arn:aws:iam::444455556666:role/exporter"}]
pipelines:
  - name: golden-linux
    display_name: Golden Linux
    description: The base of everything
    account: "111122223333"
    region: us-west-2
    tags: {Team: platform, Stage: production}
    first: -50h
    every: 1h
    timezone: Etc/UTC
    workflows: [{managed: build-image}, {managed: test-image}]
  - name: failing
    account: "111122223333"
    region: us-west-2
    manual: true
    first: -10h
    every: 7d
    workflows:
      - managed: build-image
        steps:
          - name: ApplyBuildComponents
            outcome: failed
            component: {name: agent, step: Install, error: exit status 7}
  - name: refused
    account: "111122223333"
    region: us-west-2
    platform: Windows
    type: DOCKER
    first: -10h
    every: 2h
    disabled_at: -3h
    workflows:
      - managed: build-image
      - name: distribute
        type: distribution
        steps: [{name: Distribute, action: DistributeImage, outcome: failed, message: No repository}]
  - name: one-off
    account: "111122223333"
    region: us-west-2
    without_pipeline: true
    first: -10h
    every: 7d
    workflows: [{managed: build-image}]
  - name: of-another
    account: "444455556666"
    region: us-west-2
    first: -10h
    every: 7d
    workflows: [{managed: build-image}]
  - name: elsewhere
    account: "111122223333"
    region: eu-west-1
    first: -10h
    every: 7d
    workflows: [{managed: build-image}]
"""
NAMES = {"Golden Linux", "failing", "refused", "one-off", "of-another"}


@pytest.fixture
def client(simulate):
    return simulate(WORLD).client()


def read(client, operation, key, **options):
    """Every item of a list, each page judged."""
    items = []
    for page in client.get_paginator(operation).paginate(**options):
        assert client.judgements == []
        items += page[key]
    return items


def builds(client, **options):
    return read(client, "list_image_build_versions", "imageSummaryList", **options)


def pipelines(client, **options):
    return read(client, "list_image_pipelines", "imagePipelineList", **options)


def of_pipeline(client, name, **options):
    arn = f"{ACCOUNT}:image-pipeline/{name}"
    options["imagePipelineArn"] = arn
    return read(client, "list_image_pipeline_images", "imageSummaryList", **options)


def versions(client, **options):
    return read(client, "list_images", "imageVersionList", **options)


def names(items):
    return {item["name"] for item in items}


def image(client, arn):
    answer = client.get_image(imageBuildVersionArn=arn)
    assert client.judgements == []
    return answer["image"]


def test_every_build_of_the_account_is_listed_with_its_state(client):
    listed = builds(client)
    assert names(listed) == NAMES
    golden = [item for item in listed if item["name"] == "Golden Linux"]
    assert len(golden) == 51
    states = {item["state"]["status"] for item in golden}
    assert "AVAILABLE" in states and len(states) > 1
    assert len({item["arn"] for item in listed}) == len(listed)
    created = [item["dateCreated"] for item in golden]
    assert created != sorted(created) and created != sorted(created, reverse=True)
    assert all(TIME.fullmatch(text) for text in created)


def test_builds_of_a_version_are_filtered_and_an_unknown_version_has_none(client):
    listed = builds(client, imageVersionArn=f"{ACCOUNT}:image/golden-linux/1.0.0")
    assert len(listed) == 51
    assert {item["version"] for item in listed} == {f"1.0.0/{build}" for build in range(1, 52)}
    assert builds(client, imageVersionArn=f"{ACCOUNT}:image/unknown/1.0.0") == []


def test_images_of_a_pipeline_are_filtered_and_an_unknown_pipeline_has_none(client):
    assert len(of_pipeline(client, "golden-linux")) == 51
    assert names(of_pipeline(client, "failing")) == {"failing"}
    assert of_pipeline(client, "one-off") == []


def test_image_has_the_members_of_the_list_and_more(client):
    for listed in builds(client):
        got = image(client, listed["arn"])
        # A build under way may have gone on since.
        for member in ("state", "outputResources", "owner"):
            listed.pop(member, None)
        assert listed.items() <= got.items()
        pipeline = got.get("sourcePipelineArn")
        name = listed["arn"].split("/")[1]
        if name == "one-off":
            assert pipeline is None and got["buildType"] == "USER_INITIATED"
        else:
            assert pipeline.endswith(f":image-pipeline/{name}")


def test_available_image_names_its_ami(client):
    arn = f"{ACCOUNT}:image/golden-linux/1.0.0/1"
    got = image(client, arn)
    (ami,) = got["outputResources"]["amis"]
    assert (ami["region"], ami["accountId"]) == ("us-west-2", "111122223333")
    workflow = client.list_workflow_executions(imageBuildVersionArn=arn)["workflowExecutions"][0]
    steps = client.list_workflow_step_executions(
        workflowExecutionId=workflow["workflowExecutionId"]
    )["steps"]
    made = next(step for step in steps if step["action"] == "CreateImage")
    assert ami["image"] in made["outputs"]
    assert got["tags"] == {"Team": "platform", "Stage": "production"}
    assert got["buildType"] == "SCHEDULED"


def test_failed_image_has_the_step_and_the_component(client):
    arn = f"{ACCOUNT}:image/failing/1.0.0/1"
    state = image(client, arn)["state"]
    failure = state["failureContext"]
    step = client.get_workflow_step_execution(stepExecutionId=failure["stepExecutionId"])
    assert step["status"] == "FAILED"
    assert step["name"] == failure["failedStep"] == "ApplyBuildComponents"
    assert step["workflowExecutionId"] == failure["workflowExecutionId"]
    assert failure["imageStatus"] == "BUILDING"
    component = f"{ACCOUNT}:component/agent/1.0.0/1"
    assert failure["componentFailure"] == {
        "componentArn": component,
        "phaseName": "build",
        "stepName": "Install",
        "action": "ExecuteBash",
        "errorMessage": "exit status 7",
    }
    id = failure["workflowExecutionId"]
    said = f"Workflow Execution ID: '{id}' failed with reason: Document {component} failed!"
    assert state["reason"] == said
    (listed,) = of_pipeline(client, "failing")
    assert listed["state"] == state


def test_failed_distribution_has_the_region(client):
    state = of_pipeline(client, "refused")[0]["state"]
    failure = state["failureContext"]
    assert failure["imageStatus"] == "DISTRIBUTING"
    (region,) = failure["distributionFailure"]["regionFailures"]
    assert region == {
        "region": "us-west-2",
        "targetAccountId": "111122223333",
        "status": "FAILED",
        "errorMessage": "No repository",
    }


def test_version_arn_returns_the_newest_available_build(client):
    listed = [item for item in of_pipeline(client, "golden-linux")]
    available = [item for item in listed if item["state"]["status"] == "AVAILABLE"]
    newest = max(available, key=lambda item: item["dateCreated"])
    for version in ("x.x.x", "1.x.x", "1.0.0"):
        assert image(client, f"{ACCOUNT}:image/golden-linux/{version}")["arn"] == newest["arn"]
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_image(imageBuildVersionArn=f"{ACCOUNT}:image/failing/1.0.0")


def test_image_versions_are_listed_once_each(client):
    listed = versions(client)
    assert len(listed) == len(NAMES) and names(listed) == NAMES
    assert f"{ACCOUNT}:image/golden-linux/1.0.0" in {item["arn"] for item in listed}
    by_name = versions(client, byName=True)
    assert names(by_name) == NAMES
    assert not any("version" in item for item in by_name)
    assert versions(client, owner="Self") and versions(client, owner="Amazon") == []


def test_pipeline_is_the_same_alone_and_in_the_list(client):
    listed = {item["name"]: item for item in pipelines(client)}
    assert listed.keys() == NAMES - {"one-off"}
    for item in listed.values():
        got = client.get_image_pipeline(imagePipelineArn=item["arn"])["imagePipeline"]
        assert client.judgements == []
        # Of a build under way the one may know what the other did not yet.
        assert {**got, "lastRunStatus": None} == {**item, "lastRunStatus": None}


def test_pipeline_has_its_schedule_and_its_runs(client):
    listed = {item["name"]: item for item in pipelines(client)}
    golden = listed["Golden Linux"]
    assert golden["arn"] == f"{ACCOUNT}:image-pipeline/golden-linux"
    assert golden["schedule"]["scheduleExpression"] == "rate(1 hour)"
    assert golden["schedule"]["timezone"] == "Etc/UTC"
    assert golden["status"] == "ENABLED" and golden["consecutiveFailures"] == 0
    assert golden["dateLastRun"] < golden["dateNextRun"]
    assert golden["tags"] == {"Team": "platform", "Stage": "production"}
    manual = listed["failing"]
    assert not {"schedule", "dateNextRun", "tags"} & manual.keys()
    assert (manual["lastRunStatus"], manual["consecutiveFailures"]) == ("FAILED", 0)
    disabled = listed["refused"]
    assert disabled["status"] == "DISABLED" and "dateNextRun" not in disabled
    assert (disabled["lastRunStatus"], disabled["consecutiveFailures"]) == ("FAILED", 4)


@pytest.mark.parametrize(
    "filters, expected",
    [
        ({"name": ["Golden Linux"]}, {"Golden Linux"}),
        ({"name": ["golden-linux"]}, set()),
        ({"name": ["Golden*", "one*"]}, {"Golden Linux", "one-off"}),
        ({"name": ["*f*"], "platform": ["Windows"]}, {"refused"}),
        ({"type": ["DOCKER"]}, {"refused"}),
        ({"osVersion": ["Amazon Linux 2023"]}, NAMES - {"refused"}),
        ({"version": ["2.0.0"]}, set()),
        ({"version": ["1.0.0"]}, NAMES),
    ],
)
def test_images_are_filtered(client, filters, expected):
    filters = [{"name": name, "values": values} for name, values in filters.items()]
    assert names(builds(client, filters=filters)) == expected
    assert names(versions(client, filters=filters)) == expected


@pytest.mark.parametrize(
    "filters, expected",
    [
        ({"name": ["Golden*"]}, {"Golden Linux"}),
        ({"status": ["DISABLED"]}, {"refused"}),
        ({"description": ["The base of everything"]}, {"Golden Linux"}),
        ({"imageRecipeArn": [f"{ACCOUNT}:image-recipe/failing/1.0.0"]}, {"failing"}),
    ],
)
def test_pipelines_are_filtered(client, filters, expected):
    filters = [{"name": name, "values": values} for name, values in filters.items()]
    assert names(pipelines(client, filters=filters)) == expected


def test_pipelines_images_are_filtered_by_version(client):
    filters = [{"name": "version", "values": ["1.0.0/7"]}]
    (listed,) = of_pipeline(client, "golden-linux", filters=filters)
    assert listed["arn"].endswith("/1.0.0/7")


def test_region_and_account_determine_the_lists(simulate):
    simulator = simulate(WORLD)
    there = simulator.client(region="eu-west-1")
    assert names(builds(there)) == names(pipelines(there)) == {"elsewhere"}
    arn = "arn:aws:iam::444455556666:role/exporter"
    role = simulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    credentials = {
        "aws_access_key_id": role["AccessKeyId"],
        "aws_secret_access_key": role["SecretAccessKey"],
        "aws_session_token": role["SessionToken"],
    }
    other = simulator.client(credentials=credentials)
    for listed in (builds(other), pipelines(other), versions(other)):
        assert names(listed) == {"of-another"}
    assert of_pipeline(other, "golden-linux") == []
    for call in (
        lambda: image(other, f"{ACCOUNT}:image/golden-linux/1.0.0/1"),
        lambda: image(other, f"{ACCOUNT}:image/golden-linux/x.x.x"),
        lambda: other.get_image_pipeline(imagePipelineArn=f"{ACCOUNT}:image-pipeline/failing"),
    ):
        with pytest.raises(other.exceptions.ResourceNotFoundException):
            call()


def test_new_image_is_returned_by_arn_before_it_is_listed(simulate):
    late = WORLD.replace("listed_after: 0", "listed_after: 9h").replace("first: -50h", "first: 0")
    client = simulate(late).client()
    assert "Golden Linux" not in names(builds(client)) | names(versions(client))
    assert of_pipeline(client, "golden-linux") == []
    arn = f"{ACCOUNT}:image/golden-linux/1.0.0/1"
    assert image(client, arn)["state"]["status"] in ("PENDING", "CREATING", "BUILDING")
    assert client.list_workflow_executions(imageBuildVersionArn=arn)["workflowExecutions"]


def test_every_status_of_an_image_can_be_seen(simulate):
    world = """
listed_after: 0
pipelines:
  - name: old
    account: "111122223333"
    region: us-west-2
    first: -10d
    every: 10m
    builds: 1440
    lifecycle:
      - {after: 1d, status: DEPRECATED}
      - {after: 2d, status: DISABLED}
      - {after: 3d, status: DELETED}
    workflows:
      - managed: build-image
        steps: [{name: CreateOutputAMI, in_turn: [completed, failed, cancelled]}]
      - name: distribute
        type: distribution
        steps: [{name: Distribute, action: DistributeImage, duration: 30m}]
      - managed: test-image
"""
    client = simulate(world).client()
    seen = {item["state"]["status"] for item in builds(client, PaginationConfig={"PageSize": 100})}
    moving = {"BUILDING", "TESTING", "DISTRIBUTING"}
    assert moving | {"AVAILABLE", "CANCELLED", "FAILED"} <= seen
    assert {"DEPRECATED", "DISABLED", "DELETED"} <= seen


@pytest.mark.parametrize(
    "name, region",
    [
        ("demo", "us-west-2"),
        ("demo", "eu-west-1"),
        ("discovery", "us-west-2"),
        ("discovery", "eu-west-1"),
        ("failures", "us-west-2"),
        ("pages", "us-west-2"),
    ],
)
def test_shipped_scenario_is_listed_as_the_service_model_allows(simulate, name, region):
    client = simulate(file=conftest.SCENARIOS / f"{name}.yaml", speed=60).client(region=region)
    for listed in builds(client):
        image(client, listed["arn"])
    for pipeline in pipelines(client):
        client.get_image_pipeline(imagePipelineArn=pipeline["arn"])
        assert client.judgements == []
    # A version is listed once a build of it is AVAILABLE; at first all builds of `failures` fail.
    assert versions(client) or name == "failures"
    assert client.judgements == []


def test_discovery_scenario_has_every_kind_of_resource(simulate):
    simulator = simulate(file=conftest.SCENARIOS / "discovery.yaml")
    found, seen = [], []
    for region in ("us-west-2", "eu-west-1"):
        client = simulator.client(region=region)
        found += pipelines(client)
        seen += builds(client)
    # The sixth is made later.
    assert names(found) == {"Golden Linux", "Golden Windows", "Database", "Legacy App", "Web Tier"}
    disabled = next(item for item in found if item["name"] == "Legacy App")
    assert (disabled["status"], disabled["consecutiveFailures"]) == ("DISABLED", 3)
    assert "One Off" in names(seen)
    moving = {"PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING"}
    golden = [item for item in seen if item["name"] == "Golden Linux"]
    assert len([item for item in golden if item["state"]["status"] in moving]) == 2
