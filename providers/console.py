"""Lines on the resource's own row of Pulumi's display.

A dynamic provider's ``pulumi.log`` lands on the stack's row, not on the resource's. The engine takes log lines with a
URN on the address that it gave to the provider process, and the URN is in the servicer's frame. Both are private to
Pulumi's SDK: they are touched here only, every touch is guarded, and without them the lines go to stderr as plain text.
Nothing in here ever raises: a deployment does not fail because nobody listens (the stderr of a provider whose
``pulumi`` was killed is closed).
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from providers.ci import in_ci

Say = Callable[[str], None]
TERMINAL = "/dev/tty"
Show = Callable[[str, bool], None]
"""Shows a line; ``True``: only until the next one, where somebody watches, and not at all elsewhere."""


class Row:
    """The lines of one resource: called with one, it shows it, in order, without waiting until it is shown."""

    def __init__(self, pool: ThreadPoolExecutor, show: Show) -> None:
        self._pool, self._show = pool, show
        self._watched = somebody_watches()
        self._latest: Future[None] | None = None

    def __call__(self, line: str) -> None:
        self._submit(line, brief=False)

    def brief(self, line: str) -> None:
        """A line for as long as it is the latest: what a terminal shows, and a log does not keep.

        One that is still to be shown is dropped for a newer one: the lines that stay never queue up behind them.
        """
        if not self._watched:
            return
        if self._latest:
            self._latest.cancel()
        self._latest = self._submit(line, brief=True)

    def _submit(self, line: str, *, brief: bool) -> Future[None] | None:
        with contextlib.suppress(RuntimeError):  # at the interpreter's end there are no new threads
            return self._pool.submit(self._show, line, brief)
        return None


def somebody_watches() -> bool:
    """Whether this runs in somebody's terminal, and not in CI.

    Pulumi's display prints each line of a row where it has no terminal, also those that are not to stay. A provider
    has pipes for standard streams either way, and the terminal of the ``pulumi`` that started it.
    """
    if in_ci():
        return False
    try:
        os.close(os.open(TERMINAL, os.O_RDONLY | os.O_NOCTTY))
    except (OSError, AttributeError):  # without one; and on Windows, which has neither
        return False
    return True


@contextlib.contextmanager
def console() -> Iterator[Row]:
    """The row of the resource that is being worked on; all of its lines are shown when the block ends.

    A line costs the engine some milliseconds, which would count in the handoff window. To be opened in a provider's
    method: the URN is looked for among the callers.
    """
    show = _shower()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="console") as lines:
        yield Row(lines, show)


def _shower() -> Show:
    try:
        return _on_the_row(_urn_of_callers())
    except Exception:  # noqa: BLE001 - whatever Pulumi's privates do, a deployment goes on
        return _on_stderr


def _on_stderr(line: str, brief: bool) -> None:
    if brief:
        return
    with contextlib.suppress(Exception):
        print(line, file=sys.stderr, flush=True)


def _urn_of_callers() -> str:
    frame = inspect.currentframe()
    while frame:
        urn = getattr(frame.f_locals.get("request"), "urn", "")
        if urn:
            return str(urn)
        frame = frame.f_back
    raise LookupError("no request among the callers")


def _on_the_row(urn: str) -> Show:
    engine: Any = engine_pb2_grpc.EngineStub(grpc.insecure_channel(sys.argv[1]))

    def show(line: str, brief: bool) -> None:
        try:
            severity = engine_pb2.LogSeverity.Value("INFO")
            told = engine_pb2.LogRequest(severity=severity, message=line, urn=urn, ephemeral=brief)
            engine.Log(told, timeout=2)
        except Exception:  # noqa: BLE001 - as above
            _on_stderr(line, brief)

    return show
