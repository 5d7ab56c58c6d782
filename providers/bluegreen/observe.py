"""Looking at the world: what the API answers becomes what the planner reads."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from providers.bluegreen.context import Context
from providers.bluegreen.journal import identify
from providers.bluegreen.model import CheckSeen, ExitSeen, MachineSeen, Observation, Unknown
from providers.fly import Machine, NotFound
from providers.fly.retries import borne
from providers.fly.types import Check

GONE = frozenset({"destroyed", "destroying", "replaced", "migrated"})


async def look(ctx: Context, before: Observation | None = None) -> Observation:
    """The app and its machines, in two calls; the evidence that a run has gathered ``before`` is kept.

    A 404, or a list that lacks a machine, proves no absence (INCIDENTS 9): what was there before, or is in Pulumi's
    state, is asked for by its id; an app that is said to be gone although it has to be there makes all of it Unknown.
    """
    before = before or Observation()
    known = () if isinstance(before.machines, Unknown) else before.machines
    expected = {machine.id for machine in known} | ctx.expected
    try:
        await ctx.apps.get(ctx.spec.app)
        listed = {machine.id: machine for machine in await ctx.machines.list()}
    except NotFound:
        if expected or before.app_exists is True:
            return replace(before, app_exists=Unknown.CONTRADICTED, machines=Unknown.CONTRADICTED)
        return replace(before, app_exists=False, machines=())
    for machine_id in sorted(expected - listed.keys()):
        with contextlib.suppress(NotFound):
            listed[machine_id] = await _get(ctx, machine_id)
    if any(_unreadable(machine) for machine in listed.values()):
        return replace(before, app_exists=True, machines=Unknown.UNREADABLE)
    seen = (see(machine, ctx.spec.app) for machine in listed.values() if machine.state not in GONE)
    ours = (_with_evidence(ctx, machine) for machine in seen if machine)
    return replace(before, app_exists=True, machines=tuple(ours))


async def app_is_gone(ctx: Context) -> bool:
    """Whether the app is absent for good, asked several times over some seconds."""
    try:
        async for attempt in borne(NotFound):
            with attempt:
                await ctx.apps.get(ctx.spec.app)
    except NotFound:
        return True
    return False


async def look_again(ctx: Context, machine: MachineSeen) -> MachineSeen:
    """One machine, afresh. Raises ``FlyError``; a machine that is no longer ours is left as it was seen."""
    seen = see(await _get(ctx, machine.id), ctx.spec.app)
    return _with_evidence(ctx, seen) if seen else machine


async def _get(ctx: Context, machine_id: str) -> Machine:
    """A 404 is borne for a moment: it also answers for a machine just created (INCIDENTS 11)."""
    async for attempt in borne(NotFound):
        with attempt:
            return await ctx.machines.get(machine_id)
    raise AssertionError("the last attempt answers or raises")


def _with_evidence(ctx: Context, seen: MachineSeen) -> MachineSeen:
    """What this run did and the API does not show. One that shows as cordoned after all is not registered."""
    registered = seen.id in ctx.registered and not seen.cordoned
    return replace(seen, registered=registered, touched=seen.id in ctx.touched)


def _unreadable(machine: Machine) -> bool:
    """A machine on a host that does not answer shows no metadata: it may be ours (flyctl 5049)."""
    return machine.host_status != "ok" and not machine.metadata


def see(machine: Machine, app: str) -> MachineSeen | None:
    """The machine as ours, or ``None``: its metadata and its name must say so (a clone copies the metadata alone)."""
    known = identify(machine.metadata, app)
    if known is None or not machine.name.startswith(f"{app}-g{known.release.generation}-"):
        return None
    started_at = _started_at(machine)
    return MachineSeen(
        id=machine.id,
        name=machine.name,
        release=known.release,
        region=machine.region,
        state=machine.state,
        cordoned=machine.cordoned,
        instance_id=machine.instance_id,
        cutover=known.cutover,
        serving=known.serving,
        owner=known.owner,
        state_store=known.state_store,
        app_created=known.app_created,
        image_digest=machine.image_ref.digest,
        checks=tuple(
            _check(check) for check in machine.checks if not check.name.startswith("bg_deployments_")
        ),
        exit=_exit(machine),
        started_at=started_at,
    )


def _check(check: Check) -> CheckSeen:
    return CheckSeen(check.name, check.status == "passing", check.output)


def _started_at(machine: Machine) -> float:
    """When the current boot began: the newest start or launch, in epoch seconds."""
    return next(
        (event.timestamp / 1000 for event in machine.events if event.type in ("start", "launch")), 0.0
    )


def _exit(machine: Machine) -> ExitSeen | None:
    """How the current boot ended; an exit older than the newest start is of another boot."""
    for event in machine.events:
        if event.type in ("start", "launch"):
            return None
        if event.type == "exit" and event.request and event.request.exit_event:
            told = event.request.exit_event
            return ExitSeen(told.exit_code, told.signal, told.oom_killed, told.requested_stop)
    return None
