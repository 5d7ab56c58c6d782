"""drain-old: stopping and starting machines, and how those that stopped have ended."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from providers.bluegreen.actions.together import each, each_or_fail
from providers.bluegreen.conditions import RUNNING
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.model import MachineSeen, Observation
from providers.bluegreen.observe import look_again
from providers.bluegreen.plan import Step
from providers.bluegreen.polling import polling
from providers.bluegreen.scene import Scene

EXIT_LOOKS = 8
"""How often an exit event is looked for, about three seconds in all, before its absence fails the gate."""


async def stop(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Ask every running machine to stop by its own ``stop_config``: the signal now, the kill at its timeout."""

    async def one(machine: MachineSeen) -> MachineSeen:
        await ctx.machines.stop(machine.id)
        return replace(machine, state="stopping")

    running = [machine for machine in step.machines if machine.state in RUNNING]
    return scene.observation.with_machines(*await each(running, one))


async def start(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Start every machine that is not running. What was proven of its routing before is to be proven again."""

    async def one(machine: MachineSeen) -> MachineSeen:
        await ctx.machines.start(machine.id)
        ctx.touched.add(machine.id)
        return replace(machine, state="starting", touched=True)

    halted = [machine for machine in step.machines if machine.state not in RUNNING]
    return scene.observation.with_machines(*await each(halted, one))


async def read_exits(ctx: Context, scene: Scene, step: Step) -> Observation:
    """'Stopped' is not 'saved': a machine killed at its deadline is stopped too, and only its exit event says so."""

    proofs = scene.observation.proofs
    ended = [machine for machine in step.machines if machine.id not in proofs]
    machines = await each_or_fail(ended, lambda machine: _with_exit(ctx, machine))
    faults = [f"machine {m.id} ({m.name}) {fault}" for m in machines if (fault := _fault(m))]
    if faults:
        raise GateFailed(*faults)
    return scene.observation.with_machines(*machines)


def _fault(machine: MachineSeen) -> str:
    if not machine.readable:
        return "is on a host that does not answer: how it ended cannot be read, so its state may be unsaved"
    if machine.exit and machine.exit.graceful:
        return ""
    return f"{machine.exit or 'has no exit event'}; its state may be unsaved"


async def _with_exit(ctx: Context, machine: MachineSeen) -> MachineSeen:
    """The event may come a moment after the state: the API is eventually consistent."""
    with contextlib.suppress(NotYet):
        async for attempt in polling(attempts=EXIT_LOOKS):
            with attempt:
                machine = machine if machine.exit else await look_again(ctx, machine)
                if machine.exit is None:
                    raise NotYet
    return machine
