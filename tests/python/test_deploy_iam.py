"""The IAM policies, and the role for other accounts in two languages: that they say the same, and
no more than the program calls."""

import json
import re

import hcl2
import pytest
import yaml

from manifests import render, the
from processes import need, output_of


@pytest.fixture
def iam(root):
    return root / "deploy/iam"


class Template(yaml.SafeLoader):
    """Reads !Sub, !Ref and their like as what stands behind them."""


def behind_the_tag(loader, _, node):
    return {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: loader.construct_sequence,
        yaml.MappingNode: loader.construct_mapping,
    }[type(node)](node)


Template.add_multi_constructor("!", behind_the_tag)


@pytest.fixture
def template(iam):
    return yaml.load((iam / "cross-account-role.yaml").read_text(), Template)


def terraform(iam, file="main.tf"):
    """A file's blocks by kind and label, without the quotes that the parser leaves in strings."""
    with open(iam / "terraform" / file, encoding="utf-8") as source:
        text = json.dumps(hcl2.load(source)).replace('\\"', "")
    blocks = {}
    for kind, items in json.loads(text).items():
        if kind in ("data", "variable"):
            for item in items:
                for label, body in item.items():
                    blocks.setdefault(kind, {}).setdefault(label, {}).update(body)
    return blocks


def document(iam, name):
    """The statements of a Terraform policy document, in JSON's words."""
    return [
        {
            "Sid": statement["sid"],
            "Effect": "Allow",
            "Action": statement["actions"],
            "Resource": statement["resources"],
        }
        for statement in terraform(iam)["data"]["aws_iam_policy_document"][name]["statement"]
    ]


def of_file(iam, name):
    policy = json.loads((iam / name).read_text())
    assert policy["Version"] == "2012-10-17"
    return policy["Statement"]


def in_one_form(statements):
    """Statements as sets, whatever writes a list of one as it likes and finds the partition."""
    return {
        (
            statement["Sid"],
            statement["Effect"],
            frozenset(several(statement["Action"])),
            frozenset(
                re.sub(r"^arn:(aws|\$\{[^}]*[Pp]artition\}):", "arn:PARTITION:", resource)
                for resource in several(statement["Resource"])
            ),
        )
        for statement in statements
    }


def several(value):
    return value if isinstance(value, list) else [value]


def actions(statements):
    return {action for statement in statements for action in several(statement["Action"])}


def operations(root):
    """Those the program knows, by their names in the service's model: the rows of their table."""
    source = (root / "src/api/operation.rs").read_text()
    names = re.findall(r"^    ([A-Z]\w+)\(\w+\) -> ", source, re.MULTILINE)
    return {f"imagebuilder:{name}" for name in names}


def test_policy_allows_exactly_the_calls_of_the_program(root, iam):
    assert len(operations(root)) > 5
    assert actions(of_file(iam, "policy.json")) == operations(root)


def test_policy_for_listed_steps_is_the_part_of_the_full_one_for_steps_and_workflows(iam):
    listed = in_one_form(of_file(iam, "policy-listed-steps.json"))
    assert listed < in_one_form(of_file(iam, "policy.json"))
    assert actions(of_file(iam, "policy-listed-steps.json")) == {
        "imagebuilder:GetWorkflowStepExecution",
        "imagebuilder:GetWorkflowExecution",
        "imagebuilder:ListWorkflowStepExecutions",
    }


def test_template_and_module_allow_the_same_as_the_policy(iam, template):
    wanted = in_one_form(of_file(iam, "policy.json"))
    (policy,) = template["Resources"]["Role"]["Properties"]["Policies"]
    assert in_one_form(policy["PolicyDocument"]["Statement"]) == wanted
    assert in_one_form(document(iam, "read")) == wanted


def test_page_has_the_resource_of_each_action(iam):
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", (iam / "README.md").read_text(), re.MULTILINE)
    allowed = {
        (action.removeprefix("imagebuilder:"), resource.rpartition(":")[2])
        for statement in of_file(iam, "policy.json")
        for action in several(statement["Action"])
        for resource in several(statement["Resource"])
    }
    assert set(rows) == allowed


def test_role_trusts_the_configured_principal_in_template_and_module(iam, template):
    (trust,) = template["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    (block,) = terraform(iam)["data"]["aws_iam_policy_document"]["trust"]["statement"]
    assert trust["Action"] == block["actions"] == ["sts:AssumeRole", "sts:TagSession"]
    assert trust["Principal"] == {"AWS": "TrustedPrincipalArn"}
    assert block["principals"][0]["identifiers"] == ["${var.trusted_principal_arn}"]
    condition, wanted, otherwise = trust["Condition"]
    assert (condition, otherwise) == ("HasExternalId", "AWS::NoValue")
    assert wanted == {"StringEquals": {"sts:ExternalId": "ExternalId"}}
    (dynamic,) = block["dynamic"]
    assert dynamic["condition"]["content"][0]["variable"] == "sts:ExternalId"


def test_template_and_module_take_the_same_parameters(iam, template):
    in_snake_case = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): parameter.get("Default")
        for name, parameter in template["Parameters"].items()
    }
    variables = terraform(iam, "variables.tf")["variable"]
    assert in_snake_case == {name: body.get("default") for name, body in variables.items()}
    assert in_snake_case["role_name"] == "imagebuilder-exporter"


def test_exporters_own_role_may_assume_the_role_of_that_name(iam, template):
    (statement,) = of_file(iam, "policy-assume-roles.json")
    name = template["Parameters"]["RoleName"]["Default"]
    assert statement["Resource"] == f"arn:aws:iam::*:role/{name}"
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]


def test_trust_policies_for_eks_name_the_service_account_that_is_shipped(root, iam):
    chart = root / "deploy/helm/imagebuilder-exporter"
    manifests = render(chart, f"--values={chart}/ci/minimal-values.yaml")
    name = the("ServiceAccount", manifests)["metadata"]["name"]
    (irsa,) = of_file(iam, "trust-irsa.json")
    issuer = irsa["Principal"]["Federated"].partition(":oidc-provider/")[2]
    assert irsa["Condition"]["StringEquals"] == {
        f"{issuer}:aud": "sts.amazonaws.com",
        f"{issuer}:sub": f"system:serviceaccount:monitoring:{name}",
    }
    (pod,) = of_file(iam, "trust-pod-identity.json")
    tags = pod["Condition"]["StringEquals"]
    assert tags["aws:RequestTag/kubernetes-service-account"] == name
    assert tags["aws:RequestTag/kubernetes-namespace"] == "monitoring"


def test_cfn_lint_finds_nothing_to_say_of_the_template(iam):
    assert output_of("cfn-lint", str(iam / "cross-account-role.yaml")) == ""


def test_terraform_finds_the_module_well_laid_out(iam):
    need("terraform")
    output_of("terraform", "fmt", "-check", "-diff", "-recursive", str(iam))
