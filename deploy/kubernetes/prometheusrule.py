#!/usr/bin/env python3
"""Writes the PrometheusRule of the prometheus-operator component from the rules in deploy/prometheus.

The rules stand below `spec` as they stand there, comments and all, so that the two are read and
compared line by line. Run it after a change of the rules; a test says when that was forgotten."""

import pathlib
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
RULES = HERE.parent / "prometheus/rules.yaml"
TARGET = HERE / "components/prometheus-operator/prometheusrule.yaml"
HEAD = """\
# Written by deploy/kubernetes/prometheusrule.py from deploy/prometheus/rules.yaml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: imagebuilder-exporter
  labels:
    app.kubernetes.io/name: imagebuilder-exporter
spec:
"""


def manifest():
    return HEAD + textwrap.indent(RULES.read_text(encoding="utf-8"), "  ")


if __name__ == "__main__":
    TARGET.write_text(manifest(), encoding="utf-8")
