"""One deployer: the same stack from a process of its own, with Pulumi's state as its successes have left it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import httpx

from providers.bluegreen.context import Context
from providers.bluegreen.deploy import CannotLook, Request, deploy
from providers.bluegreen.events import lines
from providers.bluegreen.holder import Holder
from providers.bluegreen.outcome import Ending, Outcome
from providers.bluegreen.scene import Goal
from providers.bluegreen.spec import Spec
from providers.fly import connect
from providers.tunnels import direct
from simulator.private_network import PrivateNetwork
from tests.bluegreen.virtual import TOKEN, Kit, RouteProber
from tests.histories.process import ItsProber, ItsStore, Line, Process


@dataclass
class State:
    """What Pulumi's state says: changed by successes alone."""

    generation: int = 0
    expected: frozenset[str] = frozenset()
    app_created: bool = False
    pending: str | None = None

    def note(self, outcome: Outcome) -> None:
        self.pending = str(outcome.pending) if outcome.pending else None
        if outcome.ending is Ending.DESTROYED:
            self.generation, self.expected, self.app_created = 0, frozenset(), False
        elif outcome.succeeded:
            serving = outcome.serving
            self.generation = max(self.generation, serving.release.generation if serving else 0)
            self.expected = frozenset(machine.id for machine in serving.machines) if serving else frozenset()
            self.app_created = self.app_created or outcome.app_created

    def request(self, goal: Goal) -> Request:
        return Request(
            goal,
            known_generation=self.generation,
            expected=self.expected,
            owns_app=goal == "destroy" and self.app_created,
        )


@dataclass
class Run:
    """One run of one deployer. ``ended``: what it said at its end; None while it goes on, or where it was killed.
    ``ended_behind``: how many records the history had then.
    """

    who: int
    spec: Spec
    goal: Goal
    began: float
    process: Process
    holder: Holder
    ended: Outcome | CannotLook | None = None
    ended_at: float = 0.0
    ended_behind: int = 0
    over: anyio.Event = field(default_factory=anyio.Event)

    @property
    def alive(self) -> bool:
        return not self.over.is_set()


@asynccontextmanager
async def context(kit: Kit, run: Run) -> AsyncIterator[Context]:
    """All that the run may use, each way of it through its process."""
    process = run.process
    async with connect(TOKEN, "http://fly.test", transport=Line(process, kit.http, counts=True)) as api:
        private = Line(process, PrivateNetwork(kit.runtime), counts=False)
        async with direct() as tunnels, httpx.AsyncClient(transport=private, trust_env=False) as client:
            yield Context(
                api,
                run.spec,
                lambda bucket: ItsStore(process, kit.store),
                ItsProber(process, RouteProber(kit.world, run.spec.app)),
                tunnels,
                client,
                lines(kit._say),
                kit.world.clock.now,
                holder=run.holder,
            )


async def execute(kit: Kit, state: State, run: Run, at_end: Callable[[Run], None]) -> None:
    """The process from its start to its end. ``at_end`` sees it at once, before anything else can happen."""
    try:
        with run.process.scope:
            await _execute(kit, state, run)
    except Exception:
        if not run.process.dead:  # whatever else it was about to say, nobody hears it
            raise
    if run.ended:
        at_end(run)
    run.over.set()


async def _execute(kit: Kit, state: State, run: Run) -> None:
    request = state.request(run.goal)
    async with context(kit, run) as ctx:
        try:
            ended: Outcome | CannotLook = await deploy(ctx, request)
        except CannotLook as error:
            ended = error
    if run.process.dead:
        return
    run.ended, run.ended_at = ended, kit.world.clock.now()
    run.ended_behind = len(kit.world.history.read())
    if isinstance(ended, Outcome):
        state.note(ended)
