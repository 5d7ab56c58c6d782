"""Local Fly, a prefix in local S3 and a stack of its own for each test of the real engine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.local import local_platform
from demo.local.platform import IMAGES
from tests.engine.stack import SAVER, Stack


@pytest.fixture
def stack(tmp_path: Path, local_s3_url: str, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Of the example app; of a small one, which starts in a tenth of the time, where a test is marked ``saver``."""
    assert shutil.which("pulumi"), "no pulumi on PATH; `make test` puts the engine there"
    small = request.node.get_closest_marker("saver") is not None
    images = SAVER if small else IMAGES
    with local_platform(tmp_path, images=images, s3_url=local_s3_url) as platform:
        stack = Stack(platform, tmp_path)
        if small:
            stack.ask_nothing()
        stack.init()
        yield stack
