"""The ``StateStore`` of any S3-compatible endpoint, through boto3."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import anyio.to_thread
import boto3
from anyio import CapacityLimiter
from botocore.config import Config
from botocore.exceptions import ClientError

from providers.gates import s3_answers, s3_errors
from providers.gates.faults import shown
from providers.gates.store import Head, StoreError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONCURRENCY = 16
MOST_KEYS = 1_000_000
READ_WITHIN_S = 120.0
"""With all attempts. A server that is silent costs 100 s, so only one that drips its answers is given up by this."""
CREATE_WITHIN_S = 30.0
_READS = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=CONCURRENCY,
    user_agent_extra="bluegreen-fly",
)
# One attempt: a second one of boto3's own would be answered 412 for what the first has created (measured). Without the
# checksum headers that boto3 sends by default, which S3-compatible servers refuse (boto3#4401, s3transfer#327).
_CREATES = _READS.merge(
    Config(
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 1},
        request_checksum_calculation="when_required",
    )
)
T = TypeVar("T")


class _Page(NamedTuple):
    keys: list[str]
    truncated: bool
    next_token: str


@dataclass(frozen=True)
class S3Store:
    """A ``StateStore`` over boto3, whose blocking calls run in threads, a bounded number at a time."""

    client: S3Client
    creator: S3Client
    bucket: str
    limiter: CapacityLimiter

    async def read(self, key: str) -> bytes | None:
        def get() -> bytes | None:
            try:
                answer = self.client.get_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if s3_errors.says_absent(error):
                    return None
                raise
            with closing(answer["Body"]) as body:
                return body.read()

        return await self._ask(key, get)

    async def head(self, key: str) -> Head | None:
        def head() -> Head | None:
            try:
                answer = self.client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if s3_errors.says_absent(error):
                    # A HEAD has no body, so that a missing bucket is the same bare 404.
                    self.client.head_bucket(Bucket=self.bucket)
                    return None
                raise
            head = Head(answer["ETag"], answer["ContentLength"], answer["LastModified"].timestamp())
            if not head.etag or head.bytes < 0:
                raise StoreError(f"{self._where(key)}: an answer that tells of no object")
            return head

        return await self._ask(key, head)

    async def list(self, prefix: str) -> tuple[str, ...]:
        """Raises ``StoreError`` also for more than ``MOST_KEYS`` keys, and for pages that do not end."""
        keys: list[str] = []
        seen = {token := ""}
        while True:
            page = await self._ask(prefix, partial(self._page, prefix, token))
            keys += page.keys
            if not all(key.startswith(prefix) for key in page.keys):
                raise StoreError(f"{self._where(prefix)}: its list has keys that nobody asked for")
            if not page.truncated:
                return tuple(sorted(keys))
            token = page.next_token
            if token in seen or len(keys) + len(seen) > MOST_KEYS:
                raise StoreError(f"{self._where(prefix)}: its list of keys does not end")
            seen.add(token)

    def _page(self, prefix: str, token: str) -> _Page:
        more = {"ContinuationToken": token} if token else {}
        answer = self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, **more)  # type: ignore[arg-type]
        keys = [row["Key"] for row in answer.get("Contents", [])]
        # S3 always says whether there is more. An answer that does not is none, and would pass for an empty list.
        return _Page(keys, answer["IsTruncated"], answer.get("NextContinuationToken", ""))

    async def create(self, key: str, body: bytes) -> bool:
        """Once begun it is not cancelled (a silent server costs 15 s): what became of it would be unknown.

        It is so after ``CREATE_WITHIN_S``, too, and a server may drip its answer for ever.
        """

        def put() -> bool:
            try:
                self.creator.put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")
            except ClientError as error:
                if s3_errors.says_taken(error):
                    return False
                raise
            return True

        return await self._ask(key, put, writes=True)

    async def _ask(self, key: str, question: Callable[[], T], *, writes: bool = False) -> T:
        # A write does not queue behind reads that S3 has not answered yet.
        limiter = None if writes else self.limiter
        within_s = CREATE_WITHIN_S if writes else READ_WITHIN_S
        try:
            with anyio.fail_after(within_s, shield=writes):
                return await anyio.to_thread.run_sync(question, limiter=limiter, abandon_on_cancel=True)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - what boto3 makes of an answer that is none may be any
            raise s3_errors.told(error, self._where(key), writes=writes) from None

    def _where(self, key: str) -> str:
        return shown(f"s3://{self.bucket}/{key}")


def open_store(bucket: str, *, endpoint_url: str | None = None, region: str | None = None) -> S3Store:
    """Takes a tenth of a second (boto3 reads its models), so it is done before the handoff window.

    Fly and Tigris set ``AWS_REGION``, which boto3 does not read; ``None`` leaves it to boto3's own configuration.
    """
    region = region or os.environ.get("AWS_REGION")
    client, creator = (
        boto3.client("s3", endpoint_url=endpoint_url, region_name=region, config=config)
        for config in (_READS, _CREATES)
    )
    s3_answers.bound(client)
    s3_answers.bound(creator)
    return S3Store(client, creator, bucket, CapacityLimiter(CONCURRENCY))
