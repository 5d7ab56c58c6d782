"""S3 over its real protocol for this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.local import BUCKET, CREDENTIALS
from demo.local.platform import local_environment
from demo.local.process import running

UPLINK = 10_000_000
"""Bytes a second: what machines save here is small, and takes no time."""


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """moto's server, a process of its own."""
    ready = tmp_path_factory.mktemp("s3") / "s3.json"
    options = {"port": 0, "bucket": BUCKET, "uplink": UPLINK, "ready-file": ready}
    with running("local S3", "demo.local.s3", options, local_environment() | CREDENTIALS) as s3:
        yield s3.wait_ready(ready)["s3"]


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs on asyncio."""
    return "asyncio"
