"""Deployments over everything real but Fly: processes, signals, sockets, WebSockets, S3; without the Pulumi engine."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from demo.local import Platform
from examples.players import Ack, Audit, Log, Players, audit, read_rooms
from providers.bluegreen import lifecycle
from providers.bluegreen.deploy import Request, deploy, preview
from providers.bluegreen.events import lines
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.outcome import Ending, Outcome
from providers.bluegreen.report import plan_lines
from providers.bluegreen.spec import Spec
from providers.session import open_context
from tests.examples.machines import receive
from tests.examples.relay import Relay
from tests.handover.local_fly import APP, LocalFly
from tests.handover.saved import Commit, Saved

HOST = f"{APP}.fly.dev"
V1, V2 = "registry.fly.io/rooms:v1", "registry.fly.io/rooms:v2"
BY_REQUEST: dict[str, Any] = {"drain": {"type": "request"}}
BY_SIGNAL: dict[str, Any] = {"drain": {"type": "signal"}}
TWO_REGIONS = {"ams": 1, "iad": 1}
STAYING = 1e9
"""Seconds that a player stays on average who reconnects for no reason of its own. The time is drawn: with an hour, one
of eight players left within half a minute in every fifteenth test.
"""
LOOKS_EVERY_S = 0.05
_numbers = itertools.count(1)


@dataclass
class Deployer:
    """Deploys the example app, or a ``small`` one, to local Fly. Each has a prefix of its own in the bucket.

    The machines and the deployer reach S3 through ``s3``, which a test can cut; ``saved`` looks past it. ``said`` is
    what people were told.
    """

    platform: Platform
    s3: Relay
    saved: Saved
    fly: LocalFly
    regions: dict[str, int] = field(default_factory=lambda: {"ams": 1})
    small: bool = False
    said: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    awaited: list[tuple[str, Callable[[], object]]] = field(default_factory=list)

    def spec(self, image: str, **changes: Any) -> Spec:
        given: dict[str, Any] = {
            "app": APP,
            "image": image.replace("/rooms:", "/saver:") if self.small else image,
            "regions": self.regions,
            "env": {
                "AWS_ACCESS_KEY_ID": "local",
                "AWS_SECRET_ACCESS_KEY": "local",
                "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL_S3": self.s3.url,
            },
            "services": [
                {
                    "internal_port": 8080,
                    "checks": [
                        {"type": "http", "path": "/health", "interval": "300ms", "grace_period": "1s"}
                    ],
                }
            ],
            "stop_config": {"timeout": "30s"},
            "state_store": {
                "bucket": self.saved.bucket,
                "prefix": self.saved.prefix,
                "endpoint_url": self.s3.url,
                "region": "us-east-1",
            },
            "routing_probe": {"path": "/version", "machine_key": "machine_id"},
            "public_url": self.platform.proxy_url,
            "api_url": self.platform.api_url,
            "tunnel": "direct",
        }
        env = given["env"] | changes.pop("env", {})
        return Spec.model_validate(given | changes | {"env": env})

    def names(self, generation: int) -> set[str]:
        """The names of all machines of one release."""
        return {f"{APP}-g{generation}-{region}-1" for region in self.regions}

    def when(self, line: str, act: Callable[[], object]) -> None:
        """Do this once, at the moment when people are told a line that holds ``line``: a step's is told before it."""
        self.awaited.append((line, act))

    def hang(self, generation: int, begins: str, ends: str) -> None:
        """Let one release's processes hang from one line to another."""
        self.when(begins, lambda: self.when(ends, self.fly.freeze(generation)))

    def hear(self, line: str) -> None:
        self.said.append(line)
        for one in [one for one in self.awaited if one[0] in line]:
            self.awaited.remove(one)
            one[1]()

    async def deploy(self, image: str, *, goal: Any = "deploy", **changes: Any) -> Outcome:
        """One run, as ``pulumi up`` (or ``destroy``) makes it; what the last success said is Pulumi's state."""
        async with open_context(self.spec(image, **changes), lines(self.hear)) as ctx:
            self.outcomes.append(await deploy(ctx, self._request(goal)))
        return self.outcomes[-1]

    async def serve(self, image: str, **changes: Any) -> Outcome:
        """A deployment that has to succeed."""
        outcome = await self.deploy(image, **changes)
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        return outcome

    async def plan(self, image: str, **changes: Any) -> str:
        """What ``pulumi preview`` shows."""
        async with open_context(self.spec(image, **changes), lines(self.hear)) as ctx:
            return "\n".join(plan_lines(*await preview(ctx, self._request("deploy"))))

    def _request(self, goal: Any) -> Request:
        serving = [outcome.serving for outcome in self.outcomes if outcome.succeeded and outcome.serving]
        expected = frozenset(machine.id for machine in serving[-1].machines) if serving else frozenset()
        generation = max((o.serving.release.generation for o in self.outcomes if o.serving), default=0)
        return Request(goal, known_generation=generation, expected=expected)

    def lines(self, beginning: str) -> list[str]:
        """What was told with this beginning, without it."""
        return [line.removeprefix(beginning) for line in self.said if line.startswith(beginning)]

    def players(self, count: int = 8, rooms: int = 4, **pace: Any) -> Players:
        """Players from both regions, through the proxy."""
        return Players(
            self.platform.proxy_url,
            HOST,
            count,
            rooms,
            edges=("ams", "iad"),
            **{"edits_per_second": 10, **pace},
        )

    async def judge(self, players: Players, log: Log | None = None) -> Audit:
        """What the players were promised, until they stop, against what the rooms hold afterwards."""
        log = by_commit(log or await players.stop(), self.saved.commits())
        return audit(log, await read_rooms(players.url, players.host, players.rooms))

    async def contents(self, room: str) -> list[str]:
        """The ids of a room's edits, asked through the proxy."""
        return (await read_rooms(self.platform.proxy_url, HOST, [room]))[room]

    def answer(self, path: str) -> httpx.Response:
        """What the app answers through the proxy."""
        return httpx.get(self.platform.proxy_url + path, headers={"host": HOST}, trust_env=False, timeout=30)

    @contextmanager
    def seat(self, room: str, **headers: str) -> Iterator[Seat]:
        """A player whose every edit is the test's own."""
        proxy = urlsplit(self.platform.proxy_url)
        with connect(
            f"ws://{HOST}/rooms/{room}?player=ada",
            sock=socket.create_connection((proxy.hostname or "", proxy.port or 0)),
            proxy=None,
            compression=None,
            additional_headers=headers,
        ) as opened:
            yield Seat(opened, receive(opened, "room"))

    async def until(
        self, condition: Callable[[], Awaitable[bool] | bool], what: str, within: float = 30.0
    ) -> None:
        """Wait until a condition holds; fails with ``what`` otherwise."""
        with anyio.move_on_after(within):
            while True:
                holds = condition()
                if holds if isinstance(holds, bool) else await holds:
                    return
                with anyio.move_on_after(LOOKS_EVERY_S):
                    await anyio.sleep_forever()
        raise AssertionError(f"not within {within:g} s: {what}")

    async def until_routed(self, names: Collection[str]) -> None:
        """Wait until players are sent to these machines and no others: the proxy learns of changes late."""
        await self.until(lambda: self.fly.routed() == set(names), f"the proxy routes to {sorted(names)}")


@dataclass(frozen=True)
class Seat:
    """A socket in a room, and the greeting it had. Blocks: an edit takes milliseconds."""

    socket: ClientConnection
    greeting: dict[str, Any]

    def edit(self, name: str, text: str = "hello") -> dict[str, Any]:
        """Send one edit: its acknowledgement."""
        self.socket.send(f'{{"edit": "{name}", "text": "{text}"}}')
        return receive(self.socket, "ack")


async def more_edits(players: Players, count: int) -> None:
    """Wait until so many more are acknowledged."""
    acked = players.counters.acked
    await players.reach(lambda now: now.acked >= acked + count, 60)


def by_commit(log: Log, commits: list[Commit]) -> Log:
    """The log with each machine named by the commit that it serves under.

    The audit takes a machine that comes back for a second owner; after a rollback that is what it has to do.
    """

    def name(ack: Ack) -> str:
        own = [one.number for one in commits if one.release == ack.release and one.at <= ack.acked_at]
        return f"{ack.machine_id} under commit {max(own, default=0)}"

    return replace(log, acks=[replace(ack, machine_id=name(ack)) for ack in log.acks])


def take_out(monkeypatch: pytest.MonkeyPatch, step: Do) -> None:
    """Deploy without this step: the negative control of what it is for."""
    rows = tuple(row for row in lifecycle.HANDOFF if row.do is not step)
    assert len(rows) < len(lifecycle.HANDOFF)
    monkeypatch.setattr(lifecycle, "HANDOFF", rows)


def new_prefix() -> str:
    """One that no other test saves to."""
    return f"test-{next(_numbers)}/"
