"""Each machine's life from the simulator's `machine` and `routes` records. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from demo.timeline.model import Machine, Span

Record = Mapping[str, Any]

_STARTING = {"created": "created", "starting": "created", "restarting": "created"}


def build_machines(records: Sequence[Record], epoch: float, end: float) -> tuple[Machine, ...]:
    """Every machine in the order of creation; a life that is not over is cut off at `end` (seconds after `epoch`)."""
    first = {r["machine_id"]: r for r in reversed(records) if r["kind"] == "machine"}
    named = sorted(first.values(), key=lambda record: record["n"])
    return tuple(
        Machine(
            record["machine_id"],
            record["name"],
            record["region"],
            record["release"],
            tuple(_join(_list_changes(records, record["machine_id"], epoch), end)),
        )
        for record in named
    )


def _list_changes(records: Iterable[Record], machine_id: str, epoch: float) -> Iterator[tuple[float, str]]:
    """(seconds, state) at every record that may change what the machine is to users."""
    seen: Record = {}
    routed = False
    for record in records:
        if record["kind"] == "machine" and record["machine_id"] == machine_id:
            seen = record
        elif record["kind"] == "routes":
            routed = machine_id in record["machine_ids"]
        else:
            continue
        if seen:
            yield record["t"] - epoch, _name_state(seen, routed)


def _name_state(seen: Record, routed: bool) -> str:
    """What the API says of it comes first; that the proxy has learned it counts for a machine that takes traffic."""
    if seen["state"] != "started":
        return _STARTING.get(seen["state"], str(seen["state"]))
    if seen["registered"] and seen["cordoned"]:
        return "cordoned"
    if routed:
        return "routed"
    return "healthy" if seen["healthy"] else "started"


def _join(changes: Iterable[tuple[float, str]], end: float) -> Iterator[Span]:
    """Spans of equal states; `destroying` and `destroyed` are the end of all."""
    kept: list[tuple[float, str]] = []
    for at, state in changes:
        if not kept or kept[-1][1] != state:
            kept.append((at, state))
    for (start, state), (stop, _) in pairwise([*kept, (max(end, kept[-1][0]), "")]):
        if state not in ("destroying", "destroyed") and stop > start:
            yield Span(state, round(start, 6), round(stop, 6))
