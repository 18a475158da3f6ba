"""The values of the Helm chart: their schema, messages about mistakes, documentation and copies."""

import copy
import json
import runpy
import subprocess

import pytest
import yaml

from manifests import OPERATOR, documents, judge, render, the
from processes import output_of
from test_deploy_helm import CHART, CI, pod_of, workload
from test_readme import blocks

MINIMAL = f"--values={CHART}/ci/minimal-values.yaml"


@pytest.fixture(scope="module")
def generator():
    return runpy.run_path(str(CHART.parent / "generate.py"))


def loaded(name):
    return yaml.safe_load((CHART / name).read_text())


def test_every_generated_file_is_current(generator):
    made = generator["outputs"]()
    for path, text in made.items():
        current = path.read_text() if path.exists() else None
        assert current == text, f"{path}: run deploy/helm/generate.py"
    copies = {path for path in (CHART / "files").glob("**/*") if path.is_file()}
    assert copies == {path for path in made if path.is_relative_to(CHART / "files")}


def test_schema_describes_exactly_the_values():
    """`global` is a key of Helm's own."""

    def compare(schema, default, path=""):
        assert schema["additionalProperties"] is False
        assert schema["properties"].keys() - {"global"} == default.keys(), path
        for name, part in schema["properties"].items():
            if "properties" in part:
                compare(part, default[name], f"{path}.{name}")

    compare(loaded("values.schema.json"), loaded("values.yaml"))


def test_chart_has_the_version_of_the_exporter(root):
    chart = loaded("Chart.yaml")
    version = f'version = "{chart["version"]}"'
    assert version in (root / "Cargo.toml").read_text().splitlines()
    assert chart["appVersion"] == chart["version"]


def error_of(*arguments):
    command = ["helm", "template", "imagebuilder-exporter", str(CHART), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0, "helm accepts it"
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [],
            "there is no configuration: set config.targets, configExistingConfigMapName or "
            "configExistingSecretName",
        ),
        (
            [MINIMAL, "--set=configExistingSecretName=x"],
            "set only one of config and configExistingSecretName",
        ),
        ([MINIMAL, "--set=replicacount=2"], "at '': additional properties 'replicacount' not allowed"),
        ([MINIMAL, "--set=image.repo=x"], "at '/image': additional properties 'repo' not allowed"),
        ([MINIMAL, "--set=image.tag=1"], "at '/image/tag': got number, want string"),
        ([MINIMAL, "--set-string=shards=2"], "at '/shards': got string, want integer"),
        ([MINIMAL, "--set=shards=101"], "at '/shards': maximum: got 101, want 100"),
        ([MINIMAL, "--set=serviceMonitor.interval=30"], "at '/serviceMonitor/interval': got number"),
        (
            [MINIMAL, "--set=serviceMonitor.enabled=yes"],
            "at '/serviceMonitor/enabled': value must be one of 'auto', true, false",
        ),
        (["--set=config.targts[0].name=x"], "at '/config': additional properties 'targts' not allowed"),
        (
            [MINIMAL, "--set=config.targets[0].region=x"],
            "at '/config/targets/0': additional properties 'region' not allowed",
        ),
        (
            [MINIMAL, "--set=config.polling.interval=30"],
            "at '/config/polling/interval': got number, want string",
        ),
        (
            [MINIMAL, "--set=shards=2", "--set=replicaCount=2"],
            "set only one of shards and replicaCount above 1: a shard has one pod",
        ),
        ([MINIMAL, "--set=shards=2", "--set=service.clusterIP="], "shards require service.clusterIP None"),
        (
            [MINIMAL, "--set=shards=2", "--kube-version=1.27.9"],
            "shards require Kubernetes 1.28 or later, and this cluster has v1.27.9",
        ),
        (
            [MINIMAL, "--set=prometheusRule.disabled={ImageBuilderNoSuchAlert}"],
            'prometheusRule.disabled has "ImageBuilderNoSuchAlert", but there is no such alert: '
            "ImageBuilder",
        ),
    ],
)
def test_wrong_values_are_refused_with_a_message(arguments, message):
    assert f"- {message}" in error_of(*arguments)


def test_helm_accepts_every_key_of_the_configuration(root, tmp_path):
    """The schema that the chart embeds refuses none of them."""
    config = yaml.safe_load((root / "config/imagebuilder_exporter.yaml").read_text())
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump({"config": config}))
    data = the("ConfigMap", render(CHART, f"--values={file}"))["data"]
    assert yaml.safe_load(data["imagebuilder_exporter.yaml"]) == config


# The two that exclude `config`, and one that needs another kind of workload.
ELSEWHERE = {"configExistingConfigMapName", "configExistingSecretName", "shards"}
# A digest takes precedence over a tag. Several pods have a PodDisruptionBudget by default.
HIDING = {
    "image.tag": "image.digest",
    "serviceAccount.annotations": "serviceAccount.create",
    "podDisruptionBudget.enabled": "replicaCount",
}


def parent_of(values, path):
    *parents, name = path.split(".")
    for one in parents:
        values = values[one]
    return values, name


def test_every_value_has_an_effect(generator, tmp_path):
    """Each value that everything-values.yaml sets changes a manifest."""
    everything = loaded("ci/everything-values.yaml")
    file = tmp_path / "values.yaml"

    def rendered(values):
        file.write_text(json.dumps(values))
        return output_of("helm", "template", str(CHART), f"--values={file}")

    all_of_them = rendered(everything)
    without_effect = []
    for path, default, _ in generator["documented_values"]():
        if path in ELSEWHERE:
            continue
        values, with_value = copy.deepcopy(everything), all_of_them
        if path in HIDING:
            parent, name = parent_of(values, HIDING[path])
            del parent[name]
            with_value = rendered(values)
        parent, name = parent_of(values, path)
        assert parent[name] != default, f"everything-values.yaml: {path}"
        parent[name] = default
        if path == "config":
            values["configExistingSecretName"] = "x"
        if rendered(values) == with_value:
            without_effect.append(path)
    assert without_effect == []


def test_examples_on_the_page_are_valid_values(tmp_path):
    examples = [yaml.safe_load(block) for block in blocks((CHART / "README.md").read_text(), "yaml")]
    assert len(examples) > 3
    for number, example in enumerate(examples):
        file = tmp_path / f"{number}.yaml"
        file.write_text(yaml.safe_dump(example))
        for manifest in render(CHART, MINIMAL, f"--values={file}", OPERATOR):
            judge(manifest)


def test_kubectl_builds_the_rendered_manifests(tmp_path):
    """As a resource of a Kustomization, which the page mentions."""
    page = (CHART / "README.md").read_text()
    (block,) = [block for block in blocks(page, "") if block.startswith("helm template ")]
    command, _ = block.replace("\\\n", "").split(" > ")
    _, _, name, _, *flags = command.split()
    values = flags.index("--values")
    flags[values + 1] = f"{CHART}/ci/minimal-values.yaml"
    text = output_of("helm", "template", name, str(CHART), *flags)
    (tmp_path / "imagebuilder-exporter.yaml").write_text(text)
    kustomization = {"resources": ["imagebuilder-exporter.yaml"], "namespace": "other"}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    made = documents(output_of("kubectl", "kustomize", str(tmp_path)))
    assert sorted(one["kind"] for one in made) == sorted(one["kind"] for one in documents(text))
    assert "Pod" not in {one["kind"] for one in made}
    assert {one["metadata"]["namespace"] for one in made} == {"other"}
    for manifest in made:
        judge(manifest)


def notes(file, *arguments):
    """What `helm install` prints after it. Without a cluster, Helm knows no API of the operator."""
    command = ["helm", "install", "imagebuilder-exporter", str(CHART), "--namespace=monitoring"]
    text = output_of(*command, "--dry-run=client", f"--values={file}", *arguments)
    return text.partition("\nNOTES:\n")[2]


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_notes_name_the_workload_and_how_it_is_scraped(file):
    text = notes(file)
    manifests = render(CHART, f"--values={file}")
    found = workload(manifests)
    kind, name = found["kind"].lower(), found["metadata"]["name"]
    namespace = found["metadata"]["namespace"]
    assert f"kubectl --namespace {namespace} rollout status {kind}/{name}\n" in text
    assert f"kubectl --namespace {namespace} port-forward {kind}/{name} 10850:http\n" in text
    assert "helm test --namespace monitoring imagebuilder-exporter --logs\n" in text
    monitored = "ServiceMonitor" in {manifest["kind"] for manifest in manifests}
    assert ("Check that Prometheus scrapes the exporter" in text) == monitored
    assert ("No ServiceMonitor was created" in text) != monitored
    image = pod_of(manifests)["containers"][0]["image"]
    assert (f"The image is {image}, without a registry" in text) == ("/" not in image)
    variables = [one["name"] for one in pod_of(manifests)["containers"][0].get("env", [])]
    role = "AWS_EC2_METADATA_DISABLED" not in variables or file.stem == "pair-values"
    assert ("has no annotation with a role" in text) != role


