"""`tunnel: fly-proxy` over real processes: the real code path, with a `fly` on PATH that knows local Fly alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.bluegreen.outcome import Ending
from tests.handover.fly_on_path import FlyOnPath
from tests.handover.kit import BY_REQUEST, STAYING, TWO_REGIONS, V1, V2, Deployer, more_edits
from tests.handover.local_fly import running
from tests.handover.untouched import Blue, assert_untouched

pytestmark = [pytest.mark.anyio, pytest.mark.long]

VERSION = {"type": "http", "name": "version", "path": "/version", "expect": {"json": {"version": "v2"}}}


@pytest.fixture
def fly(deployer: Deployer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlyOnPath:
    """A folder that alone is on PATH, with a `fly` in it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    fly = FlyOnPath(folder)
    fly.install(deployer.platform.api_url)
    return fly


async def test_green_is_tested_and_blue_drained_through_fly_proxy(deployer: Deployer, fly: FlyOnPath) -> None:
    """One child for each machine and port, all gone when the run ends; nothing that players were promised is lost."""
    deployer.regions = TWO_REGIONS
    await deployer.serve(V1, **BY_REQUEST)
    async with deployer.players() as players:
        await more_edits(players, 20)
        outcome = await deployer.deploy(V2, tunnel="fly-proxy", tests=[VERSION], rehearsal={}, **BY_REQUEST)
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        result = await deployer.judge(players)
    assert result.passed, result
    machines = {m["machine_id"]: m["name"] for m in deployer.fly.history("machine")}
    assert sorted((machines[machine], port) for _, machine, port in fly.runs) == [
        ("rooms-g1-ams-1", "8081"),
        ("rooms-g1-iad-1", "8081"),
        ("rooms-g2-ams-1", "8080"),
        ("rooms-g2-ams-1", "8081"),
        ("rooms-g2-iad-1", "8080"),
    ]
    assert running(pid for pid, _, _ in fly.runs) == []


async def test_without_fly_on_path_a_clear_error_says_how_to_get_it(
    deployer: Deployer, fly: FlyOnPath
) -> None:
    """It names the machine and both ways out, and blue is exactly as it was."""
    (fly.folder / "fly").unlink()
    await deployer.serve(V1)
    async with deployer.players(seconds_per_visit=STAYING) as players:
        await players.reach(lambda now: now.acked >= 10 and now.connected == 8, 30)
        before = Blue.of(deployer)
        outcome = await deployer.deploy(V2, tunnel="fly-proxy", tests=[VERSION])
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        told = outcome.failure.reasons[0]
        assert told.startswith("machine ")
        assert "neither fly nor flyctl is on PATH; install it (" in told
        assert "tunnel: direct" in told
        await assert_untouched(deployer, players, before)


@pytest.mark.saver
async def test_kinds_of_tests_that_need_no_tunnel_need_no_fly(deployer: Deployer, fly: FlyOnPath) -> None:
    """Inside the machines the network is not asked for at all."""
    (fly.folder / "fly").unlink()
    await deployer.serve(V1)
    inside = {"type": "exec", "name": "inside", "argv": ["/bin/true"]}
    await deployer.serve(V2, tunnel="fly-proxy", tests=[inside])
