"""What a machine answers over HTTP, and to a handshake that must go elsewhere."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from examples.rooms.app import App
from examples.rooms.fence import NotOwner
from examples.rooms.keys import ROOM_NAME
from examples.rooms.room import Room, show
from examples.rooms.store import StoreError

ROOM_PATH: Final = re.compile(rf"/rooms/({ROOM_NAME})")
RETRY_AFTER_SECONDS: Final = 1  # the least that HTTP can say


class Endpoints:
    """Answers one machine's requests; `ready` turns true once its state bucket has answered."""

    def __init__(self, app: App, *, ready: bool) -> None:
        self.ready = ready
        self._app = app

    async def answer(self, socket: ServerConnection, request: Request) -> Response | None:
        """The response, or None to go on with a WebSocket handshake."""
        path = urlsplit(request.path).path
        if path == "/health":
            return self._health(socket)
        if path == "/version":
            return _json(socket, HTTPStatus.OK, self._version())
        if room := ROOM_PATH.fullmatch(path):
            return await self._room(socket, room[1], upgrade="Upgrade" in request.headers)
        return _json(socket, HTTPStatus.NOT_FOUND, {"error": "try /health, /version or /rooms/<room>"})

    def _health(self, socket: ServerConnection) -> Response:
        if self._app.term is None:
            return _json(socket, HTTPStatus.SERVICE_UNAVAILABLE, {"status": "draining"})
        if not self.ready:
            return _json(socket, HTTPStatus.SERVICE_UNAVAILABLE, {"status": "starting"})
        return _json(socket, HTTPStatus.OK, {"status": "ok"})

    def _version(self) -> dict[str, object]:
        settings, term = self._app.settings, self._app.term
        return {
            "version": settings.version,
            "release": settings.release,
            "machine_id": settings.machine_id,
            "region": settings.region,
            "rooms": len(self._app.rooms.owned),
            "sockets": len(term.sockets) if term else 0,
        }

    async def _room(self, socket: ServerConnection, name: str, *, upgrade: bool) -> Response | None:
        if self._app.term is None:
            return _refuse(socket, "draining")
        try:
            room = await self._app.rooms.open(name)
        except (NotOwner, StoreError) as error:
            return _refuse(socket, str(error))
        if isinstance(room, str):
            return _replay(socket, owner=room)
        if self._app.term is None:
            return _refuse(socket, "draining")
        return None if upgrade else _json(socket, HTTPStatus.OK, self._contents(room))

    def _contents(self, room: Room) -> dict[str, object]:
        authors = self._app.settings.shows_authors
        edits = [show(edit, authors=authors) for edit in room.edits]
        return {"room": room.name, "edits": edits} | self._version()


def _refuse(socket: ServerConnection, why: str) -> Response:
    response = _json(socket, HTTPStatus.SERVICE_UNAVAILABLE, {"error": why})
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _replay(socket: ServerConnection, owner: str) -> Response:
    response = _json(socket, HTTPStatus.CONFLICT, {"owner": owner})
    response.headers["fly-replay"] = f"instance={owner}"
    return response


def _json(socket: ServerConnection, status: HTTPStatus, body: dict[str, object]) -> Response:
    response = socket.respond(status, json.dumps(body) + "\n")
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response
