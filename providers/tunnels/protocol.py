"""What every kind of tunnel does."""

from __future__ import annotations

from typing import Protocol

from providers.bluegreen.failures import GateFailed
from providers.bluegreen.model import MachineSeen


class Tunnels(Protocol):
    """A way to reach single machines."""

    async def url(self, machine: MachineSeen, port: int) -> str:
        """The base URL (``http://…``, no slash at the end) that leads to ``port`` of this machine, until the run ends.

        Raises ``TunnelFailed``.
        """
        ...


class TunnelFailed(GateFailed):
    """There is no way to a machine; ``str()`` tells which, to which port, why, and what to do."""


def no_way(machine: MachineSeen, port: int, why: str, todo: str) -> TunnelFailed:
    """The error that says so."""
    return TunnelFailed(
        f"machine {machine.id} ({machine.name}) cannot be reached on port {port}: {why}; {todo}"
    )
