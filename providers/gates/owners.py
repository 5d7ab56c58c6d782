"""The commit point: numbered records in S3, of which the highest names the release that owns the state.

A record is created once and never written again, so that of all who want the same number S3 lets one have it
(``If-None-Match: *``). A record that was overwritten (``If-Match``) had two winners on both servers that were raced.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from providers.bluegreen.failures import NotYet
from providers.bluegreen.model import Ownership, Release
from providers.bluegreen.polling import polling
from providers.gates.faults import shown
from providers.gates.store import StateStore, StoreError, StoreRefused, StoreUnclear

_MOST = 999_999_999
"""So every key begins with a zero, and no other key that an app may have under ``owners/`` for a release does."""
_NAME = re.compile(r"([0-9]{10})\.json")


class OwnerTaken(Exception):
    """That number is somebody else's; ``found`` may name the same release, recorded by another run."""

    def __init__(self, found: Ownership) -> None:
        self.found = found
        super().__init__(f"the state's owner number {found.number} is release {found.release} already")


class OwnerRecord(BaseModel):
    """One record. ``at``: when it was made, in seconds since the epoch by the deployer's clock. ``nonce``: tells our
    record from another's, and is never used twice.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    version: Literal[1] = 1
    number: int
    release: str
    previous: str | None
    nonce: str
    at: FiniteFloat


def owner_key(prefix: str, number: int) -> str:
    """Where the record with this number is. Raises ``ValueError`` for one that no record can have."""
    if not 0 < number <= _MOST:
        raise ValueError(f"{number} is not the number of an owner's record")
    return f"{prefix}owners/{number:010}.json"


async def latest_owner(store: StateStore, prefix: str) -> Ownership | None:
    """Who owns the state; None when nobody was ever recorded. Raises ``StoreError`` when that is not known."""
    numbers = [_number(key, prefix) for key in await store.list(f"{prefix}owners/0")]
    latest = max(numbers, default=0)
    if not latest:
        return None
    found = await _read(store, owner_key(prefix, latest))
    if found is None:
        raise StoreError(f"{owner_key(prefix, latest)} is listed, but is not there")
    return found[0]


async def must_create_only_once(store: StateStore, prefix: str, number: int) -> None:
    """Try to create a record that is there, with its own content: harmless, and a store that lets it happen ignores
    ``If-None-Match``, so that two deployers could both commit. Raises ``StoreRefused`` then.
    """
    key = owner_key(prefix, number)
    content = await store.read(key)
    if content is not None and await store.create(key, content):
        raise StoreRefused(
            f"{key} was written a second time: this store ignores If-None-Match, so nothing fences it"
        )


def _number(key: str, prefix: str) -> int:
    name = _NAME.fullmatch(key.removeprefix(f"{prefix}owners/"))
    return int(name[1]) if name else 0


async def _read(store: StateStore, key: str) -> tuple[Ownership, str] | None:
    """The record and its nonce. One that says nothing is never taken for none."""
    content = await store.read(key)
    if content is None:
        return None
    try:
        record = OwnerRecord.model_validate_json(content)
    except ValidationError as error:
        reason = error.errors(include_input=False)[0]
        raise StoreRefused(f"{key} does not say who owns the state: {reason['msg']}") from None
    release = Release.parse(record.release)
    if release is None:
        raise StoreRefused(f"{key} names {shown(record.release)}, which is not a release")
    if not key.endswith(f"/{record.number:010}.json"):
        raise StoreRefused(f"{key} says that its number is {record.number}")
    return Ownership(record.number, release, Release.parse(record.previous or "")), record.nonce


async def record_owner(
    store: StateStore,
    prefix: str,
    record: OwnerRecord,
    *,
    tell: Callable[[str], None] = lambda _: None,
    fence: Callable[[], None] = lambda: None,
) -> None:
    """Record who owns the state from now on. Tried again until it is settled, so the caller sets the deadline.

    ``tell`` gets the reason of each further attempt; ``fence`` is called before each attempt, and ends it by raising.
    Raises ``OwnerTaken`` when the number is somebody else's, ``StoreRefused`` when nothing was written and nothing will
    be. Whoever cancels it does not know what became of it.
    """
    claim = _Claim(store, owner_key(prefix, record.number), record)
    async for attempt in polling():
        with attempt:
            fence()
            try:
                await claim.settle()
            except StoreError as error:
                if claim.ends_with(error):
                    raise
                tell(str(error))
                raise NotYet(str(error)) from None


@dataclass
class _Claim:
    """One record on its way. ``unclear``: it may have been written, or be written yet."""

    store: StateStore
    key: str
    record: OwnerRecord
    unclear: bool = False

    def ends_with(self, error: StoreError) -> bool:
        """A refusal ends it only as long as nothing can have been written; writing ours again harms nobody."""
        return isinstance(error, StoreRefused) and not self.unclear

    async def settle(self) -> None:
        """Write it, or see whose is there."""
        reason = StoreError(f"{self.key}: S3 said that it is there, and then that it is not")
        try:
            if await self.store.create(self.key, self.record.model_dump_json().encode()):
                return
        except StoreUnclear as error:
            self.unclear = True
            reason = error
        found = await _read(self.store, self.key)
        if found is None:
            raise reason
        ownership, nonce = found
        if nonce != self.record.nonce:
            raise OwnerTaken(ownership)
