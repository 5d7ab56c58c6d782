"""Local Fly in this process, over real HTTP, with real machines; every promise is checked as its history is written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import httpx
from anyio.abc import TaskGroup

from demo.local import BUCKET, CREDENTIALS
from demo.local.platform import TOKEN, local_environment
from providers.bluegreen.outcome import Ending
from simulator.catalog import Entry
from simulator.clock import Clock
from simulator.http import create_app
from simulator.model import Machine
from simulator.probes import NO_TLS
from simulator.runtime_process import ProcessRuntime
from simulator.serve import report_crash
from simulator.world import World
from tests.bluegreen.promises import Broken, End, Promises, Rules
from tests.bluegreen.watched import WatchedHistory
from tests.crash.deployers import Ended
from tests.crash.gate import Gate
from tests.crash.s3_way import S3Way
from tests.crash.serving import serve, serve_proxy, until
from tests.crash.users import Users

APP = "rooms"
REGIONS = {"ams": 1, "iad": 1}
V1, V2 = "registry.fly.io/rooms:v1", "registry.fly.io/rooms:v2"
PROGRAM = ("{python}", "-I", "-S", "tests/crash/programs/saver.py")
CHECK = {"type": "tcp", "interval": "100ms", "timeout": "20s"}
"""It costs next to nothing; how long a loaded machine may take to answer is not what is tested here."""
IMAGES = {
    image: Entry(command=list(PROGRAM), env={"ROOMS_VERSION": image, "SAVER_TELLS": "yes"})
    for image in (V1, V2)
}


SHOWN = (
    "n",
    "kind",
    "name",
    "state",
    "cordoned",
    "healthy",
    "why",
    "machine_ids",
    "method",
    "path",
    "status",
)
FRESH = httpx.Limits(max_keepalive_connections=0)
"""A kept connection that its server closes just then would lose a machine's save."""
TOLD = 60
"""How many records a failure shows."""


@dataclass(frozen=True)
class Lane:
    """One deployer's own way to Fly and to S3, so that its calls are told from another's; ``environ`` leads there."""

    gate: Gate
    environ: dict[str, str]


@dataclass
class Site:
    """One app's platform, and what its users were promised. ``state`` is what Pulumi would keep of the last success."""

    world: World
    promises: Promises
    users: Users
    way: S3Way
    tasks: TaskGroup
    prefix: str
    machines_s3: str
    wanted: Mapping[str, Any]
    state: dict[str, Any] = field(default_factory=lambda: {"generation": 0, "machine_ids": []})

    def lane(self) -> Lane:
        """A new one. It tells no machine and no state from what another leads to."""

        async def on_call(call: str) -> None:
            self.tasks.start_soon(self.users.edit)

        gate = Gate(on_call)
        environ = local_environment() | CREDENTIALS
        environ["FLY_FLAPS_BASE_URL"] = serve(self.tasks, gate.guard(create_app(self.world, TOKEN)))
        environ["AWS_ENDPOINT_URL_S3"] = serve(self.tasks, gate.guard(self.way))
        return Lane(gate, environ)

    def spec(self, image: str) -> dict[str, Any]:
        """The cheapest cluster of two machines."""
        return {
            "app": APP,
            "image": image,
            "regions": REGIONS,
            "env": {"AWS_ENDPOINT_URL_S3": self.machines_s3},
            "services": [{"internal_port": 8080, "checks": [CHECK]}],
            "stop_config": {"timeout": "20s"},
            "state_store": {"bucket": BUCKET, "prefix": self.prefix, "region": "us-east-1"},
            "routing_probe": {"path": "/version", "machine_key": "machine_id"},
            "public_url": self.users.proxy_url,
            "tunnel": "direct",
            **self.wanted,
        }

    def begin(self, goal: str = "deploy") -> None:
        """A run begins."""
        self.promises.begin(goal, sum(self.wanted.get("regions", REGIONS).values()))

    async def judge(self, ended: Ended) -> None:
        """Wait until the proxy has learned of it, and check what has to hold at an end. Raises ``Broken``."""
        await until(lambda: not self.world.routes._told, "the proxy knows all that it was told")
        self._keep(ended)
        lost = set() if ended.killed else await self.users.lost(self.machines())
        leased = {machine.name for machine in self.machines() if machine.lease}
        try:
            self.promises.end(End(ended.outcome, lost, leased, killed=ended.killed))
        except Broken as error:
            error.add_note("\n".join([*ended.said, *map(told, self.world.history.read())][-TOLD:]))
            raise

    def _keep(self, ended: Ended) -> None:
        outcome = ended.outcome
        if outcome and outcome.succeeded and outcome.ending is not Ending.DESTROYED and outcome.serving:
            ids = sorted(machine.id for machine in outcome.serving.machines)
            self.state = {"generation": outcome.serving.release.generation, "machine_ids": ids}

    def machines(self) -> list[Machine]:
        """Those that exist."""
        found = self.world.apps[APP].machines.values() if APP in self.world.apps else ()
        return [machine for machine in found if machine.state not in ("destroying", "destroyed")]

    def let_leases_run_out(self) -> None:
        """The time passes that a dead run's leases last."""
        for machine in self.machines():
            if machine.lease:
                machine.lease = replace(machine.lease, expires_at=self.world.clock.now())

    def only_routed(self) -> bool:
        """Whether there are no machines but those that users reach."""
        return {machine.id for machine in self.machines()} == self.promises.told.routed


def told(record: dict[str, Any]) -> str:
    """One record, short."""
    return " ".join(f"{name}={record[name]}" for name in SHOWN if name in record)


@asynccontextmanager
async def open_site(s3_url: str, prefix: str, **wanted: Any) -> AsyncIterator[Site]:
    """A platform of its own, as long as the block takes. ``wanted`` changes the spec."""
    clock = Clock()
    saved: set[str] = set()
    promises = Promises(Rules(saved=lambda: saved))
    history = WatchedHistory(clock, promises)
    async with (
        World(
            runtime=ProcessRuntime(IMAGES, on_crash=report_crash),
            clock=clock,
            regions=tuple(REGIONS),
            proxy_delay=0.02,
            limits=False,  # every client keeps them by itself; many deployers in a row know nothing of each other
            history=history,
        ) as world,
        httpx.AsyncClient(base_url=s3_url, trust_env=False, timeout=30, verify=NO_TLS, limits=FRESH) as http,
        anyio.create_task_group() as tasks,
    ):
        users = Users(http, await serve_proxy(tasks, world))

        def wrote(path: str, content: bytes) -> None:
            key = path.removeprefix(f"/{BUCKET}/{prefix}")
            if key.startswith("owners/"):
                history.add("commit", key=key, release=json.loads(content)["release"])
            elif key.startswith("manifests/"):
                saved.add(key.rpartition("/")[2].removesuffix(".json"))
            elif key.startswith("edits/"):
                users.note_saved(content)

        way = S3Way(http, wrote, history.tell_app)
        yield Site(world, promises, users, way, tasks, prefix, serve(tasks, way), wanted)
        tasks.cancel_scope.cancel()
