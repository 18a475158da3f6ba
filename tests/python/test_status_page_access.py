"""The status page for everybody: without script, by keyboard, on small screens, read out."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import exporting, looking
from processes import until
from status_page import builds, step

# A step whose status nobody knows, and names that are read from right to left.
STRANGE = """
listed_after: 0
pipelines:
  - name: strange
    account: "111122223333"
    region: us-west-2
    first: -10m
    every: 7d
    workflows:
      - name: strange
        steps:
          - {name: First, action: RunCommand, duration: 1m}
          - {name: Second, action: RunCommand, duration: 2h, running_status: SO_NEW_THAT_NOBODY_HERE_HAS_HEARD_OF_IT_BEFORE}
faults:
  - {operation: "*StepExecution*", replaced: {name: "خطوة البناء الأولى"}}
"""

PLACES = """(row) => {
  const box = (selector, inner) => {
    const range = document.createRange();
    const element = row.querySelector(selector);
    range.selectNodeContents(element);
    const { left, right, top, bottom } = (inner ? range : element).getBoundingClientRect();
    return { left, right, top, bottom };
  };
  return { name: box(".name", true), column: box(".name", false), status: box(".status", true), bar: box(".bar", false) };
}"""


def no_violations(page, what):
    results = Axe().run(page)
    assert results.violations_count == 0, f"{what}: {results.generate_report()}"


def test_page_works_without_script(browser, exporter):
    with looking(browser, java_script_enabled=False) as page:
        page.goto(exporter.url)
        assert "2h" not in step(page, "Approve").locator(".took b").inner_text()
        page.get_by_label("Text").fill("steady")
        page.get_by_role("button", name="Filter").click()
        page.wait_for_url(re.compile(r"[?&]q=steady"))
        assert builds(page) == ["steady"]
        as_of = page.locator("#as-of time").inner_text()

        def refreshed():
            page.get_by_role("link", name="Refresh").click()
            return page.locator("#as-of time").inner_text() != as_of

        until("the refreshed page is of later", refreshed)
        page.wait_for_load_state()
        assert builds(page) == ["steady"]
        assert page.get_by_role("button", name="Pause").count() == 0


def test_page_is_used_with_the_keyboard_alone(browser, exporter):
    with looking(browser) as page:
        page.goto(exporter.url)
        focused = "document.activeElement.innerText || document.activeElement.name"
        page.keyboard.press("Tab")
        assert page.evaluate(focused) == "Skip to the status"
        assert page.locator(".skip").bounding_box()["y"] >= 0
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.activeElement.id === 'main'")
        visited = []
        for _ in range(30):
            page.keyboard.press("Tab")
            visited.append(page.evaluate(focused).split("\n")[0])
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"no focus is seen on {visited[-1]}"
            if visited[-1].startswith("LaunchBuildInstance"):
                break
        assert visited.index("q") < visited.index("image") < visited.index("Filter")
        opened = "document.activeElement.parentElement.open"
        assert not page.evaluate(opened)
        page.keyboard.press("Enter")
        assert page.evaluate(opened)


def test_decorative_signs_are_not_read_out(browser, exporter):
    with looking(browser) as page:
        page.goto(exporter.url)
        page.get_by_role("link", name="AWS console of broken", exact=True).wait_for()
        read = page.locator("body").aria_snapshot()
        assert "ApplyBuildComponents FAILED" in read
        assert not set("▸▾·") & set(read), read


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_page_is_accessible(browser, exporter, scheme, width):
    with looking(browser, color_scheme=scheme) as page:
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(exporter.url)
        # Everything is judged, also what is folded.
        page.evaluate("document.querySelectorAll('details').forEach((it) => (it.open = true))")
        no_violations(page, f"{scheme}, {width}")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(int(part) for part in re.findall(r"\d+", paper)[:3])
        assert (brightness > 600) == (scheme == "light")


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_unknown_status_and_names_in_other_scripts_do_not_overlap(
    browser, simulate, tmp_path, width
):
    with exporting(simulate(STRANGE), tmp_path) as exporter, looking(browser) as page:
        exporter.until("both steps are there", lambda shown: len(shown["steps"]) == 2)
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(exporter.url)
        page.evaluate("document.querySelectorAll('details').forEach((it) => (it.open = true))")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for row in page.locator("details.step > summary").all():
            places = row.evaluate(PLACES)
            name, status, bar = places["name"], places["status"], places["bar"]
            shown_bar = bar["right"] > bar["left"]
            beside = status["right"] <= bar["left"]
            below = status["top"] >= bar["bottom"] or status["bottom"] <= bar["top"]
            assert not shown_bar or beside or below, places
            # The name's letters begin right behind the sign.
            assert 0 < name["left"] - places["column"]["left"] < 30, places
