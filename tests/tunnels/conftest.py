"""A fake `fly` on PATH, and a machine's HTTP server behind it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.demo.left_behind import find_marked
from tests.tunnels.fake_fly import FakeFly


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def app_port() -> Iterator[int]:
    """The port of an app, on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def fly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFly]:
    """A folder that alone is on PATH, with a `fly` in it. What its runs leave, flyctl's agent, is ended."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    fake = FakeFly(folder)
    fake.install()
    yield fake
    for pid in find_marked(folder):
        os.kill(pid, signal.SIGKILL)
