"""The timeline out of its sources. Pure: no clock, no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demo.timeline.machines import build_machines
from demo.timeline.model import Dot, Release, Span, Timeline, Verdict
from demo.timeline.switch import find_overlap, find_routing, find_window, list_parts, read_proof
from demo.timeline.traffic import Record, count_routed, count_sockets, fill_bins, list_clusters, list_requests
from examples.players import Ack, Audit, Log

DOTS_AROUND_SECONDS = 1.5
"""Before a span that is looked at closely; after it, the span's own length is added."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One `pulumi up`: the version that it brought, when it ran (epoch seconds), and the stack's outputs after it."""

    version: str
    started_at: float
    ended_at: float
    outputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one run leaves: the simulator's history, the logs, their common audit, the first and the second rollout.

    `log` is that of the players whom the story is about, `guests` that of those who only look in.
    """

    records: Sequence[Record]
    log: Log
    guests: Log
    audit: Audit
    rollouts: tuple[Rollout, Rollout]
    app: str
    cutover: str
    players: int

    @property
    def acks(self) -> list[Ack]:
        """All acknowledgements, in no order."""
        return [*self.log.acks, *self.guests.acks]


def build(evidence: Evidence) -> Timeline:
    """Join what the simulator, the players and the deployments say on one clock."""
    first, second = evidence.rollouts
    epoch = second.outputs["phases"][0]["started_at"]
    start = first.started_at - epoch
    end = max([evidence.records[-1]["t"], *(ack.acked_at for ack in evidence.acks)]) - epoch
    machines = build_machines(evidence.records, epoch, end)
    old, new = ([m for m in machines if m.release == r.outputs["release"]] for r in evidence.rollouts)
    window = find_window(old, second.outputs.get("handoff_window_seconds"))
    proof = read_proof(second.outputs["proven"], epoch)
    route = find_routing(evidence.records, second.outputs["release"], epoch)
    overlap = find_overlap(old, new)
    return Timeline(
        schema=2,
        epoch=epoch,
        start=start,
        end=end,
        app=evidence.app,
        cutover=evidence.cutover,
        players=evidence.players,
        commands=tuple(_build_command(rollout, epoch) for rollout in evidence.rollouts),
        releases=tuple(_build_release(rollout, evidence, epoch, end) for rollout in evidence.rollouts),
        machines=machines,
        tests=tuple(_read_spans(second.outputs["test_results"], "name", epoch)),
        proof=proof,
        window=window,
        parts=list_parts(window, proof, old, route) if window else (),
        overlap=overlap,
        dots=list_dots(evidence, window or overlap, epoch),
        verdict=judge(evidence.audit),
    )


def list_dots(evidence: Evidence, around: Span | None, epoch: float) -> tuple[Dot, ...]:
    """The players' acknowledgements near a span. They are numbered by room: those who share one are neighbours."""
    if around is None:
        return ()
    start, end = around.start - DOTS_AROUND_SECONDS, around.end + DOTS_AROUND_SECONDS + around.seconds
    acks = evidence.log.acks
    rows = {player: row for row, (_, player) in enumerate(sorted({(a.room, a.player) for a in acks}))}
    lost = {ack.edit for ack in evidence.audit.lost}
    return tuple(
        Dot(round(ack.acked_at - epoch, 6), rows[ack.player], ack.release, ack.edit in lost)
        for ack in acks
        if start <= ack.acked_at - epoch <= end
    )


def judge(audit: Audit) -> Verdict:
    """The audit in numbers."""
    return Verdict(
        acknowledged=audit.acknowledged,
        found=audit.found,
        lost=len(audit.lost),
        moved=len(audit.moved),
        duplicated=len(audit.duplicated),
        rooms_with_two_owners=len({owners.room for owners in audit.two_owners}),
        unacknowledged=audit.unacknowledged,
        gap_p50=audit.gap.p50,
        gap_p99=audit.gap.p99,
        gap_max=audit.gap.max,
    )


def _build_command(rollout: Rollout, epoch: float) -> Span:
    return Span(f"pulumi up {rollout.version}", rollout.started_at - epoch, rollout.ended_at - epoch)


def _build_release(rollout: Rollout, evidence: Evidence, epoch: float, end: float) -> Release:
    name = rollout.outputs["release"]
    cluster = list_clusters(evidence.records)[name]
    between = (evidence.rollouts[0].started_at, epoch + end)
    return Release(
        release=name,
        version=rollout.version,
        colour="blue" if rollout is evidence.rollouts[0] else "green",
        players=len({ack.player for ack in evidence.log.acks if ack.release == name}),
        phases=tuple(_read_spans(rollout.outputs["phases"], "phase", epoch)),
        routed=count_routed(evidence.records, cluster, epoch),
        sockets=count_sockets(evidence.records, cluster, epoch),
        requests=fill_bins(list_requests(evidence.records, cluster), *between),
        acks=fill_bins((ack.acked_at for ack in evidence.acks if ack.release == name), *between),
        lost=fill_bins((ack.acked_at for ack in evidence.audit.lost if ack.release == name), *between),
    )


def _read_spans(rows: Sequence[Mapping[str, Any]], name: str, epoch: float) -> list[Span]:
    return [
        Span(row[name], row["started_at"] - epoch, row["started_at"] + row["seconds"] - epoch) for row in rows
    ]
