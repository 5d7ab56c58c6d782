"""Rehearsal over real processes: a version that cannot read what its predecessor saved is found before the drain."""

from __future__ import annotations

import httpx
import pytest

from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending
from tests.handover.kit import STAYING, V1, V2, Deployer, take_out
from tests.handover.untouched import Blue, assert_untouched

pytestmark = [pytest.mark.anyio, pytest.mark.long]

OTHER_FORMAT = {"ROOMS_STATE_FORMAT": "2"}
"""A v2 that keeps its rooms in another format, and that nobody has taught the old one."""


async def save_rooms(deployer: Deployer) -> None:
    """v1 serves, and what it holds has been saved at a checkpoint."""
    await deployer.serve(V1)
    with deployer.seat("room-01") as seat:
        seat.edit("first")
    await deployer.until(lambda: deployer.saved.edits("room-01") == ["first"], "a checkpoint is saved")


async def test_a_green_that_cannot_read_the_saved_state_is_found_while_blue_is_untouched(
    deployer: Deployer,
) -> None:
    """The failure names the object and the reason; no cordon, no signal, no socket closed."""
    await save_rooms(deployer)
    async with deployer.players(seconds_per_visit=STAYING) as players:
        await players.reach(lambda now: now.acked >= 10 and now.connected == 8, 30)
        before = Blue.of(deployer)
        outcome = await deployer.deploy(V2, rehearsal={}, env=OTHER_FORMAT)
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert outcome.failure.phase is Phase.VERIFY
        told = " ".join(outcome.failure.reasons)
        assert f"{deployer.saved.prefix}rooms/room-" in told
        assert "format 1, and this version reads 2" in told
        await assert_untouched(deployer, players, before)


async def test_a_green_that_can_read_it_keeps_nothing_of_it(deployer: Deployer) -> None:
    """It writes nothing before the handover, and then the room is there."""
    await save_rooms(deployer)
    keys = deployer.saved.keys("rooms/")
    deployer.when("drain-old: ", lambda: keys.extend(deployer.saved.keys("rooms/")))
    outcome = await deployer.deploy(V2, rehearsal={})
    assert outcome.ending is Ending.DEPLOYED, outcome.failure
    assert any(line.startswith("rehearsal: green opened a copy") for line in deployer.said)
    assert len(set(keys)) == 1
    assert await deployer.contents("room-01") == ["first"]


async def test_without_the_rehearsal_the_same_green_serves_and_opens_no_room(
    deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: it is healthy, it is routed, and players stand before closed doors."""
    take_out(monkeypatch, Do.REHEARSE)
    await save_rooms(deployer)
    await deployer.serve(V2, rehearsal={}, env=OTHER_FORMAT)
    answer = deployer.answer("/rooms/room-01")
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert "this version reads 2" in answer.text
