"""What the Helm chart creates, by the real helm and kubectl."""

import json
import os
import pathlib
import re

import kubernetes_validate
import pytest
import yaml

from manifests import OPERATOR, judge, render, the
from processes import clean_environment, free_port, get, output_of, running_process, until

CHART = pathlib.Path(__file__).resolve().parents[2] / "deploy/helm/imagebuilder-exporter"
CI = sorted((CHART / "ci").glob("*.yaml"))
SELECTOR = {
    "app.kubernetes.io/name": "imagebuilder-exporter",
    "app.kubernetes.io/instance": "imagebuilder-exporter",
}
WORKLOADS = ("Deployment", "StatefulSet")


def values(name, *arguments):
    """Returns the manifests of one of the values files in a cluster with the Prometheus Operator."""
    return render(CHART, f"--values={CHART}/ci/{name}-values.yaml", OPERATOR, *arguments)


def minimal(*arguments):
    return values("minimal", *arguments)


def workload(manifests):
    (found,) = [manifest for manifest in manifests if manifest["kind"] in WORKLOADS]
    return found


def pod_of(manifests):
    return workload(manifests)["spec"]["template"]["spec"]


def kinds(manifests):
    return sorted(manifest["kind"] for manifest in manifests)


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
@pytest.mark.parametrize("operator", [[], [OPERATOR]], ids=["alone", "operator"])
def test_every_manifest_matches_its_schema(file, operator):
    found = render(CHART, f"--values={file}", *operator)
    assert len(found) > 3
    for manifest in found:
        judge(manifest)
    names = [
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in found
    ]
    assert len(set(names)) == len(names)


def test_validator_would_find_a_field_that_does_not_exist():
    """What the test above depends on."""
    deployment = the("Deployment", minimal())
    deployment["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        judge(deployment)


@pytest.mark.parametrize("file", [None, *CI], ids=lambda file: file.stem if file else "defaults")
def test_helm_lint_finds_nothing(file):
    arguments = [f"--values={file}"] if file else []
    report = output_of("helm", "lint", "--strict", str(CHART), *arguments)
    findings = [line for line in report.splitlines() if line.startswith("[")]
    assert findings == ["[INFO] Chart.yaml: icon is recommended"]


def test_targets_alone_give_a_scraped_and_alerting_exporter():
    objects = ["ConfigMap", "Deployment", "Pod", "Service", "ServiceAccount"]
    monitoring = ["ConfigMap"] * 3 + ["PrometheusRule", "ServiceMonitor"]
    assert kinds(minimal()) == sorted(objects + monitoring)
    file = f"--values={CHART}/ci/minimal-values.yaml"
    assert kinds(render(CHART, file)) == objects


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_detection_of_the_operator_can_be_overridden(enabled):
    flags = [
        f"--set={name}.enabled={enabled}"
        for name in ("serviceMonitor", "prometheusRule", "dashboards")
    ]
    file = f"--values={CHART}/ci/minimal-values.yaml"
    with_operator = render(CHART, file, OPERATOR, *flags)
    assert with_operator == render(CHART, file, *flags)
    assert ("ServiceMonitor" in kinds(with_operator)) == (enabled == "true")


@pytest.mark.parametrize("name", ["minimal", "everything", "shards"])
def test_check_config_accepts_the_rendered_configuration(name, tmp_path):
    (text,) = [
        manifest["data"]["imagebuilder_exporter.yaml"]
        for manifest in values(name)
        if manifest["kind"] == "ConfigMap" and "imagebuilder_exporter.yaml" in manifest.get("data", {})
    ]
    source = yaml.safe_load((CHART / f"ci/{name}-values.yaml").read_text())
    assert yaml.safe_load(text) == source["config"]
    file = tmp_path / "imagebuilder_exporter.yaml"
    file.write_text(text)
    report = output_of(
        os.environ["IMAGEBUILDER_EXPORTER_BIN"],
        "check-config",
        str(file),
        env=clean_environment(EXTERNAL_ID="example-external-id"),
    )
    assert report == f"{file}: OK\n"


def test_pod_satisfies_the_restricted_standard():
    manifests = minimal()
    for pod in [pod_of(manifests), the("Pod", manifests)["spec"]]:
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        # A Service of this name would set variables that the exporter takes for its flags.
        assert pod["enableServiceLinks"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert all(mount["readOnly"] for mount in container["volumeMounts"])
        assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]
        assert container["env"] == [{"name": "AWS_EC2_METADATA_DISABLED", "value": "true"}]


def test_ports_and_selectors_lead_from_prometheus_to_the_container(root):
    found = minimal("--set=podDisruptionBudget.enabled=true", "--set=networkPolicy.enabled=true")
    deployment = the("Deployment", found)["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    (port,) = container["ports"]
    default = re.search(
        r"`--web.listen-address=ADDRESS` \| `:(\d+)`", (root / "docs/cli.md").read_text()
    )
    assert port == {"name": "http", "containerPort": int(default[1])}
    for probe, path in [("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")]:
        assert container[probe]["httpGet"] == {"path": path, "port": port["name"]}

    service = the("Service", found)
    (service_port,) = service["spec"]["ports"]
    assert service_port["targetPort"] == port["name"]
    (endpoint,) = the("ServiceMonitor", found)["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == (service_port["name"], "/metrics")
    (ingress,) = the("NetworkPolicy", found)["spec"]["ingress"]
    assert ingress == {"ports": [{"port": port["name"]}]}

    assert deployment["template"]["metadata"]["labels"] == SELECTOR
    assert service["spec"]["selector"] == SELECTOR
    assert service["metadata"]["labels"].items() > SELECTOR.items()
    assert the("NetworkPolicy", found)["spec"]["podSelector"] == {"matchLabels": SELECTOR}
    for kind in ["Deployment", "PodDisruptionBudget", "ServiceMonitor"]:
        assert the(kind, found)["spec"]["selector"] == {"matchLabels": SELECTOR}
    assert not the("Pod", found)["metadata"]["labels"].items() >= SELECTOR.items()


def test_monitor_in_another_namespace_finds_the_service():
    """A ServiceMonitor without a selector of namespaces finds Services in its own one only."""
    found = values("everything")
    monitor = the("ServiceMonitor", found)
    namespace = the("Service", found)["metadata"]["namespace"]
    assert monitor["metadata"]["namespace"] != namespace
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": [namespace]}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("minimal", {"configMap": {"name": "imagebuilder-exporter"}}),
        ("pair", {"configMap": {"name": "exporter-configuration"}}),
        ("existing-secret", {"secret": {"secretName": "exporter-configuration"}}),
    ],
)
def test_containers_read_the_file_of_the_volume(name, source):
    manifests = values(name)
    for pod in [pod_of(manifests), the("Pod", manifests)["spec"]]:
        assert pod["volumes"] == [{"name": "config"} | source]
        (container,) = pod["containers"]
        (mount,) = container["volumeMounts"]
        assert (mount["name"], mount["mountPath"]) == ("config", "/etc/imagebuilder_exporter")
        *_, argument = container["args"]
        assert argument == f"--config.file={mount['mountPath']}/imagebuilder_exporter.yaml"


def test_changed_configuration_replaces_the_pods():
    template, again, changed = [
        workload(manifests)["spec"]["template"]
        for manifests in [minimal(), minimal(), minimal("--set=config.targets[0].name=other")]
    ]
    assert template == again
    assert template["spec"] == changed["spec"]
    assert template["metadata"]["annotations"] != changed["metadata"]["annotations"]


def test_shards_are_pods_that_know_their_index_and_total(root):
    manifests = values("shards")
    spec = workload(manifests)["spec"]
    service = the("Service", manifests)
    assert spec["serviceName"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"
    assert spec["replicas"] == 3
    (container,) = spec["template"]["spec"]["containers"]
    index, total, _ = container["env"]
    assert index["valueFrom"] == {
        "fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}
    }
    assert total["value"] == "3"
    variables = (root / "docs/cli.md").read_text()
    for flag, entry in [("index", index), ("total", total)]:
        assert re.search(rf"`--shard\.{flag}=N` \| `\d` \| `{entry['name']}` \|", variables)
    (test,) = the("Pod", manifests)["spec"]["containers"]
    assert [entry["name"] for entry in test["env"]] == ["AWS_EC2_METADATA_DISABLED"]
    assert the("PodDisruptionBudget", manifests)["spec"]["maxUnavailable"] == 1


def test_several_pods_are_spread_unless_the_user_places_them():
    manifests = values("pair")
    spread = pod_of(manifests)["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert all(one["labelSelector"] == {"matchLabels": SELECTOR} for one in spread)
    assert the("Deployment", manifests)["spec"]["replicas"] == 2
    assert the("PodDisruptionBudget", manifests)["spec"]["maxUnavailable"] == 1
    placed = pod_of(values("pair", "--set=affinity.nodeAffinity.x=y"))
    assert "topologySpreadConstraints" not in placed
    assert "topologySpreadConstraints" not in pod_of(minimal())


def test_prometheus_rule_has_the_shipped_rules(root):
    shipped = yaml.safe_load((root / "deploy/prometheus/rules.yaml").read_text())
    assert the("PrometheusRule", minimal())["spec"] == shipped


def test_rules_can_be_adapted(root):
    shipped = yaml.safe_load((root / "deploy/prometheus/rules.yaml").read_text())
    for group in shipped["groups"]:
        group["rules"] = [
            rule for rule in group["rules"] if rule.get("alert") != "ImageBuilderNoGoodImage"
        ]
        for rule in group["rules"]:
            if "alert" in rule:
                rule["labels"]["team"] = "platform"
                path = rule["annotations"]["runbook_url"]
                url = f"https://wiki.example.com/imagebuilder_exporter/{path}"
                rule["annotations"]["runbook_url"] = url
    assert the("PrometheusRule", values("everything"))["spec"] == shipped


def test_grafana_sidecar_finds_every_dashboard(root):
    """ConfigMaps must fit twice into 256 KiB: `kubectl apply` stores them in an annotation too."""
    found = {
        name: (text, manifest["metadata"])
        for manifest in minimal()
        if manifest["kind"] == "ConfigMap"
        for name, text in manifest["data"].items()
    }
    del found["imagebuilder_exporter.yaml"]
    files = list((root / "deploy/grafana/dashboards").glob("*.json"))
    assert found.keys() == {file.name for file in files}
    for file in files:
        text, metadata = found[file.name]
        assert json.loads(text) == json.loads(file.read_text())
        assert len(json.dumps(text)) < 240 * 1024
        assert metadata["labels"]["grafana_dashboard"] == "1"
        assert metadata["annotations"] == {"grafana_folder": "Image Builder"}


def test_extra_manifests_are_templates():
    found = values("everything")
    assert the("ConfigMap", found, "image-builder-object")
    assert the("ConfigMap", found, "imagebuilder-exporter-text")


def test_names_fit_into_the_labels_of_pods():
    """Kubernetes limits labels to 63 characters and appends 11 to the name of a StatefulSet."""
    long = "a" * 53
    found = render(CHART, f"--values={CHART}/ci/shards-values.yaml", release=long)
    assert {manifest["metadata"]["name"] for manifest in found} == {"a" * 52, "a" * 52 + "-doctor"}
    for manifest in found:
        judge(manifest)


def test_rendered_containers_run(simulate, tmp_path):
    """Runs the program with the arguments, environment and file that the chart gives the containers of
    the exporter and of `helm test`."""
    url = simulate().url
    target = {"name": "own", "regions": ["us-west-2"], "images": ["*"], "endpoint_url": url}
    variables = {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL_STS": url,
    }
    own = {
        "config": {"targets": [target]},
        "extraArgs": ["--log.level=debug"],
        "extraEnv": [{"name": name, "value": value} for name, value in variables.items()],
    }
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(own))
    manifests = render(CHART, f"--values={file}")
    for name, text in the("ConfigMap", manifests)["data"].items():
        (tmp_path / name).write_text(text)

    def command_of(container):
        (mount,) = container["volumeMounts"]
        arguments = [one.replace(mount["mountPath"], str(tmp_path)) for one in container["args"]]
        environment = {one["name"]: one["value"] for one in container["env"]}
        return [os.environ["IMAGEBUILDER_EXPORTER_BIN"], *arguments], environment

    (container,) = pod_of(manifests)["containers"]
    command, environment = command_of(container)
    address = f"127.0.0.1:{free_port()}"
    with running_process([*command, f"--web.listen-address={address}"], tmp_path / "log", environment):
        for probe in ["livenessProbe", "readinessProbe"]:
            path = container[probe]["httpGet"]["path"]
            until(f"the {probe} to succeed", lambda path=path: get(f"http://{address}{path}"))
        metrics, _ = get(f"http://{address}/metrics")
        assert b'imagebuilder_exporter_target_up{target="own",region="us-west-2"} 1' in metrics

    (container,) = the("Pod", manifests)["spec"]["containers"]
    command, environment = command_of(container)
    report = output_of(*command, env=clean_environment(**environment))
    assert report.endswith("doctor: all required calls are allowed\n")
