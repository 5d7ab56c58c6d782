"""The smoke test, as the deployer runs it: a program that is told by its environment, against real HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from demo.local import CHECKOUT

RELEASE = "2-bb-1"
VERSION = {"version": "v2", "release": RELEASE, "machine_id": "m1", "region": "ams"}
RIGHT: dict[str, tuple[int, Any]] = {
    "/health": (200, {"status": "ok"}),
    "/version": (200, VERSION),
    "/rooms/smoke": (503, {"error": "record 1 (1-aa-1) owns the state"}),
}


@contextmanager
def answering(answers: dict[str, tuple[int, Any]]) -> Iterator[str]:
    """A machine's URL, with these statuses and bodies by path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[self.path]
            text = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def run(**told: str) -> subprocess.CompletedProcess[str]:
    """The program, told so much."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("BLUEGREEN_", "ROOMS_"))}
    return subprocess.run(
        [sys.executable, "-m", "examples.smoke"],
        cwd=CHECKOUT,
        env=env | told,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def look(*urls: str, machines: str = "m1", **told: str) -> subprocess.CompletedProcess[str]:
    """The program, told of machines in ams."""
    about = {"BLUEGREEN_RELEASE": RELEASE, "BLUEGREEN_REGIONS": "ams", "BLUEGREEN_MACHINES": machines}
    return run(**about, BLUEGREEN_URLS=" ".join(urls), **told)


def test_a_machine_that_is_right_passes_with_a_line() -> None:
    """Healthy, of the release, in the region, and not yet open: exit code 0, and a line that says so."""
    with answering(RIGHT) as url:
        done = look(url)
    line = "machine m1: v2 in ams is healthy; refuses rooms: record 1 (1-aa-1) owns the state\n"
    assert (done.returncode, done.stdout) == (0, line), done.stderr


@pytest.mark.parametrize(
    ("path", "answer", "reason"),
    [
        ("/health", (503, {"status": "starting"}), "/health answered 503, not 200"),
        ("/version", (200, VERSION | {"release": "1-aa-1"}), "its release is 1-aa-1, not 2-bb-1"),
        ("/version", (200, VERSION | {"region": "iad"}), "its region is iad, not ams"),
        ("/version", (200, VERSION | {"machine_id": "m2"}), "its machine is m2, not m1"),
        ("/version", (200, "<html>"), "/version answered no JSON: <html>"),
        ("/rooms/smoke", (200, {"room": "smoke"}), "/rooms/smoke answered 200, not 503"),
    ],
)
def test_each_thing_that_is_wrong_fails_with_its_reason(
    path: str, answer: tuple[int, Any], reason: str
) -> None:
    """Each look can fail by itself: exit code 1, and what is wrong."""
    with answering(RIGHT | {path: answer}) as url:
        done = look(url)
    assert done.returncode == 1
    assert "machine m1: FAILED: " in done.stdout
    assert reason in done.stdout


def test_every_machine_has_a_line_and_one_that_is_silent_fails_all() -> None:
    """A machine that cannot be reached does not hide the others."""
    with answering(RIGHT) as gone:
        pass
    with answering(RIGHT) as url:
        done = look(gone, url, machines="m0 m1")
    first, second = done.stdout.splitlines()
    assert done.returncode == 1
    assert first.startswith("machine m0: FAILED: ")
    assert second.startswith("machine m1: v2 in ams is healthy")


def test_without_a_fence_no_room_is_opened() -> None:
    """A room that is asked for would be opened beside its owner, so none is: it would not even be found here."""
    closed = {path: answer for path, answer in RIGHT.items() if path != "/rooms/smoke"}
    with answering(closed) as url:
        done = look(url, ROOMS_FENCE="off")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({}, "BLUEGREEN_RELEASE is not set"),
        ({"machines": "m1 m2"}, "BLUEGREEN_MACHINES names 2 machines, BLUEGREEN_URLS 1 addresses"),
    ],
)
def test_a_cluster_that_was_not_told_is_no_success(told: dict[str, str], reason: str) -> None:
    """Nothing to look at, or not all of it, is a failure with its reason."""
    done = look("http://127.0.0.1:1", **told) if told else run()
    assert done.returncode == 1
    assert f"FAILED: {reason}" in done.stdout
