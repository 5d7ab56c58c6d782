"""Promises of work with helpers beside it."""

import anyio
import pytest

from simulator.proxy.beside import run_beside
from simulator.proxy.route import Ending, Refusal

pytestmark = pytest.mark.anyio


class Fault(Exception):
    """Not an Ending."""


async def give() -> int:
    """Work that ends."""
    return 7


async def refuse() -> None:
    """A helper that ends the work."""
    raise Refusal(503, "no")


async def fail() -> None:
    """A helper with a fault."""
    raise Fault


async def end_late() -> None:
    """A helper that raises an Ending when it is cancelled."""
    try:
        await anyio.sleep_forever()
    finally:
        raise Ending


async def test_helpers_end_with_the_work() -> None:
    """The result comes out once the work is done, however long helpers would go on."""
    assert await run_beside(give, anyio.sleep_forever) == 7


async def test_endings_come_out_bare() -> None:
    """An Ending of a helper ends the work, and needs no unpacking."""
    with pytest.raises(Refusal):
        await run_beside(anyio.sleep_forever, refuse)


async def test_faults_are_not_hidden() -> None:
    """A fault beside an Ending still comes out."""
    with pytest.raises(BaseExceptionGroup) as raised:
        await run_beside(anyio.sleep_forever, fail, end_late)
    assert raised.value.subgroup(Fault) is not None


async def test_cancellation_swallows_endings() -> None:
    """Work that is cancelled from outside while a client leaves ends as cancelled, or with the bare Ending."""
    ended = False
    async with anyio.create_task_group() as tasks:

        async def work() -> None:
            nonlocal ended
            try:
                await run_beside(anyio.sleep_forever, end_late)
            except Ending:
                pass
            finally:
                ended = True

        tasks.start_soon(work)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert ended
