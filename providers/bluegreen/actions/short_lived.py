"""Commands in short-lived machines of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from providers.bluegreen import journal
from providers.bluegreen.actions.tasks import run_task
from providers.bluegreen.context import LINE_CAP, Context
from providers.bluegreen.failures import GateFailed
from providers.bluegreen.scene import Scene

SHOWN_LINES = 5


@dataclass(frozen=True)
class Task:
    """What is run: ``name`` is unique among the tasks of one release, ``what`` is its name for people.

    ``secrets`` are values of ``env`` that its output may repeat and nobody may read.
    """

    what: str
    name: str
    region: str
    image: str
    argv: Sequence[str]
    env: Mapping[str, str]
    secrets: Collection[str] = ()


async def run_to_its_end(ctx: Context, scene: Scene, task: Task) -> str:
    """Run a command in a machine of its own. Raises ``GateFailed`` with its last lines unless it exits with 0."""
    release = scene.intent.release
    end = await run_task(
        ctx,
        name=f"{ctx.spec.app}-task-g{release.generation}-{task.name}",
        region=task.region,
        image=task.image,
        argv=task.argv,
        env=task.env,
        metadata=journal.task_metadata(ctx.spec, release, task.name),
    )
    scrubber = ctx.scrubber.also(task.secrets)
    lines = [f"{task.what} | {scrubber.excerpt(line, LINE_CAP)}" for line in end.lines]
    for line in lines:
        ctx.say(line)
    if not end.exit.graceful:
        reason = f"{task.what}: machine {end.machine_id} in {task.region} {end.exit}"
        raise GateFailed(reason, *lines[-SHOWN_LINES:])
    return "exit code 0"
