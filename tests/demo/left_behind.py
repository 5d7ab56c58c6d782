"""Finds what a test's process started, and what of it is left, by a mark on the PATH that every descendant inherits."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

GONE_SECONDS = 10.0


def mark_environment(mark: Path) -> dict[str, str]:
    """This process's environment with a folder on PATH that nobody else has."""
    return dict(os.environ) | {"PATH": f"{os.environ['PATH']}{os.pathsep}{mark}"}


def find_marked(mark: Path) -> dict[int, str]:
    """The living processes with the mark: their command lines by pid."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            environ, command = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(mark) in environ:
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def await_gone(mark: Path) -> dict[int, str]:
    """Wait until no process has the mark, GONE_SECONDS at most; those that still have it."""
    due = time.monotonic() + GONE_SECONDS
    while (left := find_marked(mark)) and time.monotonic() < due:
        _await_end(next(iter(left)), due - time.monotonic())
    return left


def _await_end(pid: int, seconds: float) -> None:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([pidfd], [], [], max(0.0, seconds))
    finally:
        os.close(pidfd)
