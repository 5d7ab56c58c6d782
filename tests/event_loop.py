"""An event loop for tests with Pulumi's mocks: a test before them may have taken the thread's away."""

from __future__ import annotations

import asyncio
from functools import cache

import pytest


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One for all, never closed: what a refused program has registered is still pending in it."""
    return asyncio.new_event_loop()


@pytest.fixture(autouse=True)
def event_loop() -> None:
    """The thread's loop."""
    asyncio.set_event_loop(_loop())
