"""The web configuration file: TLS, passwords and headers, compared with an exporter of Prometheus that
reads the same file; and Prometheus that scrapes with each of them."""

import base64
import contextlib
import json
import os
import socket
import ssl
import subprocess
import time

import pytest
from generations import THE_SYSTEMS
from processes import clean_environment, free_port, listens, running_process, until
from prometheus_server import running_prometheus
from web_client import HASH, REFUSED, Authorities, ask, body

TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key%s}\n"
MUTUAL = TLS % ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem"
USERS = f"basic_auth_users: {{someone: '{HASH}'}}\n"
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
AES_256 = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"

# Go's HTTP/2 starts with a certain cipher suite alone.
NO_HTTP2 = "http_server_config: {http2: false}\n"

# A file; options of the client's context, or None for plain HTTP; options of the request; the status.
CASES = {
    "empty file": ("", None, {}, 200),
    "tls": (TLS % "", {}, {}, 200),
    "plain http to tls": (TLS % "", None, {}, 400),
    "mutual, no certificate": (MUTUAL, {}, {}, REFUSED),
    "mutual, certificate": (MUTUAL, {"client": "own"}, {}, 200),
    "mutual, foreign certificate": (MUTUAL, {"client": "other"}, {}, REFUSED),
    "if given, none": (
        TLS % ", client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem",
        {},
        {},
        200,
    ),
    "if given, foreign": (
        TLS % ", client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem",
        {"client": "other"},
        {},
        REFUSED,
    ),
    "any, none": (TLS % ", client_auth_type: RequireAnyClientCert", {}, {}, REFUSED),
    "any, foreign": (TLS % ", client_auth_type: RequireAnyClientCert", {"client": "other"}, {}, 200),
    "requested, none": (TLS % ", client_auth_type: RequestClientCert", {}, {}, 200),
    "requested, foreign": (TLS % ", client_auth_type: RequestClientCert", {"client": "other"}, {}, 200),
    "explicitly none": (TLS % ", client_auth_type: NoClientCert", {"client": "other"}, {}, 200),
    "no password": (USERS, None, {}, 401),
    "right password": (USERS, None, {"password": "right"}, 200),
    "wrong password": (USERS, None, {"password": "wrong"}, 401),
    "empty password": (USERS, None, {"password": ""}, 401),
    "unknown user": (USERS, None, {"password": "right", "user": "nobody"}, 401),
    "password over tls": (TLS % "" + USERS, {}, {"password": "right"}, 200),
    "no password over tls": (TLS % "" + USERS, {}, {}, 401),
    "old client": (TLS % ", min_version: TLS13", {"most": TLS12}, {}, REFUSED),
    "new client": (TLS % ", min_version: TLS13", {}, {}, 200),
    "too new client": (TLS % ", max_version: TLS12", {"least": TLS13}, {}, REFUSED),
    "other suite": (
        TLS % f", cipher_suites: [{AES_256}]" + NO_HTTP2,
        {"most": TLS12, "ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {},
        REFUSED,
    ),
    "same suite": (
        TLS % f", cipher_suites: [{AES_256}], prefer_server_cipher_suites: false" + NO_HTTP2,
        {"most": TLS12, "ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {},
        200,
    ),
    "suites are of tls 1.2 alone": (
        TLS % f", cipher_suites: [{AES_256}]" + NO_HTTP2,
        {"least": TLS13},
        {},
        200,
    ),
    "other curve": (TLS % ", curve_preferences: [CurveP384]", {"curve": "prime256v1"}, {}, REFUSED),
    "same curve": (TLS % ", curve_preferences: [CurveP384]", {"curve": "secp384r1"}, {}, 200),
    "no http/2": (TLS % "" + NO_HTTP2, {}, {}, 200),
}

# Files that both refuse, and what we say of them.
BAD = {
    "tls_server_config: {cert_file: server.pem}": "1:20: tls_server_config: has neither key nor key_file",
    "tls_server_config: {key_file: server.key}": "1:20: tls_server_config: has neither cert nor cert_file",
    "tls_server_config: {cert_file: none.pem, key_file: server.key}": (
        '1:32: tls_server_config.cert_file: "none.pem": the file does not exist'
    ),
    "tls_server_config: {cert_file: server.key, key_file: server.pem}": "this has no CERTIFICATE in PEM",
    "tls_server_config: {cert_file: server.pem, key_file: own.pem}": "the key does not fit the certificate",
    TLS % ", client_ca_file: ca.pem": "this has no effect without client_auth_type",
    TLS % ", client_auth_type: Always": '"Always" is not a known value',
    TLS % ", min_version: TLS9": '"TLS9" is not a known value; known are TLS12 and TLS13',
    TLS % ", cipher_suites: [AES]": '"AES" is not a cipher suite',
    TLS % ", curve_preferences: [P1]": '"P1" is not a known value',
    TLS % ", keys: 1": "tls_server_config.keys: unknown key; did you mean key?",
    "basic_auth_users: {someone: right}": "basic_auth_users.someone: is not a bcrypt hash",
    "http_server_config: {headers: {X-Other: a}}": "this header cannot be configured",
    "http_server_config: {headers: {X-Frame-Options: maybe}}": "must be deny or sameorigin",
    "users: {}": "1:1: users: unknown key",
    "basic_auth_users: [": "this is not valid YAML",
}

# What the toolkit takes and we refuse, with the reason.
OURS = {
    TLS % ", min_version: TLS10": '"TLS10" is insecure and not supported',
    TLS % ", curve_preferences: [CurveP521]": '"CurveP521" is not supported by the TLS library',
    TLS % ", cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]": "has no forward secrecy",
    TLS % ", client_auth_type: RequireAndVerifyClientCert": "this needs client_ca_file or client_ca",
    TLS % ", min_version: TLS13, max_version: TLS12": "min_version is over max_version",
    TLS % ", client_allowed_sans: [a]": "this needs client_auth_type: RequireAndVerifyClientCert",
    "tls_server_config: {cert: a, cert_file: server.pem}": "cert and cert_file exclude each other",
    "http_server_config: {http2: true}": "HTTP/2 is not supported",
    "rate_limit: {interval: 1s}": "without a burst of at least 1",
}


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    return Authorities(tmp_path_factory.mktemp("web"))


@pytest.fixture
def web_file(authorities):
    """Writes a web configuration beside its certificates."""
    file = authorities.directory / "web.yaml"

    def write(text):
        file.write_text(text)
        return file

    return write


@contextlib.contextmanager
def ours(file, tmp_path, *arguments):
    port = free_port()
    command = [
        os.environ["IMAGEBUILDER_EXPORTER_BIN"],
        "demo",
        f"--web.listen-address=localhost:{port}",
        f"--web.config.file={file}",
        *arguments,
    ]
    with running_process(command, tmp_path / "ours.log", stdout=subprocess.DEVNULL):
        until("it listens", lambda: listens(f"localhost:{port}"))
        yield port


@contextlib.contextmanager
def toolkits(file, tmp_path):
    port = free_port()
    command = [
        "prometheus-node-exporter",
        f"--web.listen-address=localhost:{port}",
        f"--web.config.file={file}",
        "--collector.disable-defaults",
    ]
    with open(tmp_path / "toolkit.log", "wb") as log:
        process = subprocess.Popen(command, stderr=log, env=clean_environment())
    try:
        until("it listens", lambda: process.poll() is not None or listens(f"localhost:{port}"))
        assert process.poll() is None, (tmp_path / "toolkit.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("server", [ours, toolkits])
def test_same_file_has_the_same_effect(case, server, authorities, web_file, tmp_path):
    text, tls, request, expected = CASES[case]
    context = None if tls is None else authorities.context(**tls)
    with server(web_file(text), tmp_path) as port:
        assert ask(port, context, **request)[0] == expected


def refusal(command):
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=clean_environment()
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("text", BAD)
def test_both_refuse_a_bad_file(text, web_file):
    file = web_file(text)
    flags = ["--web.listen-address=localhost:0", f"--web.config.file={file}"]
    code, _ = refusal(["prometheus-node-exporter", *flags])
    assert code == 1
    ours = os.environ["IMAGEBUILDER_EXPORTER_BIN"]
    code, said = refusal([ours, "demo", *flags])
    assert code == 1
    assert f"{file}:" in said and BAD[text] in said
    code, said = refusal([ours, "check-config", f"--web.config.file={file}"])
    assert code == 1
    assert f"{file}:" in said and BAD[text] in said


@pytest.mark.parametrize("text", OURS)
def test_what_does_not_work_is_refused_with_the_reason(text, web_file):
    file = web_file(text)
    ours = os.environ["IMAGEBUILDER_EXPORTER_BIN"]
    code, said = refusal([ours, "check-config", f"--web.config.file={file}"])
    assert code == 1
    assert OURS[text] in said


def test_check_config_names_every_file(root, web_file):
    file = web_file(MUTUAL + USERS)
    config = root / "config/minimal.yaml"
    ours = os.environ["IMAGEBUILDER_EXPORTER_BIN"]
    code, said = refusal([ours, "check-config", f"--web.config.file={file}", str(config)])
    assert (code, said.splitlines()[-2:]) == (0, [f"{config}: OK", f"{file}: OK"])


def test_inline_certificates_work(authorities, web_file, tmp_path):
    content = {name: (authorities.directory / name).read_text() for name in ("server.pem", "server.key", "ca.pem")}
    text = json.dumps(
        {
            "tls_server_config": {
                "cert": content["server.pem"],
                "key": content["server.key"],
                "client_ca": content["ca.pem"],
                "client_auth_type": "RequireAndVerifyClientCert",
            }
        }
    )
    with ours(web_file(text), tmp_path) as port:
        assert ask(port, authorities.context())[0] == REFUSED
        assert ask(port, authorities.context(client="own"))[0] == 200


@pytest.mark.parametrize(
    ("names", "status"),
    [("client.example.com", 200), ("a, client@example.com", 200), ("example.com", REFUSED)],
)
@pytest.mark.parametrize("auth", ["RequireAndVerifyClientCert, client_ca_file: ca.pem", "RequireAnyClientCert"])
def test_client_needs_one_of_the_allowed_names(names, status, auth, authorities, web_file, tmp_path):
    text = TLS % f", client_auth_type: {auth}, client_allowed_sans: [{names}]"
    with ours(web_file(text), tmp_path) as port:
        assert ask(port, authorities.context(client="own"))[0] == status
        assert ask(port, authorities.context())[0] == REFUSED


def test_health_needs_neither_password_nor_token(web_file, tmp_path):
    with ours(web_file(USERS + "rate_limit: {interval: 1h, burst: 1}\n"), tmp_path) as port:
        for _ in range(5):
            assert ask(port, path="/-/healthy")[0] == 200
        until("it is ready", lambda: ask(port, path="/-/ready")[0] == 200)
        assert ask(port, password="right")[0] == 200
        assert ask(port, password="right")[0] == 429
        assert ask(port, path="/-/healthy")[0] == 200


def test_every_response_has_the_headers(web_file, tmp_path):
    text = USERS + (
        "http_server_config: {headers: {Strict-Transport-Security: max-age=9, X-Frame-Options: deny}}\n"
    )
    with ours(web_file(text), tmp_path) as port:
        for password, path in [("right", "/"), ("right", "/metrics"), ("wrong", "/"), (None, "/-/healthy")]:
            status, headers = ask(port, password=password, path=path)
            assert headers["Strict-Transport-Security"] == "max-age=9"
            assert headers["X-Frame-Options"] == "deny"
            assert (headers["WWW-Authenticate"] == "Basic") == (status == 401)


def test_changed_files_are_used_without_a_restart(authorities, web_file, tmp_path):
    def serial(port):
        with (
            socket.create_connection(("localhost", port)) as plain,
            authorities.context().wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            return secure.getpeercert()["serialNumber"]

    file = web_file(TLS % "")
    with ours(file, tmp_path) as port:
        first = serial(port)
        authorities.issue()
        until("the new certificate is used", lambda: serial(port) != first)
        assert ask(port, authorities.context())[0] == 200
        web_file(TLS % "" + USERS)
        until("a password is needed", lambda: ask(port, authorities.context())[0] == 401)
        assert ask(port, authorities.context(), password="right")[0] == 200
        log = tmp_path / "ours.log"
        web_file("basic_auth_users: []")
        failed = "web configuration reload failed; keeping the effective one"
        until("it is logged", lambda: ask(port, authorities.context()) and failed in log.read_text())
        assert ask(port, authorities.context())[0] == 401
        assert ask(port, authorities.context(), password="right")[0] == 200
        assert log.read_text().count(failed) == 1
        assert HASH not in log.read_text()


def test_exporter_ends_during_a_handshake(authorities, web_file, tmp_path):
    with contextlib.ExitStack() as unfinished:
        with ours(web_file(TLS % ""), tmp_path) as port:
            for begun in [b"", b"\x16\x03\x01\x02\x00\x01"]:
                client = unfinished.enter_context(socket.create_connection(("localhost", port)))
                client.sendall(begun)
            # It was accepted after them.
            assert ask(port, authorities.context())[0] == 200
            stopped = time.monotonic()
        # Promised are 5 s. A handshake that nothing ends takes 10 s.
        assert time.monotonic() - stopped < 8


def test_secrets_are_never_shown(authorities, web_file, tmp_path):
    key = (authorities.directory / "server.key").read_text()
    text = json.dumps(
        {
            "tls_server_config": {
                "cert": (authorities.directory / "server.pem").read_text(),
                "key": key,
            },
            "basic_auth_users": {"someone": HASH},
        }
    )
    context = authorities.context()
    shown = []
    with ours(web_file(text), tmp_path, "--log.level=trace") as port:
        for password in ["right", "planted-password"]:
            ask(port, context, password=password)
        for path in ["/config", "/", "/api/v1/steps", "/metrics"]:
            shown.append(body(port, context, path))
        # Mistakes beside the secrets.
        web_file(text.replace("someone", "some:one").replace("BEGIN", "BEGUN"))
        failed = "web configuration reload failed"
        log = tmp_path / "ours.log"
        until("it is logged", lambda: ask(port, context) and failed in log.read_text())
    shown.append(log.read_text())
    credentials = base64.b64encode(b"someone:planted-password").decode()
    secrets = [HASH, HASH[7:], "planted-password", credentials, *key.splitlines()[1:-1]]
    assert not [secret for secret in secrets if any(secret in text for text in shown)]


def test_prometheus_scrapes_with_certificate_and_password(authorities, web_file, tmp_path):
    (tmp_path / "prometheus").mkdir()
    with ours(web_file(MUTUAL + USERS), tmp_path) as port:
        client = authorities.clients["own"]
        ca = authorities.directory / "ca.pem"
        tls = f"{{ca_file: {ca}, cert_file: {client}, key_file: {client}}}"
        configuration = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: right
    scheme: https
    tls_config: {tls}
    basic_auth: {{username: someone, password: right}}
    static_configs: [{{targets: ["localhost:{port}"]}}]
  - job_name: wrong
    scheme: https
    tls_config: {tls}
    basic_auth: {{username: someone, password: wrong}}
    static_configs: [{{targets: ["localhost:{port}"]}}]
  - job_name: nobody
    scheme: https
    tls_config: {{ca_file: {ca}}}
    basic_auth: {{username: someone, password: right}}
    static_configs: [{{targets: ["localhost:{port}"]}}]
"""
        address = f"127.0.0.1:{free_port()}"
        with running_prometheus(THE_SYSTEMS, address, configuration, tmp_path / "prometheus") as server:
            assert server.value('up{job="right"}') == 1
            assert server.value('up{job="wrong"}') == 0
            assert server.value('up{job="nobody"}') == 0
            assert "401" in server.target("wrong")["lastError"]
            assert server.query('imagebuilder_exporter_build_info{job="right"}')
