"""Applications on loopback, for as long as their task group lasts."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import anyio
import uvicorn
from anyio.abc import SocketAttribute, TaskGroup
from starlette.types import ASGIApp

import simulator.proxy
from simulator.serve import Server
from simulator.world import World

LOOKS_EVERY_S = 0.01
SETTLES_WITHIN_S = 30.0
HOLDS_S = 5.0


def serve(tasks: TaskGroup, app: ASGIApp) -> str:
    """An application on a free port: its address."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as simulator.serve
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, lifespan="off", ws="none", server_header=False
    )

    server = Server(config)

    async def run() -> None:
        with listener:
            try:
                await server.serve(sockets=[listener])
            finally:
                # A cancelled server leaves both. The loop would go on watching the listener's number, and what gets it
                # next cannot be watched: then a site beside this one cannot connect (ENOENT), and its machines hang.
                asyncio.get_running_loop().remove_reader(listener)
                for connection in list(server.server_state.connections):
                    connection.transport.abort()

    tasks.start_soon(run)
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


async def serve_proxy(tasks: TaskGroup, world: World) -> str:
    """The world's proxy on a free port: its address."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no Django

    async def run() -> None:
        await simulator.proxy.serve(listener, world.routes, world.history, hold=HOLDS_S)

    tasks.start_soon(run)
    return f"http://127.0.0.1:{port}"


async def until(condition: Callable[[], bool], what: str, within: float = SETTLES_WITHIN_S) -> None:
    """Wait until a condition holds; fails with ``what`` otherwise."""
    with anyio.move_on_after(within):
        while not condition():
            with anyio.move_on_after(LOOKS_EVERY_S):
                await anyio.sleep_forever()
        return
    raise AssertionError(f"not within {within:g} s: {what}")
