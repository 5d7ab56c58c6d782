"""Before and beside the tests: Fly's release command, and the rehearsal with what blue last saved."""

from __future__ import annotations

from dataclasses import replace

from providers.bluegreen import journal
from providers.bluegreen.actions.short_lived import Task, run_to_its_end
from providers.bluegreen.actions.testing import within
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed
from providers.bluegreen.model import Observation
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec_gates import HttpTest
from providers.gates.asking import ask


async def release_command(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Fly's release command: once, in a machine of the new image, before the first machine of green exists."""
    command = ctx.spec.release_command
    assert command is not None, "the lifecycle asks only where there is one"
    env = {**ctx.spec.env, **journal.environment_of(scene.intent), "RELEASE_COMMAND": "1"}

    task = Task(
        "release command",
        name=journal.RELEASE_COMMAND,
        region=min(ctx.spec.regions),
        image=ctx.spec.image,
        argv=command.argv,
        env=env,
    )
    await within(command.deadline, "the release command", lambda: run_to_its_end(ctx, scene, task))
    return replace(scene.observation, released=True)


async def rehearse(ctx: Context, scene: Scene, step: Step) -> Observation:
    """One machine of green opens a copy of what blue last saved; all run the same image. Blue is not asked at all."""
    wanted = ctx.spec.rehearsal
    assert wanted is not None, "the lifecycle asks only where there is one"
    machine = step.machines[0]
    test = HttpTest.model_validate(
        {
            "type": "http",
            "name": "rehearsal",
            "method": "POST",
            "path": wanted.path,
            "headers": {"content-type": "application/json"},
            "body": f'{{"predecessor": "{scene.intent.blue}"}}',
        }
    )

    async def run() -> str:
        return await ask(
            ctx.private, await ctx.tunnels.url(machine, wanted.port), test, scrubber=ctx.scrubber
        )

    try:
        found = await within(wanted.deadline, "the rehearsal", run)
    except GateFailed as error:
        reason = f"green (machine {machine.id}) cannot open what release {scene.intent.blue} saved"
        raise GateFailed(*(f"{reason}: {told}" for told in error.reasons)) from None
    ctx.say(f"rehearsal: green opened a copy of the saved state ({found})")
    return replace(scene.observation, rehearsed=True)
