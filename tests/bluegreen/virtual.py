"""Whole deployments in virtual time: the real client, the simulator in process, scripted machines, S3 in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from providers.bluegreen.context import Context
from providers.bluegreen.deploy import Request, deploy
from providers.bluegreen.events import lines
from providers.bluegreen.failures import NotYet
from providers.bluegreen.model import Answer
from providers.bluegreen.outcome import Outcome
from providers.bluegreen.spec import Spec
from providers.fly import connect
from providers.gates.store import StateStore
from providers.tunnels import direct
from simulator.clock import Clock
from simulator.http import create_app
from simulator.leases import find_lease
from simulator.private_network import PrivateNetwork
from simulator.runtime_virtual import Behaviour, VirtualRuntime
from simulator.world import World
from tests import virtual_time
from tests.bluegreen.memory_store import MemoryStore
from tests.bluegreen.promises import End, Promises, Rules
from tests.bluegreen.scripted_app import ScriptedApp
from tests.bluegreen.watched import WatchedHistory, WatchedTransport, commit_of

V1, V2 = "registry.fly.io/rooms:v1", "registry.fly.io/rooms:v2"
TOKEN = "local"
EPOCH = 1_800_000_000.0
"""Where seeded runs begin, in epoch seconds."""


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
    """One simulated platform and what a test does with it. ``view``: the store as the deployer sees it."""

    world: World
    runtime: VirtualRuntime
    http: httpx.AsyncBaseTransport
    store: MemoryStore
    scripted: ScriptedApp
    promises: Promises
    view: StateStore | None = None
    said: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    async def deploy(self, spec: Spec, **request: Any) -> Outcome:
        """One run of the deployment, over a connection of its own."""
        known: dict[str, Any] = {"known_generation": self._generation(), "expected": self._expected()}
        self.promises.begin(request.get("goal", "deploy"), spec.machine_count)
        async with self.context(spec) as ctx:
            self.outcomes.append(await deploy(ctx, Request(**known | request)))
        return self.outcomes[-1]

    @asynccontextmanager
    async def context(self, spec: Spec, token: str = TOKEN) -> AsyncIterator[Context]:
        transport = WatchedTransport(self.http, self.world.history)
        async with connect(token, "http://fly.test", transport=transport) as api:
            prober = RouteProber(self.world, spec.app)
            network = PrivateNetwork(self.runtime)
            async with direct() as tunnels, httpx.AsyncClient(transport=network) as private:
                yield Context(
                    api,
                    spec,
                    lambda bucket: self.view or self.store,
                    prober,
                    tunnels,
                    private,
                    lines(self._say),
                    self.world.clock.now,
                )

    def _say(self, line: str) -> None:
        self.said.append(line)
        self.world.history.add("said", text=line)

    def _expected(self) -> frozenset[str]:
        """As Pulumi's state: what the last success said."""
        serving = [outcome.serving for outcome in self.outcomes if outcome.succeeded]
        return frozenset(m.id for m in serving[-1].machines) if serving and serving[-1] else frozenset()

    def _generation(self) -> int:
        releases = [outcome.serving.release for outcome in self.outcomes if outcome.serving]
        return releases[-1].generation if releases else 0

    def app(self, **behaviour: Any) -> Behaviour:
        """The app as a script, with what is to be wrong with it."""
        return self.scripted.behaviour(**behaviour)

    def edit_everywhere(self) -> None:
        """One edit on each machine that users reach."""
        for machine in self.machines():
            if machine.name in self.routed():
                self.scripted.edit(machine.id)

    def edit_all(self) -> None:
        """One edit on each machine to which users hold a connection: a cordoned one keeps those that it has."""
        for machine_id in sorted(self.promises.told.in_use):
            self.scripted.edit(machine_id)

    def lost(self) -> set[str]:
        """Acknowledged edits that nobody has any more."""
        running = ("started", "stopping")
        return self.scripted.lost({machine.id for machine in self.machines() if machine.state in running})

    def leased(self) -> set[str]:
        """Names of the machines on which a lease is held."""
        return {machine.name for machine in self.machines() if find_lease(self.world, machine)}

    def end(self, outcome: Outcome | None, *, killed: bool = False) -> None:
        """All promises, at the end of a run. ``None``: it was killed, or refused to decide anything."""
        self.promises.end(End(outcome, self.lost(), self.leased(), killed))

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
    test: Callable[[Kit], Awaitable[None]],
    *,
    proxy_delay: float = 0.2,
    limits: bool = True,
    rules: Rules | None = None,
    seed: int | None = None,
) -> None:
    """Run a test against a fresh platform in virtual time. v1 and v2 boot in a second and save when stopped.

    ``seed``: the same run each time, to the last id and millisecond. The checker of all promises listens; what it found
    is raised by ``Kit.end`` and ``Promises.check``.
    """

    async def main() -> None:
        runtime, clock = (
            VirtualRuntime({V1: Behaviour(), V2: Behaviour()}),
            Clock(None if seed is None else EPOCH),
        )
        store = MemoryStore(now=clock.now)
        promises = Promises(rules or Rules(saved=store.saved))
        history = WatchedHistory(clock, promises)
        store.on_put = commit_of(history)
        scripted = ScriptedApp(store, clock.now, history.tell_app)
        async with World(
            runtime=runtime,
            clock=clock,
            history=history,
            proxy_delay=proxy_delay,
            limits=limits,
            regions=("ams", "iad"),
            seed=seed,
        ) as world:
            transport = httpx.ASGITransport(app=create_app(world, token=TOKEN))
            kit = Kit(world, runtime, transport, store, scripted, promises)
            runtime.script("*", kit.app())
            await test(kit)

    virtual_time.run(main, seed)
