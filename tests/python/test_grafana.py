"""The files of the Grafana dashboards: that they are what the code makes and hang together."""

import copy
import json
import re
import sys

import pytest
from conftest import ROOT
from grafana import (
    BOARDS,
    EACH_BOARD,
    EACH_PANEL,
    FOLDER,
    PAGE_OF_AN_ID,
    PAGE_OF_FAILURES,
    chosen,
    everywhere,
    interpolated,
    marks,
    overrides,
    panels,
    queries,
    renamed,
    variables,
)
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard, units

# Panels that come with Grafana, as they are named since 10.1.
CORE = {"bargauge", "heatmap", "stat", "state-timeline", "table", "timeseries"}
WIDTH = 24

# Members of an annotation by a Prometheus query, which the SDK doesn't know.
MARK = {"step", "textFormat", "titleFormat", "useValueForTime"}


@pytest.fixture(scope="session")
def code():
    sys.path.insert(0, str(FOLDER))
    try:
        import dashboards
    finally:
        sys.path.remove(str(FOLDER))
    return dashboards


def test_every_dashboard_matches_the_generated_one(code):
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
def test_dashboard_has_the_common_properties(board):
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
def test_panel_has_a_description_and_a_unit(board, panel):
    assert panel["type"] in CORE
    assert len(panel["description"]) > 20 and panel["description"].endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in KNOWN_UNITS
    first, *others = defaults["thresholds"]["steps"]
    assert first["value"] is None
    assert [step["value"] for step in others] == sorted(step["value"] for step in others)
    if panel["type"] in {"stat", "bargauge"}:
        assert {target["instant"] for target in panel["targets"]} == {True}


@EACH_PANEL
def test_numbers_in_a_table_have_a_unit_and_texts_do_not(board, panel):
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
                PAGE_OF_FAILURES,
            ]
            assert url in known or url == ""
    assert "runbook" in seen
    for panel in panels(board):
        if panel["type"] == "table":
            for url in everywhere(panel["fieldConfig"], "url"):
                fields = set(re.findall(r"\$\{__data\.fields\.(\w+)\}", url))
                assert fields <= set(renamed(panel).values()), url


def test_page_documents_every_variable_and_replacement():
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


def test_counts_of_an_interval_do_not_depend_on_the_width_of_the_graph():
    """Bars stand side by side: each counts an interval of its own, and is as wide as that."""
    for board in BOARDS.values():
        for panel, target in queries(board):
            bars = panel["fieldConfig"]["defaults"].get("custom", {}).get("drawStyle") == "bars"
            assert ("interval" in target) == (bars or panel["type"] == "heatmap")


def test_query_that_drops_the_instance_drops_all_labels_that_differ_between_replicas():
    """Where all is well some of these panels are empty, and so alike whatever they leave out."""
    for board in BOARDS.values():
        for _, target in queries(board):
            for left_out in re.findall(r"without \(([^)]*\binstance\b[^)]*)\)", target["expr"]):
                assert {"instance", "pod", "container", "endpoint"} <= set(left_out.split(", "))


MARKED_BUILD = """
evaluation_interval: 30s
tests:
  - interval: 30s
    input_series:
      # Restarted at 20 minutes.
      - series: 'imagebuilder_image_unresolved_failure{{instance="a", {build}}}'
        values: '_x10 1x29 stale _x5 1x60'
    promql_expr_test:
      - {{expr: {expr}, eval_time: 5m, exp_samples: [{{labels: '{{{build}}}', value: 300000}}]}}
      - {{expr: {expr}, eval_time: 10m}}
      - {{expr: {expr}, eval_time: 25m}}
      - {{expr: {expr}, eval_time: 40m}}
"""


def test_failed_build_is_marked_once_and_not_again_after_a_restart(generation, tmp_path):
    (mark,) = (mark for mark in marks(BOARDS["overview.json"]) if mark["name"] == "Failed builds")
    assert mark["step"] == "5m"
    build = 'account_id="111122223333", region="us-west-2", image="golden", image_version="1.0.0/1"'
    expression = interpolated(mark["expr"], chosen(BOARDS["overview.json"]), 0)
    file = tmp_path / "marks.yaml"
    file.write_text(MARKED_BUILD.format(build=build, expr=json.dumps(expression)))
    generation.output_of("promtool", "test", "rules", str(file))
