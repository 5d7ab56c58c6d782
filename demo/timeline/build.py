"""The timeline out of its sources. Pure: no clock, no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from demo.timeline.machines import build_machines
from demo.timeline.model import Dot, Machine, Release, Span, Timeline, Verdict
from demo.timeline.traffic import Record, count_routed, count_sockets, fill_bins, list_clusters, list_requests
from examples.players import Ack, Audit, Log

DOTS_AROUND_SECONDS = 1.5


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
    window, drain = find_window(machines, second.outputs), find_drain(machines)
    return Timeline(
        schema=1,
        epoch=epoch,
        start=start,
        end=end,
        app=evidence.app,
        cutover=evidence.cutover,
        players=evidence.players,
        commands=tuple(_build_command(rollout, epoch) for rollout in evidence.rollouts),
        releases=tuple(_build_release(rollout, evidence, epoch, end) for rollout in evidence.rollouts),
        machines=machines,
        window=window,
        drain=drain,
        dots=list_dots(evidence.log, window or drain, epoch),
        verdict=judge(evidence.audit),
    )


def find_window(machines: Sequence[Machine], outputs: Mapping[str, Any]) -> Span | None:
    """As long as the deployment measured it, from the first cordon; None for a cutover without one."""
    cordons = [span.start for machine in machines for span in machine.states if span.name == "cordoned"]
    seconds = outputs.get("handoff_window_seconds")
    if seconds is None or not cordons:
        return None
    return Span("handoff window", min(cordons), min(cordons) + seconds)


def find_drain(machines: Sequence[Machine]) -> Span | None:
    """The slowest machine's time from its stop to its exit, under that machine's name."""
    drains = [
        Span(machine.name, span.start, span.end)
        for machine in machines
        for span in machine.states
        if span.name == "stopping"
    ]
    return max(drains, key=attrgetter("seconds"), default=None)


def list_dots(log: Log, around: Span | None, epoch: float) -> tuple[Dot, ...]:
    """The acknowledgements near a span. Players are numbered by room, so that those who share one are neighbours."""
    if around is None:
        return ()
    start, end = around.start - DOTS_AROUND_SECONDS, around.end + DOTS_AROUND_SECONDS
    rows = {player: row for row, (_, player) in enumerate(sorted({(a.room, a.player) for a in log.acks}))}
    return tuple(
        Dot(round(ack.acked_at - epoch, 6), rows[ack.player], ack.release)
        for ack in log.acks
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
        phases=tuple(_read_phases(rollout.outputs["phases"], epoch)),
        routed=count_routed(evidence.records, cluster, epoch),
        sockets=count_sockets(evidence.records, cluster, epoch),
        requests=fill_bins(list_requests(evidence.records, cluster), *between),
        acks=fill_bins((ack.acked_at for ack in evidence.acks if ack.release == name), *between),
    )


def _read_phases(phases: Sequence[Mapping[str, Any]], epoch: float) -> list[Span]:
    return [
        Span(phase["phase"], phase["started_at"] - epoch, phase["started_at"] + phase["seconds"] - epoch)
        for phase in phases
    ]
