"""Looking at the world: what the API answers becomes what the planner reads."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

from providers.bluegreen import adopted
from providers.bluegreen.actions.together import each_or_fail
from providers.bluegreen.commits import is_settled
from providers.bluegreen.context import Context
from providers.bluegreen.drift import differences, users_names
from providers.bluegreen.journal import Entry, identify
from providers.bluegreen.model import (
    GONE,
    CheckSeen,
    ExitSeen,
    MachineSeen,
    Observation,
    Unknown,
)
from providers.bluegreen.spec import split_location
from providers.fly import Machine, NotFound
from providers.fly.retries import borne
from providers.fly.types import Check
from providers.gates.owners import latest_owner
from providers.gates.store import StoreError


async def look(ctx: Context, before: Observation | None = None) -> Observation:
    """The app and its machines, in two calls, and where they do not tell who owns the state, the store's record of it.
    The evidence that a run has gathered ``before`` is kept.

    A 404, or a list that lacks a machine, proves no absence (INCIDENTS 9): what was there before, or is in Pulumi's
    state, is asked for by its id; an app that is said to be gone although it has to be there makes all of it Unknown.
    """
    before = before or Observation()
    known = () if isinstance(before.machines, Unknown) else before.machines
    expected = {machine.id for machine in known} | ctx.expected
    there = before.app_exists is True
    try:
        await ctx.apps.get(ctx.spec.app)
        there = True
        listed = {machine.id: machine for machine in await ctx.machines.list()}
    except NotFound:
        if expected or there:
            return replace(before, app_exists=Unknown.CONTRADICTED, machines=Unknown.CONTRADICTED)
        return await _with_record(ctx, replace(before, app_exists=False, machines=()))
    asked = await each_or_fail(sorted(expected - listed.keys()), lambda machine_id: _find(ctx, machine_id))
    listed |= {machine.id: machine for machine in asked if machine}
    if any(_unreadable(machine) for machine in listed.values()):
        return replace(before, app_exists=True, machines=Unknown.UNREADABLE)
    existing = [machine for machine in listed.values() if machine.state not in GONE]
    machines = tuple(seen for machine in existing if (seen := _see(ctx, machine)))
    tasks = tuple(task for machine in existing if (task := see_task(machine, ctx.spec.app)))
    known_ids = {seen.id for seen in machines + tasks}
    strangers = tuple(adopted.stranger(m, ctx.spec.app) for m in existing if m.id not in known_ids)
    observation = replace(
        before, app_exists=True, machines=machines, tasks=tasks, strangers=strangers, at=ctx.now()
    )
    return await _with_record(ctx, observation)


async def _with_record(ctx: Context, observation: Observation) -> Observation:
    """Who owns the state, from the store: read where the machines alone do not tell, and after a commit of our own.

    What this run has read stays right meanwhile: nobody else commits during it. So a restore needs no store, and an
    outage of S3 does not keep blue from serving.
    """
    if observation.record is Unknown.NOT_LOOKED and is_settled(observation):
        observation = replace(observation, record=None)
    locations = _locations(ctx, observation)
    if not locations or not (isinstance(observation.record, Unknown) or ctx.committing):
        return observation
    try:
        records = [await latest_owner(ctx.store_of(bucket), prefix) for bucket, prefix in sorted(locations)]
    except StoreError as error:
        ctx.record_error = str(error)
        return replace(observation, record=Unknown.NO_RECORD)
    record = max((record for record in records if record), default=None)
    mine = ctx.committing is None or (record is not None and record.number >= ctx.committing.number)
    return replace(observation, record=record, commit_unsure=not mine)


def _locations(ctx: Context, observation: Observation) -> set[tuple[str, str]]:
    """Every bucket and prefix that a release saves to: an interrupted one has committed in its own, not in today's."""
    told = {machine.state_store for machine in observation.seen if machine.state_store}
    if ctx.spec.state_store:
        told.add(ctx.spec.state_store.location)
    return {split_location(location) for location in told}


async def app_is_gone(ctx: Context) -> bool:
    """Whether the app is absent for good: the app and its machines, each asked for several times over some seconds."""
    return await _is_absent(lambda: ctx.apps.get(ctx.spec.app)) and await _is_absent(ctx.machines.list)


async def _is_absent(ask: Callable[[], Awaitable[object]]) -> bool:
    try:
        async for attempt in borne(NotFound):
            with attempt:
                await ask()
    except NotFound:
        return True
    return False


async def look_again(ctx: Context, machine: MachineSeen) -> MachineSeen:
    """One machine, afresh. Raises ``FlyError``; a machine that is no longer ours is left as it was seen."""
    return _see(ctx, await _get(ctx, machine.id)) or machine


async def _get(ctx: Context, machine_id: str) -> Machine:
    """A 404 is borne for a moment: it also answers for a machine just created (INCIDENTS 11)."""
    async for attempt in borne(NotFound):
        with attempt:
            return await ctx.machines.get(machine_id)
    raise AssertionError("the last attempt answers or raises")


async def _find(ctx: Context, machine_id: str) -> Machine | None:
    """``None`` once a 404 was borne long enough. Of many at once, so that all of them take the time of one: after a
    cluster was destroyed, Pulumi's state may name all of it. Fly's limit of this call is each machine's own.
    """
    with contextlib.suppress(NotFound):
        return await _get(ctx, machine_id)
    return None


def _see(ctx: Context, machine: Machine) -> MachineSeen | None:
    """The machine as ours, or as one to be taken over, with what this run did and the API does not show.

    One that shows as cordoned after all is not registered.
    """
    seen = see(machine, ctx.spec.app)
    if seen:
        seen = replace(seen, differs=differences(machine, ctx.spec))
    elif ctx.adopting and (entry := adopted.entry_of(machine, ctx.spec)):
        was = adopted.stranger(machine, ctx.spec.app).was
        seen = replace(_seen(machine, entry), adopted=True, was=was)
    if seen is None:
        return None
    registered = seen.id in ctx.registered and not seen.cordoned
    return replace(seen, registered=registered, touched=seen.id in ctx.touched)


def _unreadable(machine: Machine) -> bool:
    """A machine on a host that does not answer shows no metadata: it may be ours (flyctl 5049)."""
    return machine.host_status != "ok" and not machine.metadata


def see(machine: Machine, app: str) -> MachineSeen | None:
    """The machine as ours, or ``None``: its metadata and its name must say so (a clone copies the metadata alone), and
    no `fly deploy` has changed it since.
    """
    known = identify(machine.metadata, app)
    if known is None or known.task or not machine.name.startswith(f"{app}-g{known.release.generation}-"):
        return None
    if adopted.changed_by_fly(machine.metadata):
        return None
    return _seen(machine, known)


def see_task(machine: Machine, app: str) -> MachineSeen | None:
    """A short-lived machine of ours that is still there."""
    known = identify(machine.metadata, app)
    ours = known is not None and known.task and machine.name.startswith(f"{app}-task-")
    return _seen(machine, known) if known and ours and machine.state not in GONE else None


def _seen(machine: Machine, known: Entry) -> MachineSeen:
    return MachineSeen(
        id=machine.id,
        name=machine.name,
        release=known.release,
        region=machine.region,
        state=machine.state,
        cordoned=machine.cordoned,
        instance_id=machine.instance_id,
        private_ip=machine.private_ip,
        readable=machine.host_status == "ok",
        cutover=known.cutover,
        serving=known.serving,
        owner=known.owner,
        drain=known.drain,
        draining=known.draining,
        state_store=known.state_store,
        state_proof=known.state_proof,
        warm=known.warm,
        secrets_of=known.secrets_of,
        approval_until=known.approval_until,
        app_created=known.app_created,
        image=machine.image,
        added=known.added,
        counts=known.counts,
        image_digest=machine.image_ref.digest,
        env=users_names(machine),
        mounts=machine.mounts,
        checks=tuple(
            _check(check) for check in machine.checks if not check.name.startswith("bg_deployments_")
        ),
        exit=_exit(machine),
        started_at=_since_boot(machine, *_BOOTS),
        stop_asked_at=_since_boot(machine, "stop"),
        exited_at=_since_boot(machine, "exit"),
    )


def _check(check: Check) -> CheckSeen:
    return CheckSeen(check.name, check.status == "passing", check.output)


_BOOTS = ("start", "launch")


def _since_boot(machine: Machine, *types: str) -> float:
    """When the newest event of these types was, in epoch seconds, unless it is of an earlier boot: then 0."""
    for event in machine.events:
        if event.type in types:
            return event.timestamp / 1000
        if event.type in _BOOTS:
            break
    return 0.0


def _exit(machine: Machine) -> ExitSeen | None:
    """How the current boot ended; an exit older than the newest start is of another boot."""
    for event in machine.events:
        if event.type in _BOOTS:
            return None
        if event.type == "exit" and event.request and event.request.exit_event:
            told = event.request.exit_event
            return ExitSeen(told.exit_code, told.signal, told.oom_killed, told.requested_stop)
    return None
