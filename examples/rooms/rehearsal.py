"""A rehearsal: can this version read what was saved last? Reads and decodes all of it, and keeps nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from examples.rooms.keys import StateKey
from examples.rooms.store import Store

if TYPE_CHECKING:
    from examples.rooms.s3 import S3

AT_ONCE: Final = 4
"""Rooms that are read at the same time: fewer than there are threads, and no more of them in memory than these."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What could be read: rooms that were saved, the objects that hold them, and their size."""

    rooms: int
    objects: int
    bytes: int


async def rehearse(store: Store) -> Rehearsed:
    """Open the newest state of every room below the prefix.

    Unreadable names the first object that this version cannot read; any other StoreError means that S3 did not answer.
    """
    newest = await store.call(lambda s3: s3.newest_states())
    remaining = iter(newest.values())
    try:
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(_read(store, remaining)) for _ in range(AT_ONCE)]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return Rehearsed(len(newest), len(newest), sum(reader.result() for reader in readers))


async def _read(store: Store, keys: Iterator[StateKey]) -> int:
    """Read key after key, as many readers do from the same iterator; the bytes that this one read."""
    size = 0
    for key in keys:
        size += await store.call(partial(_rehearse, key))
    return size


def _rehearse(key: StateKey, s3: S3) -> int:
    return s3.rehearse(key)
