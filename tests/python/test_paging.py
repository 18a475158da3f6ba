"""Lists, read to their end."""

import time

import pytest

import conftest
from processes import PATIENCE

LONG = """
pipelines:
  - name: long
    account: "111122223333"
    region: us-west-2
    first: -5h
    workflows: [{name: own, steps: [%s]}]
""" % ", ".join(f"{{name: Step{n:03}, action: RunCommand, duration: 1m}}" for n in range(120))
ARN = "arn:aws:imagebuilder:us-west-2:111122223333:image/long/1.0.0/1"


def workflow_id(client):
    pages = client.get_paginator("list_workflow_executions").paginate(imageBuildVersionArn=ARN)
    return next(pages.search("workflowExecutions[].workflowExecutionId"))


def page_sizes(client, **options):
    pages = client.get_paginator("list_workflow_step_executions").paginate(
        workflowExecutionId=workflow_id(client), **options
    )
    sizes, names = [], []
    for page in pages:
        assert client.judgements == []
        sizes.append(len(page["steps"]))
        names += [step["name"] for step in page["steps"]]
    assert names == [f"Step{n:03}" for n in range(120)]
    return sizes


def test_pages_have_25_items_by_default(simulate):
    client = simulate(LONG).client()
    assert page_sizes(client) == [25, 25, 25, 25, 20]
    assert page_sizes(client, PaginationConfig={"PageSize": 100}) == [100, 20]


def test_short_and_empty_pages_with_a_token_are_not_the_end(simulate):
    client = simulate("pages: {short: true, empty: true}" + LONG).client()
    sizes = page_sizes(client)
    assert 0 in sizes
    assert len(sizes) > 10


@pytest.mark.parametrize("size", [0, 101])
def test_size_out_of_bounds_is_an_invalid_request(simulate, size):
    # botocore itself checks the lower bound; the simulator is to be asked.
    client = simulate(LONG).client(parameter_validation=False)
    with pytest.raises(client.exceptions.InvalidRequestException):
        client.list_workflow_executions(imageBuildVersionArn=ARN, maxResults=size)


def test_service_that_rejects_100_items_accepts_25(simulate):
    client = simulate("pages: {max_size: 25}" + LONG).client()
    with pytest.raises(client.exceptions.InvalidRequestException):
        client.list_workflow_executions(imageBuildVersionArn=ARN, maxResults=100)
    assert page_sizes(client, PaginationConfig={"PageSize": 25}) == [25, 25, 25, 25, 20]


def test_invented_token_and_one_of_another_list_are_refused(simulate):
    client = simulate("pages: {empty: true}" + LONG).client()
    id = workflow_id(client)
    foreign = client.list_workflow_executions(imageBuildVersionArn=ARN)["nextToken"]
    for token in ("invented", foreign):
        with pytest.raises(client.exceptions.InvalidPaginationTokenException):
            client.list_workflow_step_executions(workflowExecutionId=id, nextToken=token)


def test_token_grows_old(simulate):
    client = simulate("pages: {token_lifetime: 200ms}" + LONG).client()
    id = workflow_id(client)
    token = client.list_workflow_step_executions(workflowExecutionId=id)["nextToken"]
    deadline = time.monotonic() + PATIENCE
    with pytest.raises(client.exceptions.InvalidPaginationTokenException):
        while time.monotonic() < deadline:
            client.list_workflow_step_executions(workflowExecutionId=id, nextToken=token)


# Sixty builds of three pipelines each.
MANY = """
listed_after: 0
pipelines:
""" + "".join(
    f"""
  - name: image-{number}
    account: "111122223333"
    region: us-west-2
    first: -600m
    every: 10m
    builds: 60
    workflows: [{{managed: build-image}}]
"""
    for number in range(3)
)
PIPELINE = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/image-1"
CATALOG = [
    ("list_image_build_versions", "imageSummaryList", {}, 180),
    ("list_image_pipeline_images", "imageSummaryList", {"imagePipelineArn": PIPELINE}, 60),
    ("list_image_pipelines", "imagePipelineList", {}, 3),
    ("list_images", "imageVersionList", {}, 3),
]


@pytest.mark.parametrize("pages", ["{}", "{short: true, empty: true}"])
@pytest.mark.parametrize("operation, key, options, count", CATALOG)
def test_every_image_and_pipeline_is_on_exactly_one_page(
    simulate, operation, key, options, count, pages
):
    client = simulate(f"pages: {pages}" + MANY).client()
    arns, sizes = [], []
    for page in client.get_paginator(operation).paginate(**options):
        assert client.judgements == []
        sizes.append(len(page[key]))
        arns += [item["arn"] for item in page[key]]
    assert len(arns) == len(set(arns)) == count
    if pages == "{}":
        assert sizes == [25] * (count // 25) + ([count % 25] if count % 25 else [])
    else:
        assert 0 in sizes


@pytest.mark.parametrize("operation, key, options, _", CATALOG)
def test_list_of_images_or_pipelines_keeps_to_sizes_and_to_its_own_tokens(
    simulate, operation, key, options, _
):
    client = simulate("pages: {empty: true, max_size: 25}" + MANY).client(
        parameter_validation=False
    )
    call = getattr(client, operation)
    for size in (0, 26):
        with pytest.raises(client.exceptions.InvalidRequestException):
            call(maxResults=size, **options)
    token = call(**options)["nextToken"]
    assert call(nextToken=token, **options)[key]
    filters = [{"name": "name", "values": ["image-*"]}]
    for refused in ({"nextToken": "invented"}, {"nextToken": token, "filters": filters}):
        with pytest.raises(client.exceptions.InvalidPaginationTokenException):
            call(**refused, **options)


@pytest.mark.parametrize("operation, key, options, _", CATALOG)
def test_token_of_images_or_pipelines_grows_old(simulate, operation, key, options, _):
    client = simulate("pages: {empty: true, token_lifetime: 200ms}" + MANY).client()
    call = getattr(client, operation)
    token = call(**options)["nextToken"]
    deadline = time.monotonic() + PATIENCE
    with pytest.raises(client.exceptions.InvalidPaginationTokenException):
        while time.monotonic() < deadline:
            call(nextToken=token, **options)


def test_shipped_scenario_of_pages_is_read_to_the_end(simulate):
    simulator = simulate(file=conftest.SCENARIOS / "pages.yaml")
    client = simulator.client()
    id = workflow_id(client)
    pages = client.get_paginator("list_workflow_step_executions").paginate(workflowExecutionId=id)
    assert len(list(pages.search("steps[]"))) == 60
