"""What each kind of step does. Each act answers whether it did anything: what did nothing is no step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from simulator.model import Machine
from tests.histories.deployer import Run
from tests.histories.driver import Driver
from tests.histories.steps import (
    Boots,
    Break,
    Calls,
    Edit,
    Hand,
    Host,
    Kill,
    Pass,
    Resume,
    Start,
    Step,
    Store,
    Suspend,
)

ONE_AT_A_TIME = False
"""Without leases nothing keeps two deployers apart."""
LONGEST_S = 600.0
"""How long ``Calls`` waits for calls that do not come."""


async def start(driver: Driver, step: Start) -> bool:
    who, beside = driver.free(step.who), driver.alive()
    if who is None or (beside and ONE_AT_A_TIME):
        return False
    driver.begin(who, step.wants)
    driver.figures["runs beside another"] += bool(beside)
    return True


def _meant(runs: list[Run], who: int) -> Run | None:
    """Of two the one that is named, else the only one."""
    return runs[who % len(runs)] if runs else None


async def kill(driver: Driver, step: Kill) -> bool:
    run = _meant(driver.alive(), step.who)
    if run is None:
        return False
    if step.calls:
        run.process.kills[run.process.calls + step.calls] = step.applied
        return True
    run.process.kill()
    await run.over.wait()
    return True


async def suspend(driver: Driver, step: Suspend) -> bool:
    run = _meant([run for run in driver.alive() if not run.process.suspended], step.who)
    if run:
        run.process.suspend()
    return run is not None


async def resume(driver: Driver, step: Resume) -> bool:
    run = _meant([run for run in driver.alive() if run.process.suspended], step.who)
    if run:
        run.process.resume()
    return run is not None


async def calls(driver: Driver, step: Calls) -> bool:
    run = _meant([run for run in driver.alive() if not run.process.suspended], step.who)
    if run is None:
        return False
    target = run.process.calls + step.count
    with anyio.move_on_after(LONGEST_S):
        while run.alive and run.process.calls < target:
            await _next_call_or_end(run)
    return True


async def _next_call_or_end(run: Run) -> None:
    async with anyio.create_task_group() as group:

        async def either(wait: Callable[[], Awaitable[object]]) -> None:
            await wait()
            group.cancel_scope.cancel()

        group.start_soon(either, run.over.wait)
        group.start_soon(either, run.process.counted)


async def pass_(driver: Driver, step: Pass) -> bool:
    await anyio.sleep(step.seconds)
    return True


async def break_(driver: Driver, step: Break) -> bool:
    run = _meant(driver.alive(), step.who)
    if run is None:
        return False
    first = run.process.calls + step.calls
    run.process.breaks |= {first + number: step.fault for number in range(step.times)}
    return True


async def hand(driver: Driver, step: Hand) -> bool:
    return driver.hands.do(step.act, step.nth)


async def host(driver: Driver, step: Host) -> bool:
    return driver.hands.happen(step.act, step.nth)


async def boots(driver: Driver, step: Boots) -> bool:
    driver.hands.boot(step.how)
    return True


async def store(driver: Driver, step: Store) -> bool:
    if step.act == "up":
        driver.mend_store()
    else:
        driver.store.act(step.act)
    return True


async def edit(driver: Driver, step: Edit) -> bool:
    """Cordoned machines keep the sockets that they have, so they take edits too, as long as they run and serve."""
    reached = driver.kit.promises.told.in_use
    taken = [_edit(driver, m) for m in driver.hands.ours() if m.id in reached and m.state == "started"]
    return any(taken)


def _edit(driver: Driver, machine: Machine) -> bool:
    """Whoever lets users in by hand before the cluster has been committed answers for what they do there."""
    scripted = driver.kit.scripted
    if not scripted.edit(machine.id):
        return False
    if driver.history.let_in_by_hand(machine.id):
        driver.accounts.forfeited[scripted.acknowledged[-1]] = "users were let in by hand"
    return True


ACTS: dict[type[Step], Callable[[Driver, Any], Awaitable[bool]]] = {
    Start: start,
    Kill: kill,
    Suspend: suspend,
    Resume: resume,
    Calls: calls,
    Pass: pass_,
    Break: break_,
    Hand: hand,
    Host: host,
    Boots: boots,
    Store: store,
    Edit: edit,
}
