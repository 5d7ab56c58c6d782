"""The configuration reference, from the schema of a stack's file: types, defaults, what each key means, an example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from components.schema import EXAMPLES, StackConfig
from components.secrets import SECRET_KEYS
from tools.docs.attributes import describe
from tools.docs.marked import between_marks

Schema = dict[str, Any]
_FORMATS = {"duration": "duration", "password": "secret text"}
_NOT_IN_ONE_FILE = (*SECRET_KEYS, "build")
"""Secrets are set by `pulumi config set --secret`, and an image that is built is not given."""
_PLAIN = {"string": "text", "integer": "whole number", "boolean": "`true`, `false`", "null": ""}


def page(before: str) -> str:
    """The whole page: what people wrote, and the tables."""
    schema = StackConfig.model_json_schema(by_alias=True)
    schema["required"].remove("image")  # where there is a build, it names the image
    del schema["$defs"]["JsonValue"]
    describe(schema, StackConfig)
    return between_marks(before, "\n".join(_tables(schema)))


def _tables(schema: Schema) -> Iterator[str]:
    yield "## All keys\n"
    yield from _table(schema)
    yield "\n## Parts\n"
    for name, part in schema["$defs"].items():
        yield f"### {name}\n\n{_prose(part.get('description', ''))}\n"
        yield from _table(part)
        yield ""
    yield "## One of each\n\nEach works by itself.\n\n```yaml\nconfig:"
    for key in schema["properties"]:
        if key not in _NOT_IN_ONE_FILE:
            yield f"  bluegreen-fly:{key}: {json.dumps(EXAMPLES[key], ensure_ascii=False)}"
    yield "```\n\nAnd the secrets, which ask for their values and are encrypted into the same file:\n\n```sh"
    for key in SECRET_KEYS:
        yield from (f"pulumi config set --secret --path {key}.{name}" for name in EXAMPLES[key])
    yield "```"


def _table(schema: Schema) -> Iterator[str]:
    required = set(schema.get("required", ()))
    yield "| key | type | default | |"
    yield "|---|---|---|---|"
    for key, value in schema["properties"].items():
        default = "**required**" if key in required else _default(value)
        cells = (f"`{key}`", _type(value), default, _prose(value.get("description", "")))
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _default(value: Schema) -> str:
    """A part's own table has its defaults."""
    default = value.get("default")
    if "$ref" in value:
        return "see there"
    return "" if default in (None, "", [], {}) else f"`{json.dumps(default).strip(chr(34))}`"


def _type(value: Schema) -> str:
    """A schema's type in words; parts link to their tables."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return "any value" if name == "JsonValue" else f"[{name}](#{name.lower()})"
    if several := value.get("anyOf") or value.get("oneOf"):
        return " or ".join(filter(None, map(_type, several)))
    if choices := value.get("enum") or ([value["const"]] if "const" in value else []):
        return ", ".join(f"`{choice}`" for choice in choices)
    if value.get("type") == "array":
        return f"list of {_type(value['items'])}"
    if value.get("type") == "object":
        return f"map to {_type(value['additionalProperties'])}"
    return _FORMATS.get(value.get("format", ""), _PLAIN.get(value.get("type", ""), "any value")) + _bounds(
        value
    )


def _bounds(value: Schema) -> str:
    low, high = value.get("minimum"), value.get("maximum")
    if low is None:
        return ""
    return f", {low} to {high}" if high is not None else f", at least {low}"


def _prose(text: str) -> str:
    """A docstring as one paragraph of Markdown."""
    return re.sub(r"``([^`]*)``", r"`\1`", " ".join(text.split()))
