"""What the program is made of: dependencies as deny.toml wants them, and the list that deploy/sbom makes."""

import json
import subprocess
import tomllib

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from processes import output_of

TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")


@pytest.fixture(scope="module")
def crates(root):
    """Those of other systems, too, which no build has needed so far."""
    output_of("cargo", "fetch", "--locked", "--manifest-path", root / "Cargo.toml")


@pytest.fixture
def deny(root, tmp_path, crates):
    """Runs cargo-deny with the text of deny.toml, in which one piece may be another."""

    def run(*checks, options=("--offline",), replace=("", "")):
        text = (root / "deny.toml").read_text()
        assert replace[0] in text
        config = tmp_path / "deny.toml"
        config.write_text(text.replace(*replace, 1))
        return subprocess.run(
            ["cargo", "deny", "--locked", *options, "--config", config, "check", *checks],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_licenses_sources_and_versions_of_dependencies_are_allowed(deny):
    done = deny("licenses", "bans", "sources")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr


@pytest.mark.parametrize(
    ("replace", "reported"),
    [
        (('"ISC", ', ""), "error[rejected]: failed to satisfy license requirements"),
        (('"Zlib"', '"Zlib", "MPL-2.0"'), "error[license-not-encountered]"),
        (("deny = [\n", 'deny = [\n    { crate = "ring" },\n'), "crate 'ring = 0.17."),
        (("skip = [", "skip = [] #"), "found 2 duplicate entries for crate 'getrandom'"),
        (("[sources]\n", "[sources]\nallow-registry = []\n"), "error[source-not-allowed]"),
    ],
)
def test_what_deny_toml_does_not_allow_is_found(deny, replace, reported):
    done = deny("licenses", "bans", "sources", replace=replace)
    assert done.returncode != 0
    assert reported in done.stderr


def test_no_dependency_has_a_known_weakness(deny):
    done = deny("advisories", options=())
    if "failed to fetch advisory database" in done.stderr:
        pytest.skip("the database of advisories cannot be reached")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", params=TARGETS)
def bom(request, root):
    text = output_of(root / "deploy/sbom", "--target", request.param)
    assert output_of(root / "deploy/sbom", "--target", request.param) == text
    assert str(root) not in text
    return text


def test_the_list_of_contents_is_valid_cyclonedx(bom):
    validator = JsonStrictValidator(SchemaVersion.V1_5)
    assert validator.validate_str(bom) is None
    assert validator.validate_str(bom.replace("SHA-256", "SHA-257")) is not None


def test_it_has_what_the_program_contains_and_nothing_of_builds_and_tests(root, bom):
    bom = json.loads(bom)
    lock = tomllib.loads((root / "Cargo.lock").read_text())["package"]
    checksums = {(each["name"], each["version"]): each.get("checksum") for each in lock}
    components = {each["bom-ref"]: each for each in bom["components"]}
    names = {each["name"] for each in components.values()}
    assert names >= {"aws-sdk-imagebuilder", "hyper", "imagebuilder-model", "ring", "rustls"}
    assert not names & {"proptest", "syn", "serde_derive", "cc", "clap_mangen", "windows-sys"}
    for each in components.values():
        hashes = [each["content"] for each in each.get("hashes", [])]
        checksum = checksums[each["name"], each["version"]]
        assert hashes == ([checksum] if checksum else []), each

    main = bom["metadata"]["component"]
    manifest = tomllib.loads((root / "Cargo.toml").read_text())
    assert (main["name"], main["version"]) == (
        "imagebuilder_exporter",
        manifest["workspace"]["package"]["version"],
    )
    needed = {each["ref"]: each["dependsOn"] for each in bom["dependencies"]}
    reached, ahead = set(), {main["bom-ref"]}
    while ahead:
        reached |= ahead
        ahead = {ref for each in ahead for ref in needed[each]} - reached
    assert reached == components.keys() | {main["bom-ref"]} == needed.keys()
