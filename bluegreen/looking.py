"""Asking Fly and the state store for what is there now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bluegreen.status import status
from bluegreen.target import Target
from providers.bluegreen.commits import known
from providers.bluegreen.context import Context
from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.model import MachineSeen, Observation
from providers.bluegreen.observe import look
from providers.fly import FlyError, Machine, NotFound
from providers.session import open_context


async def current(target: Target) -> dict[str, Any]:
    """The status, as JSON. Three reads. Raises ``CannotLook``, ``NoToken``."""
    async with open_context(target.spec, lambda event: None) as ctx:
        observation = await observe(ctx)
        machines = await machines_of(ctx)
    leases = {machine.id: machine.lease for machine in machines if machine.lease}
    held = {
        key: lease.model_copy(update={"description": ctx.scrub(lease.description)})
        for key, lease in leases.items()
    }
    ours = {machine.id for machine in (*observation.seen, *observation.tasks)}
    strangers = sum(machine.id not in ours for machine in machines)
    return status(target.spec.app, _clean(ctx, observation), held, strangers)


async def observe(ctx: Context) -> Observation:
    """What a deployment would decide on. Raises ``CannotLook`` where the machines are not known."""
    try:
        observation = await look(ctx)
    except FlyError as error:
        raise CannotLook(ctx.scrub(str(error))) from None
    if not known(observation):
        raise CannotLook(f"the machines of app {ctx.spec.app} {ctx.record_error or observation.machines}")
    return observation


async def machines_of(ctx: Context) -> list[Machine]:
    """Every machine of the app as Fly shows it, with its lease."""
    try:
        return await ctx.machines.list(leases=True)
    except NotFound:
        return []
    except FlyError as error:
        raise CannotLook(ctx.scrub(str(error))) from None


def _clean(ctx: Context, observation: Observation) -> Observation:
    """What checks have said comes from the app: fit to be shown."""

    def one(machine: MachineSeen) -> MachineSeen:
        checks = (replace(c, name=ctx.scrub(c.name), output=ctx.scrub(c.output)) for c in machine.checks)
        return replace(machine, checks=tuple(checks))

    return replace(observation, machines=tuple(map(one, observation.seen)))
