"""The sections of the matrix: which worlds, which calls, which faults, and what each scenario ended with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from tests.faults import scenario, store
from tests.faults.calls import Call
from tests.faults.forks import Key, Told
from tests.faults.network import PLAYED, Fault, Strike
from tests.faults.rows import changes, rows, store_rows
from tests.faults.scenario import Killed, Next, Scenario, World, play_all
from tests.faults.store import StoreStrike

NOT_OF_IT = "."
BROKEN = "!!!"
FEW = frozenset({"500", "500+", "408", "403", "404", "stal", "none"})
"""One of each kind of answer: what else happens once is sent again like a 500, or stops a run like a 403, which an
update shows at each of its calls.
"""
ALL = frozenset(fault.short for fault in PLAYED)
LASTING = FEW | {"refu", "tim+"}
"""Sent again, too, and so seen only where they last: until the deadline (as 429 is), or for longer than a lease."""
AFTER = {"after": True}
BOTH = {"before": False} | AFTER
"""When a deployer is killed at a call. Before one is after the one before, but for those that are made at once."""
At = Callable[[Call], Scenario | None]


@dataclass
class Played:
    """A section that was played: its lines of the table, its figures, and what was broken in it."""

    lines: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """One table. ``columns``: a heading, and what is met at a call (``None``: it makes no sense there)."""

    title: str
    world: World
    calls: Callable[[], list[Call]]
    columns: Mapping[str, At]

    def play(self) -> Played:
        """Play all of it."""
        played, phase = Played(), ""
        width = max(len(heading) for heading in self.columns) + 1
        calls = self.calls()
        told = self._met_at(calls)
        label = max(len(str(call)) for call in calls) + 4
        played.lines.append(" " * label + "".join(f"{heading:{width}}" for heading in self.columns).rstrip())
        for call in calls:
            if call.phase != phase:
                phase = call.phase
                played.lines.append(phase)
            cells = [self._cell(told.get((call, heading))) for heading in self.columns]
            played.lines.append(
                f"  {call!s:{label - 2}}" + "".join(f"{cell:{width}}" for cell in cells).rstrip()
            )
        played.figures.update(calls=len(calls), scenarios=len(told))
        played.broken.extend(
            f"{self.title}: {call.phase}: {call}: {heading}: {one.broken}"
            for (call, heading), one in told.items()
            if one.broken
        )
        return played

    def _met_at(self, calls: list[Call]) -> dict[Key, Told]:
        cells = {(call, heading): at(call) for call in calls for heading, at in self.columns.items()}
        return play_all(self.world, {key: met for key, met in cells.items() if met is not None})

    def _cell(self, told: Told | None) -> str:
        if told is None:
            return NOT_OF_IT
        return BROKEN if told.broken else told.cell


def _api(world: World, *, for_ever: bool, only: Collection[str] = ALL) -> Section:
    def at(fault: Fault) -> At:
        return lambda call: Strike(call, fault, for_ever) if call.kind in fault.of else None

    columns = {fault.short: at(fault) for fault in PLAYED if fault.short in only}
    return Section(f"{world.name}, {_long(for_ever)}", world, lambda: rows(world), columns)


def _long(for_ever: bool) -> str:
    return "for ever" if for_ever else "once"


def _store(world: World, *, for_ever: bool) -> Section:
    def at(fault: str) -> At:
        lost = fault.startswith("unclear")
        return lambda call: (
            StoreStrike(call, fault, for_ever) if call.method == "create" or not lost else None
        )

    title = f"{world.name}, state store, {_long(for_ever)}"
    return Section(title, world, lambda: store_rows(world), {fault: at(fault) for fault in store.FAULTS})


def _kills(world: World, nexts: Mapping[str, Next], whens: Mapping[str, bool] = AFTER) -> Section:
    """At each call that changes something. Behind one that looks the world is as it was behind the last of these: what
    goes on by itself meanwhile is over when the dead run's leases are.
    """

    def at(after: bool, name: str) -> At:
        return lambda call: Killed(call, after, nexts[name])

    columns = {f"{when}, {name}": at(after, name) for when, after in whens.items() for name in nexts}
    return Section(f"{world.name}, killed", world, lambda: changes(world), columns)


def _update_kills(world: World, whens: Mapping[str, bool] = AFTER) -> Section:
    """The next run wants the same, the old version again, or a third one."""
    assert world.before is not None
    other = scenario.another(world)
    nexts = {"same": Next(world.wanted), "old": Next(world.before), "other": Next(other)}
    return _kills(world, nexts, whens)


def _other_kills(world: World) -> Section:
    """The next run wants the same, another version, or to destroy all (again)."""
    goals = {"deploy": Next(world.wanted), "other": Next(scenario.another(world))}
    return _kills(world, goals | {"destroy": Next(world.wanted, "destroy")})


SECTIONS = {
    section.title: section
    for section in (
        _api(scenario.STOP, for_ever=False),
        _api(scenario.STOP, for_ever=True, only=LASTING),
        _api(scenario.BY_REQUEST, for_ever=False, only=FEW),
        _api(scenario.BY_REQUEST, for_ever=True, only=FEW),
        _api(scenario.BOTH_ROUTED, for_ever=False, only=FEW),
        _api(scenario.FIRST, for_ever=False, only=FEW),
        _api(scenario.DESTROY, for_ever=False, only=FEW),
        _store(scenario.STOP, for_ever=False),
        _store(scenario.STOP, for_ever=True),
        _store(scenario.BY_REQUEST, for_ever=False),
        _store(scenario.BY_REQUEST, for_ever=True),
        _update_kills(scenario.STOP, BOTH),
        _update_kills(scenario.BY_REQUEST, BOTH),
        _update_kills(scenario.BOTH_ROUTED, BOTH),
        _update_kills(scenario.BACK),
        _other_kills(scenario.FIRST),
        _other_kills(scenario.DESTROY),
    )
}
