"""Waits: each has a condition, and the phase's deadline as its end."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import anyio

from providers.bluegreen.actions.together import each_or_fail
from providers.bluegreen.conditions import Done, green_is_healthy
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.model import GONE, MachineSeen, Observation, Phase
from providers.bluegreen.observe import look_again
from providers.bluegreen.plan import Step
from providers.bluegreen.polling import polling
from providers.bluegreen.scene import Scene
from providers.fly import FlyError

DEAD_WITHIN_S = 2.0
LOOKS = 8
"""How often green is looked at for the last time, some four seconds in all, before a failing check counts."""


async def await_started(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Long-poll every machine; one that ends instead of starting fails the step at once."""

    async def one(machine: MachineSeen) -> MachineSeen:
        with_state = await _await_state(ctx, machine, ("started", "failed", "stopped", "destroyed"))
        if with_state.state != "started":
            raise GateFailed(
                f"machine {machine.id} ({machine.name}) is {with_state.state}{_how(with_state)}, not started"
            )
        return with_state

    waiting = [machine for machine in step.machines if machine.state != "started"]
    return scene.observation.with_machines(*await each_or_fail(waiting, one))


async def await_stopped(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Long-poll every machine that was told to stop until it has ended, one way or another: the gates judge how.

    One that somebody removed meanwhile fails the step, unless its state was proven while it lived.
    """
    proofs = scene.observation.proofs

    async def one(machine: MachineSeen) -> MachineSeen:
        seen = await _await_state(ctx, machine, ("stopped", "failed", "destroyed"))
        if seen.state in GONE and step.phase is Phase.DRAIN_OLD and machine.id not in proofs:
            raise GateFailed(
                f"machine {machine.id} ({machine.name}) is {seen.state}: somebody else has removed it "
                "before its state was proven"
            )
        return seen

    waiting = [machine for machine in step.machines if machine.state == "stopping"]
    return scene.observation.with_machines(*await each_or_fail(waiting, one))


async def _await_state(ctx: Context, machine: MachineSeen, states: Sequence[str]) -> MachineSeen:
    ctx.waiting_for[machine.name] = f"machine {machine.id} ({machine.name}) to be {states[0]}"
    await ctx.machines.wait(machine.id, states, instance_id=machine.instance_id)
    seen = await look_again(ctx, machine)
    ctx.waiting_for.pop(machine.name, None)
    return seen


def _how(machine: MachineSeen) -> str:
    return f": its process {machine.exit}" if machine.exit else ""


async def await_healthy(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Poll each machine (5 looks a second are allowed) until the row's own condition holds for it."""

    async def one(machine: MachineSeen) -> MachineSeen:
        async for attempt in polling():
            with attempt:
                machine = await look_again(ctx, machine)
                _must_run(machine)
                if not _alone(scene, machine, step.row.done):
                    ctx.waiting_for[machine.name] = _unhealthy(machine)
                    raise NotYet
        ctx.waiting_for.pop(machine.name, None)
        return machine

    return scene.observation.with_machines(*await each_or_fail(step.machines, one))


async def look_at_green_again(ctx: Context, scene: Scene, step: Step) -> Observation:
    """The last look before the commit: green was verified before the drain, which may have taken minutes.

    Bounded to seconds, not to a deadline of minutes: nobody is served meanwhile, and blue can still come back.
    """

    async def one(machine: MachineSeen) -> MachineSeen:
        async for attempt in polling(attempts=LOOKS):
            with attempt:
                machine = await look_again(ctx, machine)
                _must_run(machine)
                if not _alone(scene, machine, green_is_healthy):
                    raise NotYet(f"{_unhealthy(machine)}, after it had been verified")
        return machine

    seen = await each_or_fail(step.machines, one)
    seen += await each_or_fail(
        [m for m in scene.blue if m.lost], lambda machine: _look_at_the_dead(ctx, machine)
    )
    return replace(scene.observation.with_machines(*seen), green_seen_again=True)


async def _look_at_the_dead(ctx: Context, machine: MachineSeen) -> MachineSeen:
    """Blue's machines that had died before this run are drained after all if they run again. Best effort."""
    with anyio.move_on_after(DEAD_WITHIN_S), contextlib.suppress(FlyError):
        return await look_again(ctx, machine)
    return machine


def _alone(scene: Scene, machine: MachineSeen, holds: Done) -> bool:
    return holds(replace(scene, observation=replace(scene.observation, machines=(machine,))))


def _must_run(machine: MachineSeen) -> None:
    if machine.state != "started":
        raise GateFailed(
            f"machine {machine.id} ({machine.name}) is {machine.state}{_how(machine)}, not healthy"
        )


def _unhealthy(machine: MachineSeen) -> str:
    failing = [
        f"{check.name}: {check.output[:200] or 'no output'}" for check in machine.checks if not check.passing
    ]
    told = "; ".join(failing) or f"{len(machine.checks)} checks reported so far"
    return f"machine {machine.id} ({machine.name}): {told}"
