"""The rooms that this machine owns, and whom it found to own the others."""

from __future__ import annotations

import asyncio

from examples.rooms.log import say, warn
from examples.rooms.room import Room
from examples.rooms.store import Store, StoreError


class Rooms:
    """Opens rooms, each once. Without a store this machine owns every room."""

    def __init__(self, machine_id: str, store: Store | None) -> None:
        self.owned: dict[str, Room] = {}
        self._machine_id = machine_id
        self._store = store
        # An owner never changes within a release, so an answer stays right as long as this machine runs.
        self._elsewhere: dict[str, str] = {}
        self._opening: dict[str, asyncio.Task[Room | str]] = {}

    async def open(self, name: str) -> Room | str:
        """The room, or the id of the machine that owns it. StoreError: not known now, ask again.

        State is loaded here and not at boot, because a new cluster boots before the old one has saved.
        """
        known = self.owned.get(name) or self._elsewhere.get(name)
        if known is not None:
            return known
        if name not in self._opening:
            self._opening[name] = asyncio.create_task(self._open_once(name))
        # Shielded: the player who gives up first must not keep the others out.
        return await asyncio.shield(self._opening[name])

    async def _open_once(self, name: str) -> Room | str:
        try:
            found = await self._claim_and_load(name)
        except StoreError as error:
            warn("room not opened", room=name, error=str(error))
            raise
        finally:
            del self._opening[name]
        # Known before the task ends: who asks next finds it here, and never opens the room a second time.
        if isinstance(found, Room):
            self.owned[name] = found
        else:
            self._elsewhere[name] = found
        return found

    async def _claim_and_load(self, name: str) -> Room | str:
        if self._store is None:
            return Room(name)
        claim = await self._store.call(lambda s3: s3.claim(name))
        if claim.machine_id != self._machine_id:
            return claim.machine_id
        room = await self._store.call(lambda s3: s3.load(name))
        say("room opened", room=name, claim="new" if claim.new else "resumed", edits=len(room.edits))
        return room
