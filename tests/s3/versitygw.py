"""A versitygw of the tests' own: a real S3 server, with its files in a directory."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from demo.local.process import bind_to_this_process

HOST = "127.0.0.1"
READY_SECONDS = 30.0
LOOK_SECONDS = 0.02
LISTENS = "0A"
"""How Linux writes the state of a socket that listens, in /proc/net/tcp."""


@contextmanager
def serve_versitygw(program: Path, directory: Path) -> Iterator[str]:
    """The server's URL, until the end of the block. Its key and secret are both "local"."""
    log = directory / "log"
    with log.open("wb") as output, _start(program, directory, output.fileno()) as server:
        try:
            yield f"http://{HOST}:{_wait_for_port(server, log)}"
        finally:
            server.kill()


def _start(program: Path, directory: Path, log: int) -> subprocess.Popen[bytes]:
    """Port 0 is a free one, taken by the server itself: nobody else can be given it in between."""
    data = directory / "data"
    data.mkdir()
    argv = [
        str(program),
        "--port",
        f"{HOST}:0",
        "--keep-alive",
        "--quiet",
        "posix",
        *_metadata(data),
        str(data),
    ]
    env = {"ROOT_ACCESS_KEY": "local", "ROOT_SECRET_KEY": "local"}
    return subprocess.Popen(
        bind_to_this_process(argv), env=env, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )


def _metadata(data: Path) -> list[str]:
    """ETags are in extended attributes, and in a directory beside where the file system has none."""
    try:
        os.setxattr(data, "user.probe", b"")
    except OSError:
        beside = data.with_name("metadata")
        beside.mkdir()
        return ["--sidecar", str(beside)]
    return []


def _wait_for_port(server: subprocess.Popen[bytes], log: Path) -> int:
    due = time.monotonic() + READY_SECONDS
    pidfd = os.pidfd_open(server.pid)
    try:
        while (port := _listening_port(server.pid)) is None:
            ended = bool(select.select([pidfd], [], [], LOOK_SECONDS)[0])
            assert not ended, f"versitygw ended: {log.read_text(errors='replace')}"
            assert time.monotonic() < due, f"versitygw does not listen after {READY_SECONDS:g} s"
    finally:
        os.close(pidfd)
    return port


def _listening_port(pid: int) -> int | None:
    """versitygw does not say which port it took: the system does."""
    with suppress(OSError):  # a file that was closed meanwhile, a process that ended
        own = {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == LISTENS and f"socket:[{inode}]" in own:
                return int(local.rpartition(":")[2], 16)
    return None
