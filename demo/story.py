"""The demo from the first deploy to the audit, step by step."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import anyio

from demo.local import Platform
from demo.screen import Screen
from demo.stack import Stack
from demo.stack_config import V2, lead_to, read_dev_config
from demo.timeline import Evidence, Rollout
from examples.players import Counters, Log, Players, audit, read_rooms

PLAYERS_A_ROOM = 4
GUESTS = 6
GUEST_EDITS_PER_SECOND = 10.0
GUEST_VISIT_SECONDS = 0.05
EDITS_EACH = 6
"""How many edits a player, on average, are acknowledged before the second rollout, and again after it."""
WITHIN_SECONDS = 30.0
LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Options:
    """What can be asked of a demo; `machines` is for each region."""

    players: int
    machines: int
    cutover: str


class NotReached(Exception):
    """The players or the stack did not get where the story goes on; the text says where they are."""


class Story:
    """One telling, on parts that run already, with files of its own in `folder`."""

    def __init__(self, options: Options, platform: Platform, folder: Path, screen: Screen) -> None:
        self._options = options
        self._platform = platform
        self._screen = screen
        self._stack = Stack(folder, platform.environ)
        self._config = lead_to(
            read_dev_config(), platform, machines=options.machines, cutover=options.cutover
        )
        self._host = f"{self._config['app']}.fly.dev"
        self._regions = list(self._config["regions"])
        self._rooms = max(1, options.players // PLAYERS_A_ROOM)

    async def tell(self) -> Evidence:
        """Deploy v1, let the players in, deploy v2 under them, and audit what they were promised."""
        await self._stack.create(self._config)
        first = await self._roll_out("v1")
        async with self._invite_players() as players, self._invite_guests() as guests:
            async with self._showing(players):
                await self._join(players)
                await self._preview()
                second = await self._roll_out("v2")
                require_a_new_release(first, second)
                await self._move_on(players)
            logs = (await players.stop(), await guests.stop())
        contents = await read_rooms(players.url, players.host, players.rooms)
        return Evidence(
            records=read_history(self._platform.history),
            log=logs[0],
            guests=logs[1],
            audit=audit(join_logs(logs), contents),
            rollouts=(first, second),
            app=self._config["app"],
            cutover=self._options.cutover,
            players=self._options.players,
        )

    def _invite_players(self) -> Players:
        """Those whom the story is about: they edit all the time, and reload the page now and then."""
        return Players(
            self._platform.proxy_url, self._host, self._options.players, self._rooms, edges=self._regions
        )

    def _invite_guests(self) -> Players:
        """Those who look in for an edit: new connections at any moment, so that no overlap goes unnoticed."""
        return Players(
            self._platform.proxy_url,
            self._host,
            GUESTS,
            self._rooms,
            edges=self._regions,
            edits_per_second=GUEST_EDITS_PER_SECOND,
            seconds_per_visit=GUEST_VISIT_SECONDS,
        )

    async def _roll_out(self, version: str) -> Rollout:
        where = " and ".join(f"{count} in {region}" for region, count in self._config["regions"].items())
        self._screen.heading(f"$ pulumi up    # {version}, machines: {where}")
        started_at = time.time()
        with self._screen.lent() as pane:
            await self._stack.up(self._screen.detail, pane)
        return Rollout(version, started_at, time.time(), await self._stack.read_outputs())

    async def _preview(self) -> None:
        self._screen.heading(f"$ pulumi preview -c image={V2}")
        with self._screen.lent() as pane:
            await self._stack.preview(V2, self._screen.detail, pane)

    async def _join(self, players: Players) -> None:
        everybody = self._options.players
        self._screen.heading(f"{everybody} players join {len(players.rooms)} rooms")
        await self._reach(
            players, lambda now: now.connected == everybody and now.acked >= EDITS_EACH * everybody
        )

    async def _move_on(self, players: Players) -> None:
        """Wait until everybody is back and edits as before: on v2, for v1 is gone."""
        everybody, before = self._options.players, players.counters.acked
        await self._reach(
            players,
            lambda now: now.connected == everybody and now.acked >= before + EDITS_EACH * everybody,
        )

    async def _reach(self, players: Players, condition: Callable[[Counters], bool]) -> None:
        try:
            now = await players.reach(condition, WITHIN_SECONDS)
        except TimeoutError:
            now = players.counters
            raise NotReached(f"after {WITHIN_SECONDS:g} s the players stand at: {describe(now)}") from None
        self._screen.line(f"  {describe(now)}")

    @asynccontextmanager
    async def _showing(self, players: Players) -> AsyncIterator[None]:
        """The players' counters on the live line."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._show, players)
            yield
            tasks.cancel_scope.cancel()
        self._screen.live("")

    async def _show(self, players: Players) -> None:
        while True:
            self._screen.live(f"  {describe(players.counters)}")
            await anyio.sleep(LOOK_SECONDS)


def require_a_new_release(first: Rollout, second: Rollout) -> None:
    """Nothing is shown by players who edit as before because nothing was deployed."""
    if first.outputs["release"] == second.outputs["release"]:
        raise NotReached(f"the second `pulumi up` left release {first.outputs['release']} in place")


def join_logs(logs: Sequence[Log]) -> Log:
    """Several crowds' logs as one, in the order in which things happened: they share one clock."""
    return Log(
        acks=sorted((ack for log in logs for ack in log.acks), key=attrgetter("acked")),
        sessions=[session for log in logs for session in log.sessions],
        unacked=[wait for log in logs for wait in log.unacked],
        stopped=max(log.stopped for log in logs),
    )


def describe(now: Counters) -> str:
    """The players at this moment, for a person."""
    return (
        f"{now.connected} players connected, {now.acked:,} edits acknowledged, "
        f"{now.unacked} waiting, {now.reconnects} reconnects"
    )


def read_history(path: Path) -> list[dict[str, Any]]:
    """The simulator's records so far; a line that is still being written is left out."""
    return [
        json.loads(line) for line in path.read_text(encoding="utf-8").splitlines(True) if line[-1] == "\n"
    ]
