"""Where the planner leads: step after step without a fault, to the ending that a deployment has then.

The story is that of ``deploy``: what is refused before the commit point is undone, behind it nothing is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

from providers.bluegreen.model import Role
from providers.bluegreen.outcome import Ending
from providers.bluegreen.plan import Step, next_step
from providers.bluegreen.scene import Goal, Scene, restoring, staying
from tests.bluegreen.effects import EFFECTS, Refused
from tests.bluegreen.planner_rules import broken_rules

MOST_STEPS = 80
"""Every table is shorter than this: a path that is longer goes in circles."""


@dataclass(frozen=True)
class Reached:
    """The world at the end of a path; ``refused``: the step that the world itself keeps from being done."""

    scene: Scene
    refused: str = ""


@dataclass(frozen=True)
class End:
    """How a run ends, in which world, and what was refused on the way."""

    ending: Ending
    scene: Scene
    refused: str = ""


REACHED: dict[Goal, Ending] = {
    "deploy": Ending.DEPLOYED,
    "scale": Ending.DEPLOYED,
    "destroy": Ending.DESTROYED,
    "rollback": Ending.ROLLED_BACK,
    "restore": Ending.ABORTED,
    "stay": Ending.UNFINISHED,
}


@dataclass
class Walker:
    """Walks paths, each scene once. ``broken``: which rules which steps broke; ``circles``: paths without an end."""

    plan: Callable[[Scene], Step | None] = next_step
    known: dict[Hashable, Reached] = field(default_factory=dict)
    steps: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    circles: list[str] = field(default_factory=list)

    def reach(self, scene: Scene) -> Reached:
        """Where this intent leads."""
        passed = []
        found: Reached | None = None
        for _ in range(MOST_STEPS):
            key = key_of(scene)
            found = self.known.get(key)
            if found:
                break
            passed.append(key)
            found, scene = self._one(scene)
            if found:
                break
        else:
            self.circles.append(f"{scene.intent.goal} {scene.intent.cutover}: {scene.observation}")
            found = Reached(scene, "goes in circles")
        for key in passed:
            self.known[key] = found
        return found

    def _one(self, scene: Scene) -> tuple[Reached | None, Scene]:
        step = self.plan(scene)
        if step is None:
            return Reached(scene), scene
        self.steps[step.name] += 1
        for rule, wrong in broken_rules(scene, step).items():
            self.broken.append(f"{rule}: {wrong}\n  in {told(scene)}")
        try:
            after = EFFECTS[step.row.do](scene, step)
        except Refused as error:
            return Reached(scene, f"{step.name}: {error}"), scene
        if after == scene.observation:
            return Reached(scene, f"{step.name}: without effect"), scene
        return None, replace(scene, observation=after)

    def ending(self, scene: Scene) -> End:
        """How a run with this intent ends."""
        reached = self.reach(scene)
        if reached.refused:
            return self._settled(scene, reached)
        late = scene.intent.goal == "restore" and reached.scene.committed
        return End(Ending.UNFINISHED if late else REACHED[scene.intent.goal], reached.scene)

    def _settled(self, first: Scene, reached: Reached) -> End:
        last, goal = reached.scene, first.intent.goal
        if goal == "rollback" and not last.committed:
            back = self.reach(replace(last, intent=staying(last)))
            return End(Ending.UNFINISHED, back.scene, f"{reached.refused}; {back.refused}")
        destroyed = goal == "destroy" and len(last.blue) < len(first.blue)
        if last.committed or last.joining or destroyed or goal in ("rollback", "stay"):
            return End(Ending.UNFINISHED, last, reached.refused)
        undone = reached if goal == "restore" else self.reach(undoing(last))
        whole = all(map(undone.scene.routed, undone.scene.of(Role.BLUE)))
        ending = Ending.ABORTED if whole or not undone.refused else Ending.UNKNOWN
        return End(ending, undone.scene, reached.refused)


def undoing(scene: Scene) -> Scene:
    """The scene of the restore that follows a failure in this one."""
    return replace(scene, intent=restoring(scene, remove_app=scene.observation.app_created))


def key_of(scene: Scene) -> Hashable:
    """What the planner reads, to be compared: its mappings as what they hold."""
    intent, seen = scene.intent, scene.observation
    who = (intent.goal, intent.cutover, intent.release, intent.blue, intent.lost)
    how = (intent.disturbed, intent.contested)
    scaled = (intent.kept, intent.leaving)
    spec = (id(intent.spec), intent.remove_app, seen.app_exists, seen.app_created)
    flags = (seen.released, seen.stayed_healthy, seen.owner_checked, seen.rehearsed)
    commits = (seen.commit_unsure, seen.reclaimed)
    later = (seen.baked, seen.secrets_set, seen.secrets_restored, seen.green_seen_again, seen.app_kept)
    evidence = (frozenset(seen.tests), frozenset(seen.quiesced), frozenset(seen.proofs.items()))
    return (
        who,
        how,
        scaled,
        spec,
        flags,
        commits,
        later,
        evidence,
        seen.answers,
        seen.record,
        seen.machines,
        seen.tasks,
    )


def told(scene: Scene) -> str:
    """A scene in some lines, for the message of a test."""
    intent, seen = scene.intent, scene.observation
    who = f"{intent.goal} {intent.cutover}, green {intent.release}, blue {intent.blue}, record {seen.record}"
    lines = [
        f"{m.name} {m.state} {'cordoned' if m.cordoned else 'routed'} serving={m.serving} owner={m.owner}"
        f" draining={bool(m.draining)} {m.drain.type} exit={m.exit} warm={m.warm}"
        for m in seen.seen
    ]
    unsure = ", a commit may still land" if seen.commit_unsure else ""
    return "\n    ".join([who + unsure, *lines])
