"""The planner in every small world: it always plans, never breaks a rule, and always leads to a named ending.

The worlds are all combinations of a few machines (``small_worlds``), the rules are the promises (``planner_rules``),
and a path is the planner's steps with each one's effect (``effects``), as a deployment without a fault would go it.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import pytest

from providers.bluegreen import lifecycle
from providers.bluegreen.commits import clusters, is_warm
from providers.bluegreen.lifecycle import Do, Row
from providers.bluegreen.model import Cutover, MachineSeen, Observation, Phase, Role
from providers.bluegreen.outcome import Ending
from providers.bluegreen.plan import Step, next_step
from providers.bluegreen.resolve import resolve
from providers.bluegreen.scene import Goal, Scene, rolling_back, staying
from providers.bluegreen.spec import Spec
from tests.bluegreen.effects import EFFECTS
from tests.bluegreen.paths import End, Walker, told, undoing
from tests.bluegreen.planner_rules import RULES
from tests.bluegreen.small_worlds import halves, pairs, scaled, small, triples
from tests.figures import Figures

CUTOVERS: tuple[Cutover, ...] = ("handoff", "overlap")
NONCE = "ab"


def scenes(wanted: Spec, world: Observation) -> Iterator[Scene]:
    """Every goal in this world: what is asked for, the restore of each, and the way back from what has baked."""
    for goal in ("deploy", "destroy"):
        scene = Scene(resolve(wanted, world, nonce=NONCE, goal=goal), world)
        yield scene
        yield undoing(scene)
        if scene.intent.goal == "deploy":
            yield from _unsure(undoing(scene))
            yield from _backwards(scene)


def _unsure(scene: Scene) -> Iterator[Scene]:
    """The same, where the answer to a commit was lost."""
    commits = scene.intent.cutover == "handoff" and not scene.committed
    if commits and scene.blue:
        yield replace(scene, observation=replace(scene.observation, commit_unsure=True))


def _backwards(scene: Scene) -> Iterator[Scene]:
    if not (scene.committed and scene.blue):
        return
    back = rolling_back(scene)
    yield back
    yield replace(back, intent=staying(back))
    yield from _unsure(replace(back, intent=staying(back)))


def every_world(cutover: Cutover) -> Iterator[tuple[Spec, Observation]]:
    """All of them, each with a spec that is wanted there."""
    old, new = small(cutover, 1), small(cutover, 2)
    yield from ((new, world) for world in pairs(old, new))
    old, new = small(cutover, 1, machines=2), small(cutover, 2, machines=2)
    yield from ((wanted, world) for world in halves(old, new) for wanted in (old, new))
    for counts in ({"ams": 1}, {"ams": 2}, {"ams": 1, "iad": 1}, {"ams": 2, "iad": 1}):
        wanted = old.model_copy(update={"regions": counts})
        yield from ((wanted, world) for world in scaled(old))
    yield from ((new, world) for world in scaled(old))
    three = [small(cutover, version, keep_warm="1h") for version in (1, 2, 3)]
    yield from ((wanted, world) for world in triples(*three) for wanted in three)


@dataclass
class Walked:
    """All paths of all worlds. ``left``: what an ending left that it must not leave."""

    walker: Walker = field(default_factory=Walker)
    worlds: int = 0
    endings: Counter[tuple[Goal, Ending]] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)
    unsound: list[str] = field(default_factory=list)

    def walk(self, scene: Scene) -> None:
        end = self.walker.ending(scene)
        self.endings[scene.intent.goal, end.ending] += 1
        wrong = left_wrong(scene.intent.goal, end)
        if wrong:
            self.left.append(f"{end.ending}: {wrong}\n  from {told(scene)}\n  to {told(end.scene)}")
        if end.refused and sound(scene):
            self.unsound.append(f"{end.refused}\n  from {told(scene)}\n  to {told(end.scene)}")


def left_wrong(goal: Goal, end: End) -> str:
    """What the last world of a path has that this ending must not leave; empty for nothing."""
    scene = end.scene
    if end.ending is Ending.UNKNOWN:
        return "without a fault an ending is known"
    if end.ending is Ending.DESTROYED:
        return "machines are left" if scene.observation.seen or scene.observation.tasks else ""
    if end.ending is Ending.UNFINISHED and goal != "stay":
        begun = scene.committed or scene.joining
        return "" if begun or goal in ("destroy", "rollback") else "nothing was committed"
    if scene.committed or end.ending is Ending.DEPLOYED:
        return _not_alone(scene) if end.ending in (Ending.DEPLOYED, Ending.ROLLED_BACK) else ""
    unserved = [m.name for m in scene.of(Role.BLUE) if not serves(m)]
    green_left = scene.green if goal != "stay" else ()
    return f"{unserved} of blue do not serve" if unserved else "green is left" if green_left else ""


def _not_alone(scene: Scene) -> str:
    """Whether one whole cluster serves, recorded, beside none but warm ones."""
    cluster = [m for m in scene.observation.seen if m.release == scene.intent.release]
    wanted = scene.intent.wanted.keys() | scene.intent.kept
    whole = cluster and (wanted == {m.name for m in cluster} or not wanted)
    marked = scene.intent.goal in ("deploy", "scale") and any(m.secrets_of for m in cluster)
    recorded = all(serves(m) and scene.proven(m) for m in cluster) and not marked
    others = [c for c in clusters(scene.observation) if c.release != scene.intent.release]
    kept = [c for c in others if is_warm(c, scene.observation)]
    if not whole or not recorded:
        return "the owner is not whole, or not recorded"
    return f"{others} are left" if others != kept or len(kept) > 1 or scene.observation.tasks else ""


def serves(machine: MachineSeen) -> bool:
    return machine.state == "started" and not machine.cordoned and not machine.draining


def sound(scene: Scene) -> bool:
    """Whether nothing in this world keeps a deployment from its end: all that ended has ended well, or long ago."""
    seen, owner = scene.observation.seen, scene.ownership
    alive = ("started", "starting", "stopping")
    well = all(m.state in alive or (m.exit and m.exit.graceful) or m.lost for m in seen)
    return well and (owner is None or owner.release in {m.release for m in seen})


@pytest.fixture(scope="module")
def walked() -> Walked:
    """Without garbage collections: they would walk hundreds of thousands of worlds, a fifth of the time."""
    found = Walked()
    gc.disable()
    try:
        for cutover in CUTOVERS:
            for wanted, world in every_world(cutover):
                found.worlds += 1
                for scene in scenes(wanted, world):
                    found.walk(scene)
    finally:
        gc.enable()
    return found


def none_of(found: list[str]) -> None:
    """Fail with the first ones: there may be a hundred thousand."""
    if found:
        pytest.fail(f"{len(found)}, the first:\n" + "\n".join(found[:2]))


@pytest.mark.long(unit="small worlds")
def test_every_world_is_planned_and_no_plan_breaks_a_rule(walked: Walked, figures: Figures) -> None:
    """In no small world, and nowhere on the way from it, is a step planned that breaks a promise."""
    figures.add(planner_worlds=walked.worlds, planner_states=len(walked.walker.known))
    none_of(walked.walker.broken)


@pytest.mark.long(unit="small worlds")
def test_from_every_world_a_faultless_path_ends_by_name(walked: Walked) -> None:
    """No path goes in circles, and each ending leaves one whole routed cluster, or nothing where all is to go."""
    none_of(walked.walker.circles)
    none_of(walked.left)


@pytest.mark.long(unit="small worlds")
def test_only_what_is_broken_already_keeps_a_deployment_from_its_end(walked: Walked) -> None:
    """Where every machine lives or has ended well, nothing is refused: each goal is reached."""
    none_of(walked.unsound)


@pytest.mark.long(unit="small worlds")
def test_every_ending_and_every_step_is_met(walked: Walked) -> None:
    """The worlds are rich enough: each goal ends in all the ways it can, and each step is planned somewhere."""
    met = {ending for _, ending in walked.endings}
    assert met >= {Ending.DEPLOYED, Ending.ABORTED, Ending.ROLLED_BACK, Ending.UNFINISHED, Ending.DESTROYED}
    planned = {name.partition(" (")[0] for name in walked.walker.steps}
    by_spec = {Do.RELEASE_COMMAND, Do.STAY_HEALTHY, Do.TEST, Do.REHEARSE, Do.BAKE, Do.DELETE_APP}
    by_world = {Do.CREATE_APP, Do.RESTORE_SECRETS, Do.AWAIT_APPROVAL}
    assert {str(do) for do in set(Do) - by_spec - by_world} <= planned
    assert set(EFFECTS) == set(Do) - {Do.AWAIT_APPROVAL}


def test_a_spec_with_every_gate_is_planned_to_its_end() -> None:
    """A first deploy and an update with all optional steps: each is planned once, and the path ends."""
    more: dict[str, Any] = {
        "release_command": {"argv": ["migrate"]},
        "min_healthy": "10s",
        "tests": [{"type": "http", "name": "smoke", "path": "/health"}],
        "bake": "10s",
        "secret_env": {"KEY": "value"},
    }
    old, new = small("handoff", 1, **more), small("handoff", 2, **more)
    walker, world = Walker(), Observation(app_exists=False, machines=(), record=None)
    for wanted in (old, new):
        end = walker.ending(Scene(resolve(wanted, world, nonce=NONCE), world))
        assert end.ending is Ending.DEPLOYED
        world = Observation(app_exists=True, machines=end.scene.observation.seen, record=None)
    planned = {name.partition(" (")[0] for name in walker.steps}
    assert {str(do) for do in (Do.CREATE_APP, Do.RELEASE_COMMAND, Do.STAY_HEALTHY, Do.BAKE)} <= planned
    assert "test smoke" in planned
    assert not walker.broken


@pytest.mark.parametrize("cutover", CUTOVERS)
def test_the_plan_depends_on_nothing_but_the_world(cutover: Cutover) -> None:
    """The same world, its machines told in another order, has the same next step for every goal."""
    old, new = small(cutover, 1, machines=2), small(cutover, 2, machines=2)
    for world in halves(old, new):
        turned = replace(world, machines=world.seen[::-1])
        for one, other in zip(scenes(new, world), scenes(new, turned), strict=True):
            assert planned_in(one) == planned_in(other), told(one)


def planned_in(scene: Scene) -> tuple[str, frozenset[str]] | None:
    step = next_step(scene)
    return (step.name, frozenset(m.id for m in step.machines)) if step else None


def skipping(*what: tuple[Do, Role]) -> Callable[[Scene], Step | None]:
    """A planner that leaves rows out."""

    def plan(scene: Scene) -> Step | None:
        rows = lifecycle.table(scene)
        commit = next((n for n, row in enumerate(rows) if row.commit), -1)
        start = commit + 1 if scene.committed and scene.intent.goal != "destroy" else 0
        left = (row for row in rows[start:] if (row.do, row.on) not in what)
        return next((Step(row, scene.of(row.on)) for row in left if not row.done(scene)), None)

    return plan


def planting(do: Do, on: Role) -> Callable[[Scene], Step | None]:
    """A planner that does this first, wherever there is something to do it to."""
    row = Row(Phase.RETIRE_OLD, do, on, lambda scene: False)

    def plan(scene: Scene) -> Step | None:
        return Step(row, scene.of(on)) if scene.of(on) else next_step(scene)

    return plan


def everywhere(do: Do) -> Callable[[Scene], Step | None]:
    """A planner that does this to every machine there is."""
    row = Row(Phase.RETIRE_OLD, do, Role.ALL, lambda scene: False)
    return lambda scene: Step(row, scene.observation.seen)


STOPS = tuple((Do.STOP, role) for role in (Role.PAST, Role.OTHERS, Role.BLUE))
PLANTED: dict[str, Callable[[Scene], Step | None]] = {
    "an_owner_is_destroyed_only_behind_a_later_commit": planting(Do.DESTROY, Role.BLUE),
    "what_may_hold_state_is_stopped_first": skipping(*STOPS),
    "green_is_never_taken_away_after_its_commit": planting(Do.CORDON, Role.GREEN),
    "blue_comes_back_only_while_it_is_the_owner": skipping((Do.RECLAIM, Role.ALL)),
    "blue_is_touched_only_when_all_of_green_is_verified": skipping((Do.AWAIT_HEALTHY, Role.GREEN)),
    "the_state_is_handed_over_only_when_it_is_saved": skipping((Do.PROVE_SAVED, Role.BLUE)),
    "green_is_routed_only_as_the_owner": skipping((Do.COMMIT, Role.ALL)),
    "retired_only_when_green_answers": skipping((Do.MARK_SERVING, Role.GREEN)),
    "what_stays_is_not_touched": everywhere(Do.RESUME),
}


def test_every_rule_has_a_planner_that_breaks_it() -> None:
    """The planted planners below are of all rules."""
    assert set(PLANTED) == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("rule", PLANTED)
def test_a_planner_that_breaks_a_rule_is_found(rule: str) -> None:
    """Negative control: each rule is broken by a planner that leaves a step out, or plants one."""
    walker = Walker(plan=PLANTED[rule])
    old, new = small("handoff", 1, machines=2), small("handoff", 2, machines=2)
    more = old.model_copy(update={"regions": {"ams": 2, "iad": 1}})
    worlds = chain(((new, world) for world in halves(old, new)), ((more, world) for world in scaled(old)))
    for wanted, world in worlds:
        for scene in scenes(wanted, world):
            walker.ending(scene)
        if any(wrong.startswith(rule) for wrong in walker.broken):
            return
    pytest.fail(f"{rule} was broken by no plan")


def test_a_planner_that_goes_in_circles_or_gives_up_is_found() -> None:
    """Negative control: cordoning and routing in turn never ends, and planning nothing leaves what is half done."""

    def dithers(scene: Scene) -> Step | None:
        do = Do.UNCORDON if all(m.cordoned for m in scene.blue) else Do.CORDON
        return Step(Row(Phase.DRAIN_OLD, do, Role.BLUE, lambda _: False), scene.blue)

    old, new = small("handoff", 1), small("handoff", 2)
    walked = [Walked(Walker(plan=plan)) for plan in (dithers, lambda scene: None)]
    for world in pairs(old, new):
        scene = Scene(resolve(new, world, nonce=NONCE), world)
        if scene.blue and not scene.green:
            for one in walked:
                one.walk(scene)
            break
    assert walked[0].walker.circles
    assert walked[1].left
