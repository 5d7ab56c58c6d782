"""Virtual time for tests: waits take no time, and none of them sleeps."""

from __future__ import annotations

import inspect
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio
from tenacity import _utils as tenacity
from trio._core import _run
from trio.testing import MockClock

T = TypeVar("T")
_asked = tenacity.is_coroutine_callable


def _is_coroutine_callable(call: Callable[..., Any]) -> bool:
    """tenacity asks this of each of a dozen hooks at each attempt, by ``inspect``: 4 % of the histories' profile."""
    code = getattr(call, "__code__", None)
    return bool(code.co_flags & inspect.CO_COROUTINE) if code else _asked(call)


tenacity.is_coroutine_callable = _is_coroutine_callable


def run(main: Callable[[], Awaitable[T]], seed: int | None = None) -> T:
    """Run ``main`` on trio with a clock that jumps over every wait. ``seed`` makes the run repeat itself exactly."""
    if seed is not None:
        _repeat_scheduling(seed)
    return trio.run(main, clock=MockClock(autojump_threshold=0))


def _repeat_scheduling(seed: int) -> None:
    """The order of tasks that are ready at once, by the hook that trio keeps for Hypothesis, and retries' jitter."""
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    _run._r.seed(seed)
    random.seed(seed)
