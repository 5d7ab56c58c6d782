"""The only loop: observe → next step → do it → observe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace

import anyio

from providers.bluegreen import durations, failures
from providers.bluegreen.actions.table import ACTIONS
from providers.bluegreen.commits import known
from providers.bluegreen.context import Context
from providers.bluegreen.failures import AwaitingApproval, Interrupted, NotYet, StepFailed, TakenOver
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.lock import Held
from providers.bluegreen.model import Observation, Phase, Release, Role
from providers.bluegreen.observe import look
from providers.bluegreen.outcome import PhaseTime
from providers.bluegreen.plan import Step, next_step, rollout
from providers.bluegreen.polling import polling
from providers.bluegreen.scene import Intent, Scene
from providers.bluegreen.stopping import asked
from providers.bluegreen.telling import Telling

MOST_TRIES = 5
"""How often one step may be done without its row becoming done: more, and the world does not obey."""
WAITS = frozenset(
    {
        Do.AWAIT_STARTED,
        Do.AWAIT_HEALTHY,
        Do.STAY_HEALTHY,
        Do.TEST,
        Do.REHEARSE,
        Do.AWAIT_STOPPED,
        Do.PROVE_SAVED,
        Do.BAKE,
    }
)
"""Steps that change nothing that users have, so a run that is asked to stop need not wait for their end."""


@dataclass
class Run:
    """One run of the loop: the last scene it knew, and its clock readings (seconds).

    ``_trusted``: the last observation between two steps at which this run held its leases, so that nobody else had
    changed anything until then. ``goal``: what was asked for; the scene's intent may be the way back from it by now.
    """

    ctx: Context
    scene: Scene
    goal: str = field(init=False)
    phases: list[PhaseTime] = field(default_factory=list)
    window_s: float | None = None
    _telling: Telling = field(init=False)
    _phase: Phase | None = None
    _entered: float = 0.0
    _window_opened: float | None = None
    _trusted: Observation = field(default_factory=Observation)
    _last: Step | None = None
    _known: frozenset[Release] = frozenset()

    def __post_init__(self) -> None:
        self.goal = self.scene.intent.goal
        self._telling = Telling(self.ctx)
        self._trusted = self.scene.observation
        self._known = frozenset(m.release for m in self.scene.observation.seen) | {self.scene.intent.release}

    @property
    def touched_blue(self) -> bool:
        """Whether this run has begun to take blue away from users, whatever a later look says of it."""
        return self._window_opened is not None or self.window_s is not None

    async def reach(self, intent: Intent) -> None:
        """Do step after step until none of ``intent`` is left. Raises ``StepFailed``, ``TakenOver``."""
        self.scene = replace(self.scene, intent=intent)
        self._telling.phases = tuple(dict.fromkeys(step.phase for step in rollout(self.scene)))
        self.ctx.api.attempts = None  # from here on the phases' deadlines bound what is tried again
        tries: Counter[str] = Counter()
        just_looked = False
        while step := self._next_or_last():
            self._enter(step.phase)
            self._stop_if_asked(step)
            if not self._alone():
                await self._within_deadline(step, self.hold)
                continue
            self._trusted = self.scene.observation
            if step.destructive and not just_looked:
                just_looked = True
                await self._within_deadline(step, self.look)
                continue
            just_looked = False
            tries[step.name] += 1
            if tries[step.name] > MOST_TRIES:
                raise StepFailed(step.phase, step.name, (f"done {MOST_TRIES} times without effect",))
            await self._perform(step)
        self._leave()

    def _next_or_last(self) -> Step | None:
        """The next step; where nothing is left to do, but this run has lost its leases, the last one: what it sees may
        be another's work then, and no end of its own.
        """
        step = next_step(self.scene)
        self._last = step or self._last
        return step or (self._last if self.ctx.lock.lapsed else None)

    def _alone(self) -> bool:
        return not self.ctx.lock.lapsed and self.ctx.lock.covers(self.scene.observation.seen)

    def _stop_if_asked(self, step: Step) -> None:
        """Between two steps. Raises ``Interrupted``: before the commit point it is undone. Behind it, and on the way
        back, it runs to its end; only a bake is cut short, and left to the next run.
        """
        if self._may_stop(step) and (reason := self.ctx.stop()):
            raise Interrupted(step.phase, step.name, (reason,))

    def _may_stop(self, step: Step) -> bool:
        forwards = self.scene.intent.goal in ("deploy", "scale", "destroy")
        return forwards and (not self.scene.committed or step.phase is Phase.BAKE)

    async def hold(self) -> Observation:
        """Lease what is not leased. Where all leases had run out, nothing that was known or proven before counts.

        Raises ``Held`` where somebody else deploys, or has deployed meanwhile: on a first deploy there was nothing to
        lease, and who lost the race for the first machine finds the winner's.
        """
        lapsed = self.ctx.lock.lapsed
        if lapsed:
            self.scene = replace(self.scene, observation=self._trusted.without_evidence())
        await self.ctx.lock.cover(self.scene.observation.seen)
        observation = await self.look() if lapsed else self.scene.observation
        self._must_know_all(observation)
        if lapsed:
            self._must_miss_none(observation)
            self._must_still_end(observation)
            self.ctx.say(
                "this run had lost its leases for a while and has them again: nobody else has been there"
            )
        return observation

    def _must_know_all(self, now: Observation) -> None:
        """Who has made another release has taken over. Raises ``Held``."""
        if strange := self.strange(now):
            raise Held(f"while this run held no lease, another one made release {strange[0]}")

    def strange(self, now: Observation) -> list[Release]:
        """Releases that were not there when this run began, and are not its own."""
        return sorted({machine.release for machine in now.seen} - self._known)

    def _must_miss_none(self, now: Observation) -> None:
        """So has who has removed machines meanwhile. Raises ``Held``."""
        gone = {m.id for m in self._trusted.seen} - {m.id for m in now.seen} - self.ctx.destroyed
        if gone:
            raise Held(f"while this run held no lease, another one removed machine {min(gone)}")

    def _must_still_end(self, now: Observation) -> None:
        """What a destroy had taken from users stays away, unless somebody brought it back. Raises ``Held``."""
        away = {machine.id for machine in self._trusted.seen if machine.cordoned}
        back = [m for m in now.seen if m.id in away and not m.cordoned]
        if back and self.scene.intent.goal == "destroy":
            raise Held(
                f"while this run held no lease, another one routed machine {back[0].id} ({back[0].name})"
            )

    async def _perform(self, step: Step) -> None:
        if step.row.do is Do.CORDON and step.row.on is Role.BLUE and self._window_opened is None:
            self._window_opened = anyio.current_time()
        self._telling.step(step)
        began = anyio.current_time()
        try:
            await self._within_deadline(step, lambda: ACTIONS[step.row.do](self.ctx, self.scene, step))
        except (StepFailed, TakenOver) as error:
            self._telling.failed(step, error, anyio.current_time() - began)
            raise
        self._telling.done(step, anyio.current_time() - began, self.scene)
        if step.row.do is Do.PROVE_ROUTED and self._window_opened is not None:
            self.window_s = (self.window_s or 0) + anyio.current_time() - self._window_opened
            self._window_opened = None

    async def _within_deadline(self, step: Step, act: Callable[[], Awaitable[Observation]]) -> None:
        """Do it, and know the world afterwards. An ambiguous answer is settled by looking (INCIDENTS 4)."""
        deadline_s = self.ctx.spec.deadline_s(step.phase)
        due = self._entered + deadline_s
        self.ctx.waiting_for.clear()
        try:
            with anyio.fail_after(due - anyio.current_time()):
                async with anyio.create_task_group() as group:
                    group.start_soon(self._telling.waits, step, due)
                    if step.row.do in WAITS:
                        group.start_soon(self._watch_for_stop, step)
                    observation = await self._settled(act)
                    group.cancel_scope.cancel()
        except TimeoutError:
            raise StepFailed(step.phase, step.name, self._late(deadline_s)) from None
        except Exception as error:
            if failures.only(error, AwaitingApproval):
                raise AwaitingApproval from None
            for leaf in failures.leaves(error):
                if isinstance(leaf, Held):
                    raise TakenOver(step.phase, step.name, str(leaf)) from None
                if isinstance(leaf, Interrupted):
                    raise leaf from None
            raise StepFailed(step.phase, step.name, self._fit(failures.reasons(error))) from error
        self.scene = replace(self.scene, observation=observation)

    async def _settled(self, act: Callable[[], Awaitable[Observation]]) -> Observation:
        try:
            observation = await act()
        except Exception as error:
            lost = failures.conflicts(error) and await self.ctx.lock.doubt()
            if not lost and not failures.ambiguous(error):
                raise
            return await self.look()
        return observation if known(observation) else await self.look()

    async def _watch_for_stop(self, step: Step) -> None:
        if self._may_stop(step):
            raise Interrupted(step.phase, step.name, (await asked(self.ctx.stop),))

    async def look(self) -> Observation:
        """The world afresh; one that cannot be read is looked at again, until the caller's deadline."""
        async for attempt in polling():
            with attempt:
                observation = await look(self.ctx, self.scene.observation)
                if not known(observation):
                    self.ctx.waiting_for["world"] = f"the machines, which {observation.machines}"
                    raise NotYet
        return observation

    def _fit(self, reasons: Iterable[str]) -> tuple[str, ...]:
        """Reasons quote what a check, an app or a server has said: without its escapes, its secrets, its length."""
        return tuple(self.ctx.scrub(reason) for reason in reasons)

    def _late(self, deadline_s: float) -> tuple[str, ...]:
        awaited = self._fit(f"still waiting for {what}" for what in self.ctx.waiting_for.values())
        error = (f"the last error was {self.ctx.api.last_error}",) if self.ctx.api.last_error else ()
        return (f"the deadline of {durations.text(deadline_s)} has passed", *awaited, *error)

    def _enter(self, phase: Phase) -> None:
        if phase is not self._phase:
            self._leave()
            self._phase, self._entered = phase, anyio.current_time()
            self._telling.phase(phase, self.scene)

    def _leave(self) -> None:
        """Close the books of the phase that has been running."""
        if self._phase:
            took = anyio.current_time() - self._entered
            self.phases.append(PhaseTime(self._phase, self.ctx.now() - took, took))
            self._phase = None
