"""Who runs a deploy: what everybody else who wants to deploy is told."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


@dataclass(frozen=True)
class Holder:
    """One run: by whom, since when (epoch seconds), and an id that no other run has."""

    who: str = field(default_factory=_who)
    since: float = field(default_factory=time.time)
    run: str = field(default_factory=lambda: secrets.token_hex(6))

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{self.who} since {since} (run {self.run})"
