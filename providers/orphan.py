"""The end of an orphan: a provider whose ``pulumi`` was killed ends by itself, once none of its calls is at work.

Pulumi's SDK leaves that to the engine: its ``main`` waits for a signal that nobody is left to send (measured: it
stays for ever). A resource of somebody else's in the same process is let end, too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from providers.parent import watch_parent
from providers.server import is_idle, thread_pool

LOOKS_EVERY_S = 1.0
CODE = 1


@cache
def end_as_orphan() -> None:
    """From now on this process does not outlive its ``pulumi`` and its own calls. Never raises; once a process."""
    with suppress(Exception):
        watch = (thread_pool(), watch_parent(), os._exit)
        threading.Thread(target=_end, args=watch, name="end-as-orphan", daemon=True).start()


def _end(pool: Any, gone: Callable[[], str], leave: Callable[[int], object]) -> None:
    """Nothing is left to be told or kept: a call ends when its deployment has, with all that it had opened."""
    look = threading.Event()
    while not (gone() and is_idle(pool)):
        look.wait(LOOKS_EVERY_S)
    leave(CODE)
