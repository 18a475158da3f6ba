"""A simulated account for the status page, and what a test finds on the page."""

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


def all_is_known(shown):
    """Whether all builds are there, with what only a look at each step and at the image tells."""
    return (
        len(shown["executions"]) == 4
        and all("on_failure" in step for step in shown["steps"])
        and any("failure" in image for image in shown["images"])
    )


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
