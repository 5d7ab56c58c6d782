"""What a machine has been told to do: serve, drain, resume, stop; by its private port or by signals."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from examples.rooms.app import App
from examples.rooms.log import say

MEMORY_ONLY = "BLUEGREEN_STATE_BUCKET is not set: nothing can be saved"


@dataclass(frozen=True, slots=True, eq=False)
class Drain:
    """One order to save everything; `id` is the deployer's, None for a signal. No two are equal.

    A manifest answers the one order that it was begun for, and no other.
    """

    id: str | None


class Orders:
    """The orders so far, and how far the machine is.

    Each method is one step of the event loop: an order counts at once, and no two of them mix. What takes time
    (`keeper`) looks here again whenever it has waited.
    """

    def __init__(self, app: App, *, can_save: bool) -> None:
        self.current: Drain | None = None
        self.stopping = False
        self._app = app
        self._can_save = can_save
        self._saved: Drain | None = None
        self._error: str | None = None
        self._changed = asyncio.Event()

    @property
    def saved(self) -> bool:
        """Whether the drain that is under way is done: its manifest is in S3."""
        return self.current is not None and self.current is self._saved

    @property
    def state(self) -> str:
        """serving, draining or saved."""
        if self.current is None:
            return "serving"
        return "saved" if self.saved else "draining"

    def drain(self, drain_id: str | None, *, anew: bool = False) -> None:
        """Take no more edits, save everything, stay. The same id again changes nothing, unless `anew`."""
        if self.current and self.current.id == drain_id and not anew:
            return
        say("draining", drain=drain_id, rooms=len(self._app.rooms.owned))
        self.current = Drain(drain_id)
        self._error = None if self._can_save else MEMORY_ONLY
        self._app.end_term()
        self._changed.set()

    def resume(self) -> bool:
        """Serve again, with memory as it is; False when the machine is being stopped, for good."""
        if self.stopping:
            return False
        if self.current:
            say("resumed", drain=self.current.id, state=self.state)
            self.current = self._error = None
            self._app.rooms.doubt()
            self._app.begin_term()
            self._changed.set()
        return True

    def stop(self) -> None:
        """Save everything, unless a drain has just done that, and end. A second time is no reason to hurry."""
        self.stopping = True
        if self.current is None:
            self.drain(None)
        self._changed.set()

    def note_saved(self, drain: Drain) -> None:
        """The manifest for this order is in S3."""
        self._saved = drain
        if self.saved:
            self._error = None

    def note_failed(self, error: str) -> None:
        """The last attempt to save failed; the next one follows."""
        if self.current:
            self._error = error

    def status(self) -> dict[str, object]:
        """How far it is, for whoever gave the order; `done` of `total` rooms are in S3."""
        rooms = self._app.rooms
        told: dict[str, object] = {
            "state": self.state,
            "drain": self.current.id if self.current else None,
            "done": len(rooms.owned) - len(rooms.dirty),
            "total": len(rooms.owned),
        }
        return told | ({"error": self._error} if self._error else {})

    async def until(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait for an order that makes the condition true, at most so long; whether it is. For one waiter at a time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        return condition()
