"""S3 from the event loop: connected in the background while the machine already serves, called in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from examples.rooms.settings import Settings

if TYPE_CHECKING:
    from examples.rooms.s3 import S3

T = TypeVar("T")


class StoreError(Exception):
    """S3 gave no answer, refused, or holds something unreadable: what is there is not known."""


class Taken(StoreError):
    """The key that was to be created is there already."""


class Unreadable(StoreError):
    """S3 answered, and this version cannot read what it holds; the message begins with the object's key."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A room's owner in this release; `new` when this very call made the claim."""

    machine_id: str
    new: bool


@dataclass(frozen=True, slots=True)
class Owner:
    """The release that owns the state, and the number of the record that says so."""

    number: int
    release: str


class Store:
    """The state bucket. Needs a running event loop."""

    def __init__(self, settings: Settings, bucket: str) -> None:
        self._connecting = asyncio.create_task(asyncio.to_thread(_connect, settings, bucket))

    async def call(self, work: Callable[[S3], T]) -> T:
        """Run one blocking call in a thread; StoreError when its result is not known."""
        # Shielded: the player who gives up first must not take the connection away from the others.
        s3 = await asyncio.shield(self._connecting)
        return await asyncio.to_thread(work, s3)


def _connect(settings: Settings, bucket: str) -> S3:
    # Imported here, in a thread: boto3 costs 0.2 s of CPU, in which the machine could answer already.
    from examples.rooms.bucket import Bucket, connect  # noqa: PLC0415
    from examples.rooms.s3 import S3  # noqa: PLC0415

    return S3(settings, Bucket(bucket, settings.prefix, connect(settings.aws_region)))
