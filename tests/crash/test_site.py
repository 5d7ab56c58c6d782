"""What the crash tests rest on: the kill is exact, and a promise that is broken is seen."""

from __future__ import annotations

import httpx
import pytest

from demo.local.platform import TOKEN
from tests.bluegreen.promises import Broken
from tests.crash.deployers import Ended, deployers
from tests.crash.gate import When
from tests.crash.serving import until
from tests.crash.site import APP, V1, V2, Site, open_site
from tests.crash.story import Point

FINISHED = Ended(0)


@pytest.mark.anyio
@pytest.mark.parametrize(("when", "created"), [("before", 0), ("after", 1)])
async def test_a_deployer_is_dead_when_its_call_is_or_is_not_applied(
    when: When, created: int, s3_url: str
) -> None:
    """Killed before its first create there is no machine, killed after it there is one."""
    create = Point("first create", "POST", "/v1/apps/rooms/machines", when)
    async with open_site(s3_url, f"exact-{when}/") as site, deployers(site.lane()) as runs:
        runs.lane.gate.arm(create.chosen, runs.kill, when)
        site.begin()
        ended = await runs.run(site, V1)
        assert (ended.killed, ended.outcome) == (True, None)
        assert len(site.machines()) == created
        assert runs.lane.gate.calls[-1] == "POST /v1/apps/rooms/machines"


async def serving(site: Site) -> None:
    """v1 serves, and has accepted an edit."""
    async with deployers(site.lane()) as runs:
        site.begin()
        await site.judge(await runs.run(site, V1))
    await site.users.edit()
    assert await site.users.lost(site.machines()) == set()


@pytest.mark.anyio
async def test_an_edit_that_dies_with_its_machine_is_seen_as_lost(s3_url: str) -> None:
    """Every machine is killed without a chance to save."""
    async with open_site(s3_url, "lost/") as site:
        await serving(site)
        boots = {machine.id: machine.run.program_ended for machine in site.machines() if machine.run}
        assert len(boots) == len(site.machines())
        for machine in site.machines():
            assert machine.run
            assert machine.run.program
            machine.run.program.signal("SIGKILL")
        await until(lambda: all(ended.is_set() for ended in boots.values()), "they are dead")
        site.promises.excuse(*(machine.id for machine in site.machines()))
        with pytest.raises(Broken, match="no edit is lost"):
            await site.judge(FINISHED)


@pytest.mark.anyio
async def test_a_second_cluster_that_gets_routed_is_seen(s3_url: str) -> None:
    """A deployer is killed while green waits, and somebody routes green beside blue."""
    wait = Point("wait until started", "GET", "*/wait")
    async with open_site(s3_url, "two/") as site, deployers(site.lane()) as runs:
        await serving(site)
        runs.lane.gate.arm(wait.chosen, runs.kill, "after")
        site.begin()
        await site.judge(await runs.run(site, V2))
        site.let_leases_run_out()
        green = [machine for machine in site.machines() if "-g2-" in machine.name]
        url = f"{runs.lane.environ['FLY_FLAPS_BASE_URL']}/v1/apps/{APP}/machines"
        async with httpx.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {TOKEN}"}) as http:
            for machine in green:
                (await http.post(f"{url}/{machine.id}/uncordon")).raise_for_status()
        await until(lambda: bool(site.promises.first_broken), "the checker has seen it")
        with pytest.raises(Broken, match="one cluster is routed"):
            await site.judge(FINISHED)
