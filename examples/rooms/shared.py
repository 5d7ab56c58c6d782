"""One run of a piece of work, whose result everybody gets who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def share(work: Coroutine[object, object, T]) -> asyncio.Task[T]:
    """Start the work. Wait for it through `asyncio.shield`: who gives up first must not end it for the others."""
    task = asyncio.create_task(work)
    # Its error is the askers'; where all of them have gone, asyncio would report it as nobody's.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task
