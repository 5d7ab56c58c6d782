"""Two deployers that are real processes: suspended and overtaken, an update beside a destroy, older metadata."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from providers.bluegreen.outcome import Ending
from tests.crash.deployers import Deployers, Ended, deployers
from tests.crash.site import V1, V2, Site, open_site
from tests.crash.story import Point

LEASE_S = 2.0
CREATE = Point("first create", "POST", "/v1/apps/rooms/machines")
CORDON = Point("cordon blue", "POST", "*/cordon", "before")
ROUTE = Point("route green", "POST", "*/uncordon", "before")


@asynccontextmanager
async def two(s3_url: str, name: str, lease_s: float) -> AsyncIterator[tuple[Site, Deployers, Deployers]]:
    """A site on which v1 serves, and two deployers of it, each by a way of its own."""
    async with (
        open_site(s3_url, f"{name}/", drain={"type": "stop"}) as site,
        deployers(site.lane(), lease_s) as one,
        deployers(site.lane(), lease_s) as other,
    ):
        site.begin()
        await site.judge(await one.run(site, V1))
        yield site, one, other


async def settled(site: Site, runs: Deployers, image: str) -> None:
    """The next run brings the world to its own image, and the one after it changes nothing."""
    for ending in (None, Ending.UNCHANGED):
        site.begin()
        ended = await runs.run(site, image)
        await site.judge(ended)
        assert ended.outcome, ended.refused
        assert ended.outcome.succeeded, ended.outcome.failure
        assert ending in (None, ended.outcome.ending)
    assert site.only_routed()


@pytest.mark.long
@pytest.mark.anyio
@pytest.mark.parametrize("point", [CREATE, CORDON, ROUTE], ids=lambda point: point.name)
async def test_a_suspended_deployer_that_was_overtaken_changes_nothing_when_it_wakes(
    point: Point, s3_url: str
) -> None:
    """A laptop's lid: its leases run out, another run finishes, and the one that wakes stops, or finds all done."""
    async with two(s3_url, f"suspended-{point.name}".replace(" ", "-"), LEASE_S) as (site, one, other):
        asleep, awake = anyio.Event(), anyio.Event()

        async def suspend() -> bool:
            one.signal(signal.SIGSTOP)
            asleep.set()
            await awake.wait()
            return True

        one.lane.gate.arm(point.chosen, suspend, point.when)
        site.begin()
        await one.begin(site, V2)
        await asleep.wait()
        overtaking = await other.run(site, V2)
        assert overtaking.outcome, overtaking.refused
        assert overtaking.outcome.succeeded, overtaking.outcome.failure
        before = len(site.world.history.read())
        one.signal(signal.SIGCONT)
        awake.set()
        woken = await one.end()
        applied = [
            record
            for record in site.world.history.read(before, "request")
            if record["method"] != "GET" and record["status"] < 300 and record["action"] != "release_lease"
        ]
        assert [record["path"] for record in applied if "lease" not in record["action"]] == []
        assert woken.outcome, woken.refused
        # The other one has finished what this one began: where it looks first, it finds nothing left to do.
        assert woken.outcome.ending in (Ending.TAKEN_OVER, Ending.UNCHANGED), woken.outcome
        if woken.outcome.ending is Ending.UNCHANGED:
            assert woken.outcome.serving
            assert {machine.id for machine in woken.outcome.serving.machines} == site.promises.told.routed
        await settled(site, other, V2)


@pytest.mark.anyio
async def test_a_destroy_during_an_update_is_refused_or_wins(s3_url: str) -> None:
    """The update holds the machines, so the destroy changes nothing and says who does; after it, the destroy works."""
    async with two(s3_url, "destroy", 15.0) as (site, one, other):
        held, go_on = anyio.Event(), anyio.Event()

        async def hold() -> bool:
            held.set()
            await go_on.wait()
            return True

        one.lane.gate.arm(CORDON.chosen, hold, CORDON.when)
        site.begin()
        await one.begin(site, V2)
        await held.wait()
        refused = await other.run(site, V2, "destroy")
        assert refused.refused, refused.outcome
        assert " is held by " in refused.refused
        assert " since 20" in refused.refused
        assert [call for call in other.lane.gate.changes() if not call.endswith("/lease")] == []
        go_on.set()
        updated = await one.end()
        assert updated.outcome
        assert updated.outcome.ending is Ending.DEPLOYED
        await site.judge(updated)
        await settled(site, one, V2)
        site.begin("destroy")
        gone: Ended = await other.run(site, V2, "destroy")
        assert gone.outcome, gone.refused
        assert gone.outcome.ending is Ending.DESTROYED
        assert site.machines() == []


OLDER = frozenset(
    {
        "bluegreen_component",
        "bluegreen_release",
        "bluegreen_generation",
        "bluegreen_cutover",
        "bluegreen_app_created",
        "bluegreen_state_store",
        "bluegreen_state_proof",
        "bluegreen_drain",
        "bluegreen_serving",
    }
)
"""What the version before leases wrote on a machine, apart from Fly's own keys."""


@pytest.mark.anyio
@pytest.mark.parametrize("point", [CREATE, CORDON, ROUTE], ids=lambda point: point.name)
async def test_a_run_of_an_older_version_that_was_killed_is_resumed_by_todays(
    point: Point, s3_url: str
) -> None:
    """Its machines carry no key that it did not know, and no leases."""
    async with two(s3_url, f"older-{point.name}".replace(" ", "-"), 15.0) as (site, one, other):
        one.lane.gate.arm(point.chosen, one.kill, point.when)
        site.begin()
        await one.begin(site, V2)
        assert (await one.end()).killed
        for machine in site.machines():
            machine.lease = None
            for key in {key for key in machine.metadata if key.startswith("bluegreen_")} - OLDER:
                del machine.metadata[key]
        await settled(site, other, V2)
