"""Waits for the end of processes that are not this one's children."""

from __future__ import annotations

import os
import select
from collections.abc import Iterable

PATIENCE_SECONDS = 10.0


def living(pids: Iterable[int]) -> list[int]:
    """Those that have not ended after PATIENCE_SECONDS."""
    return [pid for pid in pids if not has_ended(pid, PATIENCE_SECONDS)]


def has_ended(pid: int, seconds: float = 0) -> bool:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], seconds)[0])
    finally:
        os.close(pidfd)
