"""The private address: from inside the organization's network, by a WireGuard connection or on the platform itself."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from providers.bluegreen.model import MachineSeen
from providers.gates.output import clean
from providers.tunnels.protocol import Tunnels, no_way


class _Direct:
    async def url(self, machine: MachineSeen, port: int) -> str:
        try:
            return f"http://{_host(machine.private_ip)}:{port}"
        except ValueError:
            why = f'its private_ip is "{clean(machine.private_ip)}", which is no IP address'
            raise no_way(machine, port, why, "see what Fly's API says of this machine") from None


def _host(private_ip: str) -> str:
    address = ipaddress.ip_address(private_ip)
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.scope_id:  # "fe80::1%…" is of one link, and may have anything behind the sign
        raise ValueError
    return f"[{address}]"


@asynccontextmanager
async def direct() -> AsyncIterator[Tunnels]:
    """Tunnels that are there already."""
    yield _Direct()
