"""Whether the ``pulumi`` that started this process is still there: a provider outlives one that was killed.

Its parent's pid does not tell. Between Pulumi and Python there is a shell (``pulumi-resource-pulumi-python`` runs
Python without ``exec``), which outlives Pulumi and stays the parent (measured, CLI 3.259). What does: the engine
listens on the address that it gave to the provider, from before the provider starts until after its end, and the
kernel refuses a connection there as soon as that process is gone, however it went. One that is merely stopped, or
busy, does not refuse.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence

ANSWERS_WITHIN_S = 0.5
"""On loopback a connection takes 0.2 to 5 ms (measured). Only a refusal counts: a silence proves nothing."""
GONE = "the `pulumi` that started this deployment has gone"


def watch_parent(argv: Sequence[str] | None = None) -> Callable[[], str]:
    """A cheap question that never raises: empty while ``pulumi`` lives, and why to stop from then on.

    ``argv``: this process's own, unless given. A process that nobody gave an engine's address has nobody to outlive.
    """
    engine = _engine_of(sys.argv if argv is None else argv)
    if engine is None:
        return lambda: ""
    return lambda: GONE if _refuses(engine) else ""


def _engine_of(argv: Sequence[str]) -> tuple[str, int] | None:
    """The engine's address is a provider's only argument: ``127.0.0.1:41397``."""
    host, colon, port = argv[1].rpartition(":") if len(argv) == 2 else ("", "", "")
    known = host and colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536
    return (host, int(port)) if known else None


def _refuses(engine: tuple[str, int]) -> bool:
    try:
        socket.create_connection(engine, timeout=ANSWERS_WITHIN_S).close()
    except ConnectionRefusedError:
        return True
    except Exception:  # noqa: BLE001 - whatever else went wrong says nothing of Pulumi
        return False
    return False
