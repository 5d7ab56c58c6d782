"""The sections of the matrix: which worlds, which calls, which faults, and what each scenario ended with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.faults import scenario, store
from tests.faults.calls import Call
from tests.faults.network import FAULTS, Fault, Strike
from tests.faults.rows import rows, store_rows
from tests.faults.scenario import ANOTHER, World
from tests.faults.store import StoreStrike

NOT_OF_IT = "."
BROKEN = "!!!"
FEW = frozenset({"500", "500+", "403", "404", "rst+", "cut+", "stal", "none"})
"""One of each kind of answer, where the whole set would repeat what an update shows with each fault once: of a fault
that stays, a deployment sees nothing but which error it is.
"""
Play = Callable[[Call], str | None]


@dataclass
class Played:
    """A section that was played: its lines of the table, its figures, and what was broken in it."""

    lines: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """One table. ``columns``: a heading, and what is played at a call (``None``: it makes no sense there)."""

    title: str
    calls: Callable[[], list[Call]]
    columns: Mapping[str, Play]

    def play(self) -> Played:
        """Play all of it."""
        played, phase = Played(), ""
        width = max(len(heading) for heading in self.columns) + 1
        calls = self.calls()
        label = max(len(str(call)) for call in calls) + 4
        played.lines.append(" " * label + "".join(f"{heading:{width}}" for heading in self.columns).rstrip())
        for call in calls:
            if call.phase != phase:
                phase = call.phase
                played.lines.append(phase)
            cells = [self._cell(heading, call, played) for heading in self.columns]
            played.lines.append(
                f"  {call!s:{label - 2}}" + "".join(f"{cell:{width}}" for cell in cells).rstrip()
            )
            played.figures["calls"] += 1
        return played

    def _cell(self, heading: str, call: Call, played: Played) -> str:
        play = self.columns[heading]
        try:
            cell = play(call)
        except Exception as error:  # noqa: BLE001 - collected, so that one table shows all of them
            played.broken.append(f"{self.title}: {call.phase}: {call}: {heading}: {_leaf(error)}")
            cell = BROKEN
        if cell is not None:
            played.figures["scenarios"] += 1
        return NOT_OF_IT if cell is None else cell


def _leaf(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _api(world: World, *, for_ever: bool, few: bool = False) -> Section:
    def at(fault: Fault) -> Play:
        def play(call: Call) -> str | None:
            return scenario.strike(world, Strike(call, fault, for_ever)) if fault.fits(call) else None

        return play

    columns = {fault.short: at(fault) for fault in FAULTS if not few or fault.short in FEW}
    return Section(f"{world.name}, {_long(for_ever)}", lambda: rows(world), columns)


def _long(for_ever: bool) -> str:
    return "for ever" if for_ever else "once"


def _store(world: World, *, for_ever: bool) -> Section:
    def at(fault: str) -> Play:
        def play(call: Call) -> str | None:
            fits = call.method == "create" or not fault.startswith("unclear")
            return scenario.strike(world, StoreStrike(call, fault, for_ever)) if fits else None

        return play

    title = f"{world.name}, state store, {_long(for_ever)}"
    return Section(title, lambda: store_rows(world), {fault: at(fault) for fault in store.FAULTS})


def _kills(world: World) -> Section:
    """The next run wants the same, the old version again, or a third one."""
    assert world.before is not None
    nexts = {"same": world.wanted, "old": world.before, "other": ANOTHER}

    def at(after: bool, name: str) -> Play:
        return lambda call: scenario.kill(world, call, after=after, wanted=nexts[name])

    whens = {"before": False, "after": True}
    columns = {f"{when}, {name}": at(whens[when], name) for when in whens for name in nexts}
    return Section(f"{world.name}, killed", lambda: rows(world), columns)


SECTIONS = {
    section.title: section
    for section in (
        _api(scenario.STOP, for_ever=False),
        _api(scenario.STOP, for_ever=True, few=True),
        _api(scenario.BY_REQUEST, for_ever=False),
        _api(scenario.BY_REQUEST, for_ever=True, few=True),
        _api(scenario.BOTH_ROUTED, for_ever=False, few=True),
        _api(scenario.FIRST, for_ever=False, few=True),
        _api(scenario.DESTROY, for_ever=False, few=True),
        _store(scenario.STOP, for_ever=False),
        _store(scenario.STOP, for_ever=True),
        _store(scenario.BY_REQUEST, for_ever=False),
        _store(scenario.BY_REQUEST, for_ever=True),
        _kills(scenario.STOP),
        _kills(scenario.BY_REQUEST),
    )
}
