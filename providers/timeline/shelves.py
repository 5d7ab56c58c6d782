"""Where timelines are kept: beside the state, in S3, or in a folder. Both give names, bodies, and create only."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio.to_thread

from providers.gates.store import StateStore, StoreError

IN_STORE = "deploys/"
LOCAL = Path(".bluegreen")
"""Below the working directory, which for Pulumi's provider is the project's."""
MOST_IN_FOLDER = 500
"""Older ones are removed. In a bucket nothing is ever removed: lifecycle rules are the bucket's own."""
BODY_CAP_BYTES = 8 * 1024 * 1024


class ShelfError(Exception):
    """It could not be asked, or does not hold what it should."""


class Shelf(Protocol):
    """``where`` is for people. Each call raises ``ShelfError``."""

    @property
    def where(self) -> str: ...

    async def names(self) -> list[str]: ...

    async def read(self, name: str) -> bytes: ...

    async def create(self, name: str, body: bytes) -> None: ...


@dataclass(frozen=True)
class Bucket:
    """Timelines under a prefix: listing a thousand costs one call."""

    store: StateStore
    bucket: str
    prefix: str

    @property
    def where(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}{IN_STORE}"

    async def names(self) -> list[str]:
        base = f"{self.prefix}{IN_STORE}"
        try:
            return [key.removeprefix(base) for key in await self.store.list(base)]
        except StoreError as error:
            raise ShelfError(str(error)) from None

    async def read(self, name: str) -> bytes:
        try:
            body = await self.store.read(f"{self.prefix}{IN_STORE}{name}")
        except StoreError as error:
            raise ShelfError(str(error)) from None
        if body is None:
            raise ShelfError(f"{self.where}{name} is not there any more")
        return body

    async def create(self, name: str, body: bytes) -> None:
        try:
            created = await self.store.create(f"{self.prefix}{IN_STORE}{name}", body)
        except StoreError as error:
            raise ShelfError(str(error)) from None
        if not created:
            raise ShelfError(f"{self.where}{name} is there already")


@dataclass(frozen=True)
class Folder:
    """Timelines of one app on this machine, for those who have no state store."""

    app: str
    root: Path = LOCAL

    @property
    def where(self) -> str:
        return f"{self.root / self.app}/"

    async def names(self) -> list[str]:
        return await anyio.to_thread.run_sync(self._names)

    def _names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in (self.root / self.app).iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ShelfError(f"{self.where}: {error.strerror}") from None

    async def read(self, name: str) -> bytes:
        def read() -> bytes:
            try:
                with (self.root / self.app / name).open("rb") as file:
                    body = file.read(BODY_CAP_BYTES + 1)
            except OSError as error:
                raise ShelfError(f"{self.where}{name}: {error.strerror}") from None
            if len(body) > BODY_CAP_BYTES:
                raise ShelfError(f"{self.where}{name}: more than {BODY_CAP_BYTES:,} bytes")
            return body

        return await anyio.to_thread.run_sync(read)

    async def create(self, name: str, body: bytes) -> None:
        """Whole or not at all: a name appears with its content."""

        def write() -> None:
            folder = self.root / self.app
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.NamedTemporaryFile(dir=folder, prefix=".part-") as part:
                    part.write(body)
                    part.flush()
                    os.link(part.name, folder / name)
                for old in sorted(folder.glob("*.json"))[:-MOST_IN_FOLDER]:
                    old.unlink(missing_ok=True)
            except OSError as error:
                raise ShelfError(f"{self.where}{name}: {error.strerror}") from None

        await anyio.to_thread.run_sync(write)
