"""What machines, and people beside us, do in any phase: one thing goes wrong at each step's boundary of a recorded run.

How machines fail to start or to become healthy, dead hosts, strangers and drains that fail are in tests/bluegreen.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from providers.bluegreen.outcome import Ending
from simulator import deletion, machines
from tests.bluegreen.virtual import Kit
from tests.faults.calls import PHASES, Call, short
from tests.faults.network import FAULTS, Network, Strike
from tests.faults.scenario import STOP, play, run, settle
from tests.figures import Figures

MACHINES = ("rooms-g1-ams-1", "rooms-g2-ams-1")
FORBIDDEN = next(fault for fault in FAULTS if fault.name == "403")
LATE_S = 4.0


def boundaries() -> list[str]:
    """The steps of a faultless update, as its lines name them."""
    said: list[str] = []

    async def script(kit: Kit) -> None:
        begin = len(kit.said)
        await run(kit, STOP.wanted)
        said.extend(line for line in kit.said[begin:] if line.partition(": ")[0] in PHASES)

    play(STOP, script)
    return said


STEPS = boundaries()


async def destroyed(kit: Kit, name: str) -> None:
    await deletion.delete_machine(kit.world, _machine(kit, name), True)


async def cordoned(kit: Kit, name: str) -> None:
    machines.set_cordon(kit.world, _machine(kit, name), "cordon")


async def crashed(kit: Kit, name: str) -> None:
    kit.runtime.programs[_machine(kit, name).id].signal("SIGKILL")


async def unreachable(kit: Kit, name: str) -> None:
    kit.world.set_host_status(_machine(kit, name), "unreachable")


def _machine(kit: Kit, name: str):
    return next(machine for machine in kit.machines() if machine.name == name)


BY_HAND = (destroyed, cordoned, crashed, unreachable)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("happens", BY_HAND, ids=lambda happens: happens.__name__)
def test_what_happens_to_a_machine_at_any_step_is_survived(happens, name: str, figures: Figures) -> None:
    """No promise about the other machines is broken, the next run serves whole, and the one after changes nothing."""
    for step in STEPS:
        _beside(step, happens, name)
        figures.add(scenarios=1)


def _beside(step: str, happens: Callable[[Kit, str], Coroutine[Any, Any, None]], name: str) -> None:
    """One update in whose ``step`` something happens to a machine, where it is there by then."""

    async def script(kit: Kit) -> None:
        say, begin = kit._say, len(kit.said)
        done: list[str] = []

        def listen(line: str) -> None:
            say(line)
            if line == step and not done and name in {machine.name for machine in kit.machines()}:
                done.append(line)
                kit.promises.excuse(_machine(kit, name).id)
                kit.world.tasks.start_soon(happens, kit, name)
                # What it alone had in memory is nobody's promise any more.
                kit.scripted.acknowledged = [e for e in kit.scripted.acknowledged if not e.endswith(name)]

        kit._say = listen  # type: ignore[method-assign]
        await run(kit, STOP.wanted)
        assert begin < len(kit.said)
        for machine in kit.machines():
            kit.world.set_host_status(machine, "ok")
        await settle(kit, STOP.wanted, STOP.goal)
        assert {machine.name for machine in kit.machines()} == kit.routed()

    play(STOP, script)


@pytest.mark.parametrize("k", [1, 2])
def test_an_uncordon_that_fails_at_the_kth_machine_leaves_the_others_routed(k: int) -> None:
    """Behind the commit point it goes forward only: what could be routed is, and is named; the next run goes on."""
    names = ["rooms-g2-ams-1", "rooms-g2-iad-1"]

    async def script(kit: Kit) -> None:
        call = Call("switch-routes", "POST", f"{short(names[k - 1])}/uncordon", 1)
        real = kit.http
        kit.http = Network(real, kit, Strike(call, FORBIDDEN, for_ever=True))
        outcome = await run(kit, STOP.wanted)
        assert outcome is not None
        assert outcome.ending is Ending.UNFINISHED
        assert kit.routed() == {names[2 - k]}
        kit.http = real
        await settle(kit, STOP.wanted, STOP.goal)
        assert kit.routed() == set(names)

    play(STOP, script)


def test_a_proxy_that_learns_late_is_waited_for() -> None:
    """An accepted uncordon is not yet a route: blue is destroyed only after users have been answered by green."""

    async def script(kit: Kit) -> None:
        kit.world.routes.delay = LATE_S
        outcome = await run(kit, STOP.wanted)
        assert outcome is not None
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        green = {machine.id for machine in kit.machines()}
        learned = next(r["t"] for r in kit.history("routes") if set(r["machine_ids"]) == green)
        ends = [r["t"] for r in kit.calls("delete_machine")]
        assert len(ends) == 2
        assert all(end > learned for end in ends)

    play(STOP, script)
