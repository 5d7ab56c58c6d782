"""drain-old over real processes: three ways to drain, and what a proof that fails costs under each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import TaskGroup

from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending
from tests.handover.kit import BY_REQUEST, BY_SIGNAL, TWO_REGIONS, V1, V2, Deployer, more_edits, take_out

pytestmark = [pytest.mark.anyio, pytest.mark.long]

DEADLINES = {"request": {"drain_old": "1m"}, "signal": {"drain_old": "3s"}}
"""By signal a proof is asked for until it holds, or until the phase is over."""
DRAINS: dict[str, dict[str, Any]] = {"stop": {}, "request": BY_REQUEST, "signal": BY_SIGNAL}


@pytest.mark.parametrize(
    ("drain", "s3_url"),
    [("stop", "moto"), ("request", "moto"), ("signal", "moto"), ("request", "versitygw")],
    indirect=["s3_url"],
)
async def test_a_handover_loses_nothing_that_players_were_promised(deployer: Deployer, drain: str) -> None:
    """Whichever way blue drains: every edit is where it was promised, once, and no room has two owners."""
    deployer.regions = TWO_REGIONS
    await deployer.serve(V1, **DRAINS[drain])
    alive: list[dict[str, int]] = []
    deployer.when("saved state proven", lambda: alive.append(deployer.fly.processes(1)))
    async with deployer.players(count=12, rooms=4, seconds_per_visit=1.0) as players:
        await more_edits(players, 60)
        before = deployer.fly.processes(1)
        outcome = await deployer.serve(V2, **DRAINS[drain])
        await more_edits(players, 60)
        result = await deployer.judge(players)
    assert result.passed, result
    assert alive == [{} if drain == "stop" else before]
    proven = [(proof.rooms, proof.objects) for proof in outcome.proofs]
    assert (sum(rooms for rooms, _ in proven), sum(objects for _, objects in proven)) == (4, 4)
    assert set(deployer.fly.machines()) == deployer.names(2)
    assert len(deployer.saved.commits()) == 2


def _room(deployer: Deployer) -> str:
    key = deployer.saved.newest("room-01")
    assert key
    return key


def _manifest(deployer: Deployer) -> str:
    return deployer.saved.keys("manifests/")[0]


def _deleted(deployer: Deployer, key: str) -> str:
    deployer.saved.delete(key)
    return key


def _broken(deployer: Deployer, key: str) -> str:
    deployer.saved.put(key, b'{"version": 1')
    return key


def _away(deployer: Deployer) -> str:
    deployer.s3.cut()
    deployer.when("drain-old failed", deployer.s3.restore)
    return "manifests/"


SPOILS: dict[str, Callable[[Deployer], str]] = {
    "a room is deleted": lambda deployer: _deleted(deployer, _room(deployer)),
    "a room is overwritten": lambda deployer: _broken(deployer, _room(deployer)),
    "a manifest is deleted": lambda deployer: _deleted(deployer, _manifest(deployer)),
    "a manifest is broken": lambda deployer: _broken(deployer, _manifest(deployer)),
    "S3 is away": _away,
}
"""What happens to what was saved, and the key that the failure has to name."""


@pytest.mark.parametrize(
    ("drain", "spoilt"), [*(("request", spoilt) for spoilt in SPOILS), ("signal", "S3 is away")]
)
async def test_a_failed_proof_costs_nothing(deployer: Deployer, drain: str, spoilt: str) -> None:
    """Between the save and the proof something happens to it: the very same processes go on with their memory."""
    await deployer.serve(V1, **DRAINS[drain])
    spoiled: list[str] = []
    deployer.when("drain-old: prove saved state", lambda: spoiled.append(SPOILS[spoilt](deployer)))
    async with deployer.players(seconds_per_visit=1.0) as players:
        await more_edits(players, 40)
        before = deployer.fly.processes(1)
        outcome = await deployer.deploy(V2, **DRAINS[drain], deadlines=DEADLINES[drain])
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert outcome.failure.phase is Phase.DRAIN_OLD
        assert deployer.saved.prefix + spoiled[0] in " ".join(outcome.failure.reasons)
        await assert_goes_on(deployer, before)
        await more_edits(players, 40)
        result = await deployer.judge(players)
    assert result.passed, result


async def assert_goes_on(deployer: Deployer, before: dict[str, int]) -> None:
    """Blue alone, with the same processes, routed, never stopped, and without a mark of the drain."""
    assert deployer.fly.processes(1) == before
    assert set(deployer.fly.machines()) == deployer.names(1)
    await deployer.until_routed(deployer.names(1))
    assert deployer.fly.calls("stop") == []
    described = deployer.fly.described(1).values()
    assert not [one for one in described if "bluegreen_draining" in one["config"]["metadata"]]
    assert len(deployer.saved.commits()) == 1


async def test_without_the_proof_a_room_that_is_gone_is_believed(
    deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: blue, which alone had it, is stopped."""
    take_out(monkeypatch, Do.PROVE_SAVED)
    await deployer.serve(V1, **BY_REQUEST)
    with deployer.seat("room-01") as seat:
        seat.edit("promised")
    deployer.when("drain-old: stop gracefully", lambda: SPOILS["a room is deleted"](deployer))
    await deployer.serve(V2, **BY_REQUEST)
    assert await deployer.contents("room-01") == []


async def test_s3_that_is_away_for_the_whole_drain_costs_nothing_by_request(deployer: Deployer) -> None:
    """What is in memory alone is there afterwards, and the next deploy hands it over."""
    await deployer.serve(V1, **BY_REQUEST)
    before = deployer.fly.processes(1)
    with deployer.seat("room-01") as seat:
        deployer.when("drain-old: cordon", lambda: edit_after_a_cut(deployer, seat))
        outcome = await deployer.deploy(V2, **BY_REQUEST, deadlines={"drain_old": "3s"})
    assert outcome.ending is Ending.ABORTED
    assert outcome.failure
    told = " ".join(outcome.failure.reasons)
    assert "3s has passed" in told
    assert "draining, 0 of " in told  # and then S3's own error
    deployer.s3.restore()
    await assert_goes_on(deployer, before)
    assert await deployer.contents("room-01") == ["in memory alone"]
    await deployer.serve(V2, **BY_REQUEST)
    assert await deployer.contents("room-01") == ["in memory alone"]


def edit_after_a_cut(deployer: Deployer, seat: Any) -> None:
    deployer.s3.cut()
    seat.edit("in memory alone")


async def test_s3_that_is_away_for_a_moment_of_the_drain_only_delays_it(deployer: Deployer) -> None:
    """The app tries until S3 is back, and the same deploy goes through."""
    await deployer.serve(V1, **BY_REQUEST)
    async with deployer.players() as players, anyio.create_task_group() as group:
        await more_edits(players, 40)
        deployer.when("drain-old: quiesce", lambda: cut_until_it_is_noticed(deployer, group))
        await deployer.serve(V2, **BY_REQUEST)
        result = await deployer.judge(players)
    assert result.passed, result


def cut_until_it_is_noticed(deployer: Deployer, group: TaskGroup) -> None:
    address = deployer.fly.described(1)["rooms-g1-ams-1"]["private_ip"]

    def noticed() -> bool:
        return "error" in httpx.get(f"http://{address}:8081/drain", trust_env=False).json()

    async def restore() -> None:
        await deployer.until(noticed, "the app says that it cannot save")
        deployer.s3.restore()

    deployer.s3.cut()
    group.start_soon(restore)
