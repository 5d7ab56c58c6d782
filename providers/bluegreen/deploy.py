"""A deployment from its first look to its named ending."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import anyio
from pydantic import SecretStr

from providers.bluegreen import failures
from providers.bluegreen.adopted import refusals
from providers.bluegreen.commits import known, newest_committed
from providers.bluegreen.conditions import blue_answers
from providers.bluegreen.context import Context
from providers.bluegreen.events import Event, Kind
from providers.bluegreen.execute import Run
from providers.bluegreen.failures import AwaitingApproval, Interrupted, StepFailed, TakenOver
from providers.bluegreen.lock import LEASED_AT_ONCE, Held
from providers.bluegreen.model import Observation, Phase, Role, Unknown
from providers.bluegreen.observe import app_is_gone, look
from providers.bluegreen.outcome import Ending, Failure, Outcome
from providers.bluegreen.plan import PlannedStep, next_step, rollout
from providers.bluegreen.resolve import resolve
from providers.bluegreen.scaling import ever_had
from providers.bluegreen.scene import Goal, Scene, restoring, rolling_back, staying
from providers.bluegreen.spec_gates import StateProof
from providers.bluegreen.stopping import Asked, unless_asked

LOOK_DEADLINE_S = 60.0
LOCK_DEADLINE_S = 60.0
MOST_LOOKS = 3
"""How often all machines are leased that were seen, and others are there by then."""
_GONE = Unknown.CONTRADICTED


class CannotLook(Exception):
    """The world could not be read, so nothing was decided and nothing was changed."""


class Refused(CannotLook):
    """The world was read, and somebody else's work has to be finished, or taken over, first."""


@dataclass(frozen=True)
class Request:
    """What is asked of a deployment, beside the spec.

    ``known_generation``: the highest generation recorded in Pulumi's state. ``previous_secrets``: blue's values of the
    secrets that change; ``previous_proof``: the state_proof of the last deploy. ``owns_app``: the app was made by us,
    and goes when everything goes. ``expected``: ids of the machines that serve by Pulumi's state. ``ingress``: what was
    made of the app's addresses and certificates, for the machines to record.
    """

    goal: Goal = "deploy"
    known_generation: int = 0
    previous_secrets: Mapping[str, SecretStr | None] = field(default_factory=dict, repr=False)
    previous_proof: StateProof | None = field(default=None, repr=False)
    owns_app: bool = False
    expected: frozenset[str] = frozenset()
    ingress: str = ""


async def preview(ctx: Context, request: Request) -> tuple[Scene, list[PlannedStep]]:
    """What ``deploy`` would do from here, or would if ``refusals`` did not refuse it. Two reads, no change.

    Raises ``CannotLook``.
    """
    scene = await _first_look(ctx, request)
    return scene, rollout(scene)


def _must_not_refuse(scene: Scene) -> None:
    """Raises ``Refused`` where machines that are not ours are in the way."""
    if found := refusals(scene):
        raise Refused("; ".join(found))


async def deploy(ctx: Context, request: Request) -> Outcome:
    """Bring the world to what the request asks for, or back. Raises ``CannotLook``; all other endings are Outcomes."""
    scene = await _unless_asked(ctx, lambda: _first_look(ctx, request))
    _must_not_refuse(scene)
    if next_step(scene) is None:
        return _unchanged(Run(ctx, scene))
    outcome = await _locked(ctx, request, scene)
    ctx.hear(Event(Kind.ENDED, ctx.now(), outcome=outcome))
    return outcome


async def _locked(ctx: Context, request: Request, scene: Scene) -> Outcome:
    """The deployment under leases on all machines, which are given back at its end."""
    outcome: Outcome | CannotLook
    async with anyio.create_task_group() as group:
        group.start_soon(ctx.lock.keep)
        try:
            outcome = await _alone(ctx, request, scene)
        except CannotLook as refused:
            outcome = refused
        finally:
            group.cancel_scope.cancel()
            await ctx.lock.release()
    if isinstance(outcome, CannotLook):
        raise outcome
    return outcome


async def _alone(ctx: Context, request: Request, scene: Scene) -> Outcome:
    """The deployment, once nobody else can change its machines: what was seen before that counts no more."""
    if scene.observation.seen:
        seen = scene
        scene = await _unless_asked(ctx, lambda: _seen_alone(ctx, request, seen))
        _must_not_refuse(scene)
    run = Run(ctx, scene)
    if next_step(scene) is None:
        return _unchanged(run)
    for machine in scene.blue:
        if machine.id in scene.intent.lost and machine.lost:
            ctx.say(
                f"machine {machine.id} ({machine.name}) {machine.exit} before this began: nothing to save there"
            )
    try:
        return await _run(run, scene)
    except TakenOver as taken:
        return _outcome(run, Ending.TAKEN_OVER, taken.failure)


async def _unless_asked(ctx: Context, looks: Callable[[], Awaitable[Scene]]) -> Scene:
    """A look that Ctrl-C ends: one at an API that does not answer, or at machines that another run has leased."""
    try:
        return await unless_asked(ctx.stop, looks)
    except Asked as asked:
        raise CannotLook(f"{asked}: stopped before anything was changed") from None


async def _seen_alone(ctx: Context, request: Request, scene: Scene) -> Scene:
    """A scene of which every machine is leased: what is decided on is not another's work that goes on."""
    for _ in range(MOST_LOOKS):
        before = scene.observation.seen
        await _take_leases(ctx, scene)
        scene = await _first_look(ctx, request)
        if not scene.observation.seen:
            gone = min(before, key=lambda machine: machine.name)
            raise CannotLook(
                f"another run has removed machine {gone.id} ({gone.name}) meanwhile. When it has ended: pulumi up"
            )
        if ctx.lock.covers(scene.observation.seen):
            return scene
    raise CannotLook("other runs go on changing its machines. When they have ended: pulumi up")


async def _take_leases(ctx: Context, scene: Scene) -> None:
    deadline_s = LOCK_DEADLINE_S * max(1.0, len(scene.observation.seen) / LEASED_AT_ONCE)
    try:
        with anyio.fail_after(deadline_s):
            await ctx.lock.cover(scene.observation.seen)
    except Held as held:
        raise CannotLook(f"{held}. When it has ended: pulumi up") from None
    except TimeoutError:
        reason = ctx.api.last_error or "no answer"
        raise CannotLook(f"no lease on its machines within {deadline_s:g} s: {reason}") from None
    except Exception as error:  # noqa: BLE001 - raised without its cause, which may quote secrets
        raise CannotLook(ctx.scrub("; ".join(failures.reasons(error)))) from None


async def _run(run: Run, scene: Scene) -> Outcome:
    try:
        await run.reach(scene.intent)
    except AwaitingApproval:
        return _outcome(run, Ending.AWAITING_APPROVAL)
    except StepFailed as failed:
        return await _settle(run, scene, failed)
    return _outcome(run, Ending.DESTROYED if scene.intent.goal == "destroy" else Ending.DEPLOYED)


def _unchanged(run: Run) -> Outcome:
    return _outcome(run, Ending.DESTROYED if run.scene.intent.goal == "destroy" else Ending.UNCHANGED)


async def _first_look(ctx: Context, request: Request) -> Scene:
    ctx.expected = request.expected
    ctx.adopting = (
        ctx.spec.adopt and request.goal != "destroy"
    )  # what we did not make, we do not destroy alone
    ctx.scrubber = ctx.scrubber.also(v.get_secret_value() for v in request.previous_secrets.values() if v)
    try:
        with anyio.fail_after(LOOK_DEADLINE_S):
            observation = await look(ctx)
            if request.goal == "destroy" and observation.app_exists is not True:
                observation = await _absent(ctx)
    except TimeoutError:
        raise CannotLook(f"the Machines API did not answer within {LOOK_DEADLINE_S:g} s") from None
    except Exception as error:  # noqa: BLE001 - raised without its cause, which may quote secrets
        raise CannotLook(ctx.scrub("; ".join(failures.reasons(error)))) from None
    if not known(observation):
        raise CannotLook(_unknown(ctx, observation))
    intent = resolve(
        ctx.spec,
        observation,
        known_generation=request.known_generation,
        nonce=secrets.token_hex(2),
        goal=request.goal,
    )
    remove_app = request.goal == "destroy" and request.owns_app
    intent = replace(
        intent,
        previous_secrets=request.previous_secrets,
        previous_proof=request.previous_proof,
        remove_app=remove_app,
        ingress=request.ingress,
    )
    return Scene(intent, observation)


async def _absent(ctx: Context) -> Observation:
    """Nothing is left to be destroyed: a single 404 proves less than that."""
    gone = await app_is_gone(ctx)
    return Observation(False, ()) if gone else Observation(_GONE, _GONE)


async def _settle(run: Run, first: Scene, failed: StepFailed) -> Outcome:
    """After a failure: look, and then either back to blue or, behind the commit point, no step back."""
    failure, interrupted = failed.failure, isinstance(failed, Interrupted)
    run.ctx.say(f"{failure.phase} {'stops' if interrupted else 'failed'}: {failure.reasons[0]}")
    try:
        scene = await _look_after(run, failure)
    except CannotLook as error:
        return _outcome(run, Ending.UNKNOWN, _with(failure, f"and then {error}"))
    others = scene.owner is None and newest_committed(scene.observation)
    if others or run.strange(scene.observation):
        return _outcome(
            run, Ending.UNKNOWN, _with(failure, "the world is not the one that this run began with")
        )
    destroyed = scene.intent.goal == "destroy" and len(scene.blue) < len(first.blue)
    if failure.phase is Phase.BAKE and not interrupted and scene.committed and first.blue:
        if blocked := _no_way_back(first, scene):
            return _outcome(run, Ending.UNFINISHED, _with(failure, f"no way back: {blocked}"))
        return await _roll_back(run, rolling_back(scene), failure)
    if scene.committed or scene.joining or destroyed:
        return _outcome(run, Ending.UNFINISHED, failure)
    return await _restore(run, scene, failure)


def _no_way_back(first: Scene, scene: Scene) -> str:
    """Why the release before cannot take over again from a green that fails in its bake; empty where it can.

    It has to be as it was: without one of its machines a region may be dark, while green serves there, if ill.
    """
    missing = _served_before(first) - {machine.name for machine in scene.blue}
    if missing:
        return f"the release before has lost {', '.join(sorted(missing))} since; what was deployed goes on serving"
    if {m.state_store for m in scene.blue} != {m.state_store for m in scene.green}:
        return "the release before does not save there as far as is known, and would not see what this one has saved"
    return ""


def _served_before(first: Scene) -> set[str]:
    """Names of blue's machines when it was drained. A run that began behind that knows what they were made with; of
    stateless ones some may have been taken away since then.
    """
    seen = {machine.name for machine in first.blue}
    drained = first.committed and first.intent.cutover == "handoff"
    return seen | ever_had(first.intent.spec.app, first.blue) if drained else seen


async def _roll_back(run: Run, scene: Scene, failure: Failure) -> Outcome:
    """Green fails in its bake time: a handoff back. Before its own commit point, green goes on serving."""
    run.ctx.say(f"rolling back to release {scene.intent.release}")
    run.scene = scene
    try:
        await run.reach(scene.intent)
        return _outcome(run, Ending.ROLLED_BACK, failure)
    except StepFailed as failed:
        told = _with(
            failure, *(f"rolling back failed at {failed.failure.step}: {r}" for r in failed.failure.reasons)
        )
    try:
        scene = await _look_after(run, failure)
        if not scene.committed:
            await run.reach(staying(scene))
    except CannotLook as error:
        return _outcome(run, Ending.UNKNOWN, _with(told, f"and then {error}"))
    except StepFailed as failed:
        told = _with(told, *(f"and then {failed.failure.step} failed: {r}" for r in failed.failure.reasons))
    return _outcome(run, Ending.UNFINISHED, told)


async def _restore(run: Run, scene: Scene, failure: Failure) -> Outcome:
    try:
        remove_app = scene.observation.app_created
        await run.reach(restoring(scene, remove_app=remove_app, touched=run.touched_blue))
        # A commit whose answer was lost may have landed meanwhile: then nothing was put back.
        return _outcome(run, Ending.UNFINISHED if run.scene.committed else Ending.ABORTED, failure)
    except StepFailed as failed:
        told = _with(
            failure, *(f"and then {failed.failure.step} failed: {r}" for r in failed.failure.reasons)
        )
    try:
        scene = await _look_after(run, failure)
    except CannotLook as error:
        return _outcome(run, Ending.UNKNOWN, _with(told, f"and then {error}"))
    if scene.committed:
        return _outcome(run, Ending.UNFINISHED, told)
    whole = bool(scene.of(Role.BLUE)) and all(map(scene.routed, scene.of(Role.BLUE))) and blue_answers(scene)
    return _outcome(run, Ending.ABORTED if whole else Ending.UNKNOWN, told)


async def _look_after(run: Run, failure: Failure) -> Scene:
    """The world after a failure, if it is still this run that decides on it. Raises ``TakenOver``, ``CannotLook``."""
    try:
        with anyio.fail_after(LOOK_DEADLINE_S):
            observation = await (run.hold() if run.ctx.lock.lapsed else run.look())
    except Held as held:
        raise TakenOver(failure.phase, failure.step, str(held)) from None
    except Exception as error:  # noqa: BLE001 - raised without its cause, which may quote secrets
        reasons = (
            failures.reasons(error) if not isinstance(error, TimeoutError) else ("the API cannot be read",)
        )
        raise CannotLook(run.ctx.scrub("; ".join(reasons))) from None
    run.scene = replace(run.scene, observation=observation)
    return run.scene


def _unknown(ctx: Context, observation: Observation) -> str:
    """What could not be seen, and what to do about it."""
    if observation.record is Unknown.NO_RECORD:
        return f"the machines of app {ctx.spec.app} {observation.record}: {ctx.record_error}"
    hint = "; if that is so, `pulumi refresh` will see it" if observation.app_exists is _GONE else ""
    return f"the machines of app {ctx.spec.app} {observation.machines}{hint}"


def _with(failure: Failure, *more: str) -> Failure:
    return replace(failure, reasons=failure.reasons + more)


def _outcome(run: Run, ending: Ending, failure: Failure | None = None) -> Outcome:
    scene = run.scene
    unsure = ending in (Ending.UNKNOWN, Ending.TAKEN_OVER)
    return Outcome(
        ending=ending,
        serving=None if unsure else scene.serving,
        owner=None if unsure else scene.owner,
        failure=failure,
        window_s=run.window_s,
        phases=tuple(run.phases),
        proofs=tuple(scene.observation.proofs.values()),
        tests=tuple(scene.observation.tests.values()),
        pending=scene.intent.release if ending is Ending.AWAITING_APPROVAL else None,
        api_calls=run.ctx.api.calls,
        app_created=scene.observation.app_created or any(machine.app_created for machine in scene.green),
        left=len(scene.observation.seen),
        machines=scene.owners,
        next_command="pulumi destroy" if run.goal == "destroy" else "pulumi up",
    )
