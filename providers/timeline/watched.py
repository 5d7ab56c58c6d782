"""Machines over time: each change of each machine, as the deployment saw it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from providers.bluegreen.model import MachineSeen, Role
from providers.bluegreen.scene import Scene
from providers.timeline.model import Look, MachineLine

MOST_MACHINES = 300
MOST_LOOKS = 40
"""Of one machine: a handoff and its way back make about twenty."""


class Watched:
    """Collects what scenes show. ``left_out`` counts what was too much."""

    def __init__(self, scrub: Callable[[str], str]) -> None:
        self.left_out: Counter[str] = Counter()
        self._scrub = scrub
        self._machines: dict[str, MachineSeen] = {}
        self._looks: dict[str, list[Look]] = {}

    def see(self, scene: Scene, at: float) -> None:
        """Whoever was there, and is not any more, is destroyed."""
        seen = {machine.id: machine for machine in scene.of(Role.ALL)}
        for machine in seen.values():
            if machine.id in self._machines or len(self._machines) < MOST_MACHINES:
                self._machines[machine.id] = machine
                self._add(machine.id, _look(scene, machine, at))
            else:
                self.left_out["machines"] += 1
        for gone in self._machines.keys() - seen.keys():
            self._add(gone, Look(at=at, state="destroyed"))

    def _add(self, machine_id: str, look: Look) -> None:
        looks = self._looks.setdefault(machine_id, [])
        if looks and looks[-1] == look.model_copy(update={"at": looks[-1].at}):
            return
        if len(looks) < MOST_LOOKS:
            looks.append(look)
        else:
            self.left_out["looks"] += 1

    def lines(self) -> Iterator[MachineLine]:
        """The machines by release, region and name."""
        order = sorted(self._machines.values(), key=lambda m: (m.release, m.region, m.name))
        for machine in order:
            yield MachineLine(
                id=machine.id,
                name=self._scrub(machine.name),
                region=machine.region,
                release=str(machine.release),
                looks=tuple(self._looks[machine.id]),
            )


def _look(scene: Scene, machine: MachineSeen, at: float) -> Look:
    return Look(
        at=at,
        state=machine.state,
        cordoned=machine.cordoned,
        routed=scene.routed(machine),
        passing=sum(check.passing for check in machine.checks),
        checks=len(machine.checks),
    )
