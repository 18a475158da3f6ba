"""The Grafana dashboards: that they are what the code makes and hang together, and that a real
Prometheus that has scraped the demo, or two replicas, answers each of their queries."""

import copy
import json
import os
import re
import sys
import time

import pytest
import yaml
from conftest import ROOT, SCENARIOS
from grafana import (
    BOARDS,
    FOLDER,
    RANGE,
    chosen,
    columns,
    interpolated,
    labels_asked,
    marks,
    panels,
    queries,
    steps_of,
    title,
    variables,
)
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard, units
from processes import free_port, get, listens, running_process, until
from prometheus_server import refusal, running_prometheus

# Panels that come with Grafana, as they are named since 10.1.
CORE = {"bargauge", "heatmap", "stat", "state-timeline", "table", "timeseries"}
WIDTH = 24

# Members of an annotation by a Prometheus query, which the SDK doesn't know.
MARK = {"step", "textFormat", "titleFormat", "useValueForTime"}

# What may find nothing in the demo, and why.
MAY_BE_EMPTY = {
    "overview: What runs now E": "attempts are reported of one step alone, which need not run",
    "overview: Steps that failed F": "attempts are reported of one step alone, which need not fail",
    "overview: Steps that failed G": "the demo has message_labels off",
    "workflow-step: Executions F": "attempts are reported of one step alone, which need not be",
    "workflow-step: Executions G": "attempts are reported of one step alone, which need not be",
    "workflow-step: Attempts A": "attempts are reported of one step alone, which need not be",
}
# Of those, what is empty for sure.
EMPTY = {"overview: Steps that failed G"}
# Columns that a table may lack in the demo, and why.
MAY_LACK = {
    "overview: Steps that failed": {"message": "the demo has message_labels off"},
    "overview: Alerts that fire": {
        "pipeline": "alerts on pipelines wait for five minutes",
        "target": "no target is in trouble",
    },
}


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


# What the files are.


@pytest.fixture(scope="session")
def code():
    sys.path.insert(0, str(FOLDER))
    try:
        import dashboards
    finally:
        sys.path.remove(str(FOLDER))
    return dashboards


def test_every_dashboard_is_what_the_code_makes(code):
    assert code.BOARDS.keys() == BOARDS.keys()
    for name, make in code.BOARDS.items():
        again = f"{name} is not what the code makes: run deploy/grafana/dashboards.py"
        assert code.text(make()) == (FOLDER / "dashboards" / name).read_text(), again


@EACH_BOARD
def test_dashboard_is_one_by_grafanas_schema(board):
    """The SDK's classes are made from that schema: what they don't know, or call otherwise, is lost
    when they read it."""
    plugins.register_default_plugins()
    board = copy.deepcopy(board)
    read = dashboard.Dashboard.from_json(copy.deepcopy(board))
    again = json.loads(json.dumps(read, cls=JSONEncoder))
    for mark in marks(board):
        for name in MARK:
            del mark[name]
    assert again == board


@EACH_BOARD
def test_dashboard_is_found_and_looks_like_the_others(board):
    assert re.fullmatch(r"imagebuilder-[a-z-]{1,27}", board["uid"])
    assert board["title"].startswith("Image Builder / ") and board["description"].endswith(".")
    assert board["tags"] == ["imagebuilder"]
    assert (board["timezone"], board["refresh"]) == ("browser", "30s")
    assert "id" not in board and "version" not in board


def test_titles_and_uids_are_not_taken_twice():
    for member in ("uid", "title"):
        assert len({board[member] for board in BOARDS.values()}) == len(BOARDS)


@EACH_BOARD
def test_panels_fill_each_line_and_overlap_nowhere(board):
    taken = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["w"] <= WIDTH
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]
    height = max(y for _, y in taken) + 1
    assert taken.keys() == {(x, y) for x in range(WIDTH) for y in range(height)}


@EACH_BOARD
def test_panels_have_ids_and_titles_of_their_own(board):
    for member in ("id", "title"):
        found = [panel[member] for panel in panels(board)]
        assert len(set(found)) == len(found)


KNOWN_UNITS = {value for value in vars(units).values() if isinstance(value, str)}


@EACH_PANEL
def test_panel_says_what_it_shows_and_in_what_unit(board, panel):
    assert panel["type"] in CORE
    assert len(panel["description"]) > 20 and panel["description"].endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in KNOWN_UNITS
    first, *others = defaults["thresholds"]["steps"]
    assert first["value"] is None
    assert [step["value"] for step in others] == sorted(step["value"] for step in others)
    if panel["type"] in {"stat", "bargauge"}:
        assert {target["instant"] for target in panel["targets"]} == {True}


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


@EACH_PANEL
def test_numbers_in_a_table_have_a_unit_and_texts_have_none(board, panel):
    if panel["type"] != "table":
        return
    assert panel["fieldConfig"]["defaults"]["unit"] == "string"
    for column, shown in renamed(panel).items():
        own = overrides(panel).get(shown, {})
        if column.startswith("Value"):
            assert own["unit"] in KNOWN_UNITS
            assert own["unit"] != "string" or own["mappings"]
        else:
            assert "unit" not in own
    assert overrides(panel).keys() <= set(renamed(panel).values())
    for sort in panel["options"].get("sortBy", []):
        assert sort["displayName"] in renamed(panel).values()


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


@EACH_BOARD
def test_data_source_is_always_the_chosen_one(board):
    found = list(everywhere(board, "datasource"))
    assert len(found) > len(queries(board))
    ours = {"type": "prometheus", "uid": "${datasource}"}
    assert all(source == ours for source in found)
    assert list(variables(board))[0] == "datasource"
    assert variables(board)["datasource"]["query"] == "prometheus"


BUILT_IN = {"__interval_ms", "__rate_interval", "__range", "__range_s", "__from"}


@EACH_BOARD
def test_variables_are_there_before_they_are_used_and_all_are_used(board):
    known, used = set(), set()

    def see(text):
        names = set(re.findall(r"(?<=\$)[a-zA-Z_]\w*|(?<=\$\{)\w+", text))
        names = {name for name in names if name not in BUILT_IN}
        assert names <= known, text
        used.update(names)

    for name, variable in variables(board).items():
        if variable["type"] == "query":
            see(variable["query"])
        known.add(name)
    for _, target in queries(board):
        see(target["expr"])
    for mark in marks(board):
        see(mark["expr"])
    for text in addresses(board):
        used.update(re.findall(r"\$\{(\w+)[}:]", text))
    assert known == {name for name in used if not name.startswith("__")}


def addresses(board):
    """Where its links lead, and the data source, which is in no query's text."""
    yield from everywhere(board, "url")
    yield "${datasource}"


PAGE_OF_AN_ID = "${status_page}/?q=${__value.text}"


@EACH_BOARD
def test_links_lead_to_runbooks_dashboards_and_the_status_page(board):
    uids = {other["uid"]: other for other in BOARDS.values()}
    seen = set()
    for url in addresses(board):
        if runbook := re.fullmatch(r"\$\{runbooks\}/(\w+)\.md", url):
            assert (ROOT / "docs/runbooks" / f"{runbook[1]}.md").exists(), url
            seen.add("runbook")
        elif other := re.match(r"/d/([\w-]+)\?", url):
            asked = set(re.findall(r"&var-(\w+)=", url))
            assert asked <= variables(uids[other[1]]).keys(), url
            seen.add("dashboard")
        else:
            known = [
                "${status_page}",
                "${datasource}",
                "${runbooks}/${__value.text}.md",
                PAGE_OF_AN_ID,
            ]
            assert url in known or url == ""
    assert "runbook" in seen
    for panel in panels(board):
        if panel["type"] == "table":
            for url in everywhere(panel["fieldConfig"], "url"):
                fields = set(re.findall(r"\$\{__data\.fields\.(\w+)\}", url))
                assert fields <= set(renamed(panel).values()), url


def test_page_tells_of_every_variable_and_of_what_to_replace():
    page = (FOLDER / "README.md").read_text()
    table = page[page.index("## Variables") : page.index("## How")]
    names = {name for board in BOARDS.values() for name in variables(board)} - {"datasource"}
    assert names <= set(re.findall(r"`(\w+)`", table))
    (command,) = re.findall(r"^sed -i '(.*)'", table, re.MULTILINE)
    placeholders = re.findall(r"s\|(\S+?)\|", command)
    assert len(placeholders) == 2
    for board in BOARDS.values():
        values = {variables(board)[name]["query"] for name in ("status_page", "runbooks")}
        assert values == set(placeholders)


def test_every_runbook_is_linked():
    linked = {
        found
        for board in BOARDS.values()
        for url in everywhere(board, "url")
        for found in re.findall(r"\$\{runbooks\}/(\w+)\.md", url)
    }
    runbooks = {page.stem for page in (ROOT / "docs/runbooks").glob("*.md")}
    assert linked == runbooks - {"README"}


def documented():
    page = (ROOT / "docs" / "metrics.md").read_text()
    found = set()
    for name, kind in re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE):
        suffixes = ["_bucket", "_sum", "_count"] if kind == "histogram" else [""]
        found |= {name + suffix for suffix in suffixes}
    return found


# Prometheus's own.
OF_A_SCRAPE = {"scrape_duration_seconds", "scrape_samples_scraped"}


@EACH_BOARD
def test_every_metric_is_documented(board):
    texts = [target["expr"] for _, target in queries(board)]
    texts += [mark["expr"] for mark in marks(board)]
    texts += [variable["query"] for variable in variables(board, "query").values()]
    named = r"\b(?:imagebuilder|process|scrape)_\w+(?![\w(])"
    used = {name for text in texts for name in re.findall(named, text)}
    for text in texts:
        for start, ends in re.findall(r'__name__=~"(\w+)\(([\w|]+)\)"', text):
            used.discard(start)
            used |= {start + end for end in ends.split("|")}
    assert len(used) > 10
    assert used <= documented() | OF_A_SCRAPE


# What a Prometheus that has scraped the demo says.


def asked(server, board, target, values, now):
    """The answer to a query as Grafana would put it."""
    interval = steps_of(target)
    expression = interpolated(target["expr"], values, now, interval)
    refused = refusal(server, expression)
    assert not refused, f"{refused}\n{expression}"
    if target.get("instant"):
        return server.query(expression, time=now)
    return server.api("query_range", query=expression, start=now - RANGE, end=now, step=interval)[
        "result"
    ]


@EACH_QUERY
def test_query_of_a_panel_is_answered_from_the_demo(demo_prometheus, board, panel, target):
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
def test_every_variable_offers_what_the_demo_has(demo_prometheus, board):
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
def test_marks_stand_where_steps_failed_in_the_demo(demo_prometheus, board, mark):
    now = time.time()
    expression = interpolated(mark["expr"], chosen(board), now)
    assert not refusal(demo_prometheus, expression)
    series = until("a failed step", lambda: demo_prometheus.query(expression))
    for one in series:
        assert now - RANGE < float(one["value"][1]) / 1000 < time.time()
        labels = set(re.findall(r"\{\{(\w+)\}\}", mark["titleFormat"] + mark["textFormat"]))
        assert labels <= one["metric"].keys()


def test_status_page_finds_what_a_table_links_to(demo_prometheus, demo):
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


CHOICES = {
    "account": ["111122223333"],
    "region": ["us-west-2"],
    "image": ["golden-linux", "golden-windows"],
    "workflow": ["build-image"],
    "step": ["ApplyBuildComponents", "CreateOutputAMI"],
    "target": ["production"],
}
LABELS = {"account": "account_id"}


@EACH_BOARD
def test_choices_at_the_top_narrow_what_is_shown(demo_prometheus, board):
    values = chosen(board, **CHOICES)
    wanted = {LABELS.get(name, name): CHOICES[name] for name in CHOICES.keys() & values.keys()}
    seen = set()

    def all_seen():
        for panel, target in queries(board):
            # Which their descriptions say.
            if "Not narrowed" in panel["description"]:
                continue
            for one in asked(demo_prometheus, board, target, values, time.time()):
                for label in wanted.keys() & one["metric"].keys():
                    assert one["metric"][label] in wanted[label], title(board, panel, target)
                    seen.add(label)
        return seen == wanted.keys()

    until("something to be shown of each choice", all_seen)


def test_what_an_interval_counts_does_not_depend_on_the_graphs_width():
    """Bars stand side by side: each counts an interval of its own, and is as wide as that."""
    for board in BOARDS.values():
        for panel, target in queries(board):
            bars = panel["fieldConfig"]["defaults"].get("custom", {}).get("drawStyle") == "bars"
            assert ("interval" in target) == (bars or panel["type"] == "heatmap")


def test_what_leaves_out_the_instance_leaves_out_all_that_replicas_differ_in():
    """Where all is well some of these panels are empty, and so alike whatever they leave out."""
    for board in BOARDS.values():
        for _, target in queries(board):
            for left_out in re.findall(r"without \(([^)]*\binstance\b[^)]*)\)", target["expr"]):
                assert {"instance", "pod", "container", "endpoint"} <= set(left_out.split(", "))


# What one of two replicas shows, both show.

PAIR = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: imagebuilder
    static_configs:
      - {{targets: ["{one}"], labels: {{pod: exporter-one, container: exporter, endpoint: http}}}}
      - {{targets: ["{two}"], labels: {{pod: exporter-two, container: exporter-v2, endpoint: metrics}}}}
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A Prometheus that scrapes two replicas as Kubernetes has them, and their instances; of the
    second only the status that each thing has is shown."""
    directory = tmp_path_factory.mktemp("pair")
    binary = os.environ["IMAGEBUILDER_EXPORTER_BIN"]
    simulator, one, two, itself = (f"127.0.0.1:{free_port()}" for _ in range(4))
    simulate = [binary, "simulate", f"--listen-address={simulator}", "--speed=10"]
    simulate += [f"--scenario={SCENARIOS / 'demo.yaml'}"]

    def follow(address, status_format):
        config = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
        config["metrics"]["status_format"] = status_format
        file = directory / f"{status_format}.yaml"
        file.write_text(yaml.safe_dump(config))
        environment = [
            f"IMAGEBUILDER_SIMULATOR_URL=http://{simulator}",
            f"AWS_ENDPOINT_URL_STS=http://{simulator}",
            "AWS_ACCESS_KEY_ID=AKID",
            "AWS_SECRET_ACCESS_KEY=secret",
        ]
        command = [binary, f"--config.file={file}", f"--web.listen-address={address}"]
        return running_process(["env", *environment, *command], directory / f"{status_format}.log")

    with running_process(simulate, directory / "simulator.log"):
        until("the simulator to listen", lambda: listens(simulator))
        with follow(one, "stateset"), follow(two, "sparse"):
            for replica in (one, two):
                until(f"{replica} to be ready", lambda at=replica: get(f"http://{at}/-/ready"))
            configuration = PAIR.format(one=one, two=two)
            with running_prometheus(itself, configuration, directory) as server:
                yield server, one, two


def of_instance(expression, instance):
    """The same of one replica: its series are all that are ours."""

    def narrowed(found):
        matcher = f'{found[1]}{{instance="{instance}"'
        return f"{matcher}, " if found[2] else f"{matcher}}}"

    return re.sub(r"\b(imagebuilder_\w+)\b(\{?)", narrowed, expression)


def shown(server, expression, now):
    """Series and values."""
    return {
        tuple(sorted(one["metric"].items())): float(one["value"][1])
        for one in server.query(expression, time=now)
    }


def alike(one, other, unit):
    """The same but for what passes between two replicas' polls and scrapes."""
    tolerance = {"s": 5.0, "percentunit": 0.05}.get(unit, 0)
    return one.keys() == other.keys() and all(
        abs(one[series] - other[series]) <= tolerance for series in one
    )


def unit_of(panel, target):
    name = f"Value #{target['refId']}" if len(panel["targets"]) > 1 else "Value"
    if panel["type"] != "table":
        return panel["fieldConfig"]["defaults"]["unit"]
    return overrides(panel).get(renamed(panel).get(name), {}).get("unit")


def of_the_pair(board):
    """What is about the service; the exporters' own panels tell them apart. Each has begun to count
    when it began."""
    if board["uid"] == "imagebuilder-exporter":
        return []
    return [
        (panel, target)
        for panel, target in queries(board)
        if "increase(" not in target["expr"] and "ALERTS" not in target["expr"]
    ]


@pytest.mark.parametrize("board, panel, target", each(of_the_pair))
def test_panel_shows_of_two_replicas_what_it_shows_of_each(pair, board, panel, target):
    server, *replicas = pair

    def all_alike():
        now = time.time()
        whole = interpolated(target["expr"], chosen(board), now)
        both = shown(server, whole, now)
        parts = [shown(server, of_instance(whole, one), now) for one in replicas]
        assert all("instance" not in dict(series) for series in both)
        if not both and title(board, panel, target) not in MAY_BE_EMPTY:
            return False
        return all(alike(both, part, unit_of(panel, target)) for part in parts)

    until("both replicas to show the same", all_alike)


@EACH_QUERY
def test_query_of_a_panel_can_be_asked_of_two_replicas(pair, board, panel, target):
    server, *_ = pair
    now = time.time()
    for choices in ({}, CHOICES):
        asked(server, board, target, chosen(board, **choices), now)


def test_what_may_be_empty_is_a_query_of_a_panel():
    named = {title(board, *found) for board in BOARDS.values() for found in queries(board)}
    assert EMPTY <= MAY_BE_EMPTY.keys() <= named
    tables = {title(board, panel) for board in BOARDS.values() for panel in panels(board)}
    assert MAY_LACK.keys() <= tables
