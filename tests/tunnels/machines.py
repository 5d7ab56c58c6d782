"""A machine on this one's loopback."""

from __future__ import annotations

from providers.bluegreen.model import MachineSeen, Release

MACHINE = MachineSeen(
    id="148e21ea7d5e38",
    name="rooms-g1-ams-1",
    release=Release(1, "abcdef"),
    region="ams",
    state="started",
    cordoned=False,
    private_ip="127.0.0.1",
)
