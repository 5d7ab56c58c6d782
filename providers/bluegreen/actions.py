"""What each step of the lifecycle does: one function a verb, each answering the world as it is known afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import anyio
import stamina

from providers.bluegreen import journal
from providers.bluegreen.context import Context
from providers.bluegreen.failures import GateFailed, only
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Answer, MachineSeen, Observation, Proof
from providers.bluegreen.observe import look, look_again, see
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import machine_config
from providers.fly import Ambiguous, Conflict, Invalid, Machine
from providers.gates.routing import NotYet
from providers.gates.saved_state import prove_saved

Action = Callable[[Context, Scene, Step], Awaitable[Observation]]
POLL_FIRST_S = 0.05
POLL_LONGEST_S = 1.0
T = TypeVar("T")
R = TypeVar("R")


class _NotYet(Exception):
    """The condition of a poll does not hold yet."""


async def _each(items: Sequence[T], do: Callable[[T], Awaitable[R]]) -> list[R]:
    """Do it for all at once; the first error ends the others and is raised."""
    results: dict[int, R] = {}

    async def one(index: int, item: T) -> None:
        results[index] = await do(item)

    async with anyio.create_task_group() as group:
        for index, item in enumerate(items):
            group.start_soon(one, index, item)
    return [results[index] for index in range(len(items))]


async def create_app(ctx: Context, scene: Scene, step: Step) -> Observation:
    """422 "name taken" also answers our own create whose answer was lost: whether we may see the app decides."""
    try:
        await ctx.apps.create(ctx.spec.app, ctx.spec.org)
    except (Ambiguous, Invalid):
        observation = await look(ctx, scene.observation)
        if observation.app_exists is not True:
            raise
        return observation
    return replace(scene.observation, app_exists=True, app_created=True)


async def set_secrets(ctx: Context, scene: Scene, step: Step) -> Observation:
    removed: dict[str, str | None] = dict.fromkeys(scene.intent.previous_secrets)
    wanted = {name: value.get_secret_value() for name, value in ctx.spec.secret_env.items()}
    await ctx.secrets.set(removed | wanted)
    return replace(scene.observation, secrets_set=True)


async def restore_secrets(ctx: Context, scene: Scene, step: Step) -> Observation:
    previous = scene.intent.previous_secrets.items()
    await ctx.secrets.set({name: value.get_secret_value() if value else None for name, value in previous})
    return replace(scene.observation, secrets_restored=True)


async def create(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Create what is missing, by name: a name that exists answers 409, so a lost answer makes no second machine."""
    existing = {machine.name for machine in scene.green}
    missing = [(name, region) for name, region in scene.intent.wanted.items() if name not in existing]
    config = machine_config(
        ctx.spec,
        env=journal.environment_of(ctx.spec, scene.intent.release),
        metadata=journal.metadata_of(scene.intent),
    )

    async def one(item: tuple[str, str]) -> Machine:
        name, region = item
        return await ctx.machines.create(
            name=name, region=region, config=config, skip_service_registration=True
        )

    try:
        created = await _each(missing, one)
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


async def await_started(ctx: Context, scene: Scene, step: Step) -> Observation:
    async def one(machine: MachineSeen) -> MachineSeen:
        with_state = await _await_state(ctx, machine, ("started", "failed", "stopped", "destroyed"))
        if with_state.state != "started":
            raise GateFailed(
                f"machine {machine.id} ({machine.name}) is {with_state.state}{_how(with_state)}, not started"
            )
        return with_state

    waiting = [machine for machine in step.machines if machine.state != "started"]
    return scene.observation.with_machines(*await _each(waiting, one))


async def await_stopped(ctx: Context, scene: Scene, step: Step) -> Observation:
    async def one(machine: MachineSeen) -> MachineSeen:
        return await _await_state(ctx, machine, ("stopped", "failed", "destroyed"))

    waiting = [machine for machine in step.machines if machine.state != "stopped"]
    return scene.observation.with_machines(*await _each(waiting, one))


async def _await_state(ctx: Context, machine: MachineSeen, states: Sequence[str]) -> MachineSeen:
    ctx.waiting_for[machine.name] = f"machine {machine.id} ({machine.name}) to be {states[0]}"
    await ctx.machines.wait(machine.id, states, instance_id=machine.instance_id)
    seen = await look_again(ctx, machine)
    ctx.waiting_for.pop(machine.name, None)
    return seen


def _how(machine: MachineSeen) -> str:
    return f": its process {machine.exit}" if machine.exit else ""


async def await_healthy(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Poll each machine (5 looks a second are allowed) until the row's own condition holds for it."""

    def healthy(machine: MachineSeen) -> bool:
        alone = replace(scene, observation=replace(scene.observation, machines=(machine,)))
        return step.row.done(alone)

    async def one(machine: MachineSeen) -> MachineSeen:
        async for attempt in _polling():
            with attempt:
                machine = await look_again(ctx, machine)
                if machine.state != "started":
                    reason = f"machine {machine.id} ({machine.name}) is {machine.state}{_how(machine)} while its checks were awaited"
                    raise GateFailed(reason)
                if not healthy(machine):
                    ctx.waiting_for[machine.name] = _unhealthy(machine)
                    raise _NotYet
        ctx.waiting_for.pop(machine.name, None)
        return machine

    return scene.observation.with_machines(*await _each(step.machines, one))


def _unhealthy(machine: MachineSeen) -> str:
    failing = [
        f"{check.name}: {check.output[:200] or 'no output'}" for check in machine.checks if not check.passing
    ]
    told = "; ".join(failing) or f"{len(machine.checks)} checks reported so far"
    return f"machine {machine.id} ({machine.name}): {told}"


def _polling() -> AsyncIterable[stamina.Attempt]:
    """Ask again and again, without end: the phase's deadline is the end."""
    return stamina.retry_context(
        on=(_NotYet, NotYet),
        attempts=None,
        timeout=None,
        wait_initial=POLL_FIRST_S,
        wait_max=POLL_LONGEST_S,
        wait_jitter=0.05,
    )


async def cordon(ctx: Context, scene: Scene, step: Step) -> Observation:
    async def one(machine: MachineSeen) -> MachineSeen:
        await ctx.machines.cordon(machine.id)
        return replace(machine, cordoned=True)

    return scene.observation.with_machines(*await _each(_not(step, cordoned=True), one))


async def uncordon(ctx: Context, scene: Scene, step: Step) -> Observation:
    async def one(machine: MachineSeen) -> MachineSeen:
        await ctx.machines.uncordon(machine.id)
        return replace(machine, cordoned=False)

    return scene.observation.with_machines(*await _each(_not(step, cordoned=False), one))


def _not(step: Step, *, cordoned: bool) -> list[MachineSeen]:
    return [machine for machine in step.machines if machine.cordoned != cordoned]


async def stop(ctx: Context, scene: Scene, step: Step) -> Observation:
    async def one(machine: MachineSeen) -> MachineSeen:
        await ctx.machines.stop(machine.id)
        return replace(machine, state="stopping")

    running = [machine for machine in step.machines if machine.state in ("created", "starting", "started")]
    return scene.observation.with_machines(*await _each(running, one))


async def start(ctx: Context, scene: Scene, step: Step) -> Observation:
    async def one(machine: MachineSeen) -> MachineSeen:
        await ctx.machines.start(machine.id)
        return replace(machine, state="starting")

    halted = [machine for machine in step.machines if machine.state not in ("created", "starting", "started")]
    return scene.observation.with_machines(*await _each(halted, one))


async def read_exits(ctx: Context, scene: Scene, step: Step) -> Observation:
    """ "Stopped" is not "saved": a machine killed at its deadline is also stopped, and only its exit event says so."""

    async def one(machine: MachineSeen) -> MachineSeen:
        return machine if machine.exit else await look_again(ctx, machine)

    machines = await _each(step.machines, one)
    faults = [
        f"machine {m.id} ({m.name}) {m.exit or 'has no exit event'}; its state may be unsaved"
        for m in machines
        if not (m.exit and m.exit.graceful)
    ]
    if faults:
        raise GateFailed(*faults)
    return scene.observation.with_machines(*machines)


async def prove_state(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Each machine's manifest and objects, in the store that this machine was told to save to."""

    async def one(machine: MachineSeen) -> Proof:
        bucket, _, prefix = machine.state_store.removeprefix("s3://").partition("/")
        return await prove_saved(ctx.store_of(bucket), prefix, machine)

    proofs = await _each([machine for machine in step.machines if machine.state_store], one)
    faults = [fault for proof in proofs for fault in proof.faults]
    if faults:
        raise GateFailed(*faults)
    rooms, objects, size = (sum(getattr(p, part) for p in proofs) for part in ("rooms", "objects", "bytes"))
    ctx.say(f"saved state proven: {rooms} rooms, {objects} objects, {size:,} bytes of {len(proofs)} machines")
    return scene.observation.with_proofs(*proofs)


async def prove_routed(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Ask as users do, in every region, until a machine of the cluster answers.

    Under ``overlap`` blue answers as well, and may answer every time: there each green machine is asked for by its id.
    """
    expected = {machine.id for machine in step.machines} | {""}

    async def one(question: tuple[str, str]) -> Answer:
        region, machine_id = question
        async for attempt in _polling():
            with attempt:
                answer = await _ask(ctx, region, machine_id, expected)
        ctx.waiting_for.pop(region + machine_id, None)
        return answer

    by_id = scene.intent.cutover == "overlap" and scene.intent.goal == "deploy"
    questions = {(machine.region, machine.id if by_id else "") for machine in step.machines}
    return replace(scene.observation, answers=tuple(await _each(sorted(questions), one)))


async def _ask(ctx: Context, region: str, machine_id: str, expected: set[str]) -> Answer:
    try:
        answer = await ctx.prober.ask(region, machine_id)
    except NotYet as error:
        ctx.waiting_for[region + machine_id] = f"an answer in {region}: {error}"
        raise
    if answer.machine_id not in expected:
        ctx.waiting_for[region + machine_id] = f"an answer in {region}: machine {answer.machine_id} answers"
        raise _NotYet
    return answer


async def mark_serving(ctx: Context, scene: Scene, step: Step) -> Observation:
    async def one(machine: MachineSeen) -> MachineSeen:
        await ctx.machines.set_metadata(machine.id, journal.SERVING, "true")
        return replace(machine, serving=True)

    unmarked = [machine for machine in step.machines if not machine.serving]
    return scene.observation.with_machines(*await _each(unmarked, one))


async def destroy(ctx: Context, scene: Scene, step: Step) -> Observation:
    async def one(machine: MachineSeen) -> str:
        await ctx.machines.destroy(machine.id)
        return machine.id

    return scene.observation.without_machines(*await _each(step.machines, one))


async def delete_app(ctx: Context, scene: Scene, step: Step) -> Observation:
    """Only an app without any machine: those that are not ours stay, and so does the app around them."""
    strangers = await ctx.machines.list()
    if strangers:
        names = ", ".join(f"{machine.id} ({machine.name})" for machine in strangers[:5])
        ctx.say(f"app {ctx.spec.app} stays: machines that are not ours are in it: {names}")
        return replace(scene.observation, app_kept=True)
    await ctx.apps.delete(ctx.spec.app)
    return replace(scene.observation, app_exists=False)


ACTIONS: dict[Do, Action] = {
    Do.CREATE_APP: create_app,
    Do.SET_SECRETS: set_secrets,
    Do.CREATE: create,
    Do.AWAIT_STARTED: await_started,
    Do.AWAIT_HEALTHY: await_healthy,
    Do.CORDON: cordon,
    Do.STOP: stop,
    Do.AWAIT_STOPPED: await_stopped,
    Do.READ_EXITS: read_exits,
    Do.PROVE_SAVED: prove_state,
    Do.UNCORDON: uncordon,
    Do.PROVE_ROUTED: prove_routed,
    Do.MARK_SERVING: mark_serving,
    Do.RESTORE_SECRETS: restore_secrets,
    Do.START: start,
    Do.DESTROY: destroy,
    Do.DELETE_APP: delete_app,
}
