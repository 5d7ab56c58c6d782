"""The rows of the matrix: the calls of a recorded run, in an order that no scheduler changes."""

from __future__ import annotations

import re
from itertools import takewhile

from tests.faults.calls import Call
from tests.faults.scenario import World, record

_REGION = re.compile(r"-(ams|iad)-")
_RENEWED = re.compile(r"g\d-.*/lease")
"""All at once, whatever they are of."""


def rows(world: World) -> list[Call]:
    """What the run asks of the API, as far as it is the world's own."""
    calls = [call for call in record(world)[0] if not call.repeats_another]
    if world.since:
        phases = [call.phase for call in calls]
        calls = calls[phases.index(world.since) :]
    if world.until:
        calls = list(takewhile(lambda call: not call.what.endswith(world.until), calls))
    return _in_order(calls)


def changes(world: World) -> list[Call]:
    """Those of them that change something."""
    return [call for call in rows(world) if not call.reads]


def store_rows(world: World) -> list[Call]:
    """What the run asks of the state store."""
    return _in_order([call for call in record(world)[1] if not call.repeats_another])


def _in_order(calls: list[Call]) -> list[Call]:
    """As they were made; those that are made at the same time are sorted by machine."""
    first: dict[tuple[str, str, str, int], int] = {}
    for index, call in enumerate(calls):
        first.setdefault(_kind(call), index)
    return sorted(calls, key=lambda call: (first[_kind(call)], call.what))


def _kind(call: Call) -> tuple[str, str, str, int]:
    what = "lease" if _RENEWED.fullmatch(call.what) else _REGION.sub("-*-", call.what)
    return call.phase, call.method, what, call.nth
