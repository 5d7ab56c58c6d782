"""What one machine holds, and its side of a player's socket."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

from examples.rooms.room import Edit, Room, show
from examples.rooms.rooms import Rooms
from examples.rooms.settings import Settings

SERVICE_RESTART: Final = 1012
MAX_ID: Final = 128
NOT_AN_EDIT: Final = json.dumps({"error": 'an edit is {"edit": id, "text": text}'})


class App:
    """The rooms, their sockets, and whether edits are still taken."""

    def __init__(self, settings: Settings, rooms: Rooms) -> None:
        self.settings = settings
        self.rooms = rooms
        self.stopping = asyncio.Event()
        self._sockets: defaultdict[str, set[ServerConnection]] = defaultdict(set)

    @property
    def sockets(self) -> Iterable[ServerConnection]:
        """Every player's socket."""
        return [socket for sockets in self._sockets.values() for socket in sockets]

    async def serve_player(self, socket: ServerConnection) -> None:
        """Greet the player, then take edits until the socket closes or the machine is stopped."""
        assert socket.request is not None, "the handshake is over"
        url = urlsplit(socket.request.path)
        room = self.rooms.owned[url.path.rpartition("/")[2]]
        player = parse_qs(url.query).get("player", ["someone"])[0][:MAX_ID]
        if self.stopping.is_set():
            # Its handshake was answered just before the stop: `close_when_stopped` may have missed it.
            return await socket.close(SERVICE_RESTART, "restart")
        self._sockets[room.name].add(socket)
        try:
            await socket.send(self._greeting(room))
            async for message in socket:
                await self._take(socket, room, player, message)
        except ConnectionClosed:
            pass
        finally:
            self._sockets[room.name].discard(socket)

    async def close_when_stopped(self) -> None:
        """Once stopped, close every socket with 1012 (service restart) and wait for the players' answers."""
        await self.stopping.wait()
        await asyncio.gather(*(socket.close(SERVICE_RESTART, "restart") for socket in self.sockets))

    async def _take(self, socket: ServerConnection, room: Room, player: str, message: str | bytes) -> None:
        if self.stopping.is_set():
            return None  # Neither kept nor acknowledged: the player sends it again, to the next owner.
        edit = read_edit(message, player if self.settings.shows_authors else None)
        if edit is None:
            return await socket.send(NOT_AN_EDIT)
        place, new = room.take(edit)
        if new:
            shown = show(edit, authors=self.settings.shows_authors) | {"place": place}
            broadcast(self._sockets[room.name] - {socket}, json.dumps(shown))
        return await socket.send(
            json.dumps({"ack": edit.edit, "place": place, "room": room.name} | self._who())
        )

    def _greeting(self, room: Room) -> str:
        hello: dict[str, object] = {"room": room.name, "places": len(room.edits)} | self._who()
        if self.settings.shows_authors:
            hello["greeting"] = f"Welcome to {room.name}: edits now carry their author."
        return json.dumps(hello)

    def _who(self) -> dict[str, object]:
        settings = self.settings
        return {
            "machine_id": settings.machine_id,
            "release": settings.release,
            "version": settings.version,
        }


def read_edit(message: str | bytes, author: str | None) -> Edit | None:
    """A client's message as an edit; None when it is not one."""
    try:
        fields = json.loads(message)
        edit, text = fields["edit"], fields["text"]
    except (ValueError, KeyError, TypeError):
        return None
    if not (isinstance(edit, str) and isinstance(text, str) and 0 < len(edit) <= MAX_ID):
        return None
    return Edit(edit, text, author)
