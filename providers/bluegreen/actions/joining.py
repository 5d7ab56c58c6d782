"""switch-routes of a scale: what is added becomes part of its release, before users reach the first of it."""

from __future__ import annotations

import json
from dataclasses import replace

from providers.bluegreen import journal
from providers.bluegreen.actions.together import each
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.model import MachineSeen, Observation
from providers.bluegreen.plan import Step
from providers.bluegreen.polling import polling
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import split_location
from providers.fly.errors import Call
from providers.gates.store import StoreError, StoreRefused


async def join(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Tell each machine through the store that it may open rooms, then record on it that it may hold some.

    In this order: what is not recorded is destroyed when a scale fails, and nobody has been routed to it by then.
    """
    assert scene.ownership is not None, "a release is scaled when it owns the state"
    owner = scene.ownership

    async def one(machine: MachineSeen) -> MachineSeen:
        if scene.intent.cutover == "handoff" and machine.state_store:
            await _admit(ctx, machine)
        await ctx.machines.set_metadata(machine.id, journal.OWNER, str(owner))
        return replace(machine, owner=owner)

    unjoined = [machine for machine in step.machines if machine.unjoined]
    return scene.observation.with_machines(*await each(unjoined, one))


async def _admit(ctx: Context, machine: MachineSeen) -> None:
    """Create the record until it is there, whoever made it: it says nothing but that it is there."""
    bucket, prefix = split_location(machine.state_store)
    key = f"{prefix}added/{machine.release}/{machine.id}.json"
    body = json.dumps({"version": 1, "at": ctx.now()}).encode()
    async for attempt in polling():
        with attempt:
            ctx.lock.must_hold(Call("join", "PUT", key, safe_to_repeat=True))
            try:
                await ctx.store_of(bucket).create(key, body)
            except StoreRefused as error:
                raise GateFailed(f"machine {machine.id} ({machine.name}) cannot be let in: {error}") from None
            except StoreError as error:
                ctx.waiting_for[machine.name] = f"the state store to take {key}: {error}"
                raise NotYet from None
    ctx.waiting_for.pop(machine.name, None)
