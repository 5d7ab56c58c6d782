"""What a schema's models say of their fields: the text behind each.

pydantic reads it too, if asked (``use_attribute_docstrings``): whenever a process imports the models, which took a
fifth of that import, and nothing but the documentation wants it.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from providers.bluegreen.spec_types import Part


def describe(schema: dict[str, Any], model: type[Part]) -> None:
    """Write into the schema of ``model``, and of its parts, what is said of each field."""
    kinds = {kind.__name__: kind for kind in _kinds(Part)}
    for name, part in {**schema["$defs"], model.__name__: schema}.items():
        if name in kinds:
            _describe_fields(part["properties"], kinds[name])


def _describe_fields(properties: dict[str, Any], kind: type[Part]) -> None:
    texts = dict(_texts(kind))
    for name, field in kind.model_fields.items():
        if name in texts:
            properties[field.alias or name]["description"] = texts[name]


def _kinds(kind: type[Part]) -> Iterator[type[Part]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def _texts(kind: type) -> Iterator[tuple[str, str]]:
    """Of those that it inherits, too: its own come last."""
    for ancestor in reversed(kind.__mro__):
        if issubclass(ancestor, Part):
            yield from _texts_in(ast.parse(textwrap.dedent(inspect.getsource(ancestor))).body[0])


def _texts_in(definition: ast.AST) -> Iterator[tuple[str, str]]:
    assert isinstance(definition, ast.ClassDef)
    for field, text in pairwise(definition.body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(told))):
                yield name, inspect.cleandoc(told)
