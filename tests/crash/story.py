"""What happens to an operator: ``pulumi up`` is killed, and the next one comes, beside the orphan or after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import anyio

from tests.crash.deployers import Ended
from tests.crash.gate import Act, When
from tests.crash.serving import until
from tests.crash.site import V1, Lane, Site, open_site
from tests.crash.stack import DEADLINE_S, UNCHANGED, Command, Stack

KILLED = Ended(-9)
UP = ("up", "--yes", "--skip-preview")
DESTROY = ("destroy", "--yes", "--skip-preview")


@dataclass(frozen=True)
class Point:
    """When to act: at the first call with this method and a path of this shape, an asterisk for whatever it is."""

    name: str
    method: str
    path: str
    when: When = "after"

    def chosen(self, calls: list[str]) -> bool:
        return fnmatchcase(calls[-1], f"{self.method} {self.path}")


WANTS_MACHINES = Point("lease", "POST", "*/lease", "before")


@dataclass
class Story:
    """One site, one stack, one interrupted ``up`` after another. ``refused``: how many said that another deploys."""

    site: Site
    stack: Stack
    refused: int = 0

    async def up(self, lane: Lane, image: str) -> tuple[int, str]:
        """One whole ``up``: its exit code, and what it has printed."""
        self.site.begin()
        return await self.stack.run(lane, *UP, image=image)

    async def interrupted(self, lane: Lane, point: Point, act: Act, first: Command) -> None:
        """Act at this point, and return when the ``up`` has ended."""
        lane.gate.arm(point.chosen, act, point.when)
        code, text = await first.end()
        assert lane.gate.act is None, f"it ended before {point.name}: {text}"
        assert code, text

    async def beside(self, lane: Lane, image: str) -> bool:
        """Whether an ``up`` succeeds while another one may be at work; if not, it says who deploys, and since when."""
        code, text = await self.up(lane, image)
        if code:
            self.refused += 1
            assert " is held by " in text, text
            assert " since 20" in text, text
        return code == 0

    async def succeed(self, image: str) -> None:
        """The next ``up`` has to."""
        code, text = await self.up(self.site.lane(), image)
        assert code == 0, text

    async def settled(self, image: str) -> None:
        """World, routes and Pulumi's state agree, and one more ``up`` changes nothing."""
        await self.site.judge(KILLED)
        assert self.site.only_routed()
        assert not [machine.name for machine in self.site.machines() if machine.lease]
        lane = self.site.lane()
        code, text = await self.up(lane, image)
        assert code == 0, text
        assert UNCHANGED in text
        assert lane.gate.changes() == []
        assert await self.site.users.lost(self.site.machines()) == set()
        serving = self.stack.outputs()["serving"]
        assert set(serving["machine_ids"]) == self.site.promises.told.routed

    async def orphan(self, point: Point, image: str) -> None:
        """``pulumi`` alone is killed. The call at which it was is held up until the next ``up`` wants the machines."""
        lane, next_lane, wanted = self.site.lane(), self.site.lane(), anyio.Event()

        async def let_the_orphan_go_on() -> bool:
            wanted.set()
            return True

        next_lane.gate.arm(WANTS_MACHINES.chosen, let_the_orphan_go_on, WANTS_MACHINES.when)
        self.site.begin()
        async with self.stack.command(lane, *UP, image=image) as first:

            async def kill_and_hold_up() -> bool:
                await first.kill()
                await wanted.wait()
                return True

            await self.interrupted(lane, point, kill_and_hold_up, first)
            await self.stack.cancel(next_lane)
            succeeded = await self.beside(next_lane, image)
            wanted.set()
            await until(lambda: self.released(lane), "the orphan has come to its end")
        if not succeeded:
            await self.succeed(image)
        await self.settled(image)

    def released(self, lane: Lane) -> bool:
        """Whether a run has given back its leases, and nothing of it is on the wire."""
        return not lane.gate.open and not any(machine.lease for machine in self.site.machines())

    async def host_dies(self, point: Point, image: str) -> None:
        """Everything is killed: ``pulumi`` and its provider. The next ``up`` waits for the leases to run out."""
        lane = self.site.lane()
        self.site.begin()
        async with self.stack.command(lane, *UP, image=image) as first:

            async def kill_all() -> bool:
                await first.kill_session()
                return False

            await self.interrupted(lane, point, kill_all, first)
        await self.site.judge(KILLED)
        await self.stack.cancel(lane)
        await self.succeed(image)
        await self.settled(image)

    async def destroy_beside(self, point: Point, image: str) -> None:
        """A ``destroy``, after `pulumi cancel`, beside an ``up`` that is held up: refused; after it, it destroys."""
        lane, other, held, go_on = self.site.lane(), self.site.lane(), anyio.Event(), anyio.Event()

        async def hold_up() -> bool:
            held.set()
            await go_on.wait()
            return True

        lane.gate.arm(point.chosen, hold_up, point.when)
        self.site.begin()
        async with self.stack.command(lane, *UP, image=image) as first:
            with anyio.fail_after(DEADLINE_S):
                await held.wait()
            await self.stack.cancel(other)
            code, text = await self.stack.run(other, *DESTROY, image=image)
            assert code, text
            assert " is held by " in text, text
            assert " since 20" in text, text
            assert [call for call in other.gate.changes() if not call.endswith("/lease")] == []
            go_on.set()
            await first.end()
        await self.site.judge(KILLED)
        assert self.site.only_routed()
        self.site.begin("destroy")
        code, text = await self.stack.run(other, *DESTROY, image=image)
        assert code == 0, text
        assert self.site.machines() == []


@asynccontextmanager
async def open_story(s3_url: str, name: str, folder: Path) -> AsyncIterator[Story]:
    """A site and a stack on which v1 serves."""
    async with open_site(s3_url, f"{name}/", drain={"type": "stop"}) as site:
        stack = Stack(site, folder / name)
        await stack.init()
        story = Story(site, stack)
        await story.succeed(V1)
        yield story
