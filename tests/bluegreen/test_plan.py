"""The planner: which step is next, in every world."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.bluegreen.commits import latest
from providers.bluegreen.lifecycle import DESTROY, HANDOFF, OVERLAP, RESTORE, Do
from providers.bluegreen.model import Answer, DrainMark, Observation, Ownership, Phase, Proof, Role, Warm
from providers.bluegreen.plan import next_step, rollout
from providers.bluegreen.resolve import resolve
from providers.bluegreen.scene import Scene, restoring
from providers.bluegreen.spec_gates import RequestDrain, StopDrain
from tests.bluegreen.worlds import CLEAN_EXIT, cluster, owned_by, serving, spec, world

V1 = spec()
V2 = spec(image="registry.fly.io/rooms:v2")


def scene(wanted=V2, *clusters, **kwargs) -> Scene:
    observation = world(*clusters)
    return Scene(resolve(wanted, observation, **kwargs), observation)


def next_do(of: Scene) -> tuple[Do, Role] | None:
    step = next_step(of)
    return (step.row.do, step.row.on) if step else None


def proven(of: Scene) -> Scene:
    proofs = [Proof(machine.id, rooms=1) for machine in of.blue]
    return replace(of, observation=of.observation.with_proofs(*proofs))


def test_an_empty_world_gets_its_app_first() -> None:
    """A first deploy creates the app before anything in it."""
    observation = Observation(app_exists=False, machines=())
    assert next_do(Scene(resolve(V1, observation), observation)) == (Do.CREATE_APP, Role.ALL)


def test_blue_is_not_touched_before_all_of_green_is_healthy() -> None:
    """One green machine without passing checks keeps every step of drain-old away."""
    green = cluster(V2, 2)
    sick = (green[0], replace(green[1], checks=()))
    assert next_do(scene(V2, serving(V1, 1), sick)) == (Do.AWAIT_HEALTHY, Role.GREEN)
    assert next_do(scene(V2, serving(V1, 1), green)) == (Do.CORDON, Role.BLUE)


def test_zero_checks_are_not_healthy() -> None:
    """A machine that reports no check at all is not verified (flyctl 2505, 4618)."""
    assert next_do(scene(V1, cluster(V1, 1, checks=()))) == (Do.AWAIT_HEALTHY, Role.GREEN)


def test_the_first_deploy_is_verified_before_it_is_routed() -> None:
    """Without a blue cluster green's checks come before its first uncordon too."""
    assert next_do(scene(V1, cluster(V1, 1))) == (Do.COMMIT, Role.ALL)
    assert next_do(scene(V1, cluster(V1, 1, state="starting"))) == (Do.AWAIT_STARTED, Role.GREEN)


def test_green_is_not_routed_while_a_blue_machine_runs() -> None:
    """Cordoned but running is not drained: the next step stops it, then waits for it."""
    blue = serving(V1, 1, cordoned=True)
    assert next_do(scene(V2, blue, cluster(V2, 2))) == (Do.STOP, Role.BLUE)
    stopping = serving(V1, 1, cordoned=True, state="stopping")
    assert next_do(scene(V2, stopping, cluster(V2, 2))) == (Do.AWAIT_STOPPED, Role.BLUE)


def test_stopped_is_not_saved() -> None:
    """A stopped blue needs a graceful exit, then a proof of every machine, before green is routed."""
    stopped = serving(V1, 1, cordoned=True, state="stopped")
    assert next_do(scene(V2, stopped, cluster(V2, 2))) == (Do.READ_EXITS, Role.BLUE)
    killed = replace(CLEAN_EXIT, signal=9, exit_code=137)
    assert next_do(
        scene(V2, serving(V1, 1, cordoned=True, state="stopped", exit=killed), cluster(V2, 2))
    ) == (
        Do.READ_EXITS,
        Role.BLUE,
    )
    clean = scene(V2, serving(V1, 1, cordoned=True, state="stopped", exit=CLEAN_EXIT), cluster(V2, 2))
    assert next_do(clean) == (Do.PROVE_SAVED, Role.BLUE)
    one = replace(clean, observation=clean.observation.with_proofs(Proof(clean.blue[0].id)))
    assert next_do(one) == (Do.PROVE_SAVED, Role.BLUE)
    assert next_do(proven(clean)) == (Do.LOOK_AGAIN, Role.GREEN)
    seen = replace(proven(clean), observation=replace(proven(clean).observation, green_seen_again=True))
    assert next_do(seen) == (Do.COMMIT, Role.ALL)


def test_a_green_machine_that_falls_sick_before_the_switch_is_seen() -> None:
    """Verify holds until the commit point: a check that fails after the drain stops the switch."""
    green = cluster(V2, 2)
    sick = (green[0], replace(green[1], checks=tuple(replace(c, passing=False) for c in green[1].checks)))
    drained = serving(V1, 1, cordoned=True, state="stopped", exit=CLEAN_EXIT)
    assert next_do(proven(scene(V2, drained, sick))) == (Do.AWAIT_HEALTHY, Role.GREEN)


def test_behind_the_commit_point_it_only_goes_forward() -> None:
    """One record on one blue machine is the commit: even a sick green is then routed, never verified again."""
    drained = serving(V1, 1, cordoned=True, state="stopped")
    recorded = (replace(drained[0], owner=owned_by(V2, 2)), drained[1])
    after = scene(V2, recorded, cluster(V2, 2, checks=()))
    assert after.committed
    assert next_do(after) == (Do.UNCORDON, Role.GREEN)


def test_a_machine_that_shows_as_routed_is_neither_committed_nor_registered() -> None:
    """Whether one that was created unrouted shows as cordoned is undocumented: what it shows decides nothing."""
    shown_as_routed = scene(V2, serving(V1, 1), cluster(V2, 2, cordoned=False, checks=()))
    assert not shown_as_routed.committed
    assert next_do(shown_as_routed) == (Do.AWAIT_HEALTHY, Role.GREEN)
    drained = serving(V1, 1, cordoned=True, state="stopped", owner=owned_by(V2, 2))
    assert next_do(scene(V2, drained, cluster(V2, 2, cordoned=False))) == (Do.UNCORDON, Role.GREEN)


def test_blue_is_destroyed_only_after_green_has_answered_from_outside() -> None:
    """Routed is not yet answered: proof, then record, then retire (flyctl 3297: blue went before the proxy knew)."""
    blue = serving(V1, 1, cordoned=True, state="stopped", owner=owned_by(V2, 2))
    green = cluster(V2, 2, cordoned=False, registered=True)
    routed = scene(V2, blue, green)
    assert next_do(routed) == (Do.PROVE_ROUTED, Role.GREEN)
    half = replace(routed, observation=replace(routed.observation, answers=(Answer("ams", green[0].id),)))
    assert next_do(half) == (Do.PROVE_ROUTED, Role.GREEN)
    foreign = tuple(Answer(m.region, blue[0].id) for m in green)
    assert next_do(replace(routed, observation=replace(routed.observation, answers=foreign))) == (
        Do.PROVE_ROUTED,
        Role.GREEN,
    )
    answers = tuple(Answer(machine.region, machine.id) for machine in green)
    answered = replace(routed, observation=replace(routed.observation, answers=answers))
    assert next_do(answered) == (Do.MARK_SERVING, Role.GREEN)
    assert next_do(scene(V2, blue, serving(V2, 2))) == (Do.DESTROY, Role.OTHERS)


def test_a_second_run_changes_nothing() -> None:
    """A finished deployment has no next step, and its plan is empty."""
    finished = scene(V2, serving(V2, 2))
    assert next_step(finished) is None
    assert rollout(finished) == []


def test_an_interrupted_rollout_goes_on_with_the_same_green() -> None:
    """Half of green exists: the rest is created under the same generation, nothing twice (flyctl 5089)."""
    half = cluster(V2, 2)[:1]
    resumed = scene(V2, serving(V1, 1), half)
    assert resumed.intent.release.generation == 2
    assert next_do(resumed) == (Do.CREATE, Role.GREEN)


def test_a_given_up_green_is_removed_before_another_is_created() -> None:
    """Machines never exceed blue + green: an unrouted cluster of another spec goes first (flyctl 2836)."""
    other = spec(image="registry.fly.io/rooms:broken")
    world_with_stray = scene(V2, serving(V1, 1), cluster(other, 2))
    assert world_with_stray.intent.release.generation == 3
    assert next_do(world_with_stray) == (Do.DESTROY, Role.STRAY)


def test_going_back_to_blues_spec_undoes_the_rollout() -> None:
    """With blue's own spec wanted again there is no new generation, and the unrouted green is what is destroyed."""
    back = scene(V1, serving(V1, 1), cluster(V2, 2))
    assert back.intent.release.generation == 1
    assert next_do(back) == (Do.DESTROY, Role.OTHERS)
    assert {machine.release.generation for machine in back.of(Role.OTHERS)} == {2}


def test_generations_only_grow() -> None:
    """A world without machines still gets a higher generation than the one in Pulumi's state."""
    assert scene(V2, known_generation=7).intent.release.generation == 8


def test_deadlines_change_no_machine() -> None:
    """A spec that differs in deadlines only has the same digest, so nothing is to do."""
    patient = spec(deadlines={"verify": "20m"})
    assert next_step(scene(patient, serving(V1, 1))) is None


@pytest.mark.parametrize(
    "changes",
    [{"image": "other:v1"}, {"env": {"A": "b"}}, {"secret_env": {"KEY": "x"}}, {"regions": {"ams": 2}}],
    ids=lambda c: next(iter(c)),
)
def test_what_machines_are_made_of_changes_the_release(changes) -> None:
    """Image, env, secrets and regions make a new green."""
    assert scene(spec(**changes), serving(V1, 1)).intent.release.generation == 2


def test_overlap_routes_green_before_it_drains_blue() -> None:
    """Under overlap blue is cordoned only once green is proven and recorded."""
    v2 = spec(image="registry.fly.io/rooms:v2", cutover="overlap")
    assert next_do(scene(v2, serving(V1, 1), cluster(v2, 2))) == (Do.UNCORDON, Role.GREEN)
    assert next_do(scene(v2, serving(V1, 1), serving(v2, 2))) == (Do.CORDON, Role.BLUE)


def test_a_restore_puts_blue_back_before_it_destroys_green() -> None:
    """Blue is started, healthy, routed and has answered before the first green machine goes (flyctl 3359)."""
    order = [(row.do, row.on) for row in RESTORE]
    assert order.index((Do.PROVE_ROUTED, Role.BLUE)) < order.index((Do.DESTROY, Role.GREEN))
    drained = scene(V2, serving(V1, 1, cordoned=True, state="stopped"), cluster(V2, 2))
    undo = replace(drained, intent=restoring(drained, remove_app=False))
    assert next_do(undo) == (
        Do.RECLAIM,
        Role.ALL,
    )  # it was found drained: another run's commit may be on its way
    undo = replace(undo, observation=replace(undo.observation, reclaimed=True))
    assert next_do(undo) == (Do.UNCORDON, Role.BLUE)
    uncordoned = undo.observation.with_machines(*(replace(m, cordoned=False) for m in undo.blue))
    assert next_do(replace(undo, observation=uncordoned)) == (Do.START, Role.BLUE)


def test_a_restore_of_an_untouched_blue_only_removes_green() -> None:
    """A rollout that failed in verify leaves blue exactly as it was."""
    failed = scene(V2, serving(V1, 1), cluster(V2, 2))
    undo = replace(failed, intent=restoring(failed, remove_app=False))
    assert next_do(undo) == (Do.DESTROY, Role.GREEN)


def test_a_destroy_proves_the_state_before_it_destroys() -> None:
    """Deleting the resource drains and saves like an update."""
    order = [row.do for row in DESTROY]
    assert order.index(Do.PROVE_SAVED) < order.index(Do.DESTROY)
    assert next_do(scene(V1, serving(V1, 1), goal="destroy")) == (Do.CORDON, Role.BLUE)


@pytest.mark.parametrize("table", [HANDOFF, OVERLAP, DESTROY], ids=["handoff", "overlap", "destroy"])
def test_every_table_has_one_commit_point(table) -> None:
    """Exactly one row is the commit point, and every gate of a handoff stands before it or proves the switch."""
    assert sum(row.commit for row in table) == 1


def test_a_plan_tells_phases_in_the_order_in_which_they_run() -> None:
    """The preview of a rollout is the table itself: create-new, verify, drain-old, switch-routes, retire-old."""
    steps = rollout(scene(V2, serving(V1, 1)))
    assert list(dict.fromkeys(step.phase for step in steps)) == [
        Phase.CREATE_NEW,
        Phase.VERIFY,
        Phase.DRAIN_OLD,
        Phase.SWITCH_ROUTES,
        Phase.RETIRE_OLD,
    ]
    assert sum(step.commit for step in steps) == 1


_STATES = st.sampled_from(["created", "starting", "started", "stopping", "stopped", "suspended", "failed"])


@st.composite
def _clusters(draw, of, generation):
    machines = cluster(of, generation)
    return tuple(
        replace(
            machine,
            state=draw(_STATES),
            cordoned=draw(st.booleans()),
            owner=draw(st.sampled_from([None, owned_by(V1, 1), owned_by(V2, 2)])),
            serving=draw(st.integers(0, 3)),
            warm=draw(st.sampled_from([None, Warm(10.0, 1), Warm(30.0, 1)])),
            drain=draw(st.sampled_from([StopDrain(), RequestDrain(type="request")])),
            draining=draw(st.sampled_from([None, DrainMark("x")])),
            checks=draw(st.sampled_from([(), machine.checks])),
            exit=draw(st.sampled_from([None, CLEAN_EXIT, replace(CLEAN_EXIT, signal=9)])),
        )
        for machine in machines[: draw(st.integers(0, 2))]
    )


@settings(max_examples=300)
@given(
    st.sampled_from([V1, V2]),
    _clusters(V1, 1),
    _clusters(V2, 2),
    _clusters(spec(image="x:3"), 3),
    st.booleans(),
    st.sampled_from([None, owned_by(V1, 1), Ownership(4, owned_by(V1, 1).release)]),
)
def test_the_planner_is_total_and_deterministic_and_destroys_nothing_without_evidence(
    wanted, first, second, third, restore, record
) -> None:
    """In every world there is one next step; the release that owns the state is never destroyed by a deploy."""
    observation = replace(world(first, second, third), record=record, at=20.0)
    found = Scene(resolve(wanted, observation), observation)
    if restore:
        found = replace(found, intent=restoring(found, remove_app=False))
    step = next_step(found)
    assert step == next_step(found)
    if step is None or step.row.do is not Do.DESTROY:
        return
    if step.row.on is Role.OTHERS:
        assert found.committed
    owner = latest(observation)
    if not restore and owner:
        assert all(machine.release != owner.release for machine in step.machines)
