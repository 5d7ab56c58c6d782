"""Local Fly, local S3 and a stack of its own for each test of the real engine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.local import local_platform
from tests.engine.stack import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    assert shutil.which("pulumi"), "no pulumi on PATH; `make test` puts the engine there"
    with local_platform(tmp_path) as platform:
        stack = Stack(platform, tmp_path)
        stack.init()
        yield stack
