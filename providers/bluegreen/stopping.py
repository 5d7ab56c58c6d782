"""Ctrl-C while something is waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

T = TypeVar("T")
LISTENS_S = 0.5
"""How often it is asked for: soon enough for who has pressed the keys."""


class Asked(Exception):
    """The run was asked to stop; the message says by what."""


async def unless_asked(stop: Callable[[], str], act: Callable[[], Awaitable[T]]) -> T:
    """What ``act`` answers, or raises. ``act`` is cancelled, and ``Asked`` raised, once ``stop`` gives a reason."""
    ended: list[T | Exception] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_cancel_when_asked, stop, group.cancel_scope)
        try:
            ended.append(await act())
        except Exception as error:  # noqa: BLE001 - raised below, outside of the group, which would wrap it
            ended.append(error)
        group.cancel_scope.cancel()
    if not ended:
        raise Asked(stop())
    if isinstance(ended[0], Exception):
        raise ended[0]
    return ended[0]


async def _cancel_when_asked(stop: Callable[[], str], scope: anyio.CancelScope) -> None:
    await asked(stop)
    scope.cancel()


async def asked(stop: Callable[[], str]) -> str:
    """Why to stop, once there is a reason."""
    while not (reason := stop()):  # noqa: ASYNC110 - set by another thread, or not at all: nobody tells this one
        await anyio.sleep(LISTENS_S)
    return reason
