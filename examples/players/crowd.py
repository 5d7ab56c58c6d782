"""Many players at once, in one event loop, so that one clock orders all that they see."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from examples.players.log import Counters, Log
from examples.players.notes import Notes
from examples.players.player import Door, Pace, Player


class Players:
    """`count` players spread over `rooms` rooms and over the regions `edges`, editing until `stop`.

    Players of one room come from different edges, so that most of them are replayed to the room's owner, and
    each reconnects by itself every `seconds_per_visit` or so: with players who only ever stay, two clusters
    that serve at the same time went unnoticed (measured: nobody met the new one before the old one ended).
    Runs on asyncio (`websockets` does). Edit ids are new with every crowd.
    """

    def __init__(
        self,
        url: str,
        host: str,
        count: int,
        rooms: int,
        *,
        edges: Sequence[str] = ("",),
        edits_per_second: float = 5.0,
        seconds_per_visit: float = 5.0,
    ) -> None:
        self.url = url
        self.host = host
        self.rooms = [f"room-{number:02}" for number in range(1, rooms + 1)]
        self._notes = Notes()
        crowd = secrets.token_hex(3)
        pace = Pace(1 / edits_per_second, seconds_per_visit)
        self._players = [
            Player(
                f"{crowd}-{number:02}",
                self.rooms[number % rooms],
                Door(url, host, edges[number // rooms % len(edges)]),
                pace,
                self._notes,
            )
            for number in range(count)
        ]
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Let the players in."""
        await self._group.__aenter__()
        self._tasks = [self._group.create_task(player.play()) for player in self._players]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Send everybody home, whether they are done or not."""
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(kind, error, traceback)

    @property
    def counters(self) -> Counters:
        """How the players fare at this moment."""
        now = time.monotonic()
        return Counters(
            connected=self._notes.connected,
            acked=len(self._notes.acks),
            unacked=sum(player.is_overdue(now) for player in self._players),
            reconnects=self._notes.reconnects,
        )

    async def reach(self, condition: Callable[[Counters], bool], within: float) -> Counters:
        """Wait until the counters meet the condition; TimeoutError after `within` seconds."""
        async with asyncio.timeout(within):
            while not condition(self.counters):
                self._notes.changed.clear()
                await self._notes.changed.wait()
        return self.counters

    async def stop(self, within: float = 15.0) -> Log:
        """Want no new edits, give those under way `within` seconds to be acknowledged; the log."""
        last_wish = time.monotonic()
        for player, task in zip(self._players, self._tasks, strict=True):
            player.wish_no_more(last_wish)
            if not player.waits:
                task.cancel()
        await asyncio.wait(self._tasks, timeout=within)
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        return Log(
            acks=tuple(self._notes.acks),
            sessions=tuple(self._notes.sessions),
            unacked=tuple(player.wait for player in self._players if player.waits),
            stopped=time.monotonic(),
        )
