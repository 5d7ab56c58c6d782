"""Routed machines, open sockets, requests and acknowledged edits of each release over time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from demo.timeline.model import BIN_SECONDS, Steps

Record = Mapping[str, Any]
Clusters = Mapping[str, frozenset[str]]
"""Per release the ids of its machines."""


def list_clusters(records: Iterable[Record]) -> Clusters:
    """The machines of each release, in the order of the releases' first appearance."""
    ids: dict[str, set[str]] = {}
    for record in records:
        if record["kind"] == "machine":
            ids.setdefault(record["release"], set()).add(record["machine_id"])
    return {release: frozenset(machines) for release, machines in ids.items()}


def count_routed(records: Iterable[Record], cluster: frozenset[str], epoch: float) -> Steps:
    """How many machines of the cluster the proxy routes to."""
    steps = [
        (r["t"] - epoch, len(cluster.intersection(r["machine_ids"])))
        for r in records
        if r["kind"] == "routes"
    ]
    return squeeze(steps)


def count_sockets(records: Sequence[Record], cluster: frozenset[str], epoch: float) -> Steps:
    """How many WebSockets are open to the cluster through the proxy."""
    changes = []
    opened = set()
    for record in records:
        if _is_routed(record, cluster) and record["websocket"]:
            opened.add(record["conn"])
            changes.append((record["t"] - epoch, 1))
        elif record["kind"] == "closed" and record["conn"] in opened:
            changes.append((record["t"] - epoch, -1))
    return squeeze(list(zip((at for at, _ in changes), accumulate(step for _, step in changes), strict=True)))


def list_requests(records: Iterable[Record], cluster: frozenset[str]) -> list[float]:
    """When the proxy routed a request or a handshake to the cluster, epoch seconds."""
    return [record["t"] for record in records if _is_routed(record, cluster)]


def fill_bins(times: Iterable[float], start: float, end: float) -> tuple[int, ...]:
    """How many of the times fall into each bin of BIN_SECONDS from start to end, inclusive; others count nowhere."""
    bins = [0] * (int((end - start) // BIN_SECONDS) + 1)
    for at in times:
        if start <= at <= end:
            bins[int((at - start) // BIN_SECONDS)] += 1
    return tuple(bins)


def squeeze(steps: Sequence[tuple[float, int]]) -> Steps:
    """The steps without those that change nothing; of several at one time, the last."""
    kept: dict[float, int] = {}
    for at, value in steps:
        kept[round(at, 6)] = value
    values = list(kept.items())
    return tuple(
        step for before, step in zip([(0.0, 0), *values], values, strict=False) if before[1] != step[1]
    )


def _is_routed(record: Record, cluster: frozenset[str]) -> bool:
    return record["kind"] == "route" and record["outcome"] == "routed" and record["machine_id"] in cluster
