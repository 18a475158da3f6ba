"""The Kubernetes manifests, each file by itself."""

import json
import os
import re
import runpy

import kubernetes_validate
import pytest
import yaml

from manifests import (
    LABELS,
    NAME,
    OVERLAYS,
    documents,
    judge,
    kustomizations,
    manifests,
    shards,
    the,
)
from processes import output_of


def test_every_manifest_matches_its_schema(kubernetes):
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


def test_component_has_every_dashboard_with_the_label_of_the_grafana_sidecar(root, kubernetes):
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
