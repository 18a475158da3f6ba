#!/usr/bin/env python3
"""Generates the dashboards in dashboards/ from the code in boards/.

Run it after a change there, with the packages of tests/python/requirements.txt. A test fails if the
dashboards are not current."""

import json
import pathlib

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from boards.exporter import exporter
from boards.overview import overview
from boards.workflow_step import workflow_step

TARGET = pathlib.Path(__file__).resolve().parent / "dashboards"
BOARDS = {
    "exporter.json": exporter,
    "overview.json": overview,
    "workflow-step.json": workflow_step,
}


def text(board):
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    for name, make in BOARDS.items():
        (TARGET / name).write_text(text(make()), encoding="utf-8")
