"""Rooms in S3: who owns one, what is in it, and the proof of what was saved.

    <prefix>rooms/<room>.json                      the edits
    <prefix>owners/<release>/<room>.json           the room's one owner within the release, created once
    <prefix>manifests/<release>/<machine>.json     what this machine saved when it was stopped

Blocking, and slow to import (boto3: 0.2 s), so `store` imports and calls it in threads.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from examples.rooms.room import Edit, Room, Saved, decode_state, encode_state
from examples.rooms.settings import Settings
from examples.rooms.store import Claim, StoreError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

# One attempt: any other retry mode may send a conditional write twice and report 412 for our own success
# (measured). Who calls retries, and knows what a second attempt means.
CONFIG: Final = Config(
    retries={"total_max_attempts": 1, "mode": "standard"},
    connect_timeout=2,
    read_timeout=5,
    max_pool_connections=32,
    tcp_keepalive=True,
)


class S3:
    """One bucket, seen by one machine. Every method may raise StoreError and may run in any thread."""

    def __init__(self, settings: Settings, bucket: str) -> None:
        self._machine_id = settings.machine_id
        self._bucket = bucket
        self._prefix = settings.prefix
        self._release = settings.release
        try:
            self._client: S3Client = boto3.client("s3", region_name=settings.aws_region, config=CONFIG)
        except (BotoCoreError, ValueError) as error:
            raise StoreError(f"no S3 client: {error}") from error

    def check(self) -> None:
        """Ask for the bucket: a wrong name, wrong credentials or an unreachable endpoint show here."""
        self._ask(lambda s3: s3.head_bucket(Bucket=self._bucket))

    def claim(self, room: str) -> Claim:
        """Make this machine the room's owner unless the release has one already; say who it is.

        The owner is an object that is only ever created, so this is as exclusive as the server's
        `If-None-Match: *`: S3's is; moto 5.2.5 looks first and writes afterwards, and let two machines win
        until its requests were put behind a lock. After any answer but success the object that is read
        back decides: a 412 may be the answer to our own write (hudi#14373), a timeout may hide a success.
        """
        key = f"{self._prefix}owners/{self._release}/{room}.json"
        nonce = secrets.token_hex(8)
        body = json.dumps({"machine_id": self._machine_id, "nonce": nonce}).encode()
        try:
            self._ask(
                lambda s3: s3.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*"),
            )
        except StoreError as refused:
            return self._read_claim(key, nonce, refused)
        return Claim(self._machine_id, new=True)

    def load(self, room: str) -> Room:
        """The room as it was last saved; an empty one only when S3 says that it holds no such key."""
        key = self._room_key(room)
        found = self._read(key)
        if found is None:
            return Room(room)
        body, etag = found
        try:
            edits = decode_state(body)
        except ValueError as error:
            raise StoreError(f"{key}: {error}") from error
        return Room(room, edits, Saved(key, etag, len(body)), len(edits))

    def save(self, room: str, edits: tuple[Edit, ...]) -> Saved:
        """Write the room's state."""
        return self._write(self._room_key(room), encode_state(room, edits))

    def save_manifest(self, body: bytes) -> Saved:
        """Write this machine's manifest."""
        return self._write(f"{self._prefix}manifests/{self._release}/{self._machine_id}.json", body)

    def _room_key(self, room: str) -> str:
        return f"{self._prefix}rooms/{room}.json"

    def _read_claim(self, key: str, nonce: str, refused: StoreError) -> Claim:
        found = self._read(key)
        if found is None:
            raise StoreError(f"{key} was not created and is not there: {refused}") from refused
        try:
            owner = json.loads(found[0])
            return Claim(str(owner["machine_id"]), new=owner.get("nonce") == nonce)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"{key} names no owner: {error!r}") from error

    def _write(self, key: str, body: bytes) -> Saved:
        answer = self._ask(lambda s3: s3.put_object(Bucket=self._bucket, Key=key, Body=body))
        return Saved(key, answer["ETag"], len(body))

    def _read(self, key: str) -> tuple[bytes, str] | None:
        """The object and its ETag; None only for S3's own NoSuchKey (a missing bucket is a 404, too)."""

        def get(s3: S3Client) -> tuple[bytes, str] | None:
            try:
                answer = s3.get_object(Bucket=self._bucket, Key=key)
            except s3.exceptions.NoSuchKey:
                return None
            return answer["Body"].read(), answer["ETag"]

        return self._ask(get)

    def _ask(self, call: Callable[[S3Client], T]) -> T:
        try:
            return call(self._client)
        except ClientError as error:
            # Not str(error) of the others: some carry URLs, and S3's own texts say enough.
            raise StoreError(
                f"{error.operation_name}: {error.response.get('Error', {}).get('Code')}"
            ) from error
        except BotoCoreError as error:
            raise StoreError(type(error).__name__) from error
