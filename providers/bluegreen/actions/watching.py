"""Watching a cluster for a given time: before it is routed (``min_healthy``), and after (``bake``)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio

from providers.bluegreen.actions.switching import asked_for
from providers.bluegreen.actions.together import each_or_fail
from providers.bluegreen.conditions import answered_elsewhere, healthy
from providers.bluegreen.context import Context
from providers.bluegreen.durations import seconds
from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.model import MachineSeen, Observation
from providers.bluegreen.observe import look_again
from providers.bluegreen.plan import Step
from providers.bluegreen.polling import polling
from providers.bluegreen.scene import Scene
from providers.fly import FlyError

LOOKS_EVERY_S = 1.0
BAKE_FAULTS = 3
"""How many looks in a row have to be bad before a bake fails: one answer that is lost on its way is no fault."""


async def stay_healthy(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Green was healthy a moment ago; now for ``min_healthy``, without any exception: a flapping machine fails."""

    async def one(machine: MachineSeen) -> None:
        fault = await _fault_of(ctx, scene, machine)
        if fault:
            raise GateFailed(
                f"{fault}, after it had been healthy; it must stay so for {ctx.spec.min_healthy}"
            )

    await _watch(ctx, seconds(ctx.spec.min_healthy), step.machines, one)
    return replace(scene.observation, stayed_healthy=True)


async def bake(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Watch green's checks, and its answers from outside in every region."""
    faults: dict[str, int] = {}

    async def one(machine: MachineSeen) -> None:
        fault = await _fault_of(ctx, scene, machine) or await _silence_of(ctx, scene, machine)
        faults[machine.id] = faults.get(machine.id, 0) + 1 if fault else 0
        if faults[machine.id] >= BAKE_FAULTS:
            raise GateFailed(f"{fault}; seen {BAKE_FAULTS} times in a row while green was baking")

    await _watch(ctx, seconds(ctx.spec.bake), step.machines, one)
    return replace(scene.observation, baked=True)


async def _watch(
    ctx: Context,
    for_s: float,
    machines: tuple[MachineSeen, ...],
    look: Callable[[MachineSeen], Awaitable[None]],
) -> None:
    """Look at every machine again and again until the time is over. What ``look`` raises ends it."""
    ctx.waiting_for["watch"] = f"{len(machines)} machines to stay healthy for {for_s:g} s"

    async def one(machine: MachineSeen) -> None:
        async for attempt in polling(first_s=LOOKS_EVERY_S):
            with attempt:
                await look(machine)
                raise NotYet

    with anyio.move_on_after(for_s):
        await each_or_fail(machines, one)
    ctx.waiting_for.pop("watch", None)


async def _fault_of(ctx: Context, scene: Scene, machine: MachineSeen) -> str:
    """What is wrong with the machine by its own checks; empty for nothing."""
    try:
        seen = await look_again(ctx, machine)
    except FlyError as error:
        return str(error)
    if seen.state == "started" and healthy(scene)(seen):
        return ""
    failing = [f"{check.name}: {check.output[:200]}" for check in seen.checks if not check.passing]
    return f"machine {seen.id} ({seen.name}) is {seen.state}, {'; '.join(failing) or 'its checks are not all there'}"


async def _silence_of(ctx: Context, scene: Scene, machine: MachineSeen) -> str:
    try:
        answer = await ctx.prober.ask(machine.region, asked_for(scene, machine))
    except NotYet as error:
        return f"no answer from outside in {machine.region}: {error}"
    wrong = answered_elsewhere(answer, scene.green)
    return wrong and f"no answer from outside in {machine.region}: {wrong}"
