"""An S3 server for all of these tests, a bucket for each."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest

from tests.examples.machines import Bucket
from tests.examples.relay import Relay
from tests.examples.s3_server import serve_s3


@pytest.fixture
def anyio_backend() -> str:
    """The players speak through `websockets`, which is asyncio only."""
    return "asyncio"


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of the S3 server."""
    with serve_s3() as url:
        yield url


@pytest.fixture
def bucket(s3_endpoint: str) -> Iterator[Bucket]:
    """An empty bucket."""
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    name = f"rooms-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    yield Bucket(name, s3_endpoint, client)
    client.close()


@pytest.fixture
def relay(s3_endpoint: str) -> Iterator[Relay]:
    """A way to S3 that tests can cut."""
    with Relay(s3_endpoint) as relay:
        yield relay


@pytest.fixture
def relayed(bucket: Bucket, relay: Relay) -> Bucket:
    """The bucket as machines see it through the relay; the test itself reads it directly."""
    return replace(bucket, endpoint=relay.url)


@pytest.fixture
def port() -> int:
    """A free port, for machines that follow each other at one address as they do behind a proxy."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free: int = probe.getsockname()[1]
    return free
