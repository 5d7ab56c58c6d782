"""One stretch of serving: from boot or resume until a drain, a stop, or the loss of the state."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

from websockets.asyncio.server import ServerConnection

SERVICE_RESTART: Final = 1012


class Term:
    """The sockets that joined it. Once it is over, nothing that they still deliver is taken, by the next term either.

    Without that, an edit from the buffer of a socket that the drain is closing would be taken after a quick resume.
    """

    def __init__(self) -> None:
        self.over = False
        self._sockets: defaultdict[str, set[ServerConnection]] = defaultdict(set)

    @property
    def sockets(self) -> list[ServerConnection]:
        """Every player's socket."""
        return [socket for sockets in self._sockets.values() for socket in sockets]

    def join(self, room: str, socket: ServerConnection) -> None:
        """A player came in."""
        self._sockets[room].add(socket)

    def leave(self, room: str, socket: ServerConnection) -> None:
        """A player has gone."""
        self._sockets[room].discard(socket)

    def others(self, room: str, socket: ServerConnection) -> set[ServerConnection]:
        """Who else is in the room."""
        return self._sockets[room] - {socket}

    async def close(self) -> None:
        """Close every socket with 1012 (service restart), and wait for the players' answers."""
        await asyncio.gather(*(close(socket) for socket in self.sockets))


async def close(socket: ServerConnection) -> None:
    """Tell a player to come back."""
    await socket.close(SERVICE_RESTART, "restart")
