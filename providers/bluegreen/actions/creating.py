"""create-new: the app, its secrets, and green's machines."""

from __future__ import annotations

from dataclasses import replace

from providers.bluegreen import journal
from providers.bluegreen.actions.together import each
from providers.bluegreen.commits import known
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed, only
from providers.bluegreen.model import Observation, Release
from providers.bluegreen.observe import look, see
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import machine_config
from providers.fly import Ambiguous, Conflict, Invalid, Machine


async def create_app(ctx: Context, scene: Scene, step: Step) -> Observation:
    """422 "name taken" also answers our own create whose answer was lost: whether we may see the app decides.

    An app that turns out to have machines of ours was there all the time: then nothing that was decided holds.
    """
    try:
        await ctx.apps.create(ctx.spec.app, ctx.spec.org)
    except (Ambiguous, Invalid) as error:
        observation = await look(ctx, scene.observation)
        if observation.app_exists is not True:
            raise
        if observation.seen:
            reason = (
                f"the API said that app {ctx.spec.app} does not exist, but it does, with machines of ours"
            )
            raise GateFailed(reason) from error
        return replace(observation, app_created=isinstance(error, Ambiguous))
    return replace(scene.observation, app_exists=True, app_created=True)


async def set_secrets(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Set the secrets of today's spec on the app, and remove names that it no longer has. No value is read back."""
    removed: dict[str, str | None] = dict.fromkeys(scene.intent.previous_secrets)
    wanted: dict[str, str | None] = {n: value.get_secret_value() for n, value in ctx.spec.secret_env.items()}
    whose = scene.intent.blue if scene.intent.goal == "stay" else scene.intent.release
    observation = await _put_secrets(ctx, scene, whose, removed | wanted)
    return replace(observation, secrets_set=True, secrets_restored=False)


async def restore_secrets(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Give the app the old values again: machines read secrets when they start, and these are started next.

    What today's spec has unchanged is blue's as well, and a third release may have changed it.
    """
    blues = {**ctx.spec.secret_env, **scene.intent.previous_secrets}
    values = {name: value.get_secret_value() if value else None for name, value in blues.items()}
    whose = scene.intent.release if scene.intent.goal == "rollback" else scene.intent.blue
    observation = await _put_secrets(ctx, scene, whose, values)
    return replace(observation, secrets_restored=True, secrets_set=False)


async def _put_secrets(
    ctx: Context, scene: Scene, whose: Release | None, values: dict[str, str | None]
) -> Observation:
    """Secrets are the app's, not a release's: while they may be another release's than the owner's, a machine of the
    owner says so, or a run that is killed in between would leave them to whoever restarts next.

    One machine, since writing metadata may reset its check reports, and it serves.
    """
    holders = [m for m in scene.observation.seen if m.release == scene.owner and not m.lost]
    observation = scene.observation
    if holders and whose != scene.owner and not any(machine.secrets_of for machine in holders):
        first = min(holders, key=lambda machine: machine.name)
        await ctx.machines.set_metadata(first.id, journal.SECRETS_OF, str(whose))
        observation = observation.with_machines(replace(first, secrets_of=str(whose)))
    await ctx.app_secrets.set(values)
    if whose == scene.owner:
        marked = [machine for machine in holders if machine.secrets_of]
        await each(marked, lambda machine: ctx.machines.delete_metadata(machine.id, journal.SECRETS_OF))
        observation = observation.with_machines(*(replace(machine, secrets_of="") for machine in marked))
    return observation


async def create(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Create what is missing, by name: a name that exists answers 409, so a lost answer makes no second machine.

    Where there was nothing to lease, the first name is the lock: it is created alone, and whoever has it goes on. Who
    began while older machines were there counts on from their generation, and has another first name: so then everybody
    looks who else is there.
    """
    existing = {machine.name for machine in scene.green}
    missing = [(name, region) for name, region in scene.intent.wanted.items() if name not in existing]
    config = machine_config(
        ctx.spec,
        env=journal.environment_of(scene.intent),
        metadata=journal.metadata_of(scene.intent, app_created=scene.observation.app_created),
    )

    async def one(item: tuple[str, str]) -> Machine:
        name, region = item
        machine = await ctx.machines.create(
            name=name, region=region, config=config, skip_service_registration=True, lease_s=ctx.lease_s
        )
        await ctx.lock.adopt(machine.id, machine.nonce)
        return machine

    alone = 1 if ctx.lock.empty else 0
    try:
        created = await each(missing[:alone], one)
        if created and not _alone(observation := await look(ctx, scene.observation), scene):
            return observation
        created += await each(missing[alone:], one)
    except ExceptionGroup as error:
        if not only(error, Ambiguous, Conflict):
            raise
        return await _created_after_all(ctx, scene, error)
    ours = [see(machine, ctx.spec.app) for machine in created]
    if not all(ours):
        return await look(ctx, scene.observation)
    return scene.observation.with_machines(*(machine for machine in ours if machine))


def _alone(now: Observation, scene: Scene) -> bool:
    """Whether all releases are those that this run began with, and its own. Else it stops when it wants the leases."""
    began_with = {machine.release for machine in scene.observation.seen} | {scene.intent.release}
    return known(now) and {machine.release for machine in now.seen} <= began_with


async def _created_after_all(ctx: Context, scene: Scene, error: ExceptionGroup[Exception]) -> Observation:
    """A create may have happened, also under a name that was taken: only looking tells."""
    observation = await look(ctx, scene.observation)
    if len(observation.seen) == len(scene.observation.seen):
        raise error
    return observation
