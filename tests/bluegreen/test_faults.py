"""Each call of an update × each fault, and the deployer killed at each call: one named cluster serves afterwards.

The calls are those of a recorded run, so a call that is added to the deployment is covered by existing.
"""

from __future__ import annotations

import anyio
import pytest

from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.outcome import Ending, Outcome
from tests.bluegreen.faults import Fault, Faulty, check_world
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

SPEC1, SPEC2, SPEC3 = spec(image=V1), spec(image=V2), spec(image=V2, env={"X": "3"})
BY_REQUEST = {"drain": {"type": "request"}}
DRAINS = {"stop": (SPEC1, SPEC2), "request": (spec(image=V1, **BY_REQUEST), spec(image=V2, **BY_REQUEST))}
PROXY_LEARNS_S = 1.0


async def run(kit: Kit, wanted=SPEC2) -> Outcome | None:
    """One run and the moment that the proxy needs; ``None`` where it refused to decide anything."""
    try:
        outcome = await kit.deploy(wanted)
    except CannotLook:
        outcome = None
    with anyio.move_on_after(PROXY_LEARNS_S):
        await anyio.sleep_forever()
    return outcome


def calls_of_an_update(old, new) -> int:
    """How many calls a faultless update makes."""
    counted = []

    async def test(kit: Kit) -> None:
        await kit.deploy(old)
        kit.http = Faulty(kit.http)
        await kit.deploy(new)
        counted.append(len(kit.http.calls))

    simulate(test)
    return counted[0]


CALLS = {drain: calls_of_an_update(*specs) for drain, specs in DRAINS.items()}


@pytest.mark.parametrize("fault", ["500 applied", "reset applied", "reset", "403", "404", "empty"])
@pytest.mark.parametrize("drain", DRAINS)
def test_a_fault_at_any_call_ends_with_one_named_cluster(drain: str, fault: Fault) -> None:
    """The outcome says what the routes say, nothing is lost, the next run finishes, the one after changes nothing."""
    old, new = DRAINS[drain]
    for at in range(1, CALLS[drain] + 1):

        async def test(kit: Kit, at: int = at) -> None:
            await kit.deploy(old)
            kit.edit_everywhere()
            real = kit.http
            kit.http = Faulty(real, fault, at)
            check_world(kit, await run(kit, new))
            kit.http = real
            second = await run(kit, new)
            check_world(kit, second)
            assert second
            assert second.succeeded
            assert kit.lost() == set()
            third = await run(kit, new)
            assert third
            assert third.ending is Ending.UNCHANGED
            assert {machine.name for machine in kit.machines()} == kit.routed()

        simulate(test)


@pytest.mark.parametrize("when", ["killed before", "killed after"])
@pytest.mark.parametrize("wanted", [SPEC1, SPEC2, SPEC3], ids=["back to the old", "the same", "another"])
def test_a_killed_run_is_finished_or_undone_by_the_next(when: Fault, wanted) -> None:
    """Killed at any call: the next run brings the world to its own spec, whichever that is, and nothing is lost."""
    for at in range(1, CALLS["stop"] + 1):

        async def test(kit: Kit, at: int = at) -> None:
            await kit.deploy(SPEC1)
            real = kit.http
            with anyio.CancelScope() as deployer:
                kit.http = Faulty(real, when, at, killed=deployer)
                await kit.deploy(SPEC2)
            kit.http = real
            check_world(kit, None)
            second = await run(kit, wanted)
            check_world(kit, second)
            assert second
            assert second.succeeded
            third = await run(kit, wanted)
            assert third
            assert third.ending is Ending.UNCHANGED
            assert {machine.name for machine in kit.machines()} == kit.routed()

        simulate(test)
