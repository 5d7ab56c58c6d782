"""Doing one thing to many machines at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from providers.bluegreen.polling import polling

__all__ = ["each", "each_or_fail", "polling"]
T = TypeVar("T")
R = TypeVar("R")


async def each(items: Sequence[T], do: Callable[[T], Awaitable[R]]) -> list[R]:
    """Do it for all at once. All are done to their end, then the errors are raised together.

    A change that is under way is not cancelled because another failed: it would land unseen.
    """
    errors: list[Exception] = []

    async def one(item: T) -> R | None:
        try:
            return await do(item)
        except Exception as error:  # noqa: BLE001 - raised below, with the others
            errors.append(error)
            return None

    results = await each_or_fail(items, one)
    if errors:
        raise ExceptionGroup("not done for all machines", errors)
    return [result for result in results if result is not None]


async def each_or_fail(items: Sequence[T], do: Callable[[T], Awaitable[R]]) -> list[R]:
    """Wait for all at once; the first error ends the other waits and is raised."""
    results: dict[int, R] = {}

    async def one(index: int, item: T) -> None:
        results[index] = await do(item)

    async with anyio.create_task_group() as group:
        for index, item in enumerate(items):
            group.start_soon(one, index, item)
    return [results[index] for index in range(len(items))]
