"""A web configuration in the Helm chart: the exporter's port, its probes and its scrapes over TLS."""

import os

import pytest
import yaml
from manifests import OPERATOR, render, the
from processes import free_port, running_process, until
from test_deploy_helm import CHART, pod_of, values
from web_client import HASH, Authorities, ask, body

PROBES = ("livenessProbe", "readinessProbe")


def endpoint_of(manifests):
    (endpoint,) = the("ServiceMonitor", manifests)["spec"]["endpoints"]
    return endpoint


def test_exporter_serves_probes_and_scrapes_as_the_chart_says(simulate, tmp_path):
    """Runs the program with the arguments that the chart gives its container, and with files in the
    place of its volumes."""
    url = simulate().url
    target = {"name": "own", "regions": ["us-west-2"], "images": ["*"], "endpoint_url": url}
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump({"config": {"targets": [target]}}))
    arguments = [f"--values={CHART}/ci/tls-values.yaml", f"--values={file}"]
    manifests = render(CHART, *arguments, OPERATOR)
    (container,) = pod_of(manifests)["containers"]

    volumes = {one["name"]: tmp_path / one["name"] for one in container["volumeMounts"]}
    for folder in volumes.values():
        folder.mkdir()
    for name, text in the("ConfigMap", manifests, "imagebuilder-exporter")["data"].items():
        (volumes["config"] / name).write_text(text)
    authorities = Authorities(volumes["certificate"])
    places = {one["mountPath"]: str(volumes[one["name"]]) for one in container["volumeMounts"]}
    certificate = places["/certificate"]
    web = {
        "tls_server_config": {
            "cert_file": f"{certificate}/server.pem",
            "key_file": f"{certificate}/server.key",
        },
        "basic_auth_users": {"someone": HASH},
    }
    (volumes["web"] / "web.yaml").write_text(yaml.safe_dump(web))

    def placed(argument):
        # The longest first: one path begins with another.
        for path in sorted(places, key=len, reverse=True):
            argument = argument.replace(f"={path}/", f"={places[path]}/")
        return argument

    port = free_port()
    command = [
        os.environ["IMAGEBUILDER_EXPORTER_BIN"],
        *map(placed, container["args"]),
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    environment = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
    context = authorities.context()
    with running_process(command, tmp_path / "log", environment):
        for probe in PROBES:
            request = container[probe]["httpGet"]
            assert request["scheme"] == "HTTPS"
            path = request["path"]
            until(f"the {probe} to succeed", lambda path=path: ask(port, context, path=path)[0] == 200)
        endpoint = endpoint_of(manifests)
        assert endpoint["scheme"] == "https" and endpoint["basicAuth"]
        assert ask(port, context, path=endpoint["path"])[0] == 401
        assert "imagebuilder_exporter_target_up" in body(port, context, endpoint["path"])


@pytest.mark.parametrize(
    ("arguments", "of_probes", "of_scrapes"),
    [
        ([], "HTTPS", "https"),
        (["--set=web.scheme=http"], None, "http"),
        (["--set=serviceMonitor.scheme=http"], "HTTPS", "http"),
        (["--set=livenessProbe.httpGet.scheme=HTTP"], "HTTP", "https"),
    ],
)
def test_probes_and_scrapes_have_the_scheme_of_the_port_unless_they_name_one(
    arguments, of_probes, of_scrapes
):
    manifests = values("tls", *arguments)
    (container,) = pod_of(manifests)["containers"]
    assert container["livenessProbe"]["httpGet"].get("scheme") == of_probes
    assert endpoint_of(manifests)["scheme"] == of_scrapes


def test_probe_of_another_kind_stays():
    """As the page has it for client certificates."""
    flags = ['--set-json=livenessProbe={"httpGet":null,"tcpSocket":{"port":"http"}}']
    (container,) = pod_of(values("tls", *flags))["containers"]
    assert container["livenessProbe"] == {"tcpSocket": {"port": "http"}}
