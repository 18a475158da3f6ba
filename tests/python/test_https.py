"""The way out to AWS: over TLS, straight or through the proxy that the environment names."""

import base64
import contextlib
import os
import re
import socket
import socketserver
import ssl
import threading
import urllib.parse

import pytest
import trustme
from prometheus_client.parser import text_string_to_metric_families

from processes import clean_environment, get, output_of, running_process, until

# A name that is known to nobody: whoever reaches it went through the proxy.
NAME = "imagebuilder.us-west-2.test"
CONFIGURATION = """
polling: {{interval: 1s, discovery_interval: 1s, request_timeout: 1m}}
targets:
  - name: main
    regions: [us-west-2]
    endpoint_url: {url}
    rate_limit: {{requests_per_second: 100, burst: 100}}
    pipelines: ["*"]
"""


class Server(socketserver.ThreadingTCPServer):
    """Answers on a port of its own, each connection in a thread that ends with it."""

    daemon_threads = True

    def __init__(self, handle):
        super().__init__(("127.0.0.1", 0), None)
        self.handle = handle
        self.port = self.server_address[1]

    def finish_request(self, request, client_address):
        # Whoever goes away in the middle is what this is here for.
        with contextlib.suppress(OSError):
            self.handle(request)


@contextlib.contextmanager
def serving(handle):
    with Server(handle) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def pump(source, sink):
    with contextlib.suppress(OSError):
        while some := source.recv(65536):
            sink.sendall(some)
        sink.shutdown(socket.SHUT_WR)


def joined(one, other):
    """Carries what each says to the other, until both have said all."""
    back = threading.Thread(target=pump, args=(other, one), daemon=True)
    back.start()
    pump(one, other)
    back.join()


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority):
    """Makes a server of TLS of a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME, "localhost").configure_cert(context)
    return lambda request: context.wrap_socket(request, server_side=True)


@pytest.fixture
def service(simulator, tls):
    """The simulator over TLS."""
    address = urllib.parse.urlsplit(simulator.url)

    def handle(request):
        with (
            tls(request) as client,
            socket.create_connection((address.hostname, address.port)) as upstream,
        ):
            joined(client, upstream)

    with serving(handle) as server:
        yield server


class Proxy:
    """What it was asked for, and where it leads, whatever the name."""

    def __init__(self, leads_to, wants=None):
        self.leads_to, self.wants = leads_to, wants
        self.asked = []

    def handle(self, request):
        with request, request.makefile("rb") as lines:
            method, target, _ = lines.readline().decode().split()
            headers = dict(line.decode().strip().split(": ", 1) for line in iter(lines.readline, b"\r\n"))
            headers = {name.lower(): value for name, value in headers.items()}
            self.asked.append((method, target))
            if self.wants and headers.get("proxy-authorization") != self.wants:
                request.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", self.leads_to)) as upstream:
                request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                joined(request, upstream)


@pytest.fixture
def proxy(service):
    proxy = Proxy(service.port)
    with serving(proxy.handle) as server:
        proxy.port = server.port
        yield proxy


@pytest.fixture
def log(tmp_path):
    return tmp_path / "exporter.log"


@pytest.fixture
def settings(tmp_path, authority):
    """The environment of one that trusts the authority."""
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    return {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "SSL_CERT_FILE": str(trusted),
    }


def command_for(directory, url, *arguments):
    file = directory / "config.yaml"
    file.write_text(CONFIGURATION.format(url=url))
    return [os.environ["IMAGEBUILDER_EXPORTER_BIN"], *arguments, f"--config.file={file}"]


@pytest.fixture
def exporter(tmp_path, log, settings):
    """Starts an exporter; gives the URL of its metrics."""
    with contextlib.ExitStack() as running:

        def start(url, *flags, **environment):
            command = [*command_for(tmp_path, url), "--web.listen-address=127.0.0.1:0", *flags]
            running.enter_context(running_process(command, log, more=settings | environment))
            (address,) = said(log, r"\baddress=(127\.0\.0\.1:\d+)")
            return f"http://{address}/metrics"

        yield start


def said(log, pattern):
    return until(f"{pattern} in the log", lambda: re.findall(pattern, log.read_text()))


def value(metrics, name, **labels):
    """The value of the target's series with these labels, if there is one."""
    labels |= {"target": "main", "region": "us-west-2"}
    families = text_string_to_metric_families(get(metrics)[0].decode())
    samples = [sample for family in families for sample in family.samples]
    values = [s.value for s in samples if s.name == name and s.labels == labels]
    return values[0] if values else None


def until_up(metrics, up=1):
    name = "imagebuilder_exporter_target_up"
    until(f"{name} to be {up}", lambda: value(metrics, name) == up)


def test_service_is_called_over_tls_with_a_trusted_certificate(exporter, service):
    until_up(exporter(f"https://localhost:{service.port}"))


def test_certificate_of_an_authority_that_is_not_trusted_is_refused(
    exporter, service, log, tmp_path
):
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    until_up(exporter(f"https://localhost:{service.port}", SSL_CERT_FILE=str(other)), 0)
    assert said(log, "invalid peer certificate: UnknownIssuer")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_calls_use_a_tunnel_of_the_proxy_in_the_environment(exporter, proxy, variable, scheme):
    until_up(exporter(f"https://{NAME}", **{variable: f"{scheme}127.0.0.1:{proxy.port}"}))
    assert set(proxy.asked) == {("CONNECT", f"{NAME}:443")}


def test_proxy_receives_user_and_password(exporter, proxy):
    proxy.wants = "Basic " + base64.b64encode(b"user:p@ss").decode()
    until_up(exporter(f"https://{NAME}", HTTPS_PROXY=f"http://user:p%40ss@127.0.0.1:{proxy.port}"))


@pytest.mark.parametrize("level", ["info", "trace"])
def test_proxy_that_wants_another_password_leaves_the_target_down(exporter, proxy, log, level):
    proxy.wants = "Basic " + base64.b64encode(b"user:another").decode()
    address = f"http://user:s3same@127.0.0.1:{proxy.port}"
    metrics = exporter(f"https://{NAME}", f"--log.level={level}", HTTPS_PROXY=address)
    until_up(metrics, 0)
    failed = {"operation": "ListImagePipelines", "result": "network"}
    calls = "imagebuilder_exporter_api_requests_total"
    until("calls to fail", lambda: value(metrics, calls, **failed))
    assert said(log, "tunnel error: proxy authorization required")
    encoded = base64.b64encode(b"user:s3same").decode()
    assert not re.search(f"s3same|{encoded}", log.read_text())


def test_proxy_can_be_reached_over_tls(exporter, proxy, tls):
    def handle(request):
        with tls(request) as client:
            proxy.handle(client)

    with serving(handle) as server:
        until_up(exporter(f"https://{NAME}", HTTPS_PROXY=f"https://localhost:{server.port}"))
    assert set(proxy.asked) == {("CONNECT", f"{NAME}:443")}


def test_doctor_uses_the_proxy(proxy, settings, tmp_path):
    command = command_for(tmp_path, f"https://{NAME}", "doctor")
    through = {
        "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}",
        "AWS_ENDPOINT_URL_STS": f"https://{NAME}",
    }
    told = output_of(*command, env=clean_environment(**settings | through))
    assert "allowed   ListImagePipelines" in told
    assert set(proxy.asked) == {("CONNECT", f"{NAME}:443")}


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_host_that_needs_no_proxy_is_reached_straight(exporter, service, proxy, variable):
    settings = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}", variable: "other.test, localhost"}
    until_up(exporter(f"https://localhost:{service.port}", **settings))
    assert proxy.asked == []


def test_calls_over_plain_http_bypass_every_proxy(exporter, simulator, proxy):
    url = f"http://127.0.0.1:{proxy.port}"
    settings = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "http_proxy"), url)
    until_up(exporter(simulator.url, **settings))
    assert proxy.asked == []
