"""After the switch, over real processes: bake and rollback, a cluster kept warm, and approval before it."""

from __future__ import annotations

import time

import pytest

from providers.bluegreen import lifecycle
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending
from providers.bluegreen.report import outcome_text
from providers.gates import routing
from tests.handover.kit import BY_REQUEST, STAYING, V1, V2, Deployer, more_edits, take_out
from tests.handover.local_fly import APP
from tests.handover.untouched import Blue, assert_untouched

pytestmark = [pytest.mark.anyio, pytest.mark.long]


@pytest.mark.saver
async def test_a_green_that_stays_well_is_baked_before_blue_goes(deployer: Deployer) -> None:
    """Blue is there, stopped and unrouted, until the bake is over."""
    await deployer.serve(V1, **BY_REQUEST)
    baking: list[dict[str, str]] = []
    deployer.when("bake: ", lambda: baking.append(states(deployer)))
    outcome = await deployer.serve(V2, bake="2s", **BY_REQUEST)
    assert baking == [
        dict.fromkeys(deployer.names(1), "stopped") | dict.fromkeys(deployer.names(2), "started")
    ]
    assert next(phase.seconds for phase in outcome.phases if phase.phase is Phase.BAKE) >= 2
    assert states(deployer) == dict.fromkeys(deployer.names(2), "started")


def states(deployer: Deployer) -> dict[str, str]:
    return {name: machine["state"] for name, machine in deployer.fly.machines().items()}


async def test_a_green_that_falls_ill_in_its_bake_hands_the_state_back(
    deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Green hangs for a while: blue takes over what players did in green's time, under a commit of its own."""
    monkeypatch.setattr(routing, "TIMEOUT_S", 2.0)  # for each question that it does not answer
    first = await deployer.serve(V1, **BY_REQUEST)
    hang_in_the_bake(deployer)
    async with deployer.players(seconds_per_visit=1.0) as players:
        await more_edits(players, 40)
        outcome = await deployer.deploy(V2, bake="60s", **BY_REQUEST)
        assert outcome.ending is Ending.ROLLED_BACK, outcome.failure
        await more_edits(players, 40)
        log = await players.stop()
        result = await deployer.judge(players, log)
    assert result.passed, result
    assert [ack.edit for ack in log.acks if ack.version == "v2"]
    assert await deployer.contents("by-hand") == ["in green's time"]
    assert first.serving
    assert outcome.serving
    assert outcome.serving.release == first.serving.release
    owners = [commit.release for commit in deployer.saved.commits()]
    assert len(owners) == 3
    assert owners[0] == owners[2] == str(first.serving.release)
    assert states(deployer) == dict.fromkeys(deployer.names(1), "started")
    assert "rolled back" in outcome_text(APP, outcome)


def hang_in_the_bake(deployer: Deployer) -> None:
    """Green hangs from the beginning of its bake until that has failed, with an edit in it that nobody has saved."""

    def edit() -> None:
        with deployer.seat("by-hand") as seat:
            assert seat.edit("in green's time")["version"] == "v2"

    deployer.when("bake: watch", edit)
    deployer.hang(2, "bake: watch", "bake failed")


async def test_without_the_bake_nobody_sees_that_green_falls_ill(
    deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: blue is gone, and green, which hangs, is what serves."""
    take_out(monkeypatch, Do.BAKE)
    await deployer.serve(V1)
    deployer.when("retire-old: ", lambda: deployer.fly.freeze(2))
    await deployer.serve(V2, bake="60s")
    assert set(states(deployer)) == deployer.names(2)


async def test_a_cluster_that_is_kept_warm_serves_again_without_being_built(deployer: Deployer) -> None:
    """`up` with the previous image starts the machines that are there; players lose nothing in either direction."""
    warm = {"keep_warm": "1h"} | BY_REQUEST
    await deployer.serve(V1, **warm)
    before = {name: m["machine_id"] for name, m in deployer.fly.machines(1).items()}
    async with deployer.players(seconds_per_visit=1.0) as players:
        await more_edits(players, 40)
        began = time.monotonic()
        await deployer.serve(V2, **warm)
        cold = time.monotonic() - began
        assert states(deployer) == dict.fromkeys(deployer.names(1), "stopped") | dict.fromkeys(
            deployer.names(2), "started"
        )
        creates = len(deployer.fly.calls("create_machine"))
        began = time.monotonic()
        await deployer.serve(V1, **warm)
        print(f"until it serves: {cold:.2f} s cold, {time.monotonic() - began:.2f} s warm")
        await more_edits(players, 40)
        result = await deployer.judge(players)
    assert result.passed, result
    assert len(deployer.fly.calls("create_machine")) == creates
    assert {name: m["machine_id"] for name, m in deployer.fly.machines(1).items()} == before
    assert states(deployer) == dict.fromkeys(deployer.names(1), "started") | dict.fromkeys(
        deployer.names(2), "stopped"
    )
    assert (await deployer.deploy(V1, **warm)).ending is Ending.UNCHANGED


@pytest.mark.saver
async def test_what_was_kept_warm_too_long_goes_with_the_next_run(deployer: Deployer) -> None:
    """The plan says so, and no machine is built for it."""
    warm = {"keep_warm": "1s"}
    await deployer.serve(V1, **warm)
    await deployer.serve(V2, **warm)
    assert set(states(deployer)) == deployer.names(1) | deployer.names(2)
    await over(deployer)
    assert "was kept warm, and its time is over: it is destroyed" in await deployer.plan(V2, **warm)
    await deployer.serve(V2, **warm)
    assert states(deployer) == dict.fromkeys(deployer.names(2), "started")


async def over(deployer: Deployer) -> None:
    """Wait until the second that something was given is over, by the clock; it is kept in whole ones."""
    end = time.time() + 2
    await deployer.until(lambda: time.time() > end, "its time is over")


async def test_with_manual_approval_green_waits_verified_and_unrouted(deployer: Deployer) -> None:
    """The first run ends well and touches no player; the second, with the release approved, builds nothing anew."""
    manual = {"approval": "manual"} | BY_REQUEST
    await deployer.serve(V1, **manual)
    async with deployer.players(seconds_per_visit=STAYING) as players:
        await players.reach(lambda now: now.acked >= 10 and now.connected == 8, 30)
        before = Blue.of(deployer)
        first = await deployer.deploy(V2, **manual)
        assert first.ending is Ending.AWAITING_APPROVAL
        assert first.succeeded
        assert f"set approved_release to {first.pending}" in outcome_text(APP, first)
        await assert_untouched(deployer, players, before)
    green = deployer.fly.processes(2)
    assert set(green) == deployer.names(2)
    done = await deployer.serve(V2, approved_release=str(first.pending), **manual)
    assert done.serving
    assert done.serving.release == first.pending
    assert deployer.fly.processes(2) == green
    assert set(deployer.fly.machines()) == deployer.names(2)


@pytest.mark.saver
async def test_a_green_that_nobody_approves_in_time_is_discarded(deployer: Deployer) -> None:
    """Its approval comes too late: the next run builds another, and waits again."""
    manual = {"approval": "manual", "deadlines": {"approval": "1s"}}
    await deployer.serve(V1, **manual)
    first = await deployer.deploy(V2, **manual)
    await over(deployer)
    second = await deployer.deploy(V2, approved_release=str(first.pending), **manual)
    assert second.ending is Ending.AWAITING_APPROVAL
    assert second.pending != first.pending
    assert set(states(deployer)) == deployer.names(1) | deployer.names(3)


async def test_without_the_approval_gate_nobody_is_asked(
    deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control, of what brings blue back before people are asked as well: green serves at once."""
    take_out(monkeypatch, Do.AWAIT_APPROVAL)
    rows = tuple(row for row in lifecycle.HANDOFF if row.phase is not Phase.RESTORE_OLD)
    monkeypatch.setattr(lifecycle, "HANDOFF", rows)
    await deployer.serve(V1)
    await deployer.serve(V2, approval="manual")
    assert set(states(deployer)) == deployer.names(2)
