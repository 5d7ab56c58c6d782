"""Fly's own drain over real processes: SIGTERM, and the kill behind it. "Stopped" is not "saved"."""

from __future__ import annotations

import pytest

from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending
from tests.handover.kit import BY_REQUEST, STAYING, TWO_REGIONS, V1, V2, Deployer, Seat, take_out
from tests.handover.untouched import Blue, assert_untouched

pytestmark = [pytest.mark.anyio, pytest.mark.long]

SOON = {"stop_config": {"timeout": "2s"}}


async def test_by_sigterm_alone_what_was_not_saved_is_lost_and_said(deployer: Deployer) -> None:
    """S3 is away until the kill: each machine is named, and blue is started again from its last checkpoint."""
    deployer.regions = TWO_REGIONS
    await deployer.serve(V1, **SOON)
    before = deployer.fly.processes(1)
    with deployer.seat("room-01") as seat:
        seat.edit("saved")
        await deployer.until(lambda: deployer.saved.edits("room-01") == ["saved"], "a checkpoint is saved")
        deployer.when("drain-old: stop gracefully", lambda: edit_after_a_cut(deployer, seat))
        deployer.when("drain-old failed", deployer.s3.restore)
        outcome = await deployer.deploy(V2, **SOON)
    assert outcome.ending is Ending.ABORTED
    assert outcome.failure
    assert outcome.failure.phase is Phase.DRAIN_OLD
    machines = deployer.fly.machines(1).values()
    expected = {
        f"machine {m['machine_id']} ({m['name']}) was ended by signal 9; its state may be unsaved"
        for m in machines
    }
    assert set(outcome.failure.reasons) == expected
    assert set(deployer.fly.machines()) == deployer.names(1)
    await deployer.until_routed(deployer.names(1))
    assert set(deployer.fly.processes(1).values()).isdisjoint(before.values())
    assert await deployer.contents("room-01") == ["saved"]


def edit_after_a_cut(deployer: Deployer, seat: Seat) -> None:
    deployer.s3.cut()
    seat.edit("in memory alone")


@pytest.mark.saver
async def test_a_machine_that_was_killed_is_not_taken_for_one_that_saved(deployer: Deployer) -> None:
    """Without any store its exit is the only evidence, and it says that the process hung until it was killed."""
    await deployer.serve(V1, state_store=None, **SOON)
    deployer.when("drain-old: stop gracefully", lambda: deployer.fly.freeze(1))
    outcome = await deployer.deploy(V2, state_store=None, **SOON)
    assert outcome.ending is Ending.ABORTED
    assert outcome.failure
    assert all("signal 9; its state may be unsaved" in reason for reason in outcome.failure.reasons)
    assert len(outcome.failure.reasons) == 1
    assert set(deployer.fly.machines()) == deployer.names(1)
    await deployer.until_routed(deployer.names(1))


@pytest.mark.saver
async def test_without_the_look_at_its_exit_a_killed_machine_is_believed(
    deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: it has stopped, and that is all that anybody asks."""
    take_out(monkeypatch, Do.READ_EXITS)
    await deployer.serve(V1, state_store=None, **SOON)
    deployer.when("drain-old: stop gracefully", lambda: deployer.fly.freeze(1))
    await deployer.serve(V2, state_store=None, **SOON)


@pytest.mark.saver
async def test_a_first_deploy_without_its_store_leaves_nothing(deployer: Deployer) -> None:
    """S3 cannot be read when it is asked who owns the state: the failure says so, and no machine and no app stay."""
    deployer.when("verify: check who owns the state", deployer.s3.cut)
    outcome = await deployer.deploy(V1)
    assert outcome.ending is Ending.ABORTED, outcome.failure
    assert outcome.failure
    assert "who owns the state is not known" in " ".join(outcome.failure.reasons)
    assert deployer.fly.machines() == {}
    assert [call["status"] for call in deployer.fly.calls("delete_app")] == [202]


async def test_an_app_that_cannot_drain_by_request_is_found_before_anything_changes_for_it(
    deployer: Deployer,
) -> None:
    """Nobody listens where its drain endpoint is said to be: no cordon, no signal, no socket closed."""
    nowhere = {"drain": BY_REQUEST["drain"] | {"port": 8099}}
    await deployer.serve(V1, **nowhere)
    async with deployer.players(seconds_per_visit=STAYING) as players:
        await players.reach(lambda now: now.acked >= 10 and now.connected == 8, 30)
        before = Blue.of(deployer)
        outcome = await deployer.deploy(V2, **nowhere)
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert "GET /drain has no answer" in " ".join(outcome.failure.reasons)
        await assert_untouched(deployer, players, before)
