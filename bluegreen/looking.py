"""Asking Fly and the state store for what the commands show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bluegreen.status import status
from bluegreen.target import Target
from providers.bluegreen.commits import known, newest_committed
from providers.bluegreen.context import Context
from providers.bluegreen.deploy import CannotLook, Request, preview
from providers.bluegreen.model import MachineSeen, Observation
from providers.bluegreen.observe import look
from providers.bluegreen.plan import PlannedStep
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import Spec, machine_config
from providers.fly import FlyError, Machine, NotFound
from providers.session import open_context


async def current(target: Target) -> dict[str, Any]:
    """The status, as JSON. Three reads. Raises ``CannotLook``, ``NoToken``."""
    async with open_context(target.spec, lambda event: None) as ctx:
        observation = await _seen(ctx)
        machines = await _machines(ctx)
    leases = {machine.id: machine.lease for machine in machines if machine.lease}
    held = {
        key: lease.model_copy(update={"description": ctx.scrub(lease.description)})
        for key, lease in leases.items()
    }
    ours = {machine.id for machine in (*observation.seen, *observation.tasks)}
    strangers = sum(machine.id not in ours for machine in machines)
    return status(target.spec.app, _clean(ctx, observation), held, strangers)


async def _seen(ctx: Context) -> Observation:
    try:
        observation = await look(ctx)
    except FlyError as error:
        raise CannotLook(ctx.scrub(str(error))) from None
    if not known(observation):
        raise CannotLook(f"the machines of app {ctx.spec.app} {ctx.record_error or observation.machines}")
    return observation


async def _machines(ctx: Context) -> list[Machine]:
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


class _AsServing(Spec):
    """A spec of which the secrets are not known, taken for the release that serves."""

    assumed: str

    @property
    def digest(self) -> str:
        return self.assumed


@dataclass(frozen=True)
class Explained:
    """What the next ``up`` would do. ``assumed``: what had to be assumed for it."""

    scene: Scene
    steps: list[PlannedStep]
    assumed: tuple[str, ...]


async def explain(target: Target) -> Explained:
    """The plan from here, without Pulumi's state. Raises ``CannotLook``, ``NoToken``."""
    spec, assumed = target.spec, tuple[str, ...]()
    if "secret_env" in target.encrypted:
        spec, assumed = await _without_secrets(spec)
    async with open_context(spec, lambda event: None) as ctx:
        scene, steps = await preview(ctx, Request())
    return Explained(scene, steps, assumed)


async def _without_secrets(spec: Spec) -> tuple[Spec, tuple[str, ...]]:
    """Where all that can be compared is as it runs, the secrets are taken to be so, too."""
    async with open_context(spec, lambda event: None) as ctx:
        owner = newest_committed(await _seen(ctx))
        running = {machine.id: machine for machine in await _machines(ctx)}
    told = "secret_env is encrypted in the stack's file, and is not decrypted here"
    if owner is None or any(not _same(spec, running.get(machine.id)) for machine in owner.machines):
        return spec, (f"{told}: that makes no difference, since something else has changed",)
    given = dict(spec) | {"assumed": owner.release.digest}
    return _AsServing.model_validate(given), (
        f"{told}: it is assumed to be as it was; if it is not, `up` rolls out",
    )


def _same(spec: Spec, machine: Machine | None) -> bool:
    wanted = machine_config(spec, env={}, metadata={})
    wanted.pop("metadata")
    wanted.pop("restart")
    return machine is not None and _contains(machine.config or {}, wanted)


def _contains(running: Any, wanted: Any) -> bool:
    """Fly adds its own defaults to what it was given: what was asked for has to be there."""
    if isinstance(wanted, dict):
        return isinstance(running, dict) and all(
            _contains(running.get(key), item) for key, item in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        same = isinstance(running, list) and len(running) == len(wanted)
        return same and all(map(_contains, running, wanted))
    return bool(running == wanted)
