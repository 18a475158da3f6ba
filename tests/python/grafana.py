"""What Grafana makes of a dashboard before it queries Prometheus, and of the responses."""

import json
import re

import pytest
from conftest import ROOT
from prometheus_server import refusal

FOLDER = ROOT / "deploy" / "grafana"
BOARDS = {
    file.name: json.loads(file.read_text()) for file in sorted(FOLDER.glob("dashboards/*.json"))
}

# As for a data source that scrapes once a second, a graph of an hour, 720 points wide.
SCRAPE_INTERVAL = 1
RANGE = 3600
INTERVAL = 5

# The variables' values where somebody chooses some.
CHOICES = {
    "account": ["111122223333"],
    "region": ["us-west-2"],
    "image": ["golden-linux", "golden-windows"],
    "workflow": ["build-image"],
    "step": ["ApplyBuildComponents", "CreateOutputAMI"],
    "target": ["production"],
}

# Where a table links an id to.
PAGE_OF_AN_ID = "${status_page}/?q=${__value.text}"
PAGE_OF_FAILURES = "${status_page}/?status=FAILED&image=${__data.fields.Image}"

# What may find nothing in the demo, and why.
MAY_BE_EMPTY = {
    "overview: Running step executions E": "attempts are reported of one step alone, which need not run",
    "overview: Failed step executions F": "attempts are reported of one step alone, which need not fail",
    "overview: Failed step executions G": "the demo has message_labels off",
    "overview: Pipelines G": "every pipeline of the demo runs when it should",
    "workflow-step: Executions F": "attempts are reported of one step alone, which need not be",
    "workflow-step: Executions G": "attempts are reported of one step alone, which need not be",
    "workflow-step: Attempts A": "attempts are reported of one step alone, which need not be",
}

VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::\w+)?\}|(?P<plain>[a-zA-Z_]\w*))")


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board):
    """Each query of each panel, with its panel."""
    return [(panel, target) for panel in panels(board) for target in panel["targets"]]


def marks(board):
    """The queries of the annotations that are ours."""
    return [mark for mark in board["annotations"].get("list", []) if "expr" in mark]


def variables(board, kind=None):
    return {
        variable["name"]: variable
        for variable in board["templating"]["list"]
        if kind in (None, variable["type"])
    }


def title(board, panel, target=None):
    letter = f" {target['refId']}" if target else ""
    return f"{board['uid'].removeprefix('imagebuilder-')}: {panel['title']}{letter}"


def chosen(board, **choices):
    """The variables' values: what is chosen here, else All or what stands in the dashboard."""
    values = {}
    for name, variable in variables(board).items():
        value = choices.get(name, variable.get("current", {}).get("value"))
        values[name] = variable["allValue"] if value == ["$__all"] else value
    return values


def steps_of(target):
    """The interval of a query in seconds, which may have one of its own."""
    own = target.get("interval")
    return int(own.removesuffix("m")) * 60 if own else INTERVAL


def interpolated(expression, values, now, interval=INTERVAL):
    """With variables replaced. One that nobody has stays, as in Grafana."""
    known = values | {
        "__interval": f"{interval}s",
        "__interval_ms": str(interval * 1000),
        "__rate_interval": f"{max(interval + SCRAPE_INTERVAL, 4 * SCRAPE_INTERVAL)}s",
        "__range": f"{RANGE}s",
        "__range_s": str(RANGE),
        "__from": str(int(now - RANGE) * 1000),
        "__to": str(int(now) * 1000),
    }

    def value(found):
        name = found["braced"] or found["plain"]
        text = known.get(name)
        if isinstance(text, list):
            # As Grafana does for more than one.
            text = text[0] if len(text) == 1 else f"({'|'.join(text)})"
        return found[0] if text is None else text

    return VARIABLE.sub(value, expression)


def labels_asked(variable):
    """The selector and the label of a variable's query."""
    return re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]).groups()


def columns(answers):
    """The columns of a table by the answers to its queries, by letter, before they are renamed."""
    found = {"Time"}
    for letter, series in answers.items():
        for one in series:
            found |= one["metric"].keys()
        found.add(f"Value #{letter}" if len(answers) > 1 else "Value")
    return found


def asked(server, board, target, values, now):
    """The response to a query as Grafana sends it."""
    interval = steps_of(target)
    expression = interpolated(target["expr"], values, now, interval)
    refused = refusal(server, expression)
    assert not refused, f"{refused}\n{expression}"
    if target.get("instant"):
        return server.query(expression, time=now)
    return server.api("query_range", query=expression, start=now - RANGE, end=now, step=interval)[
        "result"
    ]


def renamed(panel):
    """The columns of a table, as Grafana names them, with their titles."""
    organize = next(step for step in panel["transformations"] if step["id"] == "organize")
    return organize["options"]["renameByName"]


def overrides(panel):
    """What differs by field: properties by the name that they are for."""
    return {
        override["matcher"]["options"]: {
            entry["id"]: entry["value"] for entry in override["properties"]
        }
        for override in panel["fieldConfig"]["overrides"]
    }


def everywhere(value, name):
    """The values of a member, however deep."""
    if isinstance(value, dict):
        if name in value:
            yield value[name]
        for inner in value.values():
            yield from everywhere(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from everywhere(inner, name)


def each(find):
    """A parameter for each thing found in each dashboard."""
    return [
        pytest.param(board, *found, id=title(board, *found))
        for board in BOARDS.values()
        for found in find(board)
    ]


EACH_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
EACH_PANEL = pytest.mark.parametrize(
    "board, panel", each(lambda board: [(panel,) for panel in panels(board)])
)
EACH_QUERY = pytest.mark.parametrize("board, panel, target", each(queries))
