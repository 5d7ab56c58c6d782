"""S3 in memory: boto3's threads have no place in virtual time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from providers.gates.store import Head, StoreError, StoreUnclear


@dataclass
class MemoryStore:
    """A bucket in memory; ``now`` is its clock, in epoch seconds.

    ``down`` makes every question fail, ``unreadable`` reads of keys with this in them. With ``overwrites`` it knows no
    create-only writes. What a create of a new key meets: ``loses`` its answer, or the request itself, once; with
    ``creates_fail`` none is done or answered, and with ``unreadable_after_create`` no commit can be read from then on.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    down: bool = False
    unreadable: str = ""
    creates_fail: bool = False
    overwrites: bool = False
    unreadable_after_create: bool = False
    loses: Literal["answer", "request"] | None = None
    now: Callable[[], float] = time.time
    modified: dict[str, float] = field(default_factory=dict)
    on_put: Callable[[str, bytes], None] | None = None

    def put(self, key: str, content: bytes) -> str:
        self.objects[key] = content
        self.modified[key] = self.now()
        if self.on_put:
            self.on_put(key, content)
        return etag(content)

    def saved(self) -> set[str]:
        """Ids of the machines that have written a manifest."""
        return {key.rpartition("/")[2].removesuffix(".json") for key in self.objects if "manifests/" in key}

    async def read(self, key: str) -> bytes | None:
        self._must_be_up(key)
        return self.objects.get(key)

    async def head(self, key: str) -> Head | None:
        self._must_be_up(key)
        content = self.objects.get(key)
        return None if content is None else Head(etag(content), len(content), self.modified.get(key, 0.0))

    async def list(self, prefix: str) -> tuple[str, ...]:
        self._must_be_up(prefix)
        return tuple(sorted(key for key in self.objects if key.startswith(prefix)))

    async def create(self, key: str, body: bytes) -> bool:
        self._must_be_up()
        if key in self.objects and not self.overwrites:
            return False
        if self.creates_fail:
            self.unreadable = "owners/" if self.unreadable_after_create else self.unreadable
            raise StoreUnclear(f"{key}: no answer")
        lost, self.loses = self.loses, None
        if lost != "request":
            self.put(key, body)
        if lost:
            raise StoreUnclear(f"{key}: the connection was closed")
        return True

    def _must_be_up(self, key: str = "") -> None:
        if self.down or (self.unreadable and self.unreadable in key):
            raise StoreError("the store does not answer")


def etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
