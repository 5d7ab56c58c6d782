"""``fly proxy``: flyctl's own WireGuard tunnel, a child for each machine and port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from providers.bluegreen.model import MachineSeen
from providers.tunnels.fly_child import CannotOpen, FlyChild, open_child
from providers.tunnels.protocol import Tunnels, no_way

AT_ONCE = 8
"""How many children are brought up at the same time."""


class _FlyProxies:
    """Children by machine and port; one that has ended since is opened again when it is asked for."""

    def __init__(self, app: str, token: str) -> None:
        self._app = app
        self._token = token
        self._children: dict[tuple[str, int], FlyChild] = {}
        self._locks: dict[tuple[str, int], anyio.Lock] = {}
        self._first = anyio.Lock()
        self._limiter = anyio.CapacityLimiter(AT_ONCE)

    async def url(self, machine: MachineSeen, port: int) -> str:
        key = (machine.id, port)
        async with self._locks.setdefault(key, anyio.Lock()):
            child = self._children.get(key)
            if child and not child.alive:
                await self._children.pop(key).end()
                child = None
            if child is None:
                child = self._children[key] = await self._open(machine, port)
        host, local = child.address
        return f"http://{host}:{local}"

    async def _open(self, machine: MachineSeen, port: int) -> FlyChild:
        """The first one alone: it starts flyctl's agent, which all others then share."""
        async with self._first:
            if not self._children:
                return await self._open_one(machine, port)
        async with self._limiter:
            return await self._open_one(machine, port)

    async def _open_one(self, machine: MachineSeen, port: int) -> FlyChild:
        try:
            return await open_child(self._app, self._token, machine.id, port)
        except CannotOpen as error:
            raise no_way(machine, port, str(error), error.todo) from None

    async def end(self) -> None:
        async with anyio.create_task_group() as group:
            for child in self._children.values():
                group.start_soon(child.end)


@asynccontextmanager
async def fly_proxy(app: str, token: str) -> AsyncIterator[Tunnels]:
    """Tunnels through ``fly proxy``, which has ``token`` in its environment and is gone when the block ends."""
    proxies = _FlyProxies(app, token)
    try:
        yield proxies
    finally:
        with anyio.CancelScope(shield=True):
            await proxies.end()
