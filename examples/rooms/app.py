"""What one machine holds, and its side of a player's socket."""

from __future__ import annotations

import asyncio
import json
from typing import Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

from examples.rooms.room import Edit, Room, show
from examples.rooms.rooms import Rooms
from examples.rooms.settings import Settings
from examples.rooms.term import Term, close

MAX_ID: Final = 128
NOT_AN_EDIT: Final = json.dumps({"error": 'an edit is {"edit": id, "text": text}'})


class App:
    """The rooms and their players. `term` is the stretch of serving that is under way, None while there is none."""

    def __init__(self, settings: Settings, rooms: Rooms) -> None:
        self.settings = settings
        self.rooms = rooms
        self.term: Term | None = Term()
        self._closing: set[asyncio.Task[None]] = set()

    def begin_term(self) -> None:
        """Let players in again."""
        self.term = self.term or Term()

    def end_term(self) -> None:
        """Take no more edits, from this moment on, and send the players away."""
        if self.term is None:
            return
        self.term.over = True
        closing = asyncio.create_task(self.term.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self.term = None

    def renew_term(self) -> None:
        """Send the players away; they come back as far as the rooms are still this machine's."""
        if self.term is not None:
            self.end_term()
            self.begin_term()

    async def closed(self) -> None:
        """Wait until every player who was sent away has answered."""
        await asyncio.gather(*self._closing)

    async def serve_player(self, socket: ServerConnection) -> None:
        """Greet the player, then take edits until the socket closes or the term is over."""
        assert socket.request is not None, "the handshake is over"
        url = urlsplit(socket.request.path)
        term, room = self.term, self.rooms.held(url.path.rpartition("/")[2])
        if term is None or room is None:
            return await close(socket)  # Its handshake was answered just before the term ended.
        player = parse_qs(url.query).get("player", ["someone"])[0][:MAX_ID]
        term.join(room.name, socket)
        try:
            await socket.send(self._greeting(room))
            async for message in socket:
                await self._take(term, socket, room, player, message)
        except ConnectionClosed:
            pass
        finally:
            term.leave(room.name, socket)

    async def _take(
        self, term: Term, socket: ServerConnection, room: Room, player: str, message: str | bytes
    ) -> None:
        if term.over:
            return None  # Neither kept nor acknowledged: the player sends it again, to the next owner.
        edit = read_edit(message, player if self.settings.shows_authors else None)
        if edit is None:
            return await socket.send(NOT_AN_EDIT)
        place, new = room.take(edit)
        if new:
            shown = show(edit, authors=self.settings.shows_authors) | {"place": place}
            broadcast(term.others(room.name, socket), json.dumps(shown))
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
