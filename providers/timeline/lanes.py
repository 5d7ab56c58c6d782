"""What each machine was to its users over time, and which cluster they reached. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

from providers.timeline.model import Look, MachineLine, Timeline

KINDS = {
    "routed": "routed: users reach it",
    "unrouted": "runs, not routed yet",
    "draining": "cordoned: drains and saves",
    "changing": "starts or stops",
    "stopped": "stopped",
}
ENDED = ("stopped", "suspended", "failed")
GONE = ("destroying", "destroyed")


@dataclass(frozen=True)
class Stretch:
    """One kind of time of one machine, or of one cluster. ``ill``: its checks had passed, and do not any more."""

    kind: str
    start: float
    end: float
    told: str
    ill: bool = False


@dataclass(frozen=True)
class Group:
    """The machines of one release. ``role``: ``blue``, ``green`` or ``other``."""

    release: str
    role: str
    machines: tuple[MachineLine, ...]


def groups(timeline: Timeline) -> list[Group]:
    """Clusters in the order of their releases."""
    by_release = groupby(timeline.machines, key=lambda machine: machine.release)
    return [Group(release, role_of(timeline, release), tuple(machines)) for release, machines in by_release]


def role_of(timeline: Timeline, release: str) -> str:
    """Who it was when the deployment began."""
    return {timeline.blue: "blue", timeline.green: "green"}.get(release, "other")


def stretches(machine: MachineLine, end: float) -> Iterator[Stretch]:
    """A machine's time, from one change to the next. One that boots is not ill: its checks have not passed yet."""
    been_routed = been_well = False
    for look, until in pairwise([*machine.looks, None]):
        assert look is not None
        boots = look.state != "started"
        been_routed = not boots and (been_routed or look.routed)
        been_well = not boots and (been_well or look.passing == look.checks > 0)
        kind = _kind(look, been_routed)
        if kind:
            stop = until.at if until else end
            yield Stretch(kind, look.at, stop, _told(machine, look), been_well and _ill(look))


def _kind(look: Look, been_routed: bool) -> str:
    if look.state in GONE:
        return ""
    if look.routed:
        return "routed"
    if look.state == "started":
        return "draining" if been_routed else "unrouted"
    return "stopped" if look.state in ENDED else "changing"


def _ill(look: Look) -> bool:
    return look.state == "started" and look.passing < look.checks


def _told(machine: MachineLine, look: Look) -> str:
    marks = [look.state]
    if look.routed:
        marks.append("routed")
    if look.cordoned:
        marks.append("cordoned")
    if look.checks and look.state == "started":
        marks.append(f"{look.passing} of {look.checks} checks passing")
    return f"{machine.name} ({machine.id}): {', '.join(marks)}"


def reached(group: Group, end: float) -> Iterator[Stretch]:
    """When users reached machines of this cluster, and how many."""
    moments = sorted({look.at for machine in group.machines for look in machine.looks} | {end})
    counted = [(at, _routed_at(group, at)) for at in moments]
    for count, part in groupby(pairwise(counted), key=lambda pair: pair[0][1]):
        pairs = list(part)
        if count:
            told = f"{count} of {len(group.machines)} machines of release {group.release}"
            yield Stretch("routed", pairs[0][0][0], pairs[-1][1][0], told)


def _routed_at(group: Group, at: float) -> int:
    newest = ([look for look in machine.looks if look.at <= at] for machine in group.machines)
    return sum(bool(looks) and looks[-1].routed for looks in newest)
