"""Looking at the world: what the API answers becomes what the planner reads."""

from __future__ import annotations

from dataclasses import replace

from providers.bluegreen.context import Context
from providers.bluegreen.journal import identify
from providers.bluegreen.model import CheckSeen, ExitSeen, MachineSeen, Observation, Unknown
from providers.fly import Machine, NotFound
from providers.fly.types import Check

GONE = frozenset({"destroyed", "destroying", "replaced", "migrated"})


async def look(ctx: Context, before: Observation | None = None) -> Observation:
    """The app and its machines, in at most two calls; the evidence that a run has gathered ``before`` is kept."""
    before = before or Observation()
    try:
        await ctx.apps.get(ctx.spec.app)
        machines = await ctx.machines.list()
    except NotFound:
        return replace(before, app_exists=False, machines=())
    if any(_unreadable(machine) for machine in machines):
        return replace(before, app_exists=True, machines=Unknown.UNREADABLE)
    seen = (see(machine, ctx.spec.app) for machine in machines if machine.state not in GONE)
    return replace(before, app_exists=True, machines=tuple(machine for machine in seen if machine))


async def look_again(ctx: Context, machine: MachineSeen) -> MachineSeen:
    """One machine, afresh. Raises ``FlyError``; a machine that is no longer ours is left as it was seen."""
    return see(await ctx.machines.get(machine.id), ctx.spec.app) or machine


def _unreadable(machine: Machine) -> bool:
    """A machine on a host that does not answer shows no metadata: it may be ours (flyctl 5049)."""
    return machine.host_status != "ok" and not machine.metadata


def see(machine: Machine, app: str) -> MachineSeen | None:
    """The machine as ours, or ``None`` where its metadata does not say so."""
    known = identify(machine.metadata, app)
    if known is None:
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
        host_ok=machine.host_status == "ok",
        image_digest=machine.image_ref.digest,
        private_ip=machine.private_ip,
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
