"""A plan and an outcome as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from providers.bluegreen import adopted, durations
from providers.bluegreen.commits import is_retired
from providers.bluegreen.fates import fates
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Cluster, Phase, Role
from providers.bluegreen.outcome import Ending, Outcome
from providers.bluegreen.plan import PlannedStep
from providers.bluegreen.reasons import reasons
from providers.bluegreen.scaling import is_of
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import Spec

_NEXT = {
    Ending.ABORTED: "Mend the cause.",
    Ending.UNFINISHED: "The commit point is passed; the next run does the rest.",
    Ending.ROLLED_BACK: "The state is back with the release before. Mend the cause.",
    Ending.TAKEN_OVER: "This run has changed nothing since. Once the other one has ended:",
    Ending.UNKNOWN: "Nothing was destroyed for it; the next run looks again, and finishes or undoes.",
}

_DRAINS = frozenset({Do.STOP, Do.QUIESCE, Do.READ_EXITS})


def machines(counts: dict[str, int]) -> str:
    """``{"ams": 2, "iad": 2}`` → ``"4 machines (ams 2, iad 2)"``."""
    total = sum(counts.values())
    noun = "machine" if total == 1 else "machines"
    return f"{total} {noun} ({', '.join(f'{region} {count}' for region, count in sorted(counts.items()))})"


def plan_lines(scene: Scene, steps: list[PlannedStep], known_later: Sequence[str] = ()) -> list[str]:
    """The rollout, phase by phase, as a preview shows it. ``known_later``: keys whose values nobody knows yet."""
    intent = scene.intent
    lines = [_headline(scene, known_later)]
    lines += [f"  why: {reason}" for reason in reasons(scene)]
    for phase, group in groupby(steps, key=lambda step: step.phase):
        deadline = durations.text(intent.spec.deadline_s(phase))
        lines.append(f"  {phase} (within {deadline})")
        lines += [f"    {_step_line(step, intent.spec)}" for step in group]
    if becomes := fates_text(scene, steps):
        lines.append(f"  machines: {becomes}")
    return lines + [f"  {note}" for note in notes(scene, steps)]


def _headline(scene: Scene, known_later: Sequence[str]) -> str:
    intent = scene.intent
    blue = f"blue {intent.blue}" if intent.blue else "no blue: the first deploy"
    if intent.goal == "destroy":
        return f"destroy of {intent.spec.app}: {blue} is drained and saved first"
    if intent.goal == "scale":
        kept = Cluster(intent.release, tuple(m for m in scene.observation.seen if m.name in intent.kept))
        stays = f"{machines(kept.regions)} {'is' if len(kept.machines) == 1 else 'are'} not touched"
        return f"scale of {intent.spec.app} ({intent.cutover}): release {intent.release} stays; {stays}"
    return f"rollout of {intent.spec.app} ({intent.cutover}): {blue} → green {green_text(scene, known_later)}"


def green_text(scene: Scene, known_later: Sequence[str] = ()) -> str:
    """Green's name, as far as it is one: a nonce is drawn when its machines are made, a digest needs all values."""
    release = scene.intent.release
    if scene.green:
        return str(release)
    return f"{release.generation}, known later" if known_later else str(replace(release, nonce=""))


def fates_text(scene: Scene, steps: list[PlannedStep]) -> str:
    """``"created 2 (ams 1, iad 1); drained 2 (ams 1, iad 1); destroyed 2 (ams 1, iad 1)"``."""
    told = [
        f"{fate.replace('_', ' ')} {sum(map(len, names.values()))} ({_counts(names)})"
        for fate, names in fates(scene, steps).as_dict().items()
        if names
    ]
    return "; ".join(told)


def _counts(names: Mapping[str, list[str]]) -> str:
    return ", ".join(f"{region} {len(of_region)}" for region, of_region in names.items())


def _step_line(step: PlannedStep, spec: Spec) -> str:
    where = f": {machines(step.machines)}" if step.machines else ""
    names = [mark for mark, holds in (("gate", step.gate), ("commit point", step.commit)) if holds]
    marks = f" [{', '.join(names)}]" if names else ""
    return f"{step.do}{_detail(step, spec)}{where}{marks}"


def _detail(step: PlannedStep, spec: Spec) -> str:
    """What is particular to one step, from the configuration."""
    if step.subject:
        test = next(test for test in spec.tests if test.name == step.subject)
        return f" {test.name} ({test.type}, {test.scope}, within {test.deadline})"
    told = {
        Do.STAY_HEALTHY: f" (for {spec.min_healthy})",
        Do.BAKE: f" (for {spec.bake})",
        Do.KEEP_WARM: f" (for {spec.keep_warm})",
    }
    return told.get(step.do, "")


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


def cluster_text(cluster: Cluster) -> str:
    """``"release 2-3fa9c1d20e, 4 machines (ams 2, iad 2)"``."""
    return f"release {cluster.release}, {machines(cluster.regions)}"


def serving_text(outcome: Outcome) -> str:
    """Which cluster serves, in every ending."""
    if outcome.ending is Ending.TAKEN_OVER:
        return "another run decides which cluster serves"
    if outcome.ending is Ending.UNKNOWN:
        return "which cluster serves is unknown"
    if outcome.serving:
        return f"serving: {cluster_text(outcome.serving)}"
    if outcome.owner:
        return f"release {outcome.owner} owns the state; none of its machines is known to be routed"
    return "nothing serves"


def outcome_text(app: str, outcome: Outcome) -> str:
    """One line for a success; for a failure what serves, why, and the next command."""
    if outcome.pending:
        return (
            f"{app}: green {outcome.pending} is verified and unrouted; {serving_text(outcome)}\n"
            f"  Next: set approved_release to {outcome.pending}, then {outcome.next_command}"
        )
    if outcome.failure is None:
        return f"{app}: {outcome.ending}; {serving_text(outcome)}{_figures(outcome)}"
    failure = outcome.failure
    lines = [
        f'{app}: {outcome.ending} in {failure.phase}, at "{failure.step}"; {serving_text(outcome)}',
        *(f"  - {reason}" for reason in failure.reasons),
        f"  {_NEXT[outcome.ending]} Next: {outcome.next_command}",
    ]
    return "\n".join(lines)


def _figures(outcome: Outcome) -> str:
    window = f"; handoff window {outcome.window_s:.2f} s" if outcome.window_s is not None else ""
    tests = f"; {len(outcome.tests)} tests passed" if outcome.tests else ""
    return f"{window}{_proven(outcome)}{tests}"


def _proven(outcome: Outcome) -> str:
    """What was proven of blue's state; a handoff without any proof says so."""
    proofs = outcome.proofs
    if not proofs:
        return "; saved state not proven" if outcome.window_s is not None else ""
    rooms, objects = sum(proof.rooms for proof in proofs), sum(proof.objects for proof in proofs)
    return f"; proven saved: {rooms} rooms, {objects} objects, {sum(proof.bytes for proof in proofs):,} bytes"
