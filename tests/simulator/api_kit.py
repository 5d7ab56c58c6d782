"""A simulated platform in process, in virtual time, and short words for what tests do with it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from simulator.clock import Clock
from simulator.http import create_app
from simulator.runtime_virtual import Behaviour, VirtualRuntime
from simulator.world import World
from tests import virtual_time

V1, V2 = "registry.fly.io/rooms:v1", "registry.fly.io/rooms:v2"
EPOCH = 1_800_000_000.0
SERVICE: dict[str, Any] = {
    "internal_port": 8080,
    "protocol": "tcp",
    "checks": [{"type": "http", "path": "/health", "interval": "1s", "timeout": "1s"}],
}
Json = dict[str, Any]


@dataclass(frozen=True)
class Kit:
    """One platform with the app `rooms`."""

    world: World
    runtime: VirtualRuntime
    client: httpx.AsyncClient

    async def call(self, method: str, path: str = "", nonce: str = "", **options: Any) -> httpx.Response:
        """One call; `path` is relative to the app's machines."""
        headers = {"fly-machine-lease-nonce": nonce} if nonce else {}
        return await self.client.request(method, f"/apps/rooms/machines{path}", headers=headers, **options)

    async def create(self, config: Json | None = None, **body: Any) -> Json:
        """A machine, as the API answers its creation."""
        response = await self.call("POST", json={"config": {"image": V1, **(config or {})}, **body})
        assert response.status_code == 200, response.text
        machine: Json = response.json()
        return machine

    async def create_started(self, config: Json | None = None, **body: Any) -> str:
        """The id of a machine that has started."""
        machine_id: str = (await self.create(config, **body))["id"]
        await self.reach(machine_id, "started")
        return machine_id

    async def act(
        self, machine_id: str, action: str, nonce: str = "", body: Json | None = None
    ) -> httpx.Response:
        """A POST that acts on a machine."""
        return await self.call("POST", f"/{machine_id}/{action}", nonce=nonce, json=body or {})

    async def reach(self, machine_id: str, state: str) -> None:
        """Wait for a state by the API's own long poll."""
        response = await self.call("GET", f"/{machine_id}/wait", params={"state": state, "timeout": 60})
        assert response.status_code == 200, response.text

    async def get(self, machine_id: str) -> Json:
        """The machine now."""
        machine: Json = (await self.call("GET", f"/{machine_id}")).json()
        return machine

    async def read_exits(self, machine_id: str) -> list[Json]:
        """Its exit events' details, newest first."""
        events = (await self.call("GET", f"/{machine_id}/events")).json()
        return [event["request"]["exit_event"] for event in events if event["type"] == "exit"]

    def list_routed(self) -> list[str]:
        """What the proxy has learned last."""
        routes = self.world.history.read(kind="routes")
        return routes[-1]["machine_ids"] if routes else []


@asynccontextmanager
async def open_kit(
    images: Mapping[str, Behaviour] | None = None, *, limits: bool = False, proxy_delay: float = 0.0
) -> AsyncIterator[Kit]:
    """A platform with images V1 and V2, and with an app, but without machines."""
    runtime = VirtualRuntime({V1: Behaviour(), V2: Behaviour(), **(images or {})})
    async with (
        World(runtime=runtime, clock=Clock(EPOCH), limits=limits, proxy_delay=proxy_delay, seed=1) as world,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(world)),
            base_url="http://simulator/v1",
            headers={"authorization": "Bearer local"},
            timeout=3600,
        ) as client,
    ):
        response = await client.post("/apps", json={"name": "rooms", "org_slug": "personal"})
        assert response.status_code == 201, response.text
        yield Kit(world, runtime, client)


def play(story: Callable[[Kit], Awaitable[None]], **options: Any) -> None:
    """Run a story on a fresh platform in virtual time."""

    async def main() -> None:
        async with open_kit(**options) as kit:
            await story(kit)

    virtual_time.run(main)


async def measure(awaitable: Awaitable[Any]) -> float:
    """Virtual seconds that something takes."""
    began = anyio.current_time()
    await awaitable
    return anyio.current_time() - began


async def let_pass(seconds: float) -> None:
    """Let virtual time pass; it takes none."""
    await anyio.sleep(seconds)
