"""docs/troubleshooting.md quotes what the program says: it still says so, and for that reason."""

import os
import re
import subprocess

import pytest

from conftest import ROOT
from processes import clean_environment, running_process, tail, until

PAGE = (ROOT / "docs/troubleshooting.md").read_text()
MESSAGES = sorted(set(re.findall(r'\bmessage="([^"]*)"', PAGE)))
ROWS = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| ", PAGE, re.MULTILINE)

# What to follow, so that there is something to fail; a role where none is looked for by itself.
FOLLOWED = 'images: ["*"]'
ROLE = "assume_role: {role_arn: arn:aws:iam::111122223333:role/nobody}\n    " + FOLLOWED
STEP = "step-00000000-0000-0000-0000-000000000000"

SCENARIO = """
announce: 1d
listed_after: 0
%s
roles: [{arn: "arn:aws:iam::111122223333:role/somebody"}]
pipelines:
  - name: golden
    account: "111122223333"
    region: us-west-2
    first: -20m
    every: 1h
    workflows: [{managed: build-image}, {managed: test-image}]
%s
"""

CONFIGURATION = """
polling: {{interval: 1s, discovery_interval: 1s, request_timeout: {timeout}}}
targets:
  - name: production
    regions: [us-west-2]
    endpoint_url: "{endpoint}"
    rate_limit: {{requests_per_second: 50, burst: 50}}
    {followed}
"""

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
NOBODY = {"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}
TOKEN = NOBODY | {
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token",
    "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/somebody",
}


def error(kind, message="", operation="*"):
    return f'  - {{operation: "{operation}", error: {{type: {kind}, message: "{message}"}}}}'


def denied(operation):
    message = f"is not authorized to perform: imagebuilder:{operation}"
    return error("AccessDeniedException", f"User: somebody {message}", operation)


@pytest.fixture
def exporter(simulate, tmp_path):
    """Runs the exporter in front of a simulator; gives a function that waits for a line of its log
    with all of some parts."""
    running = []

    def start(
        faults="",
        scenario="",
        followed=FOLLOWED,
        endpoint=None,
        environment=KEYS,
        speed=1,
        timeout="1m",
    ):
        play = SCENARIO % (scenario, f"faults:\n{faults}" if faults else "")
        simulator = simulate(play, speed=speed)
        config, log = tmp_path / "exporter.yaml", tmp_path / "exporter.log"
        config.write_text(
            CONFIGURATION.format(
                endpoint=endpoint or simulator.url, followed=followed, timeout=timeout
            )
        )
        command = [
            os.environ["IMAGEBUILDER_EXPORTER_BIN"],
            f"--config.file={config}",
            "--web.listen-address=127.0.0.1:0",
        ]
        # STS is the simulator's too, but for what takes no call to fail.
        settings = {"AWS_ENDPOINT_URL_STS": simulator.url} | environment
        program = running_process(command, log, more=settings)
        running.append(program)
        program.__enter__()

        def line(*parts):
            def found():
                return [
                    text
                    for text in log.read_text().splitlines()
                    if all(part in text for part in parts)
                ]

            try:
                return until(f"a line with {parts}", found)[0]
            except AssertionError as failure:
                raise AssertionError(f"{failure}:\n{tail(log)}") from failure

        return line

    yield start
    for one in reversed(running):
        one.__exit__(None, None, None)


# How each row of the page's table comes about.
FAILURES = {
    ("credentials", "no credentials found in chain"): {"environment": NOBODY},
    ("credentials", "No such file or directory"): {"environment": TOKEN},
    ("credentials", "is not authorized to perform: sts:AssumeRole"): {"followed": ROLE},
    ("forbidden", "is not authorized to perform: imagebuilder:"): {
        "faults": denied("ListImageBuildVersions")
    },
    ("forbidden", "ExpiredTokenException"): {"faults": error("ExpiredTokenException")},
    ("forbidden", "UnrecognizedClientException"): {"faults": error("UnrecognizedClientException")},
    ("forbidden", "InvalidSignatureException: Signature"): {"scenario": "clock_skew: 10m"},
    ("forbidden", "RequestExpired"): {"faults": error("RequestExpired")},
    ("rejected", "HTTP 4"): {"faults": error("UnknownOperationException")},
    # Also where no name server answers.
    ("network", "dns error"): {
        "endpoint": "http://nowhere.invalid",
        "environment": KEYS | {"RES_OPTIONS": "timeout:1 attempts:1"},
    },
    ("network", "Connection refused"): {"endpoint": "http://127.0.0.1:1"},
    ("network", "Connection reset by peer"): {"faults": "  - {reset: true}"},
    ("network", "tunnel error"): {
        "endpoint": "https://nowhere.invalid",
        "environment": KEYS | {"HTTPS_PROXY": "http://127.0.0.1:1"},
    },
    ("timeout", "no response within"): {"faults": "  - {no_answer: true}", "timeout": "3s"},
    ("server_error", "HTTP 503"): {"faults": error("ServiceUnavailableException")},
    ("parse_error", "not a response of the service"): {"faults": "  - {html: true}"},
}


# How this one comes about is in test_https.py.
CERTIFICATE = ("network", "invalid peer certificate")


def test_every_kind_of_failure_is_in_the_table():
    assert set(ROWS) == FAILURES.keys() | {CERTIFICATE}
    source = (ROOT / "src/api/error.rs").read_text()
    kinds = set(re.findall(r'Self::\w+ => "(\w+)"', source[source.index("impl ErrorKind") :]))
    # Neither of them takes a target down.
    assert {kind for kind, _ in ROWS} == kinds - {"throttled", "client_error"}


@pytest.mark.parametrize("kind, text", FAILURES)
def test_target_that_is_down_has_the_documented_reason(exporter, kind, text):
    line = exporter(**FAILURES[kind, text])
    assert text in line("polling failed", f" result={kind} ").partition(" error=")[2]


@pytest.mark.parametrize(
    "operation",
    re.findall(r"access denied \(imagebuilder:(\w+)\): ", PAGE),
    ids=lambda operation: operation,
)
def test_denied_action_is_logged_as_the_page_has_it(exporter, operation):
    followed = 'pipelines: ["*"]'
    (message,) = (text for text in MESSAGES if f" (imagebuilder:{operation}): " in text)
    # So fast that workflows end while they are tracked.
    line = exporter(denied(operation), followed=followed, speed=100)
    assert f" operation={operation} " in line(f'message="{message}"')


@pytest.mark.parametrize(
    "message, cause",
    [
        ("selector matches nothing", {"followed": 'pipelines: ["none-*"]'}),
        ("the service does not find this step", {"followed": f"step_executions: [{STEP}]"}),
        (
            "the service does not find a resource that the configuration names",
            {"followed": f"workflow_executions: [{STEP.replace('step-', 'wf-')}]"},
        ),
        ("API calls are throttled", {"faults": error("CallRateLimitExceededException")}),
        ("polling succeeds again", {"faults": "  - {times: 3, reset: true}"}),
    ],
)
def test_message_is_logged_as_the_page_has_it(exporter, message, cause):
    (quoted,) = (text for text in MESSAGES if text.startswith(message))
    line = exporter(**cause)
    assert line(f'message="{quoted}"')


def reason_in_the_source():
    """All text of the program, with what a line's end cuts in two put together again."""
    texts = (file.read_text() for file in (ROOT / "src").rglob("*.rs"))
    return re.sub(r"\\\n\s*", "", "".join(texts))


@pytest.mark.parametrize("message", MESSAGES)
def test_quoted_message_is_in_the_source(message):
    """Also those that take an hour, a shard or a reload. What names an action is put together."""
    source = reason_in_the_source()
    denied = re.fullmatch(
        r"access denied \(imagebuilder:\w+\): (.*); allow this action in the IAM policy", message
    )
    assert (denied[1] if denied else message) in source


def test_part_of_a_message_that_is_quoted_alone_is_in_the_source():
    (quoted,) = re.findall(r"^  `(resources that both .*?)`", PAGE, re.MULTILINE)
    assert quoted in reason_in_the_source()


def test_unreachable_metadata_service_is_logged_as_documented(exporter):
    (quoted,) = re.findall(r"`(could not communicate .*?)`", PAGE)
    nowhere = {"HOME": "/nonexistent", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"}
    assert exporter(environment=nowhere)(quoted)


def test_port_in_use_is_reported_as_documented(simulator):
    address = simulator.url.removeprefix("http://")
    done = subprocess.run(
        [os.environ["IMAGEBUILDER_EXPORTER_BIN"], "demo", f"--web.listen-address={address}"],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(),
    )
    assert done.returncode == 1
    (quoted,) = re.findall(r"^cannot listen on .*$", PAGE, re.MULTILINE)
    assert done.stderr.splitlines()[-1] == quoted.replace("127.0.0.1:10850", address)


def test_every_section_is_reached_and_every_link_leads_somewhere():
    sections = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
        for title in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    }
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert {link[1:] for link in links if link.startswith("#")} == sections
    for link in links:
        if not link.startswith("#"):
            assert (ROOT / "docs" / link.partition("#")[0]).exists(), link


def test_every_metric_and_key_it_names_is_there():
    metrics = (ROOT / "docs/metrics.md").read_text()
    rules = (ROOT / "deploy/prometheus/rules.yaml").read_text()
    named = set(re.findall(r"(?<![\w-])(imagebuilder(?:_\w+|:step_[\w:]+))", PAGE))
    assert len(named) > 8
    for name in named - {"imagebuilder_exporter", "imagebuilder_exporter_"}:
        assert f"`{name}`" in metrics or f"record: {name}\n" in rules, name
    keys = (ROOT / "docs/configuration.md").read_text()
    for key in re.findall(r"`(?:metrics|polling)\.(\w+)(?::[^`]*)?`", PAGE):
        assert f"| `{key}` |" in keys, key
