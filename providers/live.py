"""What lives on the machines that serve, where the app reports it: rooms and sockets. Asked in a preview, best effort.

An app that answers the routing probe with numbers named ``rooms`` or ``sockets`` reports them. One that does not, or
not in time, is none to wait for: a preview never fails for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import anyio

from providers.bluegreen.failures import NotYet
from providers.bluegreen.model import MachineSeen
from providers.bluegreen.scene import Scene
from providers.gates.routing import HttpProber, outside

ASKED_FOR_S = 2.0
ASKED_AT_ONCE = 20


@dataclass(frozen=True)
class Live:
    """The sums over ``machines`` machines that reported anything, of ``of`` that serve."""

    rooms: int
    sockets: int
    machines: int
    of: int

    def __str__(self) -> str:
        some = (
            "" if self.machines == self.of else f" on the {self.machines} of {self.of} machines that said so"
        )
        return f"{self.rooms} rooms and {self.sockets} sockets{some}"


async def ask_live(scene: Scene) -> Live | None:
    """What the serving machines report; ``None`` where none does. Takes ``ASKED_FOR_S`` at most, raises nothing."""
    machines = scene.serving.machines if scene.serving else ()
    spec = scene.intent.spec
    if not machines or not spec.routing_probe.machine_key:
        return None
    found: list[tuple[int, int]] = []
    limit = anyio.Semaphore(ASKED_AT_ONCE)
    with anyio.move_on_after(ASKED_FOR_S):
        async with outside() as http, anyio.create_task_group() as group:
            prober = HttpProber(http, spec.url, spec.routing_probe)
            for machine in machines:
                group.start_soon(_ask, prober, machine, limit, found)
    if not found:
        return None
    rooms, sockets = (sum(numbers) for numbers in zip(*found, strict=True))
    return Live(rooms, sockets, len(found), len(machines))


async def _ask(
    prober: HttpProber, machine: MachineSeen, limit: anyio.Semaphore, found: list[tuple[int, int]]
) -> None:
    async with limit:
        try:
            told = await prober.report(machine.region, machine.id)
        except NotYet:
            return
    numbers = [told.get(name) for name in ("rooms", "sockets")]
    if any(isinstance(number, int) for number in numbers):
        rooms, sockets = (number if isinstance(number, int) else 0 for number in numbers)
        found.append((rooms, sockets))
