"""The Kubernetes manifests: each file by itself, and the overlays where a Kustomize is there."""

import json
import os
import re
import runpy
import shutil

import kubernetes_validate
import pytest
import yaml

from processes import need, output_of
from test_readme import blocks

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


@pytest.fixture
def kubernetes(root):
    return root / "deploy/kubernetes"


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


def test_every_manifest_is_what_its_kind_has_to_be(kubernetes):
    kinds = set()
    for manifest in manifests(kubernetes):
        judge(manifest)
        assert manifest["metadata"]["name"] == NAME
        assert manifest["metadata"]["labels"] == LABELS
        kinds.add(manifest["kind"])
    assert kinds == {
        "Deployment",
        "PodDisruptionBudget",
        "PrometheusRule",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
    }


def test_validator_would_find_a_field_that_does_not_exist(kubernetes):
    """What the test above rests on."""
    deployment = the("Deployment", manifests(kubernetes))
    deployment["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        judge(deployment)


def test_kustomizations_name_every_file_and_no_other(kubernetes):
    named = set()
    for folder, kustomization in kustomizations(kubernetes).items():
        component = folder.parent.name == "components"
        assert kustomization["kind"] == ("Component" if component else "Kustomization")
        version = "v1alpha1" if component else "v1beta1"
        assert kustomization["apiVersion"] == f"kustomize.config.k8s.io/{version}"
        names = [
            *kustomization.get("resources", []),
            *kustomization.get("components", []),
            *(patch["path"] for patch in kustomization.get("patches", []) if "path" in patch),
            *(
                file
                for maps in kustomization.get("configMapGenerator", [])
                for file in maps["files"]
            ),
            "kustomization.yaml",
        ]
        named |= {(folder / name).resolve() for name in names}
    assert {file for file in named if file.is_file()} == set(kubernetes.glob("**/*.yaml"))
    assert all(file.exists() for file in named)
    assert {path.name for path in kubernetes.glob("overlays/*")} == set(OVERLAYS)


def test_pod_may_do_nothing_that_it_need_not(kubernetes):
    pod = the("Deployment", manifests(kubernetes))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]


def test_ports_and_selectors_lead_from_prometheus_to_the_container(root, kubernetes):
    found = manifests(kubernetes)
    deployment = the("Deployment", found)["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    (port,) = container["ports"]
    default = re.search(
        r"`--web.listen-address=ADDRESS` \| `:(\d+)`", (root / "docs/cli.md").read_text()
    )
    assert port == {"name": "http", "containerPort": int(default[1])}
    for probe, path in [("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")]:
        assert container[probe]["httpGet"] == {"path": path, "port": port["name"]}

    (service_port,) = the("Service", found)["spec"]["ports"]
    assert service_port["targetPort"] == port["name"]
    (endpoint,) = the("ServiceMonitor", found)["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == (service_port["name"], "/metrics")

    assert deployment["template"]["metadata"]["labels"] == LABELS
    assert the("Service", found)["spec"]["selector"] == LABELS
    for kind in ["Deployment", "PodDisruptionBudget", "ServiceMonitor"]:
        assert the(kind, found)["spec"]["selector"] == {"matchLabels": LABELS}


def test_container_reads_the_file_that_the_config_map_brings(kubernetes):
    pod = the("Deployment", manifests(kubernetes))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (maps,) = kustomizations(kubernetes)[kubernetes / "base"]["configMapGenerator"]
    (volume,) = pod["volumes"]
    assert volume == {"name": "config", "configMap": {"name": maps["name"]}}
    (mount,) = container["volumeMounts"]
    assert container["args"] == [
        f"--config.file={mount['mountPath']}/{file}" for file in maps["files"]
    ]


def test_configuration_in_the_config_map_is_accepted(kubernetes):
    file = kubernetes / "base/imagebuilder_exporter.yaml"
    said = output_of(os.environ["IMAGEBUILDER_EXPORTER_BIN"], "check-config", str(file))
    assert said == f"{file}: OK\n"


def test_prometheus_rule_holds_the_shipped_rules(kubernetes):
    script = runpy.run_path(str(kubernetes / "prometheusrule.py"))
    again = "the rules have changed: run deploy/kubernetes/prometheusrule.py"
    assert script["TARGET"].read_text() == script["manifest"](), again
    shipped = yaml.safe_load(script["RULES"].read_text())
    assert the("PrometheusRule", manifests(kubernetes))["spec"] == shipped


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


def test_shards_are_pods_that_know_their_number_and_how_many_there_are(root, kubernetes):
    made = shards(kubernetes)
    judge(made)
    assert made["kind"] == "StatefulSet"
    spec = made["spec"]
    service = the("Service", manifests(kubernetes))
    assert spec["serviceName"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"
    assert spec["replicas"] > 1
    assert spec["selector"] == {"matchLabels": spec["template"]["metadata"]["labels"]}
    (container,) = spec["template"]["spec"]["containers"]
    index, total = container["env"]
    assert index["valueFrom"] == {
        "fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}
    }
    assert total["value"] == str(spec["replicas"])
    variables = (root / "docs/cli.md").read_text()
    for flag, entry in [("index", index), ("total", total)]:
        assert re.search(rf"`--shard\.{flag}=N` \| `\d` \| `{entry['name']}` \|", variables)


def test_kustomize_makes_the_shards_that_are_put_together_by_hand(kubernetes):
    """What the test above rests on."""
    made = render(kubernetes / "overlays/shards")
    assert the("StatefulSet", made) == with_config_map_of(made, shards(kubernetes))
    assert "Deployment" not in {manifest["kind"] for manifest in made}
    assert the("PodDisruptionBudget", made)["spec"]["maxUnavailable"] == 1


def with_config_map_of(made, workload):
    """Its name has a hash behind it."""
    (volume,) = workload["spec"]["template"]["spec"]["volumes"]
    volume["configMap"]["name"] = the("ConfigMap", made)["metadata"]["name"]
    return workload


def test_component_brings_every_dashboard_as_the_sidecar_of_grafana_looks_for_it(root, kubernetes):
    """By a label, in ConfigMaps small enough for what `kubectl apply` writes beside them: the object
    once more, as an annotation, of which there may be 256 KiB."""
    (component,) = documents(
        (kubernetes / "components/grafana-dashboards/kustomization.yaml").read_text()
    )
    (folder,) = component["components"]
    grafana = (kubernetes / "components/grafana-dashboards" / folder).resolve()
    assert grafana == root / "deploy/grafana"
    (made,) = documents((grafana / "kustomization.yaml").read_text())
    files = [file for maps in made["configMapGenerator"] for file in maps["files"]]
    assert sorted(files) == sorted(
        f"dashboards/{file.name}" for file in grafana.glob("dashboards/*.json")
    )
    for file in files:
        assert len(json.dumps((grafana / file).read_text())) < 240 * 1024
    options = made["generatorOptions"]
    assert options["labels"] == LABELS | {"grafana_dashboard": "1"}
    assert options["disableNameSuffixHash"] is True


def render(folder):
    """What Kustomize makes of a folder, each manifest judged."""
    if shutil.which("kustomize"):
        command = ["kustomize", "build"]
    else:
        need("kubectl")
        command = ["kubectl", "kustomize"]
    made = documents(output_of(*command, str(folder)))
    for manifest in made:
        judge(manifest)
    return made


def is_dashboard(manifest):
    return manifest["metadata"]["labels"].get("grafana_dashboard") == "1"


def test_kustomize_makes_config_maps_of_the_dashboards(root, kubernetes):
    made = render(kubernetes / "overlays/grafana-dashboards")
    dashboards = {
        name: text
        for manifest in made
        if is_dashboard(manifest)
        for name, text in manifest["data"].items()
    }
    files = (root / "deploy/grafana/dashboards").glob("*.json")
    assert dashboards == {file.name: file.read_text() for file in files}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_makes_manifests_of_the_overlay(kubernetes, overlay):
    made = render(kubernetes / "overlays" / overlay)
    workload = "StatefulSet" if overlay == "shards" else "Deployment"
    assert {workload, "Service", "ServiceAccount", "ConfigMap"} <= {
        manifest["kind"] for manifest in made
    }


def own_folder(kubernetes, folder, kustomization):
    """A kustomization of a user's own, which the page shows as it stands beside `deploy`."""
    here = os.path.relpath(kubernetes, folder)
    text = kustomization.replace("deploy/kubernetes", here)
    (folder / "kustomization.yaml").write_text(text)


@pytest.mark.parametrize("role", ["before", "after"])
def test_kustomize_makes_as_many_shards_as_the_example_on_the_page_wants(
    kubernetes, tmp_path, role
):
    _, example = blocks((kubernetes / "README.md").read_text(), "yaml")
    component = "  - deploy/kubernetes/components/shards\n"
    irsa = "  - deploy/kubernetes/components/irsa\n"
    assert component in example and irsa not in example
    both = irsa + component if role == "before" else component + irsa
    own_folder(kubernetes, tmp_path, example.replace(component, both))
    made = the("StatefulSet", render(tmp_path))
    (container,) = made["spec"]["template"]["spec"]["containers"]
    values = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert made["spec"]["replicas"] == 5
    assert values == {
        "AWS_EC2_METADATA_DISABLED": "true",
        "IMAGEBUILDER_EXPORTER_SHARD_INDEX": None,
        "IMAGEBUILDER_EXPORTER_SHARD_TOTAL": "5",
    }


def test_kustomize_makes_manifests_of_the_example_on_the_page(kubernetes, tmp_path):
    example, _ = blocks((kubernetes / "README.md").read_text(), "yaml")
    own_folder(kubernetes, tmp_path, example)
    config = "targets: [{name: own, regions: [eu-west-1], images: ['*']}]\n"
    (tmp_path / "imagebuilder_exporter.yaml").write_text(config)
    made = render(tmp_path)

    assert {manifest["metadata"]["namespace"] for manifest in made} == {"monitoring"}
    deployment = the("Deployment", made)["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert container["image"] == "images.example.com/imagebuilder_exporter:0.1.0"
    assert container["env"] == [{"name": "AWS_EC2_METADATA_DISABLED", "value": "true"}]
    apart = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert [term["labelSelector"] for term in apart] == [{"matchLabels": LABELS}]
    account = the("ServiceAccount", made)["metadata"]["annotations"]
    assert account == {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::444455556666:role/imagebuilder-exporter"
    }
    for kind in ["ServiceMonitor", "PrometheusRule"]:
        assert the(kind, made)["metadata"]["labels"] == LABELS | {"release": "kube-prometheus-stack"}
    dashboards = [manifest for manifest in made if is_dashboard(manifest)]
    assert len(dashboards) == 3
    maps = the("ConfigMap", [manifest for manifest in made if manifest not in dashboards])
    assert maps["data"] == {"imagebuilder_exporter.yaml": config}
    assert pod["volumes"][0]["configMap"]["name"] == maps["metadata"]["name"]
    assert {"PodDisruptionBudget", "PrometheusRule", "ServiceMonitor"} <= {
        manifest["kind"] for manifest in made
    }
