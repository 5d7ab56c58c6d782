"""One bucket below one prefix, one attempt a call, and errors that never pass for an answer.

Blocking, and slow to import (boto3: 0.2 s).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from examples.rooms.room import Saved
from examples.rooms.store import StoreError, Taken

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

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
MOST_DELETED: Final = 1000  # in one call, S3's own limit


def connect(region: str | None) -> S3Client:
    """A client with boto3's own endpoint and credentials. StoreError: they make no sense."""
    try:
        return boto3.client("s3", region_name=region, config=CONFIG)
    except (BotoCoreError, ValueError) as error:
        raise StoreError(f"no S3 client: {error}") from error


class Bucket:
    """Keys are relative to the prefix, except in `Saved` and in errors. Every method may raise StoreError."""

    def __init__(self, name: str, prefix: str, client: S3Client) -> None:
        self._name = name
        self._prefix = prefix
        self._client = client

    def check(self) -> None:
        """Ask for the bucket: a wrong name, wrong credentials or an unreachable endpoint show here."""
        self._ask(lambda s3: s3.head_bucket(Bucket=self._name))

    def full(self, key: str) -> str:
        """The key with the prefix."""
        return self._prefix + key

    def relative(self, full: str) -> str:
        """The key without the prefix."""
        return full.removeprefix(self._prefix)

    def read(self, key: str) -> tuple[bytes, str] | None:
        """The object and its ETag; None only for S3's own NoSuchKey (a missing bucket is a 404, too)."""

        def get(s3: S3Client) -> tuple[bytes, str] | None:
            try:
                answer = s3.get_object(Bucket=self._name, Key=self.full(key))
            except s3.exceptions.NoSuchKey:
                return None
            return answer["Body"].read(), answer["ETag"]

        return self._ask(get)

    def keys(self, under: str, *, after: str = "") -> list[str]:
        """All keys that begin with `under`, and sort behind `after`."""

        def page_through(s3: S3Client) -> list[str]:
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._name, Prefix=self.full(under), StartAfter=self.full(after or under)
            )
            return [self.relative(row["Key"]) for page in pages for row in page.get("Contents", [])]

        return self._ask(page_through)

    def put(self, key: str, body: bytes) -> Saved:
        """Write an object, whatever is there."""
        answer = self._ask(lambda s3: s3.put_object(Bucket=self._name, Key=self.full(key), Body=body))
        return Saved(self.full(key), answer["ETag"], len(body))

    def create(self, key: str, body: bytes) -> Saved:
        """Write an object where none is. Taken: there is one, perhaps our own (hudi#14373)."""
        answer = self._ask(
            lambda s3: s3.put_object(Bucket=self._name, Key=self.full(key), Body=body, IfNoneMatch="*")
        )
        return Saved(self.full(key), answer["ETag"], len(body))

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects by their full keys; one that is not there is no error."""
        for start in range(0, len(keys), MOST_DELETED):
            self._delete_batch(keys[start : start + MOST_DELETED])

    def _delete_batch(self, keys: Sequence[str]) -> None:
        objects: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in keys]
        answer = self._ask(
            lambda s3: s3.delete_objects(Bucket=self._name, Delete={"Objects": objects, "Quiet": True})
        )
        if errors := answer.get("Errors"):
            raise StoreError(f"DeleteObjects: {errors[0].get('Code')} for {len(errors)} objects")

    def _ask(self, call: Callable[[S3Client], T]) -> T:
        try:
            return call(self._client)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            kind = Taken if code == "PreconditionFailed" else StoreError
            # Not str(error) of the others: some carry URLs, and S3's own texts say enough.
            raise kind(f"{error.operation_name}: {code}") from error
        except BotoCoreError as error:
            raise StoreError(type(error).__name__) from error
