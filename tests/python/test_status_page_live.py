"""The status page while it stays open: it refreshes, and interrupts no user."""

import re
import time

from browser import exporting, looking
from processes import free_port, until
from status_page import WORLD, all_is_known, builds, step


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


def test_refresh_updates_data_and_keeps_the_state_of_the_user(browser, exporter):
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


def test_focus_on_a_step_stays_while_others_appear_before_it(browser, simulate, tmp_path):
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


def test_page_reports_an_unreachable_exporter_and_the_age_of_its_data(
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
        assert trouble.inner_text().endswith(f"This page is as of {as_of} UTC.")
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


def test_page_reloads_when_the_exporter_has_another_version(browser, exporter):
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


def test_refreshing_stops_while_it_is_paused_or_the_page_is_hidden(browser, exporter):
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
