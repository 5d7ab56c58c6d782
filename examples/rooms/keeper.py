"""Keeps the rooms in S3: checkpoints while the machine runs, all and the manifest when it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Final

import stamina

from examples.rooms.log import say, warn
from examples.rooms.manifest import describe_saved
from examples.rooms.room import Room
from examples.rooms.rooms import Rooms
from examples.rooms.settings import Settings
from examples.rooms.store import Store, StoreError

CHECK_AGAIN_SECONDS: Final = 0.5


class Keeper:
    """Saves one machine's rooms.

    `keep` does one thing after the other, checkpoints and then the final save: so a room has one write under
    way at most, and nothing is written after the final save. A write that timed out may still reach S3 behind
    a newer one: then the object's ETag is not the one in the manifest, and whoever checks the proof sees it.
    """

    def __init__(self, settings: Settings, rooms: Rooms, store: Store) -> None:
        self._settings = settings
        self._rooms = rooms
        self._store = store

    async def keep(self, stopping: asyncio.Event) -> None:
        """Save the rooms until the machine is stopped, and then for good."""
        await self._keep_checkpoints(stopping)
        await self._save_for_good()

    async def reach(self, stopping: asyncio.Event) -> None:
        """Return once the state bucket has answered, or the machine is being stopped."""
        while not await self._answers():
            if await _happened(stopping, CHECK_AGAIN_SECONDS):
                return

    async def _keep_checkpoints(self, stopping: asyncio.Event) -> None:
        """Save dirty rooms every few seconds, until `stopping`."""
        while not await _happened(stopping, self._settings.checkpoint_seconds):
            # Each failed room is logged, still dirty, and tried again at the next checkpoint.
            with contextlib.suppress(StoreError):
                await self._save_dirty()

    async def _save_for_good(self) -> None:
        """Save every room, then the manifest; returns only when S3 has confirmed all of it.

        Fails never: giving up would lose what could be saved a second later, so only the machine's stop
        timeout (a kill, hence no exit 0 and no manifest) ends the attempts.
        """
        forever = stamina.retry_context(
            on=StoreError, attempts=None, timeout=None, wait_initial=0.05, wait_max=1.0, wait_jitter=0.1
        )
        async for attempt in forever:
            with attempt:
                await self._save_dirty()
                await self._save_manifest()

    async def _answers(self) -> bool:
        try:
            await self._store.call(lambda s3: s3.check())
        except StoreError as error:
            warn("state bucket not reached", bucket=self._settings.bucket, error=str(error))
            return False
        say("state bucket reached", bucket=self._settings.bucket, prefix=self._settings.prefix)
        return True

    async def _save_dirty(self) -> None:
        dirty = [room for room in self._rooms.owned.values() if room.dirty]
        confirmed = await asyncio.gather(*map(self._save, dirty))
        if not all(confirmed):
            raise StoreError(f"{confirmed.count(False)} of {len(dirty)} rooms not saved")
        if dirty:
            say("rooms saved", rooms=[room.name for room in dirty])

    async def _save(self, room: Room) -> bool:
        edits = tuple(room.edits)
        try:
            room.saved = await self._store.call(lambda s3: s3.save(room.name, edits))
        except StoreError as error:
            warn("room not saved", room=room.name, edits=len(edits), error=str(error))
            return False
        room.saved_edits = len(edits)
        return True

    async def _save_manifest(self) -> None:
        manifest = describe_saved(self._settings, self._rooms.owned.values(), time.time())
        body = json.dumps(manifest).encode()
        try:
            await self._store.call(lambda s3: s3.save_manifest(body))
        except StoreError as error:
            warn("manifest not saved", error=str(error))
            raise
        say("all saved", counts=manifest["counts"])


async def _happened(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, at most so long; whether it happened."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()
