"""Local Fly and local S3 for this folder; an app, a prefix and a relay to S3 of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest

from demo.local import CREDENTIALS, Platform, local_platform
from tests.examples.relay import Relay
from tests.handover.kit import Deployer, new_prefix
from tests.handover.local_fly import APP, LocalFly
from tests.handover.saved import BUCKET, looking_at
from tests.s3.fixtures import versitygw
from tests.s3.versitygw import serve_versitygw

__all__ = ["versitygw"]

IMAGES = Path(__file__).with_name("images.toml")


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with local_platform(tmp_path_factory.mktemp("platform"), images=IMAGES) as platform:
        yield platform


@pytest.fixture
def anyio_backend() -> str:
    """The players run on asyncio."""
    return "asyncio"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What opens local Fly and local S3."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the first credentials that it finds


@pytest.fixture
def s3_url(
    request: pytest.FixtureRequest,
    platform: Platform,
    credentials: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[str]:
    """An S3 server with the bucket: moto's, unless a test asks for versitygw, which looks at signatures."""
    if getattr(request, "param", "moto") == "moto":
        yield platform.s3_url
        return
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    with (
        serve_versitygw(request.getfixturevalue("versitygw"), tmp_path) as url,
        looking_at(url, "") as saved,
    ):
        saved.s3.create_bucket(Bucket=BUCKET)
        yield url


@pytest.fixture
def deployer(platform: Platform, s3_url: str, request: pytest.FixtureRequest) -> Iterator[Deployer]:
    """The app ends with the test: the proxy takes requests for the only app there is. Marked ``saver``, a small app."""
    small = request.node.get_closest_marker("saver") is not None
    with Relay(s3_url) as s3, looking_at(s3_url, new_prefix()) as saved:
        deployer = Deployer(platform, s3, saved, LocalFly.of(platform), small=small)
        try:
            yield deployer
        finally:
            headers = {"authorization": f"Bearer {CREDENTIALS['FLY_API_TOKEN']}"}
            httpx.delete(
                f"{platform.api_url}/v1/apps/{APP}?force=true", headers=headers, trust_env=False, timeout=30
            )
    assert deployer.awaited == [], "a line that the test waited for was never told"
