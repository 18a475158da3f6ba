"""Certificates for a web configuration, and a client that presents them."""

import base64
import contextlib
import http.client
import ssl

import trustme

# The bcrypt hashes of "right", with the lowest cost.
HASH = "$2y$04$jO2CIzM/mX.C2SYUYkAVXeMxag52kgjzMQE79WFpZ.Y1M7BJieFfm"
REFUSED = "refused"


class Authorities:
    """The authority of the server and its clients, and another one."""

    def __init__(self, directory):
        self.directory = directory
        self.own, self.other = trustme.CA(), trustme.CA()
        self.own.cert_pem.write_to_path(directory / "ca.pem")
        self.issue()
        self.clients = {
            "own": self._client(self.own, "own"),
            "other": self._client(self.other, "other"),
        }

    def issue(self):
        """Writes another certificate of the server."""
        issued = self.own.issue_cert("localhost")
        issued.private_key_pem.write_to_path(self.directory / "server.key")
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        (self.directory / "server.pem").write_bytes(chain)

    def _client(self, authority, name):
        file = self.directory / f"{name}.pem"
        issued = authority.issue_cert("client.example.com", "client@example.com")
        issued.private_key_and_cert_chain_pem.write_to_path(file)
        return file

    def context(self, client=None, **options):
        """A context of TLS that presents the certificate of a client."""
        context = ssl.create_default_context(cafile=self.directory / "ca.pem")
        if client:
            context.load_cert_chain(self.clients[client])
        context.minimum_version = options.get("least", ssl.TLSVersion.TLSv1_2)
        context.maximum_version = options.get("most", ssl.TLSVersion.TLSv1_3)
        if "ciphers" in options:
            context.set_ciphers(options["ciphers"])
        if "curve" in options:
            context.set_ecdh_curve(options["curve"])
        return context


def ask(port, context=None, password=None, path="/metrics", user="someone"):
    """The status of a response and its headers; REFUSED where TLS fails."""
    try:
        with _response(port, context, password, path, user) as response:
            response.read()
            return response.status, response.headers
    except (ssl.SSLError, ConnectionError, http.client.BadStatusLine):
        return REFUSED, {}


def body(port, context, path):
    """The text that a user with the right password gets."""
    with _response(port, context, "right", path, "someone") as response:
        assert response.status == 200
        return response.read().decode()


@contextlib.contextmanager
def _response(port, context, password, path, user):
    headers = {}
    if password is not None:
        both = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {both}"
    if context:
        connection = http.client.HTTPSConnection("localhost", port, timeout=60, context=context)
    else:
        connection = http.client.HTTPConnection("localhost", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        yield connection.getresponse()
