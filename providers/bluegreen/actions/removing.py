"""retire-old: what goes, and what is kept warm."""

from __future__ import annotations

from dataclasses import replace

from providers.bluegreen import journal
from providers.bluegreen.actions.together import each
from providers.bluegreen.commits import rank
from providers.bluegreen.conditions import RUNNING
from providers.bluegreen.context import Context
from providers.bluegreen.durations import seconds
from providers.bluegreen.failures import NotYet
from providers.bluegreen.journal import identify
from providers.bluegreen.lock import Held
from providers.bluegreen.model import GONE, MachineSeen, Observation, Release, Warm
from providers.bluegreen.observe import look_again
from providers.bluegreen.plan import Step
from providers.bluegreen.polling import polling
from providers.bluegreen.scene import Scene
from providers.fly import Ambiguous, Conflict, Invalid, Machine, NotFound, PreconditionFailed


async def destroy(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Destroy the step's machines. The executor has just looked at the world again before it calls this.

    Neither a 404 nor a 200 to the call proves that a machine is gone: each is looked at afterwards.
    """

    async def one(machine: MachineSeen) -> str:
        ctx.destroyed.add(machine.id)
        async for attempt in polling():
            with attempt:
                await ctx.machines.destroy(machine.id)
                await _must_be_gone(ctx, machine)
        ctx.lock.forget(machine.id)
        ctx.waiting_for.pop(machine.name, None)
        return machine.id

    return scene.observation.without_machines(*await each(step.machines, one))


async def _must_be_gone(ctx: Context, machine: MachineSeen) -> None:
    try:
        seen = await ctx.machines.get(machine.id)
    except NotFound:
        return
    if seen.state not in GONE:
        ctx.waiting_for[machine.name] = (
            f"machine {machine.id} ({machine.name}) to be gone: it is {seen.state}"
        )
        raise NotYet


async def keep_warm(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Write on blue until when it is kept: stopped and cordoned, with its image at hand, it starts in seconds."""
    until = ctx.now() + seconds(ctx.spec.keep_warm)
    warm = Warm(float(round(until)), _number_of(step.machines[0].release, scene))

    async def one(machine: MachineSeen) -> MachineSeen:
        """Fly checks no lease for metadata, so it is looked first: another run may have started it again meanwhile."""
        seen = await look_again(ctx, machine)
        if seen.state in RUNNING:
            return seen
        await ctx.machines.set_metadata(machine.id, journal.WARM, journal.warm_text(warm))
        return replace(seen, warm=warm)

    return scene.observation.with_machines(*await each(step.machines, one))


def _number_of(blue: Release, scene: Scene) -> int:
    """The commit that blue owned the state by. A run that was killed before it wrote that on blue's machines left it in
    the store alone, where green's record stands by now: it was the one before that.
    """
    assert scene.ownership is not None, "what is retired has a successor"
    return rank(blue, scene.observation) or scene.ownership.number - 1


async def delete_app(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Only an app without any machine: those that are not ours, or are kept on request, stay, and so does the app."""
    left = await _delete_if_empty(ctx)
    kept = {machine.id for machine in scene.observation.seen}
    ours = [machine for machine in left if identify(machine.metadata, ctx.spec.app)]
    if others := [machine for machine in ours if machine.id not in kept]:
        raise Held(f"another run has made machine {others[0].id} ({others[0].name}) meanwhile")
    if left:
        names = ", ".join(f"{machine.id} ({machine.name})" for machine in left[:5])
        ctx.say(f"app {ctx.spec.app} stays: machines are in it: {names}")
        return replace(scene.observation, app_kept=True)
    return replace(scene.observation, app_exists=False)


async def _delete_if_empty(ctx: Context) -> list[Machine]:
    """The machines that keep the app, or none, and it is gone.

    Before each attempt it is looked again, or a repeated call could end an app that somebody has made anew. Between
    look and call a run may sleep, with no lease left that tells: so Fly is first asked without force, and is to refuse.
    """
    asked = by_force = False
    async for attempt in polling():
        with attempt:
            try:
                if left := await ctx.machines.list():
                    return left
                await ctx.apps.delete(ctx.spec.app, force=by_force)
            except NotFound:
                if not asked:
                    raise
            except Ambiguous:
                asked = True
                raise NotYet from None
            except (Conflict, PreconditionFailed, Invalid):
                if by_force:
                    raise
                by_force = True
                raise NotYet from None
    return []
