"""What no plan may hold, whatever the world: each rule reads one scene and the step that was planned in it.

A rule answers what is wrong, or nothing. ``Evidence`` is what the observation itself says: the latest commit, the state
and the exit of a machine, and the proofs.
"""

from __future__ import annotations

from collections.abc import Callable

from providers.bluegreen.commits import rank
from providers.bluegreen.conditions import RUNNING, all_created, green_is_healthy, not_contested
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import MachineSeen, Role
from providers.bluegreen.plan import Step
from providers.bluegreen.scene import Scene

Rule = Callable[[Scene, Step], str]
FORWARD = ("deploy", "scale", "restore", "stay")
"""The goals under which green, once it owns the state, is only ever helped."""
TAKES_AWAY = (Do.CORDON, Do.STOP, Do.QUIESCE, Do.PREPARE_DRAIN, Do.DESTROY)
BRINGS_BACK = (Do.UNCORDON, Do.START, Do.RESUME)


def holds_nothing(scene: Scene, machine: MachineSeen) -> bool:
    """Added and never routed; or of a cluster without state, to be taken away, and it has ended."""
    left = scene.intent.goal == "scale" and machine.name in scene.intent.leaving
    return machine.unjoined or (left and scene.intent.cutover == "overlap" and saved(scene, machine))


def saved(scene: Scene, machine: MachineSeen) -> bool:
    """Ended, and under handoff ended well or proven; one that died before the run began has nothing left to save."""
    if machine.id in scene.intent.lost and machine.lost:
        return True
    ended = machine.state not in RUNNING and machine.state != "stopping"
    if scene.intent.cutover == "overlap":
        return ended
    proof = scene.observation.proofs.get(machine.id)
    if machine.must_prove:
        return ended and proof is not None and proof.holds
    return ended and machine.exit is not None and machine.exit.graceful


def an_owner_is_destroyed_only_behind_a_later_commit(scene: Scene, step: Step) -> str:
    """What owned the state goes when another cluster owns it, or when all goes and it is stopped and proven saved."""
    if step.row.do is not Do.DESTROY or step.row.on is Role.TASK:
        return ""
    for machine in (m for m in step.machines if not holds_nothing(scene, m)):
        owns = scene.ownership is not None and scene.ownership.release == machine.release
        if owns and not (scene.intent.goal == "destroy" and saved(scene, machine)):
            return f"{machine.name} owns the state, and is destroyed"
    return ""


def what_may_hold_state_is_stopped_first(scene: Scene, step: Step) -> str:
    """A cluster that has owned the state is not killed while it runs: it is told to stop before it is destroyed."""
    if step.row.do is not Do.DESTROY or step.row.on is Role.TASK or scene.intent.goal == "restore":
        return ""
    holding = (machine for machine in step.machines if not machine.unjoined)
    once = (machine for machine in holding if rank(machine.release, scene.observation))
    running = [machine.name for machine in once if machine.state in RUNNING]
    return f"{running} run, and are destroyed" if running else ""


def green_is_never_taken_away_after_its_commit(scene: Scene, step: Step) -> str:
    """flyctl 3359, flagger 1898: behind the commit point only forward, but for a rollback that was asked for."""
    if not scene.committed or scene.intent.goal not in FORWARD or step.row.do not in TAKES_AWAY:
        return ""
    if step.row.on is Role.TASK:
        return ""
    owns = (m for m in step.machines if m.release == scene.intent.release and not m.unjoined)
    hit = [m.name for m in owns if m.name not in scene.intent.leaving]
    return f"{step.row.do} of {hit}, which own the state" if hit else ""


def blue_comes_back_only_while_it_is_the_owner(scene: Scene, step: Step) -> str:
    """litestream 1119: two writers. Neither behind green's commit, nor while one may still land."""
    if step.row.do not in BRINGS_BACK or step.row.on not in (Role.BLUE, Role.DOWN) or not step.machines:
        return ""
    if scene.committed:
        return f"{step.row.do} of blue, although {scene.ownership} is green's"
    proves = scene.intent.spec.state_store is not None
    return f"{step.row.do} of blue before the commit is settled" if proves and _unsure(scene) else ""


def _unsure(scene: Scene) -> bool:
    return scene.observation.commit_unsure or not not_contested(scene)


def blue_is_touched_only_when_all_of_green_is_verified(scene: Scene, step: Step) -> str:
    """Argo 1292: blue stays whole until green is proven, every machine of it."""
    if (
        step.row.on is not Role.BLUE
        or scene.intent.goal not in ("deploy", "scale")
        or step.row.do not in TAKES_AWAY
    ):
        return ""
    if scene.committed:
        return ""
    spec, seen = scene.intent.spec, scene.observation
    tested = all(test.name in seen.tests for test in spec.tests)
    ready = all_created(scene) and green_is_healthy(scene) and tested
    runs = all(machine.state == "started" for machine in scene.green)
    return "" if ready and runs else f"{step.row.do} of blue before green is verified"


def the_state_is_handed_over_only_when_it_is_saved(scene: Scene, step: Step) -> str:
    """litestream 1301: under handoff blue is stopped and proven before green's commit."""
    if step.row.do is not Do.COMMIT:
        return ""
    unsaved = [machine.name for machine in scene.of(Role.BLUE) if not saved(scene, machine)]
    return f"committed, but {unsaved} are not saved" if unsaved else ""


def green_is_routed_only_as_the_owner(scene: Scene, step: Step) -> str:
    """OpenFrontIO 5164: no client reaches green before blue has handed over."""
    if step.row.do is not Do.UNCORDON or step.row.on is not Role.GREEN or scene.intent.cutover == "overlap":
        return ""
    return "" if scene.committed else "green is routed before its commit"


def retired_only_when_green_answers(scene: Scene, step: Step) -> str:
    """flyctl 3297: green's routing is proven before what served before goes."""
    if step.row.do is not Do.DESTROY or step.row.on is not Role.OTHERS or scene.intent.goal != "deploy":
        return ""
    recorded = bool(scene.green) and all(scene.proven(machine) for machine in scene.green)
    return "" if recorded else "the others go before green is proven to serve"


def what_stays_is_not_touched(scene: Scene, step: Step) -> str:
    """A scale is about the machines that come and go."""
    if scene.intent.goal != "scale":
        return ""
    hit = [m.name for m in step.machines if m.name in scene.intent.kept and m.release == scene.intent.release]
    return f"{step.row.do} of {hit}, which stay" if hit else ""


RULES: tuple[Rule, ...] = (
    an_owner_is_destroyed_only_behind_a_later_commit,
    what_may_hold_state_is_stopped_first,
    green_is_never_taken_away_after_its_commit,
    blue_comes_back_only_while_it_is_the_owner,
    blue_is_touched_only_when_all_of_green_is_verified,
    the_state_is_handed_over_only_when_it_is_saved,
    green_is_routed_only_as_the_owner,
    retired_only_when_green_answers,
    what_stays_is_not_touched,
)


def broken_rules(scene: Scene, step: Step) -> dict[str, str]:
    """By name, what is wrong with this step in this world."""
    found = {rule.__name__: rule(scene, step) for rule in RULES}
    return {name: wrong for name, wrong in found.items() if wrong}
