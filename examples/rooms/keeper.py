"""Keeps the rooms in S3: checkpoints while the machine serves, all and the manifest when it is drained or stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Final

import stamina

from examples.rooms.fence import NotOwner
from examples.rooms.log import say, warn
from examples.rooms.manifest import describe_saved
from examples.rooms.orders import Drain, Orders
from examples.rooms.room import Room
from examples.rooms.rooms import Rooms
from examples.rooms.settings import Settings
from examples.rooms.store import Store, StoreError, Taken

CHECK_AGAIN_SECONDS: Final = 0.5


class Keeper:
    """Saves one machine's rooms, one thing after the other: so a room has one write under way at most.

    Orders may change whenever something is awaited. So a manifest is begun only for a drain that still stands, with
    no room dirty, in one step; and it answers that drain alone. `asked` is set once S3 has answered, or has not.
    """

    def __init__(self, settings: Settings, rooms: Rooms, store: Store, orders: Orders) -> None:
        self._settings = settings
        self._rooms = rooms
        self._store = store
        self._orders = orders
        self.asked = asyncio.Event()

    async def reach(self) -> None:
        """Return once the state bucket has answered, or the machine is being stopped."""
        while not await self._answers():
            if await self._orders.until(lambda: self._orders.stopping, CHECK_AGAIN_SECONDS):
                return

    async def keep(self) -> None:
        """Save the rooms until the machine is stopped and everything is saved.

        NotOwner: it is stopped, and another release owns the state; what is not saved by now stays so.
        """
        orders = self._orders
        while not (orders.stopping and orders.saved):
            await self._keep_checkpoints()
            await self._save_for_good()
            await orders.until(lambda: orders.stopping or not orders.saved)

    async def _keep_checkpoints(self) -> None:
        """Save dirty rooms every few seconds, until there is a drain."""
        orders = self._orders
        while not await orders.until(lambda: orders.current is not None, self._settings.checkpoint_seconds):
            if self._rooms.owned:
                # Each failed room is logged, still dirty, and tried again at the next checkpoint.
                with contextlib.suppress(StoreError, NotOwner):
                    await self._save_dirty()
                    await self._tidy_up()

    async def _save_for_good(self) -> None:
        """Save every room, then the manifest; returns when S3 has confirmed all of it, or after a resume.

        Fails never: giving up would lose what could be saved a second later, so only a resume or the machine's stop
        timeout (a kill, hence no exit 0 and no manifest) ends the attempts.
        """
        forever = stamina.retry_context(
            on=self._may_try_again,
            attempts=None,
            timeout=None,
            wait_initial=0.05,
            wait_max=1.0,
            wait_jitter=0.1,
        )
        async for attempt in forever:
            with attempt:
                if self._orders.state == "draining":
                    await self._answer_drain()

    def _may_try_again(self, error: Exception) -> bool:
        # Who is drained may be told to resume; who is stopped ends, and leaves the state to its owner.
        return isinstance(error, StoreError) or (isinstance(error, NotOwner) and not self._orders.stopping)

    async def _answer_drain(self) -> None:
        try:
            await self._save_dirty()
            drain = self._orders.current
            if drain is not None and not self._rooms.dirty:
                await self._save_manifest(drain)
        except (StoreError, NotOwner) as error:
            self._orders.note_failed(str(error))
            raise

    async def _answers(self) -> bool:
        try:
            await self._store.call(lambda s3: s3.check())
        except StoreError as error:
            warn("state bucket not reached", bucket=self._settings.bucket, error=str(error))
            self._orders.note_failed(f"state bucket not reached: {error}")
            return False
        finally:
            self.asked.set()
        say("state bucket reached", bucket=self._settings.bucket, prefix=self._settings.prefix)
        return True

    async def _save_dirty(self) -> None:
        number = await self._rooms.confirm()
        dirty = self._rooms.dirty
        confirmed = await asyncio.gather(*(self._save(room, number) for room in dirty))
        if not all(confirmed):
            raise StoreError(f"{confirmed.count(False)} of {len(dirty)} rooms not saved")
        if dirty:
            say("rooms saved", rooms=[room.name for room in dirty])

    async def _save(self, room: Room, number: int | None) -> bool:
        edits = tuple(room.edits)
        # Never the same stamp twice: a write without an answer may still arrive, and must find its place below.
        room.stamp = stamp = room.stamp.next(number)
        try:
            saved = await self._store.call(lambda s3: s3.save(room.name, stamp, edits))
        except StoreError as error:
            warn("room not saved", room=room.name, edits=len(edits), error=str(error))
            if isinstance(error, Taken):
                await self._catch_up(room)
            return False
        room.note_saved(saved, len(edits))
        return True

    async def _catch_up(self, room: Room) -> None:
        """Somebody else has saved the room, if only an earlier boot of this machine: go on after that."""
        with contextlib.suppress(StoreError):
            room.stamp = max(room.stamp, await self._store.call(lambda s3: s3.newest_stamp(room.name)))

    async def _tidy_up(self) -> None:
        """Delete what this machine's own writes have superseded. A drained machine touches nothing."""
        rewritten = [room for room in self._rooms.owned.values() if room.rewritten]
        superseded = [key for room in rewritten for key in room.superseded]
        if superseded and not self._orders.current:
            try:
                await self._store.call(lambda s3: s3.delete(superseded))
            except StoreError as error:
                warn("not tidied up", keys=len(superseded), error=str(error))
                raise
            for room in rewritten:
                room.superseded.clear()

    async def _save_manifest(self, drain: Drain) -> None:
        manifest = describe_saved(self._settings, self._rooms.owned.values(), time.time(), drain.id)
        body = json.dumps(manifest).encode()
        try:
            await self._store.call(lambda s3: s3.save_manifest(body))
        except StoreError as error:
            warn("manifest not saved", error=str(error))
            raise
        self._orders.note_saved(drain)
        say("all saved", drain=drain.id, counts=manifest["counts"])
