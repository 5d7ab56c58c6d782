"""One player: edits a room, reloads the page now and then, and comes back when the connection is cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from examples.players.log import Ack, Session, Wait
from examples.players.notes import Notes

ANSWER_SECONDS: Final = 5.0
BACKOFF_SECONDS: Final = 0.1
BACKOFF_LIMIT_SECONDS: Final = 2.0
PLAYER_LEFT: Final = 1000


@dataclass(slots=True)
class Pending:
    """The edit that the player wants to make at `wanted` (monotonic seconds), and how often it was sent."""

    edit: str
    wanted: float
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Door:
    """How to reach the app: the proxy's URL, the Host to ask for, and the region to come from ("": any)."""

    url: str
    host: str
    edge: str

    def knock(self, room: str, player: str) -> connect:
        """A connection to the room, not yet opened."""
        url = urlsplit(self.url)
        scheme = {"http": "ws", "https": "wss"}[url.scheme]
        return connect(
            f"{scheme}://{self.host}/rooms/{room}?{urlencode({'player': player})}",
            host=url.hostname,
            port=url.port or {"ws": 80, "wss": 443}[scheme],
            additional_headers={"x-sim-edge": self.edge} if self.edge else None,
            proxy=None,
            compression=None,
            close_timeout=1,
        )


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a player wants to edit, and how long it stays connected, both on average and in seconds."""

    seconds_per_edit: float
    seconds_per_visit: float


class Player:
    """Has one edit at a time, resends it under the same id until it is acknowledged, then wants the next."""

    def __init__(self, name: str, room: str, door: Door, pace: Pace, notes: Notes) -> None:
        self.name = name
        self._room = room
        self._door = door
        self._pace = pace
        self._notes = notes
        self._session = 0
        self._failures = 0
        self._edits = 0
        self._last_wish = float("inf")
        self._pending = self._next_edit()

    async def play(self) -> None:
        """Edit and reconnect until `wish_no_more`, and until the last edit is acknowledged."""
        while self.waits:
            with contextlib.suppress(OSError, WebSocketException):
                async with self._door.knock(self._room, self.name) as socket:
                    await self._visit(socket)
                    continue  # left by choice: back at once, like a page that is reloaded
            await asyncio.sleep(self._backoff())

    def wish_no_more(self, last_wish: float) -> None:
        """Make no edit that is wanted after `last_wish`."""
        self._last_wish = last_wish

    @property
    def waits(self) -> bool:
        """Whether an edit is still to be made."""
        return self._pending.wanted <= self._last_wish

    def is_overdue(self, now: float) -> bool:
        """Whether an edit that was wanted by `now` is still to be acknowledged."""
        return self._pending.wanted <= min(now, self._last_wish)

    @property
    def wait(self) -> Wait:
        """The edit that is still to be made."""
        return Wait(player=self.name, room=self._room, edit=self._pending.edit, wanted=self._pending.wanted)

    def _backoff(self) -> float:
        # Full jitter: fifty players cut off at once must not come back at once.
        limit = min(BACKOFF_LIMIT_SECONDS, BACKOFF_SECONDS * 2**self._failures)
        self._failures += 1
        return random.uniform(0, limit)

    async def _visit(self, socket: ClientConnection) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            greeting = json.loads(await socket.recv())
        opened_at = time.time()
        self._session += 1
        self._notes.open_session(self._session)
        leaves = time.monotonic() + random.expovariate(1 / self._pace.seconds_per_visit)
        try:
            while self.waits and time.monotonic() < leaves:
                await self._listen_until(socket, self._pending.wanted)
                await self._make_edit(socket)
        finally:
            self._notes.close_session(self._describe(socket, greeting, opened_at))

    async def _listen_until(self, socket: ClientConnection, deadline: float) -> None:
        """Read what the others write (and notice a close) until it is time for the next edit."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):  # asyncio's clock is time.monotonic()
                while True:
                    await socket.recv()

    async def _make_edit(self, socket: ClientConnection) -> None:
        self._pending.attempts += 1
        sent, sent_at = time.monotonic(), time.time()
        await socket.send(json.dumps({"edit": self._pending.edit, "text": f"{self.name} was here"}))
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await self._read_ack(socket)
        self._note(answer, sent, sent_at)
        self._failures = 0
        self._pending = self._next_edit()

    async def _read_ack(self, socket: ClientConnection) -> dict[str, Any]:
        while True:
            answer: dict[str, Any] = json.loads(await socket.recv())
            if answer.get("ack") == self._pending.edit:
                return answer

    def _note(self, answer: dict[str, Any], sent: float, sent_at: float) -> None:
        ack = Ack(
            player=self.name,
            room=self._room,
            edit=self._pending.edit,
            place=answer["place"],
            machine_id=answer["machine_id"],
            release=answer["release"],
            version=answer["version"],
            session=self._session,
            attempts=self._pending.attempts,
            wanted=self._pending.wanted,
            sent=sent,
            acked=time.monotonic(),
            sent_at=sent_at,
            acked_at=time.time(),
        )
        self._notes.add_ack(ack)

    def _next_edit(self) -> Pending:
        self._edits += 1
        wanted = time.monotonic() + self._pace.seconds_per_edit * random.uniform(0.5, 1.5)
        return Pending(f"{self.name}-{self._edits}", wanted)

    def _describe(self, socket: ClientConnection, greeting: dict[str, Any], opened_at: float) -> Session:
        return Session(
            player=self.name,
            room=self._room,
            session=self._session,
            machine_id=greeting["machine_id"],
            version=greeting["version"],
            opened_at=opened_at,
            closed_at=time.time(),
            code=socket.close_code or PLAYER_LEFT,
        )
