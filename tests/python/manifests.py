"""The Kubernetes manifests that are shipped, and what each kind has to be."""

import re

import kubernetes_validate
import yaml

NAME = "imagebuilder-exporter"
LABELS = {"app.kubernetes.io/name": NAME}
OVERLAYS = [
    "grafana-dashboards",
    "ha-pair",
    "irsa",
    "pod-identity",
    "prometheus-operator",
    "shards",
]
# The oldest that is still in use at large, and the newest the validator knows.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def kustomizations(kubernetes):
    return {
        file.parent: documents(file.read_text())[0]
        for file in sorted(kubernetes.glob("**/kustomization.yaml"))
    }


def manifests(kubernetes):
    """What the kustomizations name as resources that are files, so not the patches."""
    return [
        document
        for folder, kustomization in kustomizations(kubernetes).items()
        for name in kustomization.get("resources", [])
        if (folder / name).is_file()
        for document in documents((folder / name).read_text())
    ]


def the(kind, manifests):
    (found,) = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


def judge(manifest):
    """Holds a manifest against the schema of its kind, by hand where Kubernetes has none."""
    if by_hand := {"ServiceMonitor": service_monitor, "PrometheusRule": prometheus_rule}.get(
        manifest["kind"]
    ):
        assert manifest["apiVersion"] == "monitoring.coreos.com/v1"
        assert manifest.keys() == {"apiVersion", "kind", "metadata", "spec"}
        by_hand(manifest["spec"])
        return
    for version in VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)


def service_monitor(spec):
    assert spec.keys() <= {"jobLabel", "selector", "endpoints"}
    assert spec["selector"].keys() == {"matchLabels"}
    assert spec["endpoints"]
    for endpoint in spec["endpoints"]:
        assert endpoint.keys() <= {"port", "path", "interval", "scrapeTimeout"}
        assert isinstance(endpoint["port"], str)
        assert seconds(endpoint["scrapeTimeout"]) <= seconds(endpoint["interval"])


def seconds(duration):
    return int(re.fullmatch(r"(\d+)s", duration)[1])


def prometheus_rule(spec):
    assert spec.keys() == {"groups"}
    names = [group["name"] for group in spec["groups"]]
    assert names and len(set(names)) == len(names)
    for group in spec["groups"]:
        assert group.keys() <= {"name", "interval", "limit", "labels", "query_offset", "rules"}
        for rule in group["rules"]:
            kind = {"alert", "record"} & rule.keys()
            assert len(kind) == 1 and isinstance(rule["expr"], str), rule
            allowed = {"expr", "for", "keep_firing_for", "labels", "annotations"} | kind
            assert rule.keys() <= allowed, rule
            for texts in (rule.get("labels", {}), rule.get("annotations", {})):
                assert all(isinstance(text, str) for text in texts.values()), rule


def merged(base, patch):
    """What a strategic merge makes of the two, as far as a workload needs it: lists of what has names
    are merged by these."""
    if isinstance(base, dict) and isinstance(patch, dict):
        both = {key: merged(base[key], patch[key]) for key in base.keys() & patch.keys()}
        return {**base, **patch, **both}
    if isinstance(base, list) and all("name" in item for item in base + patch):
        theirs = {item["name"]: item for item in patch}
        own = [merged(item, theirs.pop(item["name"], {})) for item in base]
        return own + list(theirs.values())
    return patch


def shards(kubernetes):
    """The StatefulSet of the component, put together by hand."""
    folder = kubernetes / "components/shards"
    kustomization = kustomizations(kubernetes)[folder]
    kind, workload = kustomization["patches"]
    made = the("Deployment", manifests(kubernetes))
    operations = yaml.safe_load(kind["patch"])
    assert [(one["op"], one["path"]) for one in operations] == [
        ("replace", "/kind"),
        ("remove", "/spec/strategy"),
    ]
    made["kind"] = operations[0]["value"]
    del made["spec"]["strategy"]
    (patch,) = documents((folder / workload["path"]).read_text())
    made = merged(made, patch)
    (replacement,) = kustomization["replacements"]
    assert replacement["source"]["fieldPath"] == "spec.replicas"
    ((path,),) = [target["fieldPaths"] for target in replacement["targets"]]
    *_, variable = re.findall(r"\[name=(\w+)\]", path)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    (total,) = [entry for entry in container["env"] if entry["name"] == variable]
    total["value"] = str(made["spec"]["replicas"])
    return made
