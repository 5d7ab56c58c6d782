"""The gate that people open."""

from __future__ import annotations

from dataclasses import replace

from providers.bluegreen import journal
from providers.bluegreen.actions.together import each
from providers.bluegreen.context import Context
from providers.bluegreen.durations import seconds
from providers.bluegreen.failures import AwaitingApproval
from providers.bluegreen.model import MachineSeen, Observation
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene


async def await_approval(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Write on green until when it may wait, once, and end the run. Raises ``AwaitingApproval``."""
    until = ctx.now() + seconds(ctx.spec.deadlines.approval)

    async def one(machine: MachineSeen) -> MachineSeen:
        await ctx.machines.set_metadata(machine.id, journal.APPROVAL_UNTIL, f"{until:.0f}")
        return replace(machine, approval_until=until)

    await each([machine for machine in step.machines if not machine.approval_until], one)
    given, release = ctx.spec.approved_release, scene.intent.release
    if given:
        ctx.say(f"approved_release is {given}, but the release that waits is {release}")
    raise AwaitingApproval
