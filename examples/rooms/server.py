"""One machine's life: listen, serve, obey, and save everything before it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
from importlib import import_module
from typing import Final

from websockets.asyncio.server import Server, serve

from examples.rooms.app import App
from examples.rooms.endpoints import Endpoints
from examples.rooms.fence import Fence, NotOwner
from examples.rooms.keeper import Keeper
from examples.rooms.log import say, warn
from examples.rooms.orders import MEMORY_ONLY, Orders
from examples.rooms.rooms import Rooms
from examples.rooms.settings import Settings
from examples.rooms.store import Store

CLOSE_SECONDS: Final = 1
BACKLOG: Final = 100
"""What asyncio would take: some dozens of players come back at once."""
MAX_MESSAGE_BYTES: Final = 64 * 1024


async def run(settings: Settings, host: str, port: int, private_port: int) -> bool:
    """Serve until SIGTERM or SIGINT; True when all is saved. Port 0 takes a free one (see the log)."""
    store = Store(settings, settings.bucket) if settings.bucket else None
    fence = Fence(store, settings.release, added=settings.added) if store and settings.fenced else None
    rooms = Rooms(settings.machine_id, store, fence)
    app = App(settings, rooms)
    if fence:
        fence.on_lost = app.renew_term
    orders = Orders(app, can_save=store is not None)
    keeper = Keeper(settings, rooms, store, orders) if store else None
    _obey_signals(orders)
    endpoints = Endpoints(app, ready=keeper is None)
    with _bind(host, private_port) as listener:
        server = await _listen(app, endpoints, _bind(host, port), listener)
        async with asyncio.TaskGroup() as tasks:
            private = tasks.create_task(_serve_private(listener, orders, store, keeper))
            saved = await (_keep(keeper, endpoints, rooms) if keeper else _keep_nothing(orders))
            await app.closed()
            private.cancel()
    # Not waited for: once everything is saved, a client that sits on an idle connection delays nothing.
    server.close()
    return saved


async def _keep_nothing(orders: Orders) -> bool:
    warn("memory only", why=MEMORY_ONLY)
    return await orders.until(lambda: orders.stopping)


async def _keep(keeper: Keeper, endpoints: Endpoints, rooms: Rooms) -> bool:
    await keeper.reach()
    endpoints.ready = True
    try:
        await keeper.keep()
    except NotOwner as error:
        warn("nothing more saved", why=str(error), unsaved=[room.name for room in rooms.dirty])
    return not rooms.dirty


async def _serve_private(
    listener: socket.socket, orders: Orders, store: Store | None, keeper: Keeper | None
) -> None:
    # Imported when S3 has answered: both at once kept the machine from being healthy for 0.13 s (measured). Who
    # connects before that waits in the socket's backlog.
    if keeper:
        await keeper.asked.wait()
    private = await asyncio.to_thread(import_module, "examples.rooms.private")
    await private.serve(listener, orders, store)


async def _listen(app: App, endpoints: Endpoints, public: socket.socket, listener: socket.socket) -> Server:
    server = await serve(
        app.serve_player,
        sock=public,
        process_request=endpoints.answer,
        compression=None,
        close_timeout=CLOSE_SECONDS,
        max_size=MAX_MESSAGE_BYTES,
    )
    settings = app.settings
    say(
        "listening",
        host=public.getsockname()[0],
        port=public.getsockname()[1],
        private_port=listener.getsockname()[1],
        version=settings.version,
        release=settings.release,
        machine_id=settings.machine_id,
        fenced=settings.fenced,
    )
    return server


def _bind(host: str, port: int) -> socket.socket:
    """A listening socket at the first address of the host, which may be a name or of either family; `::` is of both."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    listener = socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=both)
    # What it accepts inherits this. asyncio sets it only on sockets with a protocol number, and this one has none.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _obey_signals(orders: Orders) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, orders, number)
    # A signal has no id, so each SIGUSR1 asks for a manifest of its own.
    loop.add_signal_handler(signal.SIGUSR1, lambda: orders.drain(None, anew=True))
    loop.add_signal_handler(signal.SIGHUP, orders.resume)


def _stop(orders: Orders, number: signal.Signals) -> None:
    # A second signal is no reason to hurry: a long drain is signalled first and stopped afterwards.
    say("stopping", signal=number.name, state=orders.state)
    orders.stop()
