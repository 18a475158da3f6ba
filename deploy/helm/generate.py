#!/usr/bin/env python3
"""Generates the parts of the Helm chart that have their source elsewhere.

- `files/rules.yaml` and `files/dashboards/` are copies, because a chart contains only files of its own
  folder. Dashboards are copied without their white space.
- `config` in `values.schema.json` is the JSON Schema of the exporter's configuration.
- The table of values in `README.md` comes from the comments in `values.yaml`.

Run it after a change of a source. A test fails if the output is not current. It needs PyYAML."""

import json
import pathlib
import re

import yaml

CHART = pathlib.Path(__file__).resolve().parent / "imagebuilder-exporter"
ROOT = CHART.parents[2]
TABLE = re.compile(r"(?<=<!-- values -->\n).*?(?=<!-- end of values -->)", re.DOTALL)


def rules():
    return (ROOT / "deploy/prometheus/rules.yaml").read_text(encoding="utf-8")


def dashboard(file):
    return json.dumps(json.loads(file.read_text(encoding="utf-8")), separators=(",", ":")) + "\n"


def schema():
    values = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    config = json.loads((ROOT / "config/imagebuilder_exporter.schema.json").read_text(encoding="utf-8"))
    for key in ("$comment", "$schema", "title"):
        del config[key]
    drop_patterns(config)
    # Without `config`, an existing ConfigMap or Secret has the configuration.
    values["properties"]["config"] = {"type": "object", "if": {"minProperties": 1}, "then": config}
    return json.dumps(values, indent=2) + "\n"


def drop_patterns(schema):
    """Drops the regular expressions, because Helm supports no lookahead. The exporter checks them."""
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            drop_patterns(part)
    if isinstance(schema, dict):
        schema.pop("pattern", None)
        schema.pop("patternErrorMessage", None)


def documented_values():
    """Yields the path, default and description of each value with a comment that begins with `# --`."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    lines = text.splitlines()

    def comment(line):
        above = []
        while line and lines[line - 1].lstrip().startswith("#"):
            line -= 1
            above.insert(0, lines[line].lstrip().removeprefix("#").strip())
        return " ".join(above).removeprefix("-- ") if above and above[0].startswith("-- ") else None

    def walk(node, path):
        for key, value in node.value:
            name = f"{path}{key.value}"
            if description := comment(key.start_mark.line):
                yield name, yaml.safe_load(yaml.serialize(value)), description
            else:
                assert isinstance(value, yaml.MappingNode), f"values.yaml: {name} has no comment"
                yield from walk(value, f"{name}.")

    yield from walk(yaml.compose(text), "")


def readme():
    rows = ["| value | default | description |", "| --- | --- | --- |"]
    for name, default, description in documented_values():
        rows.append(f"| `{name}` | `{json.dumps(default)}` | {description} |")
    page = (CHART / "README.md").read_text(encoding="utf-8")
    assert TABLE.search(page), "README.md has no place for the table of values"
    return TABLE.sub(lambda _: "\n" + "\n".join(rows) + "\n\n", page)


def outputs():
    """Returns the content of each generated file by its path."""
    made = {
        CHART / "files/rules.yaml": rules(),
        CHART / "values.schema.json": schema(),
        CHART / "README.md": readme(),
    }
    for file in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")):
        made[CHART / "files/dashboards" / file.name] = dashboard(file)
    return made


if __name__ == "__main__":
    for path, text in outputs().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
