"""The direct tunnel: the machine's own address, and nothing else that the API may say."""

from __future__ import annotations

from dataclasses import replace

import anyio
import httpx
import pytest

from providers.tunnels import TunnelFailed, direct
from tests.tunnels.machines import MACHINE


def url_of(private_ip: str) -> str:
    async def main() -> str:
        async with direct() as tunnels:
            return await tunnels.url(replace(MACHINE, private_ip=private_ip), 8080)

    return anyio.run(main)


def test_a_machine_is_reached_at_its_private_address(app_port: int) -> None:
    """What the URL leads to is the machine's port."""

    async def main() -> str:
        async with direct() as tunnels, httpx.AsyncClient(trust_env=False) as http:
            return (await http.get(await tunnels.url(MACHINE, app_port) + "/")).text

    assert anyio.run(main) == "hello"


def test_an_address_of_fly_is_written_in_brackets() -> None:
    """Fly's private addresses are IPv6, and a URL has those in brackets."""
    assert url_of("fdaa:0:18:a7b:1f60:3:1c2d:2") == "http://[fdaa:0:18:a7b:1f60:3:1c2d:2]:8080"


@pytest.mark.parametrize(
    "private_ip",
    [
        "",
        "rooms.internal",
        "10.0.0.1/x",
        "user@10.0.0.1",
        "10.0.0.1:80",
        "[::1]",
        "fe80::1%x@evil.example",
        " 10.0.0.1",
    ],
)
def test_what_is_no_address_is_refused(private_ip: str) -> None:
    """Nothing that the API says can lead a request, and the secrets in it, to another host."""
    with pytest.raises(
        TunnelFailed, match=r"machine 148e21ea7d5e38 \(rooms-g1-ams-1\).*port 8080.*no IP address"
    ):
        url_of(private_ip)
