"""Ctrl-C on ``pulumi``, heard by the provider: Pulumi tells it by a Cancel call alone, which its SDK answers and drops.

The server holds the bound method, so that only the code inside it can be replaced. Both, and the server's pool of
threads, are private to Pulumi's SDK and to gRPC: they are touched here only, every touch is guarded, and without them a
deployment simply runs to its end, as it does without this.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from providers.server import thread_pool

ASKED = "Ctrl-C"
THREADS = 64
"""Pulumi's SDK serves four calls at a time: a Cancel behind four deployments would wait for the end of one."""
asked = threading.Event()


def watch_cancel() -> Callable[[], str]:
    """A cheap question that never raises: empty, and why to stop once ``pulumi`` was told to cancel."""
    with suppress(Exception):
        _listen(sys.modules["__main__"])
    with suppress(Exception):
        _widen(thread_pool())
    return lambda: ASKED if asked.is_set() else ""


def _listen(main: Any) -> None:
    """Let the servicer's Cancel call set the event. Raises where the SDK's names or its signature are others."""
    cancel = main.DynamicResourceProviderServicer.Cancel
    taken, given = cancel.__code__, _note_cancel.__code__
    if (taken.co_varnames[: taken.co_argcount], taken.co_freevars) == (given.co_varnames[:3], ()):
        cancel.__code__ = given


def _note_cancel(self: object, request: object, context: object) -> object:
    """Runs in the place of the SDK's own, with that module's globals: everything is imported here."""
    from google.protobuf import empty_pb2  # noqa: PLC0415

    from providers.cancel import asked  # noqa: PLC0415

    asked.set()
    return empty_pb2.Empty()


def _widen(pool: Any) -> None:
    pool._max_workers = max(pool._max_workers, THREADS)
    for _ in range(pool._work_queue.qsize()):
        pool.submit(int)  # a pool starts a thread when it is given work, and one waits already
