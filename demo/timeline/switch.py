"""How the old cluster was followed by the new one: the handoff window and its parts, or the time of both. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any

from demo.timeline.model import Machine, Proof, Span

Record = Mapping[str, Any]


def find_window(machines: Iterable[Machine], seconds: float | None) -> Span | None:
    """From the first cordon, as long as the deployment measured it; None for a cutover without one."""
    cordons = [span.start for span in list_states(machines, "cordoned")]
    return None if seconds is None or not cordons else Span("window", min(cordons), min(cordons) + seconds)


def read_proof(proven: Mapping[str, Any], epoch: float) -> Proof | None:
    """The proof by the stack's outputs; None where nothing was proven."""
    if "started_at" not in proven:
        return None
    start = proven["started_at"] - epoch
    figures = {part: int(proven[part]) for part in ("rooms", "objects", "bytes")}
    return Proof(start, start + proven["seconds"], **figures)


def list_parts(
    window: Span, proof: Proof | None, machines: Sequence[Machine], route: float
) -> tuple[Span, ...]:
    """The window's parts in their order, each until the next one begins. `route`: when the first new machine was."""
    stops = list_states(machines, "stopping")
    begins = {"drain": window.start, "stop": min(stop.start for stop in stops), "route": route}
    commit = max(stop.end for stop in stops)
    if proof:
        begins["proof"] = proof.start
        commit = max(commit, proof.end)
    begins["commit"] = commit
    ordered = sorted(begins.items(), key=itemgetter(1))
    return tuple(Span(name, at, end) for (name, at), (_, end) in pairwise([*ordered, ("", window.end)]))


def find_overlap(old: Iterable[Machine], new: Iterable[Machine]) -> Span | None:
    """From the first new machine that the proxy routes to, until the last old one has ended."""
    routed = [span.start for span in list_states(new, "routed")]
    ends = [span.end for state in ("routed", "cordoned", "stopping") for span in list_states(old, state)]
    if not routed or not ends or max(ends) <= min(routed):
        return None
    return Span("overlap", min(routed), max(ends))


def find_routing(records: Iterable[Record], release: str, epoch: float) -> float:
    """When the API was told of the first machine of a release that it is to be routed."""
    times: list[float] = [record["t"] for record in records if _is_registered(record, release)]
    return min(times) - epoch


def list_states(machines: Iterable[Machine], state: str) -> list[Span]:
    """Every span in which a machine was in this state."""
    return [span for machine in machines for span in machine.states if span.name == state]


def _is_registered(record: Record, release: str) -> bool:
    if record["kind"] != "machine" or record["release"] != release:
        return False
    return bool(record["registered"] and not record["cordoned"])
