"""Whole deployments in virtual time: the real client, the simulator in process, scripted machines, S3 in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from providers.bluegreen.context import Context
from providers.bluegreen.deploy import Request, deploy
from providers.bluegreen.failures import NotYet
from providers.bluegreen.model import Answer, Outcome
from providers.bluegreen.spec import Spec
from providers.fly import connect
from providers.gates.store import Head, StoreError
from simulator.http import create_app
from simulator.runtime import Boot
from simulator.runtime_virtual import Behaviour, VirtualRuntime
from simulator.world import World
from tests import virtual_time

V1, V2 = "registry.fly.io/rooms:v1", "registry.fly.io/rooms:v2"
TOKEN = "local"


@dataclass
class MemoryStore:
    """A bucket in memory; ``down`` makes every question fail."""

    objects: dict[str, bytes] = field(default_factory=dict)
    down: bool = False

    def put(self, key: str, content: bytes) -> str:
        self.objects[key] = content
        return etag(content)

    async def read(self, key: str) -> bytes | None:
        self._must_be_up()
        return self.objects.get(key)

    async def head(self, key: str) -> Head | None:
        self._must_be_up()
        content = self.objects.get(key)
        return None if content is None else Head(etag(content), len(content))

    def _must_be_up(self) -> None:
        if self.down:
            raise StoreError("the store does not answer")


def etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


@dataclass(frozen=True)
class RouteProber:
    """Asks as a user would: whoever the simulated proxy picks answers."""

    world: World
    app: str

    async def ask(self, region: str, machine_id: str = "") -> Answer:
        target = self.world.routes.pick(self.app, edge=region, prefer=region, instance=machine_id or None)
        if target is None:
            raise NotYet("nothing is routed")
        return Answer(region, target.machine_id)


@dataclass
class Kit:
    """One simulated platform and what a test does with it."""

    world: World
    runtime: VirtualRuntime
    http: httpx.AsyncBaseTransport
    store: MemoryStore
    said: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    booted_at: dict[str, float] = field(default_factory=dict)

    async def deploy(self, spec: Spec, **request: Any) -> Outcome:
        """One run of the deployment, over a connection of its own."""
        known: dict[str, Any] = {"known_generation": self._generation(), "expected": self._expected()}
        async with self.context(spec) as ctx:
            self.outcomes.append(await deploy(ctx, Request(**known | request)))
        return self.outcomes[-1]

    @asynccontextmanager
    async def context(self, spec: Spec, token: str = TOKEN) -> AsyncIterator[Context]:
        async with connect(token, "http://fly.test", transport=self.http) as api:
            prober = RouteProber(self.world, spec.app)
            yield Context(
                api, spec, lambda bucket: self.store, prober, self.said.append, self.world.clock.now
            )

    def _expected(self) -> frozenset[str]:
        """As Pulumi's state: what the last success said."""
        serving = [outcome.serving for outcome in self.outcomes if outcome.succeeded]
        return frozenset(m.id for m in serving[-1].machines) if serving and serving[-1] else frozenset()

    def _generation(self) -> int:
        releases = [outcome.serving.release for outcome in self.outcomes if outcome.serving]
        return releases[-1].generation if releases else 0

    async def _note_boot(self, boot: Boot) -> None:
        self.booted_at[boot.machine_id] = self.world.clock.now()

    def app(
        self, *, saves: bool = True, manifest: Mapping[str, Any] | None = None, **behaviour: Any
    ) -> Behaviour:
        """The app as a script: it saves when it is stopped unless told, with a ``manifest`` spoiled by these fields."""
        on_stop = self._saves(manifest or {}) if saves else None
        return Behaviour(on_start=self._note_boot, on_stop=on_stop, **behaviour)

    def _saves(self, changes: Mapping[str, Any]) -> Callable[[Boot], Awaitable[None]]:
        """What the example app does when it is told to stop: a room, then the manifest."""

        async def on_stop(boot: Boot) -> None:
            release, prefix = boot.env["BLUEGREEN_RELEASE"], boot.env["BLUEGREEN_STATE_PREFIX"]
            key = f"{prefix}rooms/{boot.machine_id}.json"
            room = f"room of {boot.instance_id}".encode()
            now = self.world.clock.now()
            manifest = {
                "version": 1,
                "release": release,
                "machine_id": boot.machine_id,
                "instance_id": boot.instance_id,
                "started_at": self.booted_at[boot.machine_id],
                "saved_at": now,
                "objects": [{"key": key, "etag": self.store.put(key, room), "bytes": len(room)}],
                "counts": {"rooms": 1},
            }
            content = json.dumps(manifest | dict(changes)).encode()
            self.store.put(f"{prefix}manifests/{release}/{boot.machine_id}.json", content)

        return on_stop

    def machines(self) -> list[Any]:
        """The machines that exist, as the simulator holds them."""
        found = self.world.apps["rooms"].machines.values() if "rooms" in self.world.apps else []
        return [machine for machine in found if str(machine.state) not in ("destroyed", "destroying")]

    def history(self, kind: str) -> list[dict[str, Any]]:
        return self.world.history.read(kind=kind)

    def calls(self, *actions: str) -> list[dict[str, Any]]:
        """The requests with these actions, in order."""
        return [record for record in self.history("request") if record["action"] in actions]

    def routed(self) -> set[str]:
        """Names of the machines that the proxy sends traffic to."""
        ids = {
            route.target.machine_id for route in self.world.routes._learned.get("rooms", ()) if route.healthy
        }
        return {machine.name for machine in self.machines() if machine.id in ids}


def simulate(
    test: Callable[[Kit], Awaitable[None]], *, proxy_delay: float = 0.2, limits: bool = True
) -> None:
    """Run a test against a fresh platform in virtual time. v1 and v2 boot in a second and save when stopped."""

    async def main() -> None:
        runtime = VirtualRuntime({V1: Behaviour(), V2: Behaviour()})
        async with World(
            runtime=runtime, proxy_delay=proxy_delay, limits=limits, regions=("ams", "iad")
        ) as world:
            transport = httpx.ASGITransport(app=create_app(world, token=TOKEN))
            kit = Kit(world, runtime, transport, MemoryStore())
            runtime.script("*", kit.app())
            await test(kit)

    virtual_time.run(main)
