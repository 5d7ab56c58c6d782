"""drain-old: stopping and starting machines, and the proof that what stopped has saved."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from providers.bluegreen.actions.together import each, each_or_fail, polling
from providers.bluegreen.conditions import RUNNING
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.model import MachineSeen, Observation, Proof
from providers.bluegreen.observe import look_again
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene
from providers.gates.saved_state import prove_saved

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

    machines = await each_or_fail(step.machines, lambda machine: _with_exit(ctx, machine))
    faults = [
        f"machine {m.id} ({m.name}) {m.exit or 'has no exit event'}; its state may be unsaved"
        for m in machines
        if not (m.exit and m.exit.graceful)
    ]
    if faults:
        raise GateFailed(*faults)
    return scene.observation.with_machines(*machines)


async def _with_exit(ctx: Context, machine: MachineSeen) -> MachineSeen:
    """The event may come a moment after the state: the API is eventually consistent."""
    with contextlib.suppress(NotYet):
        async for attempt in polling(attempts=EXIT_LOOKS):
            with attempt:
                machine = machine if machine.exit else await look_again(ctx, machine)
                if machine.exit is None:
                    raise NotYet
    return machine


async def prove_state(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Each machine's manifest and objects, in the store that this machine was told to save to."""

    async def one(machine: MachineSeen) -> Proof:
        bucket, _, prefix = machine.state_store.removeprefix("s3://").partition("/")
        return await prove_saved(ctx.store_of(bucket), prefix, machine)

    proofs = await each_or_fail([machine for machine in step.machines if machine.state_store], one)
    faults = [fault for proof in proofs for fault in proof.faults]
    if faults:
        raise GateFailed(*faults)
    rooms, objects, size = (sum(getattr(p, part) for p in proofs) for part in ("rooms", "objects", "bytes"))
    ctx.say(f"saved state proven: {rooms} rooms, {objects} objects, {size:,} bytes of {len(proofs)} machines")
    return scene.observation.with_proofs(*proofs)
