"""Virtual time for tests: waits take no time, and none of them sleeps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
from trio.testing import MockClock

T = TypeVar("T")


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Run ``main`` on trio with a clock that jumps over every wait."""
    return trio.run(main, clock=MockClock(autojump_threshold=0))
