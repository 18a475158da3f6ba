"""What Grafana makes of a dashboard before Prometheus is asked, and of the answers."""

import json
import re

from conftest import ROOT

FOLDER = ROOT / "deploy" / "grafana"
BOARDS = {
    file.name: json.loads(file.read_text()) for file in sorted(FOLDER.glob("dashboards/*.json"))
}

# As for a data source that scrapes once a second, a graph of an hour, 720 points wide.
SCRAPE_INTERVAL = 1
RANGE = 3600
INTERVAL = 5

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
