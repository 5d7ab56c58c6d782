"""S3 in memory, below the app's own S3 code, for orders of events that a real server leaves to chance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import md5
from itertools import cycle
from typing import Any, TypeVar, cast

import anyio.lowlevel

from examples.rooms.bucket import Bucket
from examples.rooms.room import Saved
from examples.rooms.s3 import S3
from examples.rooms.settings import Settings
from examples.rooms.store import Store, Taken

T = TypeVar("T")


class MemoryBucket:
    """Answers like a bucket. `on_write` is called with each key just before it is written."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.on_write: Callable[[str], None] = lambda key: None

    def check(self) -> None:
        self.asked.append("HEAD")

    def full(self, key: str) -> str:
        return key

    def read(self, key: str) -> tuple[bytes, str] | None:
        self.asked.append(f"GET {key}")
        body = self.objects.get(key)
        return None if body is None else (body, _etag(body))

    def keys(self, under: str, *, after: str = "") -> list[str]:
        self.asked.append(f"LIST {under}")
        return sorted(key for key in self.objects if key.startswith(under) and key > after)

    def put(self, key: str, body: bytes) -> Saved:
        self.asked.append(f"PUT {key}")
        self.on_write(key)
        self.objects[key] = body
        return Saved(key, _etag(body), len(body))

    def create(self, key: str, body: bytes) -> Saved:
        if key in self.objects:
            raise Taken("PutObject: PreconditionFailed")
        return self.put(key, body)

    def delete(self, keys: list[str]) -> None:
        self.asked.append(f"DELETE {len(keys)}")
        for key in keys:
            self.objects.pop(key, None)

    def hand_over(self, number: int, release: str) -> None:
        """Record the state's next owner."""
        self.objects[f"owners/{number:010}.json"] = json.dumps({"version": 1, "release": release}).encode()

    def manifest(self, release: str, machine_id: str) -> Any:
        return json.loads(self.objects[f"manifests/{release}/{machine_id}.json"])

    def edits(self, room: str) -> list[str]:
        """The ids of the edits in the room's state that counts."""
        keys = self.keys(f"rooms/{room}/")
        return [edit["edit"] for edit in json.loads(self.objects[keys[-1]])["edits"]] if keys else []


def over(bucket: MemoryBucket, settings: Settings) -> S3:
    """The app's own S3 code over such a bucket."""
    return S3(settings, cast(Bucket, bucket))


class SlowStore:
    """The app's S3 over a bucket in memory: every call lets the others run `pauses` times before it happens."""

    def __init__(self, settings: Settings, bucket: MemoryBucket, pauses: Iterator[int] | None = None) -> None:
        self._s3 = over(bucket, settings)
        self._pauses = pauses or cycle([1])

    async def call(self, work: Callable[[S3], T]) -> T:
        for _ in range(next(self._pauses)):
            await anyio.lowlevel.checkpoint()
        answer = work(self._s3)
        for _ in range(next(self._pauses)):
            await anyio.lowlevel.checkpoint()
        return answer

    @property
    def as_store(self) -> Store:
        return cast(Store, self)


def _etag(body: bytes) -> str:
    return f'"{md5(body, usedforsecurity=False).hexdigest()}"'
