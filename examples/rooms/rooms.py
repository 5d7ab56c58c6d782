"""The rooms that this machine holds, and whom it found to hold the others."""

from __future__ import annotations

import asyncio

from examples.rooms.fence import Fence, NotOwner
from examples.rooms.keys import StateKey
from examples.rooms.log import say, warn
from examples.rooms.room import Room
from examples.rooms.shared import share
from examples.rooms.store import Store, StoreError


class Rooms:
    """Opens rooms, each once. Without a store this machine holds every room; without a fence its release always may."""

    def __init__(self, machine_id: str, store: Store | None, fence: Fence | None = None) -> None:
        self.owned: dict[str, Room] = {}
        self._machine_id = machine_id
        self._store = store
        self._fence = fence
        self._number: int | None = None  # the ownership that `owned` is right for
        self._settling = asyncio.Lock()
        # A claim never changes within a release, so an answer stays right as long as this machine runs.
        self._elsewhere: dict[str, str] = {}
        self._opening: dict[str, asyncio.Task[Room | str]] = {}

    @property
    def dirty(self) -> list[Room]:
        """The rooms with edits that S3 has not confirmed."""
        return [room for room in self.owned.values() if room.dirty]

    def held(self, name: str) -> Room | None:
        """The room if it is open here and its edits may be taken at this moment."""
        return self.owned.get(name) if self._holds(self._number) else None

    async def open(self, name: str) -> Room | str:
        """The room, or the id of the machine that holds it. NotOwner, StoreError: not now, ask again.

        State is loaded here and not at boot, because a new cluster boots before the old one has saved.
        """
        number = await self.hold()
        known = self.owned.get(name) or self._elsewhere.get(name)
        if known is not None:
            return known
        if name not in self._opening:
            self._opening[name] = share(self._open_once(name, number))
        return await asyncio.shield(self._opening[name])

    async def hold(self) -> int | None:
        """The owner number that rooms may be opened and saved under; None without a fence. NotOwner, StoreError."""
        if self._fence is None:
            return None
        number = await self._fence.hold()
        if number != self._number:
            await self._settle(number)
        return number

    async def confirm(self) -> int | None:
        """As `hold`, after looking at S3 again."""
        if self._fence:
            await self._fence.confirm()
        return await self.hold()

    def doubt(self) -> None:
        """Trust nothing but memory: look the owner of the state up anew, and save every room anew.

        A drain is taken back because its proof failed, maybe since S3 lost what it had confirmed: then memory has it.
        """
        if self._fence:
            self._fence.doubt()
        for room in self.owned.values():
            room.doubt_saved()

    def _holds(self, number: int | None) -> bool:
        return self._fence is None or (number is not None and self._fence.number == number == self._number)

    async def _settle(self, number: int) -> None:
        """Memory is right for an ownership that has ended: drop what another owner has gone on with since."""
        async with self._settling:
            before = self._number
            if before == number:
                return
            newest: dict[str, StateKey] = {}
            if self.owned and self._store:
                newest = await self._store.call(lambda s3: s3.newest_states())
            if self._fence is None or self._fence.number != number:
                raise StoreError("the owner of the state changed again")
            for name, key in newest.items():
                if before is not None and key.stamp.number > before:
                    self._drop(name)
            self._number = number

    def _drop(self, name: str) -> None:
        if room := self.owned.pop(name, None):
            unsaved = len(room.edits) - room.saved_edits
            warn("room dropped", room=name, unsaved=unsaved, why="another owner has saved it since")

    async def _open_once(self, name: str, number: int | None) -> Room | str:
        try:
            found = await self._claim_and_load(name, number)
        except StoreError as error:
            warn("room not opened", room=name, error=str(error))
            raise
        finally:
            del self._opening[name]
        if not self._holds(number):
            raise StoreError(f"the owner of the state changed while {name} was opened")
        # Known before the task ends: who asks next finds it here, and never opens the room a second time.
        if isinstance(found, Room):
            self.owned[name] = found
        else:
            self._elsewhere[name] = found
        return found

    async def _claim_and_load(self, name: str, number: int | None) -> Room | str:
        if self._store is None:
            return Room(name)
        claim = await self._store.call(lambda s3: s3.claim(name))
        if claim.machine_id != self._machine_id:
            return claim.machine_id
        room = await self._store.call(lambda s3: s3.load(name))
        if self._fence and number is not None and room.stamp.number > number:
            self._fence.lose(number, f"{name} was saved by owner {room.stamp.number}")
            raise NotOwner(f"{name} was saved by owner {room.stamp.number}, and this one is {number}")
        say("room opened", room=name, claim="new" if claim.new else "resumed", edits=len(room.edits))
        return room
