"""One machine without its sockets: orders, rooms and keeper, over a bucket in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import chain, cycle
from typing import Any

import anyio.lowlevel

from examples.rooms.app import App
from examples.rooms.fence import Fence, NotOwner
from examples.rooms.keeper import Keeper
from examples.rooms.orders import Orders
from examples.rooms.room import Edit
from examples.rooms.rooms import Rooms
from examples.rooms.settings import Settings
from examples.rooms.store import StoreError
from tests.examples.memory_s3 import MemoryBucket, SlowStore

BLUE, GREEN = "1-blue", "2-green"
DEADLINE = 30.0
RARELY, ALWAYS = 3600.0, 1e-9  # seconds between checkpoints


class MemoryMachine:
    """A machine of the release; its id is the release's name, so that each release has one."""

    def __init__(
        self,
        bucket: MemoryBucket,
        release: str = BLUE,
        *,
        fenced: bool = True,
        added: bool = False,
        checkpoints: float = RARELY,
        pauses: Iterable[int] = (),
    ) -> None:
        environ = {"BLUEGREEN_RELEASE": release, "FLY_MACHINE_ID": release}
        told = Settings.from_env(environ | {"ROOMS_CHECKPOINT_SECONDS": str(checkpoints)}, started_at=0.0)
        store = SlowStore(told, bucket, chain(pauses, cycle([1]))).as_store
        self.bucket = bucket
        self.release = release
        self.acked: list[str] = []
        self.fence = Fence(store, release, added=added) if fenced else None
        self.rooms = Rooms(release, store, self.fence)
        self.app = App(told, self.rooms)
        if self.fence:
            self.fence.on_lost = self.app.renew_term
        self.orders = Orders(self.app, can_save=True)
        self.keeper = Keeper(told, self.rooms, store, self.orders)

    async def edit(self, room: str, edit: str) -> bool:
        """As a player does: come in, edit, and get it acknowledged; whether that worked."""
        if self.app.term is None:
            return False
        try:
            await self.rooms.open(room)
        except (NotOwner, StoreError):
            return False
        return self.edit_at_once(room, edit)

    def edit_at_once(self, room: str, edit: str) -> bool:
        """As a player does who is in already."""
        held = self.rooms.held(room)
        if self.app.term is None or held is None:
            return False
        held.take(Edit(edit, "text"))
        self.acked.append(edit)
        return True

    @property
    def manifest(self) -> Any:
        return self.bucket.manifest(self.release, self.release)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the rooms during the block; then stop, and wait for the end."""
        keeping = asyncio.create_task(self.keeper.keep())
        try:
            yield
            self.orders.stop()
            async with asyncio.timeout(DEADLINE):
                await keeping
        finally:
            keeping.cancel()

    async def reach(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                await anyio.lowlevel.checkpoint()


def owned_by_blue() -> MemoryBucket:
    """A bucket whose state blue owns."""
    bucket = MemoryBucket()
    bucket.hand_over(1, BLUE)
    return bucket
