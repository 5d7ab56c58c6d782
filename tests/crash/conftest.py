"""What real processes of deployers need in this folder."""

from __future__ import annotations

import pytest


@pytest.fixture
def s3_url(local_s3_url: str) -> str:
    """S3 over its real protocol."""
    return local_s3_url


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs on asyncio."""
    return "asyncio"
