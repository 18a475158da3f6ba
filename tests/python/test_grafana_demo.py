"""The Grafana dashboards, on a Prometheus that scrapes the demo: each query finds what it is for."""

import re
import time

import pytest
from grafana import (
    BOARDS,
    CHOICES,
    EACH_BOARD,
    EACH_QUERY,
    MAY_BE_EMPTY,
    PAGE_OF_AN_ID,
    RANGE,
    asked,
    chosen,
    columns,
    each,
    everywhere,
    interpolated,
    labels_asked,
    marks,
    panels,
    queries,
    renamed,
    title,
    variables,
)
from processes import PATIENCE, get, until
from prometheus_server import refusal

# Of those, what is empty for sure.
EMPTY = {"overview: Failed step executions G"}
# Columns that a table may lack in the demo, and why.
MAY_LACK = {
    "overview: Failed step executions": {"message": "the demo has message_labels off"},
    "overview: Pipelines": {"Value #G": "every pipeline of the demo runs when it should"},
    "overview: Firing alerts": {
        "pipeline": "alerts on pipelines wait for five minutes",
        "target": "no target is in trouble",
    },
}


@EACH_QUERY
def test_query_of_a_panel_has_results_from_the_demo(demo_prometheus, board, panel, target):
    values = chosen(board)

    def answer():
        return asked(demo_prometheus, board, target, values, time.time())

    name = title(board, panel, target)
    if name in EMPTY:
        assert answer() == [], MAY_BE_EMPTY[name]
    elif name in MAY_BE_EMPTY:
        answer()
    else:
        until(f"an answer to {target['expr']}", answer)


def answers(server, board, panel, values, now):
    return {
        target["refId"]: asked(server, board, target, values, now) for target in panel["targets"]
    }


EACH_TABLE = pytest.mark.parametrize(
    "board, panel",
    each(lambda board: [(panel,) for panel in panels(board) if panel["type"] == "table"]),
)


@EACH_TABLE
def test_columns_of_a_table_are_there_in_the_demo(demo_prometheus, board, panel):
    """A name that is wrong is a column that is never there."""
    may_lack = MAY_LACK.get(title(board, panel), {}).keys()

    def missing():
        found = answers(demo_prometheus, board, panel, chosen(board), time.time())
        return renamed(panel).keys() - columns(found) - may_lack

    until(f"every column of {panel['title']}", lambda: not missing())


@EACH_BOARD
def test_every_variable_offers_the_values_of_the_demo(demo_prometheus, board):
    now = time.time()
    for name, variable in variables(board, "query").items():
        selector, label = labels_asked(variable)
        query = {"match[]": interpolated(selector, chosen(board), now)}
        expected = ["111122223333", "444455556666"] if name == "account" else None

        def offers(path=f"label/{label}/values", query=query, expected=expected):
            offered = demo_prometheus.api(path, **query)
            return offered if expected is None else offered == expected

        until(f"something to choose as {name}", offers)


@pytest.mark.parametrize(
    "board, mark", [(board, mark) for board in BOARDS.values() for mark in marks(board)]
)
def test_annotations_mark_the_failures_of_the_demo(demo_prometheus, board, mark):
    """At each step of the range, as Grafana asks for them."""

    def marked():
        now = time.time()
        expression = interpolated(mark["expr"], chosen(board), now)
        assert not refusal(demo_prometheus, expression)
        return demo_prometheus.api(
            "query_range", query=expression, start=now - RANGE, end=now, step=mark["step"]
        )["result"]

    for one in until("a failure", marked):
        for _, value in one["values"]:
            assert time.time() - RANGE - PATIENCE < float(value) / 1000 < time.time()
        labels = set(re.findall(r"\{\{(\w+)\}\}", mark["titleFormat"] + mark["textFormat"]))
        assert labels <= one["metric"].keys()


def test_links_of_a_table_match_on_the_status_page(demo_prometheus, demo):
    (known,) = {
        url for board in BOARDS.values() for url in everywhere(board, "url") if "?q=" in url
    }
    assert known == PAGE_OF_AN_ID
    site = demo.removesuffix("/metrics")
    for thing in ("step", "execution"):

        def is_found(thing=thing):
            for series in demo_prometheus.query(f"imagebuilder_workflow_{thing}_info"):
                label = "step_execution_id" if thing == "step" else "workflow_execution_id"
                one = series["metric"][label]
                url = known.replace("${__value.text}", one)
                get(url.replace("${status_page}", site))
                # The page repeats what it is asked for; its JSON doesn't.
                found, _ = get(url.replace("${status_page}/", f"{site}/api/v1/steps"))
                return one in found.decode()

        # One that is leaving may be gone from the page before it is from Prometheus.
        until(f"the page to have what is shown as a {thing}", is_found)


LABELS = {"account": "account_id"}


@EACH_BOARD
def test_variables_filter_the_panels(demo_prometheus, board):
    values = chosen(board, **CHOICES)
    wanted = {LABELS.get(name, name): CHOICES[name] for name in CHOICES.keys() & values.keys()}
    seen = set()

    def all_seen():
        for panel, target in queries(board):
            # Which their descriptions say.
            if "Not filtered" in panel["description"]:
                continue
            for one in asked(demo_prometheus, board, target, values, time.time()):
                for label in wanted.keys() & one["metric"].keys():
                    assert one["metric"][label] in wanted[label], title(board, panel, target)
                    seen.add(label)
        return seen == wanted.keys()

    until("something to be shown of each choice", all_seen)


def test_query_that_may_be_empty_exists_in_a_panel():
    named = {title(board, *found) for board in BOARDS.values() for found in queries(board)}
    assert EMPTY <= MAY_BE_EMPTY.keys() <= named
    tables = {title(board, panel) for board in BOARDS.values() for panel in panels(board)}
    assert MAY_LACK.keys() <= tables
