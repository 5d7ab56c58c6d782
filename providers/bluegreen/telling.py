"""A run's steps as events: which phase of how many, what is waited for, how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import anyio

from providers.bluegreen import durations
from providers.bluegreen.context import Context
from providers.bluegreen.events import Event, Kind
from providers.bluegreen.failures import StepFailed, TakenOver
from providers.bluegreen.model import Phase, Role
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene

TICK_S = 1.0
"""How often a step that goes on tells what it waits for, and how much time is left."""
TICKS_A_LINE = 10
"""How many of these make one line for people who only read lines: the others have no text."""


@dataclass
class Telling:
    """What one run tells. ``phases``: those that it will go through, as far as is known."""

    ctx: Context
    phases: tuple[Phase, ...] = ()

    def phase(self, phase: Phase, scene: Scene) -> None:
        self._tell(Kind.PHASE, phase, scene=scene)

    def step(self, step: Step) -> None:
        self._of(Kind.STEP, step, text=f"{step.phase}: {step.name}{_where(step)}")

    def done(self, step: Step, took_s: float, scene: Scene) -> None:
        self._of(Kind.DONE, step, took_s=took_s, scene=scene)

    def failed(self, step: Step, error: StepFailed | TakenOver, took_s: float) -> None:
        self._of(Kind.FAILED, step, awaited=error.failure.reasons, took_s=took_s)

    async def waits(self, step: Step, due: float) -> None:
        """Tell what is waited for, again and again, so that no long step is silent. ``due``: by the loop's clock."""
        for tick in count(1):
            with anyio.move_on_after(TICK_S):
                await anyio.sleep_forever()
            awaited = tuple(map(self.ctx.scrub, self.ctx.waiting_for.values()))
            left_s = due - anyio.current_time()
            text = "" if tick % TICKS_A_LINE else _wait_line(step, awaited, left_s)
            self._of(Kind.WAITING, step, text=text, awaited=awaited, left_s=left_s)

    def _of(self, kind: Kind, step: Step, **more: Any) -> None:
        names = tuple(machine.name for machine in step.machines)
        row = step.row
        self._tell(kind, row.phase, step=step.name, gate=row.gate, commit=row.commit, machines=names, **more)

    def _tell(self, kind: Kind, phase: Phase, **more: Any) -> None:
        """A phase that was not foreseen, such as the way back, is not counted."""
        number = self.phases.index(phase) + 1 if phase in self.phases else 0
        of = len(self.phases) if number else 0
        self.ctx.hear(Event(kind, self.ctx.now(), phase=phase, number=number, of=of, **more))


def _wait_line(step: Step, awaited: tuple[str, ...], left_s: float) -> str:
    more = f" (and {len(awaited) - 1} more)" if len(awaited) > 1 else ""
    what = f", waiting for {awaited[0]}{more}" if awaited else ""
    return f"{step.phase}: {step.name}: {durations.text(round(left_s))} left{what}"


def _where(step: Step) -> str:
    if step.row.on is Role.ALL and not step.destructive:
        return ""
    counts: dict[str, int] = {}
    for machine in step.machines:
        counts[machine.region] = counts.get(machine.region, 0) + 1
    regions = ", ".join(f"{count} in {region}" for region, count in sorted(counts.items()))
    return f": {regions}" if regions else ""
