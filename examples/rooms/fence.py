"""The fence: a machine touches no room before its release owns the state, and none after.

`<prefix>owners/<number>.json` names a release; the deployer creates the next number once the last owner's state is
proven saved, and the highest one counts (docs/handover.md). No clock and no message is trusted: only what S3 lists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from examples.rooms.log import say, warn
from examples.rooms.shared import share
from examples.rooms.store import Owner, Store, StoreError

LOOK_AGAIN_SECONDS: Final = 0.1


class NotOwner(Exception):
    """Another release owns the state, or nobody does yet."""


class Fence:
    """Whether one release owns the state; `number` is that of its record while it is known to.

    `added`: the machine came to a release that may own the state already, and touches nothing before it is let in: it
    may be removed again, and a room that it had claimed would have no owner left.
    """

    def __init__(self, store: Store, release: str, *, added: bool = False) -> None:
        self.number: int | None = None
        self.on_lost: Callable[[], None] = lambda: None
        self._store = store
        self._release = release
        self._waits = added
        self._highest: Owner | None = None
        self._looking: asyncio.Task[int] | None = None
        self._look_again_at = 0.0
        self._refusal = ""

    async def hold(self) -> int:
        """The number under which the release owns the state. NotOwner, StoreError: it may touch nothing now.

        Remembered until `doubt`. Everybody who asks meanwhile shares one look, and a refusal stands for 0.1 s.
        """
        if self.number is not None:
            return self.number
        if self._looking is None or (self._looking.done() and self._now() >= self._look_again_at):
            self._looking = share(self._look())
        return await asyncio.shield(self._looking)

    async def confirm(self) -> int:
        """Look whether the release still owns the state, as `hold` does; before anything is written."""
        number = self.number
        if number is not None:
            highest = await self._find_highest()
            if highest is None or highest.number > number:
                self.lose(number, f"{_name(highest)} came after record {number}")
        return await self.hold()

    def lose(self, number: int, why: str) -> None:
        """What was owned under this number is owned no more, at once: edits are refused before anything else."""
        if number == self.number:
            warn("state lost", why=why)
            self.doubt()
            self.on_lost()

    def doubt(self) -> None:
        """Forget what is known: the next who asks looks anew, and no look that is under way counts any more."""
        self.number = None
        self._looking = None

    async def _look(self) -> int:
        myself = asyncio.current_task()
        try:
            highest = await self._find_highest()
            admitted = not self._waits or await self._store.call(lambda s3: s3.is_admitted())
        finally:
            self._look_again_at = self._now() + LOOK_AGAIN_SECONDS
        if self._looking is not myself:
            # Not a refusal: who is about to save must try again, and not leave the state to somebody else.
            raise StoreError("the owner of the state is looked up anew")
        if highest is None or highest.release != self._release:
            raise self._refuse(f"{_name(highest)} owns the state, not {self._release}")
        if not admitted:
            raise self._refuse("this machine was added, and is not let in yet")
        self._waits = False
        self.number, self._refusal = highest.number, ""
        say("state owned", number=highest.number)
        return highest.number

    async def _find_highest(self) -> Owner | None:
        known = self._highest
        found = await self._store.call(lambda s3: s3.owner(known))
        if found and (self._highest is None or self._highest.number < found.number):
            self._highest = found
        return found

    def _refuse(self, why: str) -> NotOwner:
        if why != self._refusal:  # told once, however many players ask
            self._refusal = why
            say("rooms refused", why=why)
        return NotOwner(why)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _name(owner: Owner | None) -> str:
    return f"record {owner.number} ({owner.release})" if owner else "nobody"
