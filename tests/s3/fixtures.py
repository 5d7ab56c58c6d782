"""Two S3 servers for the same tests: moto's in this process, and versitygw with files on disk."""

from __future__ import annotations

import faulthandler
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.gates.s3 import S3Store, open_store
from tests.examples.s3_server import serve_s3
from tests.s3.versitygw import serve_versitygw
from tools import go
from tools.versitygw.build import choose_slot, provide

REGION = "us-east-1"


@pytest.fixture(scope="session")
def versitygw(request: pytest.FixtureRequest) -> Path:
    """The program, built once. Only without Go its tests are skipped: a build that fails is an error."""
    if choose_slot().find() is None and not go.is_here():
        pytest.skip("versitygw is built from Go modules, and there is no `go` on PATH")
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    # The build may take longer than any test does, and in silence it would look like one that hangs.
    faulthandler.cancel_dump_traceback_later()
    with capture.global_and_fixture_disabled():
        return provide(print)


@pytest.fixture(scope="session", params=["moto", "versitygw"])
def s3_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server, for all tests of the session."""
    if request.param == "moto":
        with serve_s3() as url:
            yield url
    else:
        directory = tmp_path_factory.mktemp("versitygw")
        with serve_versitygw(request.getfixturevalue("versitygw"), directory) as url:
            yield url


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What both servers accept, and nothing else of the environment's."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")


@pytest.fixture
def store(s3_url: str, credentials: None) -> Iterator[S3Store]:
    """An empty bucket."""
    store = open_store(f"rooms-{uuid.uuid4().hex}", endpoint_url=s3_url, region=REGION)
    store.client.create_bucket(Bucket=store.bucket)
    yield store
    store.client.close()
    store.creator.close()
