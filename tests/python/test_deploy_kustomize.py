"""The overlays of the Kubernetes manifests, where a Kustomize is there."""

import os
import shutil

import pytest

from manifests import LABELS, OVERLAYS, documents, judge, shards, the
from processes import need, output_of
from test_readme import blocks


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
