"""The status page in a real browser, on what a simulator plays: what it says and how it is filtered."""

import http.server
import re
import threading
import time
import urllib.request

from browser import exporting, looking
from processes import PATIENCE, get
from status_page import WORLD, builds, step, until_builds, until_filtered

# What is on loopback needs no proxy, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

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


def test_page_has_the_failed_step_of_an_image_and_its_reason(browser, exporter):
    with looking(browser) as page:
        page.goto(exporter.url)
        assert builds(page)[0] == "broken"
        assert page.title() == "1 failed: Image Builder status"
        failed = page.locator("#s-failed article").first
        place = "Failed while BUILDING, at step ApplyBuildComponents, in component install-agent"
        assert place in failed.inner_text()
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
            "the error is seen", lambda shown: any("error" in step for step in shown["steps"])
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


def test_filter_is_in_the_address_and_survives_reload_and_back(browser, exporter):
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
        page.get_by_text("missing ']'. This page is as of").wait_for()
        # The browser says so itself.
        assert page.said and all("400 (Bad Request)" in line for line in page.said)
        page.said.clear()


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
