"""What is in S3, looked at and spoilt past the relay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "rooms-state"


@dataclass(frozen=True)
class Commit:
    """Which release owns the state since when, in epoch seconds."""

    number: int
    release: str
    at: float


@dataclass(frozen=True)
class Saved:
    """The objects under one test's prefix; keys are without it."""

    s3: S3Client
    prefix: str
    bucket: str = BUCKET

    def keys(self, under: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix + under
        )
        return [row["Key"].removeprefix(self.prefix) for page in pages for row in page.get("Contents", [])]

    def read(self, key: str) -> Any:
        """One JSON object."""
        return json.loads(self.s3.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read())

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=body)

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=self.prefix + key)

    def newest(self, room: str) -> str | None:
        """The key of a room's last save."""
        return max(self.keys(f"rooms/{room}/"), default=None)

    def edits(self, room: str) -> list[str]:
        """The ids of a room's edits that are saved."""
        key = self.newest(room)
        return [edit["edit"] for edit in self.read(key)["edits"]] if key else []

    def commits(self) -> list[Commit]:
        """Who owned the state, oldest first."""
        records = [self.read(key) for key in sorted(self.keys("owners/"))]
        return [Commit(record["number"], record["release"], record["at"]) for record in records]


@contextmanager
def looking_at(url: str, prefix: str) -> Iterator[Saved]:
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    try:
        yield Saved(client, prefix)
    finally:
        client.close()
