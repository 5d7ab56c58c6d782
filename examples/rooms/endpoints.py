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
from examples.rooms.room import Room, show
from examples.rooms.store import StoreError

ROOM_PATH: Final = re.compile(r"/rooms/([A-Za-z0-9_-]{1,64})")


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
        if self._app.stopping.is_set():
            return _json(socket, HTTPStatus.SERVICE_UNAVAILABLE, {"status": "draining"})
        if not self.ready:
            return _json(socket, HTTPStatus.SERVICE_UNAVAILABLE, {"status": "starting"})
        return _json(socket, HTTPStatus.OK, {"status": "ok"})

    def _version(self) -> dict[str, object]:
        settings = self._app.settings
        return {
            "version": settings.version,
            "release": settings.release,
            "machine_id": settings.machine_id,
            "region": settings.region,
            "rooms": len(self._app.rooms.owned),
            "sockets": len(list(self._app.sockets)),
        }

    async def _room(self, socket: ServerConnection, name: str, *, upgrade: bool) -> Response | None:
        try:
            room = await self._app.rooms.open(name)
        except StoreError as error:
            return _json(socket, HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)})
        if isinstance(room, str):
            return _replay(socket, owner=room)
        if self._app.stopping.is_set():
            return _json(socket, HTTPStatus.SERVICE_UNAVAILABLE, {"error": "draining"})
        return None if upgrade else _json(socket, HTTPStatus.OK, self._contents(room))

    def _contents(self, room: Room) -> dict[str, object]:
        authors = self._app.settings.shows_authors
        edits = [show(edit, authors=authors) for edit in room.edits]
        return {"room": room.name, "edits": edits} | self._version()


def _replay(socket: ServerConnection, owner: str) -> Response:
    response = _json(socket, HTTPStatus.CONFLICT, {"owner": owner})
    response.headers["fly-replay"] = f"instance={owner}"
    return response


def _json(socket: ServerConnection, status: HTTPStatus, body: dict[str, object]) -> Response:
    response = socket.respond(status, json.dumps(body) + "\n")
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response
