"""create-new: the app, its secrets, and green's machines."""

from __future__ import annotations

from dataclasses import replace

from providers.bluegreen import journal
from providers.bluegreen.actions.together import each
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed, only
from providers.bluegreen.model import Observation
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
    """Set green's secrets on the app; names that green no longer has are removed. No value is ever read back."""
    removed: dict[str, str | None] = dict.fromkeys(scene.intent.previous_secrets)
    wanted = {name: value.get_secret_value() for name, value in ctx.spec.secret_env.items()}
    await ctx.app_secrets.set(removed | wanted)
    return replace(scene.observation, secrets_set=True)


async def restore_secrets(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Give the app blue's values again: machines read secrets when they start, and blue is started next."""
    previous = scene.intent.previous_secrets.items()
    await ctx.app_secrets.set({name: value.get_secret_value() if value else None for name, value in previous})
    return replace(scene.observation, secrets_restored=True)


async def create(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Create what is missing, by name: a name that exists answers 409, so a lost answer makes no second machine."""
    existing = {machine.name for machine in scene.green}
    missing = [(name, region) for name, region in scene.intent.wanted.items() if name not in existing]
    config = machine_config(
        ctx.spec,
        env=journal.environment_of(scene.intent),
        metadata=journal.metadata_of(scene.intent, app_created=scene.observation.app_created),
    )

    async def one(item: tuple[str, str]) -> Machine:
        name, region = item
        return await ctx.machines.create(
            name=name, region=region, config=config, skip_service_registration=True
        )

    try:
        created = await each(missing, one)
    except ExceptionGroup as error:
        if not only(error, Ambiguous, Conflict):
            raise
        return await _created_after_all(ctx, scene, error)
    ours = [see(machine, ctx.spec.app) for machine in created]
    if not all(ours):
        return await look(ctx, scene.observation)
    return scene.observation.with_machines(*(machine for machine in ours if machine))


async def _created_after_all(ctx: Context, scene: Scene, error: ExceptionGroup[Exception]) -> Observation:
    """A create may have happened, also under a name that was taken: only looking tells."""
    observation = await look(ctx, scene.observation)
    if len(observation.seen) == len(scene.observation.seen):
        raise error
    return observation
