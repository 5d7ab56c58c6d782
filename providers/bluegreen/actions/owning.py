"""Who owns the state: the check before blue is touched, the commit, and taking the state back."""

from __future__ import annotations

import secrets
from dataclasses import replace

from providers.bluegreen import journal
from providers.bluegreen.actions.proving_outside import cannot_prove
from providers.bluegreen.actions.together import each
from providers.bluegreen.conditions import not_contested
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed
from providers.bluegreen.model import MachineSeen, Observation, Ownership, Release
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import StateStore as Location
from providers.fly.errors import Call
from providers.gates.owners import (
    OwnerRecord,
    OwnerTaken,
    latest_owner,
    must_create_only_once,
    owner_key,
    record_owner,
)
from providers.gates.store import StoreError, StoreRefused


async def check_owner(ctx: Context, scene: Scene, step: Step) -> Observation:
    """The store must answer, and must say what the machines say: before blue is touched, not after.

    Another owner than blue means that somebody else deploys to this prefix.
    """
    unprovable = [fault for machine in scene.blue if (fault := cannot_prove(ctx, scene, machine))]
    if unprovable:
        raise GateFailed(*unprovable)
    checked = replace(scene.observation, owner_checked=True)
    return await _check_record(ctx, scene, checked) if ctx.spec.state_store else checked


async def _check_record(ctx: Context, scene: Scene, observation: Observation) -> Observation:
    location = _location(ctx)
    store = ctx.store_of(location.bucket)
    try:
        record = await latest_owner(store, location.prefix)
        if record:
            await must_create_only_once(store, location.prefix, record.number)
    except StoreError as error:
        raise GateFailed(f"who owns the state is not known: {error}") from None
    known = observation.record if isinstance(observation.record, Ownership) else None
    blue = scene.intent.blue
    saves_here = any(m.state_store == location.location and not m.adopted for m in scene.blue)
    handed_over = saves_here and all(machine.cutover == "handoff" for machine in scene.blue)
    came_late = Scene(scene.intent, replace(observation, record=record)).late_commit
    if record and handed_over and record.release != blue and not came_late:
        raise GateFailed(
            f"{location.location} is owned by release {record.release}, but {blue} serves app {ctx.spec.app}: "
            "another app or deployer saves to the same place"
        )
    latest = max((commit for commit in (record, known) if commit), default=None)
    return replace(observation, record=latest)


async def commit(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Record that green owns the state from here on: one object in the store, created once.

    Without a store it is written on blue's machines, and the first record that lands is the commit. On blue, because it
    has stopped: writing metadata may reset a machine's check reports (FLY-API), and green's must stay passing in the
    window. A first deploy has nobody else to write it on than green.
    """
    owner = Ownership(scene.number_of(scene.intent.release), scene.intent.release)
    if ctx.spec.state_store:
        return await _record(ctx, scene, owner)

    async def one(machine: MachineSeen) -> MachineSeen:
        await ctx.machines.set_metadata(machine.id, journal.OWNER, str(owner))
        return replace(machine, owner=owner)

    return scene.observation.with_machines(*await each(scene.blue or scene.green, one))


async def reclaim(ctx: Context, scene: Scene, step: Step) -> Observation:
    """The owner takes the number that a commit may still land under, whose answer was lost or whose run sleeps: only
    one of them can. Where a late commit has landed already, it takes the next one.
    """
    assert scene.owner is not None
    number = scene.number_of(scene.owner)
    if scene.observation.commit_unsure:
        assert ctx.committing is not None
        number = ctx.committing.number
    elif not not_contested(scene):
        assert scene.ownership is not None
        number = scene.ownership.number + 1
    observation = await _record(ctx, scene, Ownership(number, scene.owner))
    return replace(observation, reclaimed=True)


async def _record(ctx: Context, scene: Scene, owner: Ownership) -> Observation:
    """Create the record. Only a refusal says that nothing was written; after anything else the store is asked."""
    ctx.committing = owner
    try:
        await _create(ctx, owner, scene.owner)
    except (OwnerTaken, StoreRefused) as error:
        ctx.committing = None
        if isinstance(error, OwnerTaken):
            if error.found.release == owner.release:
                return _with_owner(scene, error.found)
            ctx.committing = error.found  # not ours, but what the next look has to find
        raise GateFailed(
            f"release {owner.release} cannot be recorded as the owner of the state: {error}"
        ) from None
    ctx.committing = None
    ctx.say(f"release {owner.release} owns the state: commit {owner.number} in {_location(ctx).location}")
    return _with_owner(scene, owner)


def _with_owner(scene: Scene, owner: Ownership) -> Observation:
    return replace(scene.observation, record=owner, commit_unsure=False)


async def _create(ctx: Context, owner: Ownership, previous: Release | None) -> None:
    location = _location(ctx)

    def tell(reason: str) -> None:
        ctx.waiting_for["commit"] = f"the state store to take the record: {reason}"

    def fence() -> None:
        ctx.lock.must_hold(
            Call("commit", "PUT", owner_key(location.prefix, owner.number), safe_to_repeat=True)
        )

    record = OwnerRecord(
        number=owner.number,
        release=str(owner.release),
        previous=str(previous) if previous else None,
        nonce=secrets.token_hex(8),
        at=ctx.now(),
    )
    await record_owner(ctx.store_of(location.bucket), location.prefix, record, tell=tell, fence=fence)
    ctx.waiting_for.pop("commit", None)


def _location(ctx: Context) -> Location:
    assert ctx.spec.state_store is not None, "the lifecycle asks only where there is one"
    return ctx.spec.state_store
