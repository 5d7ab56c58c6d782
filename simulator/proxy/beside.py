"""Work with helpers beside it."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio

from simulator.proxy.route import Ending

Result = TypeVar("Result")


async def run_beside(
    work: Callable[[], Coroutine[Any, Any, Result]], *helpers: Callable[[], Coroutine[Any, Any, None]]
) -> Result:
    """Run `work` to its end while `helpers` run beside it.

    An Ending that any of them raises ends all of them, and comes out bare instead of in a group.
    """
    try:
        async with anyio.create_task_group() as tasks:
            for helper in helpers:
                tasks.start_soon(helper)
            result = await work()
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        endings, others = group.split(Ending)
        # A cancellation from outside, or a fault, counts for more than an Ending beside it.
        raise others or _take_first(endings) from None
    return result


def _take_first(endings: BaseExceptionGroup[Ending] | None) -> BaseException:
    assert endings is not None
    return endings.exceptions[0]
