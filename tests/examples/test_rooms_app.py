"""The player's side of a machine, with a scripted socket: orders that real sockets leave to chance."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import cast

import pytest
from websockets.asyncio.server import ServerConnection

from examples.rooms.app import App
from examples.rooms.room import Room
from examples.rooms.rooms import Rooms
from examples.rooms.settings import Settings


class ScriptedSocket:
    """Delivers edits, and notes what is sent back; `before` runs before each edit is delivered."""

    def __init__(self, edits: list[str], before: Callable[[str], None]) -> None:
        self.request = SimpleNamespace(path="/rooms/lobby?player=ada")
        self.sent: list[dict[str, object]] = []
        self.closed: int | None = None
        self._edits = edits
        self._before = before

    async def send(self, message: str) -> None:
        self.sent.append(json.loads(message))

    async def close(self, code: int, reason: str) -> None:
        self.closed = code

    async def __aiter__(self) -> AsyncIterator[str]:
        for edit in self._edits:
            self._before(edit)
            yield json.dumps({"edit": edit, "text": ""})


@pytest.fixture
def app() -> App:
    """A machine with one open room."""
    app = App(Settings.from_env({}, started_at=0.0), Rooms("m1", None))
    app.rooms.owned["lobby"] = Room("lobby")
    return app


@pytest.mark.anyio
async def test_no_edit_is_taken_once_the_term_is_over(app: App) -> None:
    """An edit that was still in the socket's buffer is neither kept nor acknowledged."""

    def end_at(edit: str) -> None:
        if edit == "late":
            app.end_term()

    socket = ScriptedSocket(["early", "late"], end_at)
    await app.serve_player(cast(ServerConnection, socket))
    assert [message["ack"] for message in socket.sent if "ack" in message] == ["early"]
    assert [edit.edit for edit in app.rooms.owned["lobby"].edits] == ["early"]


@pytest.mark.anyio
async def test_a_socket_of_the_last_term_edits_nothing_in_the_next(app: App) -> None:
    """What a socket that the drain closes still has in its buffer stays refused after a quick resume."""

    def end_and_begin_at(edit: str) -> None:
        if edit == "late":
            app.end_term()
            app.begin_term()

    socket = ScriptedSocket(["early", "late"], end_and_begin_at)
    await app.serve_player(cast(ServerConnection, socket))
    assert [message["ack"] for message in socket.sent if "ack" in message] == ["early"]
    assert [edit.edit for edit in app.rooms.owned["lobby"].edits] == ["early"]


@pytest.mark.anyio
async def test_who_arrives_just_after_the_drain_is_sent_away(app: App) -> None:
    """A handshake that was answered before the drain ends with 1012, unheard."""
    app.end_term()
    socket = ScriptedSocket(["late"], lambda edit: None)
    await app.serve_player(cast(ServerConnection, socket))
    assert (socket.closed, socket.sent) == (1012, [])
