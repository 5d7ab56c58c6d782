"""Where state is kept, as the gates see it: one bucket, read, listed, and written by creating only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class StoreError(Exception):
    """The store could not be asked. It says nothing about what is in it: unknown is not absent."""


class StoreRefused(StoreError):
    """The store answered that it will not: asking again changes nothing."""


class StoreUnclear(StoreError):
    """A write that may have happened, or may still: only reading, or writing the same again, tells."""


@dataclass(frozen=True)
class Head:
    """What S3 says of an object: its ETag with the quotes, its size in bytes, and when it was last written.

    ``modified`` is in seconds since the epoch by S3's own clock, which says whole seconds.
    """

    etag: str
    bytes: int
    modified: float


class StateStore(Protocol):
    """One bucket. ``None`` means that S3 said the key is absent; whatever is not known raises ``StoreError``."""

    async def read(self, key: str) -> bytes | None: ...

    async def head(self, key: str) -> Head | None: ...

    async def list(self, prefix: str) -> tuple[str, ...]:
        """All keys under ``prefix``, sorted."""
        ...

    async def create(self, key: str, body: bytes) -> bool:
        """Write it unless there is one: True when it was written now, False when there is one.

        Raises ``StoreUnclear`` when it may have been written, another ``StoreError`` when it was not.
        """
        ...
