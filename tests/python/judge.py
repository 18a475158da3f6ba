"""Holds a raw JSON answer against botocore's service model.

botocore's parser drops what it does not know and coerces what it can, so passing through it proves
little. Here every member must exist in the output shape and have its type, enum, pattern, and length.
"""

import re


def judge(shape, value, path="answer"):
    """Yields a line for everything in `value` that `shape` does not allow."""
    kinds = {
        "structure": dict,
        "list": list,
        "map": dict,
        "string": str,
        "integer": int,
        "long": int,
        "boolean": bool,
        "float": (int, float),
        "double": (int, float),
    }
    if not isinstance(value, kinds[shape.type_name]) or (
        shape.type_name != "boolean" and isinstance(value, bool)
    ):
        yield f"{path} is {value!r}, not a {shape.type_name}"
        return
    if shape.type_name == "structure":
        by_name = {
            member.serialization.get("name", name): member for name, member in shape.members.items()
        }
        for name, item in value.items():
            if name not in by_name:
                yield f"{path}.{name} is no member of {shape.name}"
            else:
                yield from judge(by_name[name], item, f"{path}.{name}")
    elif shape.type_name == "list":
        yield from judge_bounds(shape, len(value), path)
        for number, item in enumerate(value):
            yield from judge(shape.member, item, f"{path}[{number}]")
    elif shape.type_name == "map":
        yield from judge_bounds(shape, len(value), path)
        for key, item in value.items():
            yield from judge(shape.key, key, f"{path} key")
            yield from judge(shape.value, item, f"{path}.{key}")
    elif shape.type_name == "string":
        yield from judge_string(shape, value, path)
    elif shape.type_name in ("integer", "long"):
        yield from judge_bounds(shape, value, path)


def judge_string(shape, value, path):
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        yield f"{path} is {value!r}, not one of {enum}"
    pattern = shape.metadata.get("pattern")
    if pattern and not re.search(pattern, value):
        yield f"{path} is {value!r}, which does not match {pattern}"
    yield from judge_bounds(shape, len(value), path)


def judge_bounds(shape, number, path):
    if number < shape.metadata.get("min", number):
        yield f"{path}: {number} is under {shape.metadata['min']}"
    if number > shape.metadata.get("max", number):
        yield f"{path}: {number} is over {shape.metadata['max']}"
