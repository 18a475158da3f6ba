"""Kubernetes manifests: how the chart renders them, and what each kind has to be."""

import re

import kubernetes_validate
import yaml

from processes import output_of

# The oldest version in wide use, and the newest one that the validator knows.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]
OPERATOR = "--api-versions=monitoring.coreos.com/v1"


def documents(text):
    # The loader in C, because the rules and dashboards are long.
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def render(chart, *arguments, release="imagebuilder-exporter", namespace="monitoring"):
    """Returns the manifests of the chart, as `helm template` prints them."""
    command = ["helm", "template", release, str(chart), f"--namespace={namespace}"]
    return documents(output_of(*command, *map(str, arguments)))


def the(kind, manifests, name=None):
    """Returns the only manifest of that kind, or of that kind and name."""
    (found,) = [
        manifest
        for manifest in manifests
        if manifest["kind"] == kind and name in (None, manifest["metadata"]["name"])
    ]
    return found


def judge(manifest):
    """Compares a manifest with the schema of its kind. Kubernetes has none for the Prometheus
    Operator's kinds, so functions below check these."""
    if own_check := {"ServiceMonitor": service_monitor, "PrometheusRule": prometheus_rule}.get(
        manifest["kind"]
    ):
        assert manifest["apiVersion"] == "monitoring.coreos.com/v1"
        assert manifest.keys() == {"apiVersion", "kind", "metadata", "spec"}
        own_check(manifest["spec"])
        return
    for version in VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)


def service_monitor(spec):
    assert spec.keys() <= {"jobLabel", "selector", "endpoints", "namespaceSelector"}
    assert spec["selector"].keys() == {"matchLabels"}
    assert spec["endpoints"]
    for endpoint in spec["endpoints"]:
        assert endpoint.keys() <= {
            "port",
            "path",
            "scheme",
            "interval",
            "scrapeTimeout",
            "honorLabels",
            "tlsConfig",
            "basicAuth",
            "relabelings",
            "metricRelabelings",
        }
        assert isinstance(endpoint["port"], str)
        assert seconds(endpoint["scrapeTimeout"]) <= seconds(endpoint["interval"])


def seconds(duration):
    count, unit = re.fullmatch(r"(\d+)([sm])", duration).groups()
    return int(count) * {"s": 1, "m": 60}[unit]


def prometheus_rule(spec):
    assert spec.keys() == {"groups"}
    names = [group["name"] for group in spec["groups"]]
    assert names and len(set(names)) == len(names)
    for group in spec["groups"]:
        assert group.keys() <= {"name", "interval", "limit", "labels", "query_offset", "rules"}
        assert group["rules"]
        for rule in group["rules"]:
            kind = {"alert", "record"} & rule.keys()
            assert len(kind) == 1 and isinstance(rule["expr"], str), rule
            allowed = {"expr", "for", "keep_firing_for", "labels", "annotations"} | kind
            assert rule.keys() <= allowed, rule
            for texts in (rule.get("labels", {}), rule.get("annotations", {})):
                assert all(isinstance(text, str) for text in texts.values()), rule
