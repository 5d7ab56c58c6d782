"""Draining alive: the app quiesces and saves when it is asked to, keeps its memory, and can be taken back to work."""

from __future__ import annotations

import secrets
from dataclasses import replace

import anyio

from providers.bluegreen import journal
from providers.bluegreen.actions.draining_endpoint import DrainEndpoint, DrainStatus
from providers.bluegreen.actions.persisting import persist
from providers.bluegreen.actions.proving import mark_of
from providers.bluegreen.actions.switching import route
from providers.bluegreen.actions.together import each, each_or_fail
from providers.bluegreen.conditions import drains_alive, marked_for_drain
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.model import DrainMark, MachineSeen, Observation, Phase
from providers.bluegreen.plan import Step
from providers.bluegreen.polling import polling
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec_gates import RequestDrain, SignalDrain

RESUME_WITHIN_S = 30.0
PREFLIGHT_LOOKS = 8
"""How often blue's drain endpoint is asked before it counts as absent, some four seconds in all."""


async def prepare_drain(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Open the way to every machine and ask it, before anything changes for it; then write down that it is drained.

    The mark tells a later run, on another host, that this machine may have quiesced, and what proved it before.
    """

    async def one(machine: MachineSeen) -> MachineSeen:
        if isinstance(machine.drain, RequestDrain):
            await _must_answer(ctx, machine)
        mark = await mark_of(ctx, machine, f"{scene.intent.release}.{secrets.token_hex(4)}")
        await ctx.machines.set_metadata(machine.id, journal.DRAINING, journal.mark_text(mark))
        return replace(machine, draining=mark)

    waiting = [machine for machine in step.machines if not marked_for_drain(machine)]
    return scene.observation.with_machines(*await each(waiting, one))


async def _must_answer(ctx: Context, machine: MachineSeen) -> None:
    try:
        async for attempt in polling(attempts=PREFLIGHT_LOOKS):
            with attempt:
                await _at(ctx, machine).status()
    except NotYet as error:
        raise GateFailed(f"machine {machine.id} ({machine.name}) cannot be asked to drain: {error}") from None


def _at(ctx: Context, machine: MachineSeen) -> DrainEndpoint:
    return DrainEndpoint(ctx.private, ctx.tunnels, machine, ctx.scrub, ctx.lock.must_hold)


async def quiesce(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Ask every machine to save and stay alive. By signal there is no status: there the proof is what is waited for."""

    async def one(machine: MachineSeen) -> tuple[str, DrainMark]:
        assert machine.draining is not None, "it was prepared"
        if isinstance(machine.drain, SignalDrain):
            mark = await mark_of(ctx, machine, machine.draining.id)
            await ctx.machines.signal(machine.id, machine.drain.signal)
            return machine.id, mark
        await _saved(ctx, machine, machine.draining, successor=str(scene.intent.release))
        ctx.waiting_for.pop(machine.name, None)
        return machine.id, machine.draining

    done = scene.observation.quiesced
    waiting = [machine for machine in step.machines if drains_alive(machine) and machine.id not in done]
    return replace(scene.observation, quiesced={**done, **dict(await each_or_fail(waiting, one))})


async def _saved(ctx: Context, machine: MachineSeen, mark: DrainMark, *, successor: str) -> None:
    """Post the request until it is answered, then ask until all is saved. The phase's deadline is the end."""
    endpoint = _at(ctx, machine)
    await persist(ctx, machine, lambda: endpoint.drain(mark.id, successor))

    async def all_saved() -> None:
        status = await endpoint.status()
        if status.state != "saved" or status.drain != mark.id:
            raise NotYet(_progress(status))

    await persist(ctx, machine, all_saved)


def _progress(status: DrainStatus) -> str:
    told = f"; {status.error}" if status.error else ""
    return f"{status.state}, {status.done} of {status.total} saved{told}"


async def resume(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Take drains back, each machine by itself, and route it at once: one that does not answer keeps no other away."""
    routes = step.phase in (Phase.RESTORE_OLD, Phase.SWITCH_ROUTES)

    async def one(machine: MachineSeen) -> MachineSeen:
        await _work_again(ctx, machine)
        await ctx.machines.delete_metadata(machine.id, journal.DRAINING)
        working = replace(machine, draining=None)
        return await route(ctx, working) if routes else working

    resumed = await each([m for m in step.machines if m.draining and m.state == "started"], one)
    ids = {machine.id for machine in resumed}
    quiesced = {key: mark for key, mark in scene.observation.quiesced.items() if key not in ids}
    proofs = {key: proof for key, proof in scene.observation.proofs.items() if key not in ids}
    return replace(scene.observation, quiesced=quiesced, proofs=proofs).with_machines(*resumed)


async def _work_again(ctx: Context, machine: MachineSeen) -> None:
    """A boot that began after the drain was asked for knows nothing of it. Raises ``GateFailed`` after a while."""
    if machine.draining and 0 < machine.draining.started_at < machine.started_at:
        return
    try:
        with anyio.fail_after(RESUME_WITHIN_S):
            if isinstance(machine.drain, SignalDrain):
                await ctx.machines.signal(machine.id, machine.drain.resume_signal)
            elif isinstance(machine.drain, RequestDrain):
                await persist(ctx, machine, _at(ctx, machine).resume)
    except (TimeoutError, GateFailed) as error:
        raise GateFailed(
            f"machine {machine.id} ({machine.name}) does not resume, and stays cordoned ({str(error) or 'no answer'}): "
            f"`fly machine restart {machine.id}` starts it from what it has saved, and the next run routes it"
        ) from None
