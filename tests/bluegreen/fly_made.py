"""What `fly deploy` makes and changes, as flyctl does it through the same API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import httpx

from tests.bluegreen.virtual import TOKEN, V1, Kit

HEADERS = {"authorization": f"Bearer {TOKEN}"}
SERVICE = {
    "internal_port": 8080,
    "protocol": "tcp",
    "autostart": True,
    "autostop": "stop",
    "checks": [{"type": "http", "port": 8080, "path": "/health", "interval": "5s", "timeout": "2s"}],
}


def fly_metadata(version: int, group: str = "app") -> dict[str, str]:
    return {
        "fly_platform_version": "v2",
        "fly_process_group": group,
        "fly_release_id": f"rel_x{version}Yz",
        "fly_release_version": str(version),
        "fly_flyctl_version": "0.4.70",
    }


async def call(kit: Kit, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """One call of flyctl's, or of a person's."""
    async with httpx.AsyncClient(transport=kit.http, base_url="http://fly.test", headers=HEADERS) as http:
        answer = await http.request(method, f"/v1/apps{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


async def fly_deploy(
    kit: Kit, version: int = 12, *, names: Mapping[str, str] | None = None, group: str = "app", **config: Any
) -> None:
    """A first `fly deploy`: machines by name and region, started and routed, in an app that is made if need be."""
    if "rooms" not in kit.world.apps:
        await call(kit, "POST", "", {"name": "rooms", "org_slug": "personal"})
    for name, region in (names or {"still-river-1": "ams", "calm-sea-2": "iad"}).items():
        made = {"image": V1, "services": [SERVICE], "metadata": fly_metadata(version, group), **config}
        made = await call(kit, "POST", "/rooms/machines", {"name": name, "region": region, "config": made})
        await until_settled(kit, made["id"])
    await pass_time(10.0)


async def until_settled(kit: Kit, machine_id: str) -> None:
    await call(kit, "GET", f"/rooms/machines/{machine_id}/wait?state=started,stopped&timeout=60")


async def change(kit: Kit, name: str, *, metadata: Mapping[str, str] | None = None, **config: Any) -> None:
    """An update in place, as `fly deploy` and `fly machine update` do it: what is not named stays."""
    machine = next(machine for machine in kit.machines() if machine.name == name)
    before = machine.config
    after = {**before, **config, "metadata": {**machine.metadata, **(metadata or {})}}
    await call(kit, "POST", f"/rooms/machines/{machine.id}", {"config": after})
    await until_settled(kit, machine.id)
    await pass_time(5.0)


async def pass_time(seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await anyio.sleep_forever()
