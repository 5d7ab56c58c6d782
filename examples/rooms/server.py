"""One machine's life: listen, serve, and on SIGTERM save everything before it ends."""

from __future__ import annotations

import asyncio
import signal
from typing import Final

from websockets.asyncio.server import Server, serve

from examples.rooms.app import App
from examples.rooms.endpoints import Endpoints
from examples.rooms.keeper import Keeper
from examples.rooms.log import say, warn
from examples.rooms.rooms import Rooms
from examples.rooms.settings import Settings
from examples.rooms.store import Store

CLOSE_SECONDS: Final = 1
MAX_MESSAGE_BYTES: Final = 64 * 1024


async def run(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; returns when all is saved. Port 0 takes a free one (see the log)."""
    store = Store(settings, settings.bucket) if settings.bucket else None
    rooms = Rooms(settings.machine_id, store)
    app = App(settings, rooms)
    _stop_on_signals(app)
    endpoints = Endpoints(app, ready=store is None)
    server = await _listen(app, endpoints, host, port)
    if store is None:
        warn("memory only", why="BLUEGREEN_STATE_BUCKET is not set: nothing will be saved")
        await app.close_when_stopped()
    else:
        keeper = Keeper(settings, rooms, store)
        await asyncio.gather(app.close_when_stopped(), _keep(endpoints, keeper, app.stopping))
    # Not waited for: once everything is saved, a client that sits on an idle connection delays nothing.
    server.close()


async def _keep(endpoints: Endpoints, keeper: Keeper, stopping: asyncio.Event) -> None:
    await keeper.reach(stopping)
    endpoints.ready = True
    await keeper.keep(stopping)


async def _listen(app: App, endpoints: Endpoints, host: str, port: int) -> Server:
    server = await serve(
        app.serve_player,
        host,
        port,
        process_request=endpoints.answer,
        compression=None,
        close_timeout=CLOSE_SECONDS,
        max_size=MAX_MESSAGE_BYTES,
    )
    settings = app.settings
    say(
        "listening",
        host=host,
        port=server.sockets[0].getsockname()[1],
        version=settings.version,
        release=settings.release,
        machine_id=settings.machine_id,
    )
    return server


def _stop_on_signals(app: App) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, app, number)


def _stop(app: App, number: signal.Signals) -> None:
    # A second signal is no reason to hurry: a long drain is signalled first and stopped afterwards.
    say("stopping", signal=number.name, rooms=len(app.rooms.owned))
    app.stopping.set()
