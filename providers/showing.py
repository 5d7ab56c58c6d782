"""Showing the rollout of a resource before it runs: on its row of Pulumi's display, and as a file for CI."""

from __future__ import annotations

from typing import Any

from providers.bluegreen.context import Context
from providers.bluegreen.deploy import Request, preview
from providers.bluegreen.plan import PlannedStep
from providers.bluegreen.spec import Spec
from providers.console import Say
from providers.live import ask_live
from providers.partial import DeploymentFailed
from providers.plan_file import write_plan
from providers.planning import Planned, plan_document, plan_text, unplanned
from providers.running import in_context, silent


def show_plan(
    spec: Spec, request: Request, say: Say, changed: list[str], later: list[str]
) -> list[PlannedStep]:
    """Show the rollout on the resource's row. A world that cannot be read is said, and counts as no news of it."""
    try:
        planned = in_context(spec, silent, lambda ctx: _plan(ctx, request, changed, later))
    except DeploymentFailed as error:
        say(f"the rollout cannot be shown: {error}")
        write(say, spec.app, unplanned(spec.app, error=str(error)))
        return []
    if text := plan_text(planned):
        say(text)
    write(say, spec.app, plan_document(planned))
    return planned.steps


async def _plan(ctx: Context, request: Request, changed: list[str], later: list[str]) -> Planned:
    scene, steps = await preview(ctx, request)
    return Planned(scene, steps, await ask_live(scene) if steps else None, changed, later)


def write(say: Say, app: str, plan: dict[str, Any]) -> None:
    """The plan as a file, where somebody wants it; what keeps it from being written is said."""
    if complaint := write_plan(app, plan):
        say(complaint)
