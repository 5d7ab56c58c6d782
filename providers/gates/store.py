"""Where saved state is looked for: any S3-compatible endpoint, through boto3."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import anyio.to_thread
import boto3
from anyio import CapacityLimiter
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONCURRENCY = 16
BODY_CAP_BYTES = 64 * 1024 * 1024
"""A manifest of 100,000 objects is about 9 MB."""
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=CONCURRENCY,
    user_agent_extra="bluegreen-fly",
)
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
T = TypeVar("T")


class StoreError(Exception):
    """The store could not be asked. It says nothing about what is in it: unknown is not absent."""


@dataclass(frozen=True)
class Head:
    """What S3 says of an object: its ETag with the quotes, and its size in bytes."""

    etag: str
    bytes: int


class StateStore(Protocol):
    """Read access to one bucket. ``None`` means that S3 said the key is absent; anything else raises ``StoreError``."""

    async def read(self, key: str) -> bytes | None: ...

    async def head(self, key: str) -> Head | None: ...


@dataclass(frozen=True)
class S3Store:
    """A ``StateStore`` over boto3, whose blocking calls run in threads, a bounded number at a time."""

    client: S3Client
    bucket: str
    limiter: CapacityLimiter

    async def read(self, key: str) -> bytes | None:
        def get() -> bytes:
            answer = self.client.get_object(Bucket=self.bucket, Key=key)
            if answer["ContentLength"] > BODY_CAP_BYTES:
                raise StoreError(f"s3://{self.bucket}/{key}: more than {BODY_CAP_BYTES:,} bytes")
            return answer["Body"].read()

        return await self._ask(key, get)

    async def head(self, key: str) -> Head | None:
        def head() -> Head:
            answer = self.client.head_object(Bucket=self.bucket, Key=key)
            return Head(answer["ETag"], answer["ContentLength"])

        return await self._ask(key, head)

    async def _ask(self, key: str, question: Callable[[], T]) -> T | None:
        try:
            return await anyio.to_thread.run_sync(question, limiter=self.limiter, abandon_on_cancel=True)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _ABSENT:
                return None
            raise StoreError(f"s3://{self.bucket}/{key}: {_told(error)}") from None
        except BotoCoreError as error:
            raise StoreError(f"s3://{self.bucket}/{key}: {type(error).__name__}") from None


def _told(error: ClientError) -> str:
    details = error.response.get("Error", {})
    request_id = error.response.get("ResponseMetadata", {}).get("RequestId", "")
    return f"{details.get('Code', 'error')} {details.get('Message', '')} (request id {request_id})"


def open_store(bucket: str, *, endpoint_url: str | None = None, region: str | None = None) -> S3Store:
    """Takes a tenth of a second (boto3 reads its models), so it is done before the handoff window.

    Fly and Tigris set ``AWS_REGION``, which boto3 does not read; ``None`` leaves it to boto3's own configuration.
    """
    region = region or os.environ.get("AWS_REGION")
    client = boto3.client("s3", endpoint_url=endpoint_url, region_name=region, config=_CONFIG)
    return S3Store(client, bucket, CapacityLimiter(CONCURRENCY))
