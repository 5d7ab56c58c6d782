"""The end of every history: trouble ends, deployers end or are killed, and then the final runs have to succeed."""

from __future__ import annotations

import anyio

from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.outcome import Ending, Outcome
from tests.histories.deployer import Run
from tests.histories.driver import Driver

LONGEST_RUN_S = 3600.0
SETTLES_S = 90.0
"""After this long nothing goes on any more that somebody began: stops, restarts, routes to be learned."""
TRIES = 3
_DONE = (Ending.UNCHANGED, Ending.DESTROYED)


async def close(driver: Driver) -> None:
    """Raises ``AssertionError`` where the world cannot be brought to what is wanted last."""
    driver.make_well()
    for run in list(driver.runs.values()):
        await _let_end(run)
    await anyio.sleep(SETTLES_S)
    driver.judge.after_step()
    await _succeed(driver)
    await _change_nothing(driver)
    lost = driver.judge.lost()
    assert not lost, f"acknowledged edits are lost: {sorted(lost)}"


async def _let_end(run: Run) -> None:
    run.process.resume()
    run.process.breaks.clear()
    with anyio.move_on_after(LONGEST_RUN_S):
        await run.over.wait()
    assert not run.alive, f"deployer {run.who} does not end: {run.spec.image} since {run.began}"


async def _succeed(driver: Driver) -> None:
    """The first run of all succeeds, or says which machine, changed by somebody else, keeps it from doing so."""
    for _ in range(TRIES):
        run = await _run(driver)
        if _awaits_approval(run):
            run = await _run(driver)
        told = _reasons(run)
        if _awaits_approval(run):
            continue
        if isinstance(run.ended, Outcome) and run.ended.succeeded:
            return
        blamed = [key for key in driver.not_ours_to_answer() if key in told]
        assert blamed, f"the final run ended in {told}"
        driver.figures["final runs refused for what others did"] += 1
        driver.hands.take_back()
    raise AssertionError(f"{TRIES} final runs have not succeeded: {told}")


def _awaits_approval(run: Run) -> bool:
    return isinstance(run.ended, Outcome) and run.ended.ending is Ending.AWAITING_APPROVAL


async def _change_nothing(driver: Driver) -> None:
    before = len(driver.history.read())
    run = await _run(driver)
    assert isinstance(run.ended, Outcome), f"one more run ended in {_reasons(run)}"
    assert run.ended.ending in _DONE, f"one more run ended in {run.ended.ending}"
    since = driver.history.read(before, kind="request")
    writes = [record for record in since if record["method"] != "GET"]
    assert not writes, f"one more run changed {writes}"
    warm = "warm" in driver.script.extras
    ours = (machine for machine in driver.hands.ours() if not (warm and machine.state == "stopped"))
    left, routed = {machine.name for machine in ours}, driver.kit.routed()
    assert left == routed, f"{sorted(left)} are left, {sorted(routed)} are routed"


async def _run(driver: Driver) -> Run:
    run = driver.begin(0, driver.script.last)
    await _let_end(run)
    await anyio.sleep(1)
    driver.judge.after_step()
    return run


def _reasons(run: Run) -> str:
    if isinstance(run.ended, CannotLook):
        return str(run.ended)
    assert run.ended is not None
    failure = run.ended.failure
    return f"{run.ended.ending}: {'; '.join(failure.reasons) if failure else 'no reason'}"
