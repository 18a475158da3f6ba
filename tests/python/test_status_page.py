"""The status page as people use it: in a real browser, on what a simulator plays."""

import http.server
import re
import threading
import time
import urllib.request

import pytest
from axe_playwright_python.sync_playwright import Axe

from browser import chromium, exporting, looking
from processes import PATIENCE, free_port, get, until

# What is on loopback needs no proxy, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# A build that has failed with a hostile message, one that runs for hours, one that somebody must
# approve, and one of whose steps each takes some seconds.
WORLD = r"""
listed_after: 0
pipelines:
  - name: broken
    account: "111122223333"
    region: us-west-2
    first: -1h
    every: 7d
    workflows:
      - managed: build-image
        steps:
          - {name: LaunchBuildInstance, duration: 1m}
          - name: ApplyBuildComponents
            duration: 1m
            outcome: failed
            message: "</script><script>window.hostile = 1</script><img src=x onerror='window.hostile = 2'> \" onfocus=\"window.hostile = 3\" autofocus \u202etxt.exe\u0000 😀"
            component: {name: install-agent, phase: build, step: StartAgent}
  - name: steady
    account: "111122223333"
    region: us-west-2
    first: -90s
    every: 7d
    workflows:
      - managed: build-image
        steps:
          - {name: LaunchBuildInstance, duration: 1m}
          - {name: ApplyBuildComponents, duration: 2h, timeout: 3h}
  - name: gate
    account: "111122223333"
    region: us-west-2
    first: -10m
    every: 7d
    workflows:
      - name: approval_by_somebody_whose_name_is_long_and_has_no_place_where_a_line_could_end_of_itself
        steps: [{name: Approve, action: WaitForAction, duration: 2h, timeout: 4h}]
  - name: brisk
    account: "111122223333"
    region: us-west-2
    first: 0
    every: 7d
    workflows:
      - name: short-steps
        steps:
          - {name: One, action: RunCommand, duration: 9s}
          - {name: Two, action: RunCommand, duration: 9s}
          - {name: Three, action: RunCommand, duration: 9s}
          - {name: Four, action: RunCommand, duration: 9s}
          - {name: Five, action: RunCommand, duration: 9s}
          - {name: Six, action: RunCommand, duration: 9s}
          - {name: Seven, action: RunCommand, duration: 5m}
"""

# Some 10 000 steps, most of executions that are over. Lists tell of them; a Get of each would take
# the test a minute.
MANY = """
listed_after: 0
faults: [{operation: GetWorkflowStepExecution, error: {type: ForbiddenException}}]
pipelines:
  - name: golden
    account: "111122223333"
    region: us-west-2
    first: -16h
    every: 40s
    workflows: [{managed: build-image, steps: [{name: CreateOutputAMI, chances: {completed: 9, failed: 1}}]}]
"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


def all_is_known(shown):
    """Whether all builds are there, with what only a look at each step and at the image tells."""
    return (
        len(shown["executions"]) == 4
        and all("on_failure" in step for step in shown["steps"])
        and any("failure" in image for image in shown["images"])
    )


@pytest.fixture
def exporter(simulate, tmp_path):
    with exporting(simulate(WORLD), tmp_path) as exporter:
        exporter.until("all builds are there", all_is_known)
        yield exporter


def builds(page):
    """The names of the images that are shown, in their order."""
    return [
        title.split()[0] for title in page.locator("#builds article h3").all_inner_texts()
    ]


def until_builds(page, expected):
    page.wait_for_function(
        """(expected) => {
          const shown = [...document.querySelectorAll("#builds article h3")];
          return shown.map((title) => title.innerText.split(/\\s/)[0]).join() === expected;
        }""",
        arg=",".join(expected),
    )


def until_filtered(page, expected, url):
    """What is typed may come in parts where the browser is busy: the last one is in the address."""
    page.wait_for_url(url)
    until_builds(page, expected)


def step(page, name):
    return page.locator(f'details.step:has(.name:text-is("{name}"))')


def no_violations(page, what):
    results = Axe().run(page)
    assert results.violations_count == 0, f"{what}: {results.generate_report()}"


def test_page_says_which_step_of_which_image_broke_and_why(browser, exporter):
    with looking(browser) as page:
        page.goto(exporter.url)
        assert builds(page)[0] == "broken"
        assert page.title() == "1 failed: Image Builder status"
        failed = page.locator("#s-failed article").first
        assert "Failed at ApplyBuildComponents, in component install-agent" in failed.inner_text()
        broken = step(failed, "ApplyBuildComponents")
        assert broken.get_attribute("open") is not None
        assert "FAILED" in broken.inner_text()
        assert "</script><script>window.hostile = 1" in broken.inner_text()
        waits = step(page, "Approve").inner_text()
        assert "waits for a person" in waits and "of 4h 00m" in waits


def test_hostile_texts_stay_text_and_the_policy_is_never_tried(browser, simulate, tmp_path):
    fault = """
faults:
  - operation: GetImage
    error: {type: ForbiddenException, message: "<img src=x onerror='window.hostile = 4'>"}
"""
    with exporting(simulate(WORLD + fault), tmp_path) as exporter, looking(browser) as page:
        exporter.until("all builds are there", lambda shown: len(shown["executions"]) == 4)
        exporter.until("it is denied", lambda shown: shown["targets"][0]["denied"])
        exporter.until(
            "the message is seen", lambda shown: any("message" in step for step in shown["steps"])
        )
        page.goto(exporter.url + "?q=%3Cimg+src%3Dx+onerror%3Dwindow.hostile%3D5%3E")
        page.goto(exporter.url)
        text = page.locator("main").inner_text()
        assert "imagebuilder:GetImage" in text
        assert "<img src=x onerror='window.hostile = 2'>" in text
        before = page.evaluate("document.getElementById('main').dataset.now")
        page.evaluate("document.getElementById('refresh').click()")
        refreshed = "(before) => document.getElementById('main').dataset.now !== before"
        page.wait_for_function(refreshed, arg=before)
        assert page.locator("#builds img, #builds script, [onerror], [onfocus]").count() == 0
        assert page.evaluate("window.hostile") is None


def test_filter_stands_in_the_address_and_survives_reload_and_the_way_back(browser, exporter):
    with looking(browser) as page:
        page.goto(exporter.url)
        text = page.get_by_label("Text")
        text.press_sequentially("gate", delay=20)
        until_filtered(page, ["gate"], exporter.url + "?q=gate")
        text.press("Enter")
        page.get_by_text("Status", exact=True).click()
        page.get_by_label("FAILED").check()
        until_filtered(page, [], exporter.url + "?q=gate&status=FAILED")
        assert "Nothing matches" in page.locator("#builds").inner_text()

        page.reload()
        until_builds(page, [])
        assert page.get_by_label("FAILED").is_checked()
        page.go_back()
        until_builds(page, ["gate"])
        assert text.input_value() == "gate" and not page.get_by_label("FAILED").is_checked()
        page.go_back()
        page.wait_for_function("() => document.querySelectorAll('#builds article').length === 4")
        assert text.input_value() == ""
        page.go_forward()
        until_builds(page, ["gate"])
        page.get_by_role("link", name="Clear").click()
        page.wait_for_function("() => document.querySelectorAll('#builds article').length === 4")
        assert page.url == exporter.url

        page.goto(exporter.url + "?status=failed,%20running")
        until_builds(page, ["broken", "brisk", "steady", "gate"])
        chosen = page.locator("input:checked").evaluate_all("(all) => all.map((it) => it.value)")
        assert chosen == ["FAILED", "RUNNING"]

        page.goto(exporter.url)
        page.get_by_label("Image", exact=True).fill("STEADY")
        until_builds(page, ["steady"])
        page.get_by_label("Image", exact=True).fill("[")
        page.get_by_text("missing ']'. What you see is of").wait_for()
        # The browser says so itself.
        assert page.said and all("400 (Bad Request)" in line for line in page.said)
        page.said.clear()


def test_elapsed_moves_by_the_clock_of_the_server_not_of_the_browser(browser, exporter):
    seconds = """() => {
      const shown = document.querySelector("#s-running details.step .took [data-since]").textContent;
      return shown.split(" ").reduce((sum, part) =>
        sum + parseInt(part) * {d: 86400, h: 3600, m: 60, s: 1}[part.slice(-1)], 0);
    }"""
    with looking(browser) as page:
        # This browser's clock is three days ahead.
        page.add_init_script("const real = Date.now; Date.now = () => real() + 3 * 86400000;")

        def true():
            (running,) = exporter.steps("?q=steady&status=RUNNING")["steps"]
            return running["duration_seconds"]

        before = true()
        page.goto(exporter.url + "?q=steady+ApplyBuildComponents")
        # A refresh would make good at once what the page is behind where it took long to come.
        page.get_by_role("button", name="Pause").click()
        first, begun = page.evaluate(seconds), time.monotonic()
        assert before - 1 <= first <= true()
        bar = page.locator("#s-running [data-from]").first
        width = float(bar.get_attribute("width").rstrip("%"))
        until("three seconds are shown", lambda: page.evaluate(seconds) >= first + 3)
        assert time.monotonic() - begun >= 2
        assert float(bar.get_attribute("width").rstrip("%")) > width


def test_refresh_takes_what_is_new_and_leaves_what_somebody_does(browser, exporter):
    with looking(browser) as page:
        page.goto(exporter.url + "?q=brisk")
        page.evaluate("window.sameDocument = true")
        text = page.get_by_label("Text")
        first, second = step(page, "One"), step(page, "Two")
        first.locator("summary").click()
        assert second.get_attribute("open") is None
        # Typed, and not yet asked for.
        page.evaluate("document.getElementById('filter').addEventListener('input', (event) => event.stopImmediatePropagation(), true)")
        text.focus()
        text.press("End")
        text.press_sequentially(" half-ty")
        text.press("ArrowLeft")
        page.mouse.wheel(0, 120)
        # It scrolls by and by.
        page.wait_for_function(
            "() => scrollY === Math.min(120, document.documentElement.scrollHeight - innerHeight)"
        )
        scrolled = page.evaluate("window.scrollY")

        # It refreshes by itself.
        second.locator("summary", has_text="COMPLETED").wait_for()
        assert page.evaluate("window.sameDocument")
        assert page.evaluate("document.activeElement.name") == "q"
        assert text.input_value() == "brisk half-ty"
        assert page.evaluate("document.activeElement.selectionStart") == len("brisk half-t")
        assert first.get_attribute("open") is not None and second.get_attribute("open") is None
        assert page.evaluate("window.scrollY") == scrolled


def test_focus_on_a_step_stays_while_others_come_before_it(browser, simulate, tmp_path):
    with exporting(simulate(WORLD), tmp_path) as exporter, looking(browser) as page:
        exporter.until("all builds are there", all_is_known)
        page.goto(exporter.url + "?q=steady")
        summary = step(page, "ApplyBuildComponents").locator("summary")
        summary.focus()
        # The answer now has other builds before this one.
        page.evaluate("history.replaceState(null, '', '?')")
        page.evaluate("document.getElementById('refresh').click()")
        page.wait_for_function("() => document.querySelectorAll('#builds article').length === 4")
        focused = page.evaluate("document.activeElement.innerText")
        assert focused.startswith("ApplyBuildComponents"), focused
        assert builds(page)[0] == "broken"


def test_page_says_when_it_cannot_reach_the_exporter_and_how_old_it_is(
    browser, simulate, tmp_path
):
    simulator = simulate(WORLD)
    address = f"127.0.0.1:{free_port()}"
    with looking(browser) as page:
        with exporting(simulator, tmp_path, address) as exporter:
            page.goto(exporter.url)
            assert page.locator("#trouble").inner_text() == ""
        page.get_by_role("link", name="Refresh").click()
        trouble = page.get_by_role("status")
        trouble.get_by_text("The exporter can’t be reached").wait_for()
        as_of = page.locator("#as-of time").inner_text()
        assert trouble.inner_text().endswith(f"What you see is of {as_of} UTC.")
        page.keyboard.press("End")
        page.wait_for_function("() => scrollY + innerHeight >= document.body.scrollHeight - 1")
        place = trouble.bounding_box()
        assert 0 <= place["y"] and place["y"] + place["height"] <= 900, "it is seen from everywhere"
        with exporting(simulator, tmp_path, address):
            # It tries on by itself.
            page.wait_for_function("() => document.getElementById('trouble').textContent === ''")
            page.wait_for_function(
                "(before) => document.querySelector('#as-of time').innerText !== before", arg=as_of
            )
        # The browser says so itself; of a look that the end of the exporter met, in other words.
        broken = re.compile("net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE)")
        assert page.said and all(broken.search(line) for line in page.said)
        page.said.clear()


def test_page_is_loaded_anew_where_another_version_answers(browser, exporter):
    def newer(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace("status.js?v=", "status.js?v=0"))

    with looking(browser) as page:
        page.goto(exporter.url)
        page.evaluate("window.sameDocument = true")
        with page.expect_response(exporter.url):
            page.get_by_role("link", name="Refresh").click()
        page.wait_for_function("() => document.querySelectorAll('#builds article').length === 4")
        assert page.evaluate("window.sameDocument")
        page.route(exporter.url, newer)
        page.get_by_role("link", name="Refresh").click()
        page.wait_for_function(
            "() => !window.sameDocument && document.querySelectorAll('#builds article').length === 4"
        )


def test_refreshing_stops_while_it_is_paused_or_nobody_looks(browser, exporter):
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with looking(browser) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))

        def looked():
            return asked.count(exporter.url)

        page.clock.install()
        page.goto(exporter.url)
        asked.clear()
        page.evaluate(hide, True)
        page.clock.run_for(60_000)
        assert looked() == 0
        with page.expect_response(exporter.url):
            page.evaluate(hide, False)
        pause = page.get_by_role("button", name="Pause")
        pause.click()
        assert pause.get_attribute("aria-pressed") == "true"
        asked.clear()
        page.clock.run_for(60_000)
        assert looked() == 0
        with page.expect_response(exporter.url):
            pause.click()


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


def test_signs_that_are_for_the_eyes_are_not_read_out(browser, exporter):
    with looking(browser) as page:
        page.goto(exporter.url)
        page.get_by_role("link", name="AWS console of broken", exact=True).wait_for()
        read = page.locator("body").aria_snapshot()
        assert "ApplyBuildComponents FAILED" in read
        assert not set("▸▾·") & set(read), read


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_page_is_fit_for_everybody(browser, exporter, scheme, width):
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


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_status_nobody_knows_and_names_of_other_scripts_keep_to_their_place(
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


def test_page_works_behind_a_proxy_under_a_path(browser, exporter):
    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if not self.path.startswith("/tools/ib/"):
                return self.send_error(404)
            url = exporter.url + self.path.removeprefix("/tools/ib/")
            with _opener.open(url, timeout=PATIENCE) as answer:
                self.send_response(answer.status)
                for name in ("content-type", "content-security-policy"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.end_headers()
                self.wfile.write(answer.read())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        with looking(browser) as page:
            page.goto(f"http://127.0.0.1:{proxy.server_port}/tools/ib/?q=steady")
            assert builds(page) == ["steady"]
            with page.expect_response(lambda answer: answer.ok):
                page.get_by_role("link", name="Refresh").click()
            for name, start in [("Metrics", b"# HELP"), ("This page as JSON", b'{"time"')]:
                link = page.get_by_role("link", name=name)
                body, _ = get(link.evaluate("(link) => link.href"))
                assert body.startswith(start)
        proxy.shutdown()


def test_page_with_ten_thousand_steps_is_usable(browser, simulate, tmp_path):
    with exporting(simulate(MANY), tmp_path) as exporter, looking(browser) as page:
        exporter.until(
            "10 000 steps are known",
            lambda shown: sum(shown["targets"][0]["tracked_steps"].values()) >= 10_000
            and not shown["targets"][0]["tracked_steps"]["pending"],
        )
        body, _ = get(exporter.url)
        begun = time.monotonic()
        page.goto(exporter.url)
        loaded = time.monotonic() - begun
        elements = page.evaluate("document.querySelectorAll('*').length")
        print(f"{len(body)} bytes, {elements} elements, loaded in {loaded:.3f} s")
        assert elements < 30_000
        assert re.search(r"Page 1 of \d+, \d+ workflow executions", page.locator("nav").inner_text())
        page.get_by_role("link", name="Next").click()
        page.get_by_text("Page 2 of").wait_for()
        # Until then what is typed is heard by nobody.
        page.wait_for_load_state()
        last = exporter.steps("?status=COMPLETED&per_page=500")["steps"][-1]
        page.get_by_label("Text").fill(last["step_execution_id"])
        page.wait_for_function("() => document.querySelectorAll('#builds article').length === 1")
        assert step(page, last["step"]).count() == 1
