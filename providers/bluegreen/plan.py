"""What to do next, and everything that will be done: both read from the lifecycle's table. Pure; no clock, no I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from providers.bluegreen.conditions import all_created, kept_warm
from providers.bluegreen.lifecycle import Do, Row, table
from providers.bluegreen.model import MachineSeen, Phase, Role
from providers.bluegreen.scene import Scene


@dataclass(frozen=True)
class Step:
    """One action of a phase on some machines. ``machines`` are those it is about, done with or not."""

    row: Row
    machines: tuple[MachineSeen, ...]

    @property
    def phase(self) -> Phase:
        return self.row.phase

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def destructive(self) -> bool:
        return self.row.do in (Do.DESTROY, Do.DELETE_APP)


def next_step(scene: Scene) -> Step | None:
    """The first row whose work is not done; ``None`` when all is. Total and deterministic.

    Behind the commit point the rows before it are not looked at again: from there it only goes forward, and what was
    to put blue back has nothing left to do.
    """
    for row in _ahead(scene):
        if not row.done(scene):
            return Step(row, scene.of(row.on))
    return None


def _ahead(scene: Scene) -> tuple[Row, ...]:
    rows = table(scene)
    if not scene.committed or scene.intent.goal == "destroy":
        return rows
    commit = next((index for index, row in enumerate(rows) if row.commit), len(rows))
    return rows[commit + 1 :]


@dataclass(frozen=True)
class PlannedStep:
    """One line of a preview: what, to how many machines where, and until when."""

    phase: Phase
    do: Do
    machines: dict[str, int]
    gate: bool
    commit: bool
    subject: str = ""
    on: Role = Role.ALL


def rollout(scene: Scene) -> list[PlannedStep]:
    """The steps that a run would take from here, as far as can be known before it. Empty: nothing to do."""
    if next_step(scene) is None:
        return []
    steps = [
        PlannedStep(row.phase, row.do, _by_region(scene, row), row.gate, row.commit, row.subject, row.on)
        for row in _ahead(scene)
        if _to_be_done(row, scene)
        if row.do is not Do.DESTROY or _by_region(scene, row)
    ]
    return [
        step for index, step in enumerate(steps) if step not in steps[:index]
    ]  # a repair says what follows it


def _to_be_done(row: Row, scene: Scene) -> bool:
    """Not done yet, or done only because its machines do not exist yet."""
    if row.repair and not scene.committed:
        return False
    always = row.on is Role.GREEN and not row.repair and not row.if_needed and _will_be_new(scene, row)
    return not row.done(scene) or always


def _will_be_new(scene: Scene, row: Row) -> bool:
    """Whether the row seems done only because green's machines do not exist yet. Gates have conditions of their own."""
    own_condition = row.do in (Do.STAY_HEALTHY, Do.REHEARSE, Do.AWAIT_APPROVAL, Do.BAKE)
    return not own_condition and not all_created(scene)


def _by_region(scene: Scene, row: Row) -> dict[str, int]:
    if row.on is Role.ALL:
        return {}
    if row.on is Role.GREEN:
        regions = scene.intent.wanted.values() or [machine.region for machine in scene.green]
        return dict(sorted(Counter(regions).items()))
    of = (machine for machine in scene.of(row.on) if _is_about(row, machine, scene))
    return dict(sorted(Counter(machine.region for machine in of).items()))


def _is_about(row: Row, machine: MachineSeen, scene: Scene) -> bool:
    """What is kept warm is not destroyed, and what can prove nothing is not asked to."""
    if row.do is Do.DESTROY and row.on is Role.OTHERS and machine.release == scene.intent.blue:
        return kept_warm(scene)
    return row.do is not Do.PROVE_SAVED or machine.must_prove
