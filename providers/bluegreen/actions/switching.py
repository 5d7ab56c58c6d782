"""switch-routes: cordons, and the proof from outside."""

from __future__ import annotations

from dataclasses import replace

import anyio

from providers.bluegreen import journal
from providers.bluegreen.actions.together import each, each_or_fail
from providers.bluegreen.conditions import answered_elsewhere, dead
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed, NotYet
from providers.bluegreen.model import Answer, MachineSeen, Observation, Ownership, Role
from providers.bluegreen.observe import look_again
from providers.bluegreen.plan import Step
from providers.bluegreen.polling import polling
from providers.bluegreen.scene import Scene
from providers.fly import FlyError, Forbidden, Invalid, NotFound, PreconditionFailed, Unauthorized

CORDON_DEAD_WITHIN_S = 2.0
REFUSALS = (Unauthorized, Forbidden, NotFound, Invalid, PreconditionFailed)
"""Fly's own word that it does not do it: it has answered, so what it says of the machine is of now."""
PATIENCE = 2
"""How many answers of another region's machine are the proxy's delay, before the machines themselves are looked at."""


async def cordon(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Keep new connections away; open ones live on until the stop."""

    async def one(machine: MachineSeen) -> MachineSeen:
        await ctx.machines.cordon(machine.id)
        ctx.registered.discard(machine.id)
        return replace(machine, cordoned=True)

    seen = scene.observation
    if step.row.on is Role.BLUE:
        seen = await _cordon_the_dead(ctx, scene)  # first: a refusal costs the living nothing
    routed = [machine for machine in step.machines if not machine.cordoned]
    return seen.with_machines(*await each(routed, one))


async def _cordon_the_dead(ctx: Context, scene: Scene) -> Observation:
    """Blue's machines that died before this run must not serve if they come back.

    A host that does not answer is an excuse, and is said: it cannot be waited for. A refusal is none: the host is
    there, and may start the machine, routed as it is, beside green.
    """

    async def one(machine: MachineSeen) -> MachineSeen:
        with anyio.move_on_after(CORDON_DEAD_WITHIN_S) as patience:
            await _cordon_dead(ctx, machine)
        if not patience.cancelled_caught:
            return replace(machine, cordoned=True)
        ctx.say(
            f"machine {machine.id} ({machine.name}) died before this began and takes no cordon "
            f"({ctx.api.last_error or 'no answer'}): if its host comes back, it may start routed, until it is destroyed"
        )
        return machine

    open_ = [machine for machine in dead(scene) if not machine.cordoned]
    asked = await each(open_, one)
    excused = scene.observation.excused | {machine.id for machine in asked if not machine.cordoned}
    return replace(scene.observation, excused=excused).with_machines(*asked)


async def _cordon_dead(ctx: Context, machine: MachineSeen) -> None:
    try:
        await ctx.machines.cordon(machine.id)
    except REFUSALS as refused:
        raise GateFailed(
            f"machine {machine.id} ({machine.name}) had ended before this began, and cannot be kept from serving if it "
            f"starts again: {refused}. If it is not needed, `fly machine destroy --force {machine.id}` removes it"
        ) from None


async def uncordon(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Register the machines with the proxy, which learns of it after a moment."""

    unrouted = [m for m in step.machines if not m.draining and (m.cordoned or not m.registered)]
    return scene.observation.with_machines(*await each(unrouted, lambda machine: route(ctx, machine)))


async def route(ctx: Context, machine: MachineSeen) -> MachineSeen:
    """Register one machine. What was proven of its routing before is to be proven again.

    One that showed as cordoned tells by itself whether the call landed, also where no answer to it ever arrives.
    """
    ctx.touched.add(machine.id)
    if machine.cordoned:
        ctx.registered.add(machine.id)
    await ctx.machines.uncordon(machine.id)
    ctx.registered.add(machine.id)
    return replace(machine, cordoned=False, registered=True, touched=True)


async def prove_routed(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Ask as users do, in every region, until a machine of the cluster that is there answers.

    Where the proxy routes to nobody in a region, it takes the question to another one: such an answer proves nothing.
    """

    unrouted: list[MachineSeen] = []

    async def one(question: tuple[str, str]) -> Answer:
        region, machine_id = question
        asked = 0
        async for attempt in polling():
            with attempt:
                asked += 1
                answer = await _ask(ctx, region, machine_id)
                wrong = answered_elsewhere(answer, step.machines)
                if wrong:
                    ctx.waiting_for[region + machine_id] = f"an answer in {region}: {wrong}"
                    unrouted.extend(await _cordoned(ctx, step, region) if asked > PATIENCE else ())
                    if not unrouted:
                        raise NotYet
        ctx.waiting_for.pop(region + machine_id, None)
        return answer

    questions = {(machine.region, asked_for(scene, machine)) for machine in step.machines}
    answers = tuple(await each_or_fail(sorted(questions), one))
    return replace(scene.observation, answers=answers).with_machines(*unrouted)


def asked_for(scene: Scene, machine: MachineSeen) -> str:
    """The id of the machine that is asked for from outside; empty where any of its cluster may answer.

    By id where others answer as well, and may answer every time: blue under ``overlap``, the machines that stay where a
    cluster is scaled, machines that are not ours.
    """
    overlaps = scene.intent.cutover == "overlap" and scene.intent.goal in ("deploy", "rollback")
    others_answer = overlaps or scene.intent.goal == "scale" or bool(scene.observation.strangers)
    return machine.id if others_answer else ""


async def _cordoned(ctx: Context, step: Step, region: str) -> list[MachineSeen]:
    """Those that are not routed after all, whatever their uncordon was answered: they are routed again."""

    async def look(machine: MachineSeen) -> MachineSeen:
        try:
            return await look_again(ctx, machine)
        except FlyError:
            return machine

    there = [machine for machine in step.machines if machine.region == region]
    return [machine for machine in await each(there, look) if machine.cordoned]


async def _ask(ctx: Context, region: str, machine_id: str) -> Answer:
    try:
        return await ctx.prober.ask(region, machine_id)
    except NotYet as error:
        ctx.waiting_for[region + machine_id] = f"an answer in {region}: {error}"
        raise


async def mark_serving(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Record on every machine that its cluster serves: written after the proof, so it stands for the proof."""

    async def one(machine: MachineSeen) -> MachineSeen:
        """The proof asked for one machine a region; that the others are uncordoned too, each says itself."""
        seen = await look_again(ctx, machine)
        if seen.cordoned:
            return seen
        mark = str(Ownership(number, machine.release)) if machine.adopted else str(number)
        await ctx.machines.set_metadata(machine.id, journal.SERVING, mark)
        ctx.touched.discard(machine.id)
        return replace(seen, serving=number, touched=False)

    number = scene.number_of(step.machines[0].release)
    unmarked = [machine for machine in step.machines if not scene.proven(machine)]
    return scene.observation.with_machines(*await each(unmarked, one))
