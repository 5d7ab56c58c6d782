"""After the switch: bake and rollback, clusters kept warm, and approval before it."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from providers.bluegreen import lifecycle
from providers.bluegreen.deploy import Request, preview
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending
from providers.bluegreen.report import outcome_text, plan_lines
from simulator import deletion
from simulator import lifecycle as lifecycle_of_machines
from tests.bluegreen.fly_made import SERVICE, call
from tests.bluegreen.promises import Rules
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

NAMES1 = {"rooms-g1-ams-1", "rooms-g1-iad-1"}
NAMES2 = {"rooms-g2-ams-1", "rooms-g2-iad-1"}
BY_REQUEST = {"drain": {"type": "request"}}
FALLS_ILL = {"crash_after": 12.0}


async def pass_time(seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await anyio.sleep_forever()


async def serve(kit: Kit, image: str, **more) -> None:
    outcome = await kit.deploy(spec(image=image, **more))
    assert outcome.ending is Ending.DEPLOYED, outcome.failure
    await pass_time(1.0)
    kit.edit_everywhere()


def states(kit: Kit) -> dict[str, str]:
    return {machine.name: str(machine.state) for machine in kit.machines()}


def test_a_green_that_stays_well_is_baked_and_blue_retired() -> None:
    """Blue is there, stopped, for the whole bake time, and goes after it."""

    async def test(kit: Kit) -> None:
        await serve(kit, V1)
        outcome = await kit.deploy(spec(image=V2, bake="60s"))
        assert outcome.ending is Ending.DEPLOYED
        bake = next(phase for phase in outcome.phases if phase.phase is Phase.BAKE)
        assert bake.seconds > 59
        assert states(kit) == dict.fromkeys(NAMES2, "started")

    simulate(test)


OVERLAP = {"cutover": "overlap", "state_store": None}


@pytest.mark.parametrize("seed", range(3))
def test_blue_may_answer_while_green_bakes_under_overlap(seed: int) -> None:
    """Blue is routed beside it until the bake is over: that it answers is no fault of green's."""

    async def test(kit: Kit) -> None:
        await serve(kit, V1, **OVERLAP)
        outcome = await kit.deploy(spec(image=V2, bake="60s", **OVERLAP))
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        assert states(kit) == dict.fromkeys(NAMES2, "started")

    simulate(test, rules=Rules(handoff=False), seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_stranger_may_answer_while_green_bakes(seed: int) -> None:
    """A machine that is not ours, routed in the same app, takes no deploy back."""

    async def test(kit: Kit) -> None:
        await serve(kit, V1)
        by_hand = {"name": "by-hand", "region": "ams", "config": {"image": V1, "services": [SERVICE]}}
        await call(kit, "POST", "/rooms/machines", by_hand)
        await pass_time(15)
        assert "by-hand" in kit.routed()
        outcome = await kit.deploy(spec(image=V2, bake="60s"))
        assert outcome.ending is Ending.DEPLOYED, outcome.failure

    simulate(test, seed=seed)


@pytest.mark.parametrize("drain", [{}, BY_REQUEST], ids=["stop", "request"])
def test_a_green_that_fails_in_its_bake_hands_the_state_back(drain) -> None:
    """Green drains and is proven; blue takes the state back under a number of its own, and serves; green is gone."""

    async def test(kit: Kit) -> None:
        await serve(kit, V1, **drain)
        kit.runtime.script("rooms-g2-*", kit.app(flap_seconds=10.0, healthy_after=0.5))
        kit.promises.without = (
            "a whole cluster is routed outside the window",
        )  # that is what its flapping does
        outcome = await kit.deploy(spec(image=V2, bake="60s", **drain))
        assert outcome.ending is Ending.ROLLED_BACK, outcome.failure
        assert not outcome.succeeded
        await pass_time(1.0)
        kit.end(outcome)
        assert kit.routed() == NAMES1
        assert states(kit) == dict.fromkeys(NAMES1, "started")
        owners = sorted(key for key in kit.store.objects if key.startswith("owners/"))
        assert len(owners) == 3
        assert outcome.serving
        assert str(outcome.serving.release).encode() in kit.store.objects[owners[-1]]
        assert kit.lost() == set()
        assert "rolled back" in outcome_text("rooms", outcome)
        assert (await kit.deploy(spec(image=V1, **drain))).ending is Ending.UNCHANGED

    simulate(test)


def test_without_the_bake_a_green_that_falls_ill_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the bake: taken out, blue is gone when green falls ill."""
    rows = tuple(row for row in lifecycle.HANDOFF if row.do is not Do.BAKE)
    monkeypatch.setattr(lifecycle, "HANDOFF", rows)

    async def test(kit: Kit) -> None:
        await serve(kit, V1)
        kit.runtime.script("rooms-g2-*", kit.app(flap_seconds=10.0))
        assert (await kit.deploy(spec(image=V2, bake="60s"))).ending is Ending.DEPLOYED

    simulate(test)


def test_a_rollback_that_cannot_prove_greens_state_leaves_green_serving() -> None:
    """Fail closed in both directions: green goes on with its memory, blue is not routed, and the text says both."""

    async def test(kit: Kit) -> None:
        await serve(kit, V1, **BY_REQUEST)
        gone = {"objects": [{"key": "rooms/gone.json", "etag": '"x"', "bytes": 1}]}
        kit.runtime.script("rooms-g2-*", kit.app(flap_seconds=10.0, manifest=gone))
        outcome = await kit.deploy(spec(image=V2, bake="60s", **BY_REQUEST))
        assert outcome.ending is Ending.UNFINISHED
        assert outcome.failure
        assert "rooms/gone.json" in " ".join(outcome.failure.reasons)
        assert outcome.serving
        assert outcome.serving.release.generation == 2
        assert kit.lost() == set()
        assert set(states(kit)) == NAMES1 | NAMES2
        assert not [m.name for m in kit.machines() if "bluegreen_draining" in m.metadata]

    simulate(test)


async def remove(kit: Kit, name: str) -> None:
    """As somebody does it by hand, with force."""
    gone = next(machine for machine in kit.machines() if machine.name == name)
    kit.promises.excuse(gone.id)
    gone.lease = None
    await deletion.destroy_by_force(kit.world, gone)


def at_bake(kit: Kit, do: Callable[[], object]) -> None:
    """Do it when the bake begins, once."""
    say, waiting = kit._say, [do]

    def listen(line: str) -> None:
        say(line)
        if line.startswith("bake: watch") and waiting:
            waiting.pop()()

    kit._say = listen  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("cutover", "killed"),
    [("handoff", False), ("handoff", True), ("overlap", False)],
    ids=["handoff", "killed, and the next run", "overlap"],
)
def test_there_is_no_way_back_to_a_release_that_has_lost_a_machine(cutover: str, killed: bool) -> None:
    """A region would be dark, and green gone that serves there: so green stays, and the ending says what is missing."""

    async def test(kit: Kit) -> None:
        await serve(kit, V1, cutover=cutover)
        ill = kit.app(flap_seconds=10.0, healthy_after=0.5)
        kit.runtime.script("rooms-g2-*", ill)
        wanted = spec(image=V2, bake="60s", cutover=cutover)
        if killed:
            with anyio.CancelScope() as deployer:
                at_bake(kit, deployer.cancel)
                await kit.deploy(wanted)
            await remove(kit, "rooms-g1-iad-1")
            await pass_time(30.0)
        else:
            at_bake(kit, lambda: kit.world.tasks.start_soon(remove, kit, "rooms-g1-iad-1"))
        outcome = await kit.deploy(wanted)
        assert outcome.ending is Ending.UNFINISHED, outcome.failure
        assert outcome.failure
        assert "no way back: the release before has lost rooms-g1-iad-1" in outcome.failure.reasons[-1]
        assert outcome.serving
        assert outcome.serving.release.generation == 2
        assert set(states(kit)) == NAMES2 | {"rooms-g1-ams-1"}
        assert cutover == "overlap" or kit.lost() == set()

    simulate(test, rules=Rules(handoff=False) if cutover == "overlap" else None)


def test_a_cluster_that_is_kept_warm_serves_again_without_being_built() -> None:
    """`up` with the previous image starts the machines that are there, and is faster than a cold deploy."""

    async def test(kit: Kit) -> None:
        warm = {"keep_warm": "1h"}
        kit.promises.told.rules = Rules(warm=True, saved=kit.store.saved)
        await serve(kit, V1, **warm)
        await serve(kit, V2, **warm)
        assert states(kit) == dict.fromkeys(NAMES1, "stopped") | dict.fromkeys(NAMES2, "started")
        assert (await kit.deploy(spec(image=V2, **warm))).ending is Ending.UNCHANGED
        creates = len(kit.calls("create_machine"))
        outcome = await kit.deploy(spec(image=V1, **warm))
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        assert len(kit.calls("create_machine")) == creates
        await pass_time(1.0)
        kit.end(outcome)
        assert kit.routed() == NAMES1
        assert states(kit) == dict.fromkeys(NAMES1, "started") | dict.fromkeys(NAMES2, "stopped")
        assert (await kit.deploy(spec(image=V1, **warm))).ending is Ending.UNCHANGED
        assert kit.lost() == set()

    simulate(test)


def test_what_was_kept_warm_too_long_is_removed_by_the_next_run_and_the_plan_says_so() -> None:
    """Neither reused nor forgotten."""

    async def test(kit: Kit) -> None:
        warm = {"keep_warm": "10m"}
        await serve(kit, V1, **warm)
        await serve(kit, V2, **warm)
        await pass_time(700.0)
        async with kit.context(spec(image=V2, **warm)) as ctx:
            scene, steps = await preview(ctx, Request())
        assert [(step.phase, step.do) for step in steps] == [(Phase.RETIRE_OLD, Do.DESTROY)]
        assert "kept warm" in "\n".join(plan_lines(scene, steps))
        creates = len(kit.calls("create_machine"))
        assert (await kit.deploy(spec(image=V1, **warm))).ending is Ending.DEPLOYED
        assert len(kit.calls("create_machine")) == creates + 2
        assert NAMES1.isdisjoint(states(kit))

    simulate(test)


def test_a_machine_that_runs_again_is_not_marked_as_kept_warm() -> None:
    """Fly checks no lease for metadata: a run that slept would write it under another's, who has started it again."""

    async def test(kit: Kit) -> None:
        await serve(kit, V1)
        (again,) = (machine for machine in kit.machines() if machine.name == "rooms-g1-ams-1")
        say = kit._say

        def listen(line: str) -> None:
            say(line)
            if "keep stopped" in line and again.run is None:
                again.lease, lease = None, again.lease
                lifecycle_of_machines.start(kit.world, again)
                again.lease = lease

        kit._say = listen  # type: ignore[method-assign]
        kit.promises.excuse(again.id)
        await kit.deploy(spec(image=V2, keep_warm="1h"))
        assert "bluegreen_warm" not in again.metadata

    simulate(test)


def test_one_older_release_is_kept_warm_at_most() -> None:
    """A third release lets the first one go."""

    async def test(kit: Kit) -> None:
        warm = {"keep_warm": "1h"}
        await serve(kit, V1, **warm)
        await serve(kit, V2, **warm)
        await serve(kit, V1, env={"X": "3"}, **warm)
        assert set(states(kit)) == NAMES2 | {"rooms-g3-ams-1", "rooms-g3-iad-1"}

    simulate(test)


def test_with_manual_approval_green_waits_verified_and_unrouted() -> None:
    """The first run ends well with blue serving; with the release approved the second goes on without building."""

    async def test(kit: Kit) -> None:
        manual = {"approval": "manual"}
        await serve(kit, V1, **manual)
        first = await kit.deploy(spec(image=V2, **manual))
        assert first.ending is Ending.AWAITING_APPROVAL
        assert first.succeeded
        assert first.pending
        assert first.serving
        assert first.serving.release.generation == 1
        await pass_time(1.0)
        assert kit.routed() == NAMES1
        assert "approved_release" in outcome_text("rooms", first)
        assert kit.calls("cordon") == []
        assert (await kit.deploy(spec(image=V2, **manual))).ending is Ending.AWAITING_APPROVAL
        creates = len(kit.calls("create_machine"))
        done = await kit.deploy(spec(image=V2, approved_release=str(first.pending), **manual))
        assert done.ending is Ending.DEPLOYED
        assert done.serving
        assert done.serving.release == first.pending
        assert len(kit.calls("create_machine")) == creates
        await pass_time(1.0)
        assert kit.routed() == NAMES2

    simulate(test)


def test_without_the_approval_gate_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of approval, and of what brings blue back before people are asked."""
    asks = (Do.AWAIT_APPROVAL,)
    rows = tuple(r for r in lifecycle.HANDOFF if r.do not in asks and r.phase is not Phase.RESTORE_OLD)
    monkeypatch.setattr(lifecycle, "HANDOFF", rows)

    async def test(kit: Kit) -> None:
        await serve(kit, V1)
        assert (await kit.deploy(spec(image=V2, approval="manual"))).ending is Ending.DEPLOYED

    simulate(test)


def test_a_green_that_nobody_approves_in_time_is_discarded() -> None:
    """After its deadline the approval of it counts for nothing: the next run builds anew and waits again."""

    async def test(kit: Kit) -> None:
        manual = {"approval": "manual", "deadlines": {"approval": "1h"}}
        await serve(kit, V1, **manual)
        first = await kit.deploy(spec(image=V2, **manual))
        await pass_time(3700.0)
        second = await kit.deploy(spec(image=V2, approved_release=str(first.pending), **manual))
        assert second.ending is Ending.AWAITING_APPROVAL
        assert second.pending != first.pending
        assert set(states(kit)) == NAMES1 | {"rooms-g3-ams-1", "rooms-g3-iad-1"}

    simulate(test)


def test_an_approval_of_another_release_opens_nothing() -> None:
    """Only the release that waits is let through by its own name."""

    async def test(kit: Kit) -> None:
        await serve(kit, V1)
        outcome = await kit.deploy(spec(image=V2, approval="manual", approved_release="2-0000000000-0000"))
        assert outcome.ending is Ending.AWAITING_APPROVAL
        assert any("2-0000000000-0000" in line for line in kit.said)

    simulate(test)
