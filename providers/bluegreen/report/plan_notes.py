"""What people should know of a plan before it runs: what is not promised, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator

from providers.bluegreen import adopted, durations
from providers.bluegreen.commits import is_retired
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Cluster, Phase, Role
from providers.bluegreen.plan import PlannedStep
from providers.bluegreen.scaling import is_of
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import Spec

_DRAINS = frozenset({Do.STOP, Do.QUIESCE, Do.READ_EXITS})


def notes(scene: Scene, steps: list[PlannedStep]) -> list[str]:
    """What people should know before it runs."""
    return list(_notes(scene, steps))


def _notes(scene: Scene, steps: list[PlannedStep]) -> Iterator[str]:
    """What this rollout does not promise, and what follows from it, said before it runs."""
    doing = {step.do for step in steps}
    yield from _of_warm(scene, doing)
    yield from adopted.notes(scene.blue, scene.intent.spec)
    if scene.intent.goal == "scale":
        return
    if _is_more_than_it_seems(scene):
        yield (
            "note: counts alone would change, but all machines are replaced: machines leave that may hold state, or "
            "not all are in order (docs/handover.md)"
        )
    if Do.AWAIT_APPROVAL in doing:
        yield "note: ends with green verified and unrouted; goes on once approved_release names its release"
    if not scene.blue or not doing & _DRAINS:
        return
    if scene.intent.cutover == "overlap":
        yield "note: overlap routes green while blue still runs; saved state is not proven"
        return
    yield from _of_the_drain(scene)
    if longest_s := window_s(scene, steps):
        longest = f"blue's drain and a moment, {durations.text(longest_s)} at most"
        yield f"handoff window: blue's first cordon to green's first answer; {longest}"


def window_s(scene: Scene, steps: list[PlannedStep]) -> float | None:
    """The declared handoff window, in seconds at most; ``None`` where the rollout has none."""
    drains = any(step.do in _DRAINS for step in steps)
    if not scene.blue or not drains or scene.intent.cutover == "overlap":
        return None
    spec = scene.intent.spec
    return spec.deadline_s(Phase.DRAIN_OLD) + spec.deadline_s(Phase.SWITCH_ROUTES)


def _is_more_than_it_seems(scene: Scene) -> bool:
    """Whether blue is the very version that is wanted, and is replaced all the same."""
    blue = Cluster(scene.intent.blue, scene.blue) if scene.intent.blue and scene.blue else None
    return scene.intent.goal == "deploy" and blue is not None and is_of(scene.intent.spec, blue)


def _of_warm(scene: Scene, doing: set[Do]) -> Iterator[str]:
    if any(machine.serving for machine in scene.green) and Do.START in doing and not scene.committed:
        yield f"note: green {scene.intent.release} is kept warm: its machines are started, not built"
    at = scene.observation.at
    over = {
        m.release
        for m in scene.of(Role.OTHERS)
        if m.warm and m.warm.until <= at and is_retired(m, scene.observation)
    }
    for release in sorted(over):
        yield f"note: release {release} was kept warm, and its time is over: it is destroyed"


def _of_the_drain(scene: Scene) -> Iterator[str]:
    """What is proven of blue's state, and what is not."""
    moved = {machine.state_store for machine in scene.blue if machine.state_store} - {
        _location(scene.intent.spec)
    }
    if moved:
        yield f"WARNING: state_store moves: green never sees what blue saves to {', '.join(sorted(moved))}"
    for machine in scene.blue:
        if machine.id in scene.intent.lost and machine.lost:
            yield f"note: machine {machine.id} ({machine.name}) {machine.exit} already; what it had not saved is lost"
    if not all(machine.must_prove or machine.adopted for machine in scene.blue):
        yield "note: blue has no state_store; that it exits with 0 is the only evidence that its state is saved"
    kinds = {machine.drain.type for machine in scene.blue}
    if "stop" in kinds:
        yield (
            "note: blue drains by its stop signal: what it has not saved when Fly kills it is lost "
            "(drain: request proves while it is alive)"
        )
    else:
        yield f"note: blue drains by {kinds.pop()}: proven while alive; a failed proof costs nothing, blue resumes"


def _location(spec: Spec) -> str:
    return spec.state_store.location if spec.state_store else ""
