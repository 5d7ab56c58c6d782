"""What an answer must be, held against what came."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
from pydantic import JsonValue

from providers.bluegreen.spec_gates import Expect

Show = Callable[[str], str]
"""How text from outside is shown: clean, scrubbed, shortened."""


@dataclass(frozen=True)
class Came:
    """An answer. ``cut``: the body went on, and the rest was not read."""

    status: int
    headers: httpx.Headers
    body: str
    cut: bool = False


def mismatches(expect: Expect, came: Came, show: Show) -> Iterator[str]:
    """Everything that is not as expected, and what it is instead. Nothing: all is as expected."""
    if came.status != expect.status:
        yield f"expected status {expect.status}, got {came.status}"
    for name, value in expect.headers.items():
        yield from _header_mismatches(name, value, came.headers.get(name), show)
    if expect.json_ is not None:
        yield from _json_mismatches(expect.json_, came, show)
    if expect.matches is not None and not re.search(expect.matches, came.body):
        yield f"expected a body that matches {show(expect.matches)}"


def _header_mismatches(name: str, expected: str, got: str | None, show: Show) -> Iterator[str]:
    if got is None:
        yield f"expected a header {name}, got none"
    elif got != expected:
        yield f"expected header {name}: {show(expected)}, got {show(got)}"


def _json_mismatches(expected: JsonValue, came: Came, show: Show) -> Iterator[str]:
    if came.cut:
        yield "expected JSON, got a body that is too long to be read whole"
        return
    try:
        body: JsonValue = json.loads(came.body)
    except (ValueError, RecursionError):
        yield "expected JSON, got something else"
        return
    yield from _not_contained(expected, body, "", show)


def _not_contained(expected: JsonValue, got: JsonValue, where: str, show: Show) -> Iterator[str]:
    """An object may have more keys than expected; a list has the items expected, in their order, and no others."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key, value in expected.items():
            at = f"{where}.{key}" if where else key
            if key in got:
                yield from _not_contained(value, got[key], at, show)
            else:
                yield f"expected {show(at)} in the JSON, got none"
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, (value, item) in enumerate(zip(expected, got, strict=True)):
            yield from _not_contained(value, item, f"{where}[{index}]", show)
    elif not _same(expected, got):
        yield f"expected {show(where) or 'the JSON'} to be {show(json.dumps(expected))}, got {show(json.dumps(got))}"


def _same(expected: JsonValue, got: JsonValue) -> bool:
    """In JSON ``true`` is not 1, as it is in Python."""
    return expected == got and isinstance(expected, bool) == isinstance(got, bool)
