"""The deployer killed before and after every single call it makes: the next one finishes or undoes what it began.

Everything is real but Fly: the deployer is a process that gets a real SIGKILL while its call is on the wire, machines
are processes that get real signals, S3 is spoken over its own protocol, and users send edits all the while. Each chain
of runs goes on until an update ends before the call at which it would have been killed: so it has been killed at each
one, and a call that is added to the deployment is covered by existing.
"""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from providers.bluegreen.outcome import Ending
from tests.crash.deployers import Deployers, Ended, deployers
from tests.crash.gate import When
from tests.crash.site import V1, V2, Site, open_site
from tests.figures import Figures

MOST_CALLS = 200


async def run(site: Site, runs: Deployers, image: str) -> Ended:
    """One run in a process of its own; every promise has been checked afterwards."""
    site.begin()
    ended = await runs.run(site, image)
    await site.judge(ended)
    return ended


async def finish(site: Site, runs: Deployers, image: str) -> None:
    """The next run, a process of its own, succeeds; the one after changes nothing; only one cluster is left."""
    runs.lane.gate.disarm()
    second = await run(site, runs, image)
    assert second.outcome, second.refused
    assert second.outcome.succeeded, second.outcome.failure
    runs.lane.gate.disarm()
    third = await run(site, runs, image)
    assert third.outcome
    assert third.outcome.ending is Ending.UNCHANGED
    assert runs.lane.gate.changes() == []
    assert site.only_routed()


async def kill_at_every_second_call(site: Site, runs: Deployers, first_at: int, when: When) -> list[str]:
    """Each call at which an update was killed."""
    await finish(site, runs, V1)
    killed_at: list[str] = []
    for at in range(first_at, MOST_CALLS, 2):
        image = (V2, V1)[len(killed_at) % 2]
        runs.lane.gate.arm(partial(is_call, at), runs.kill, when)
        first = await run(site, runs, image)
        if not first.killed:
            return killed_at
        killed_at.append(runs.lane.gate.calls[at - 1])
        site.let_leases_run_out()
        await finish(site, runs, image)
    raise AssertionError("an update makes more calls than any should")


def is_call(number: int, calls: list[str]) -> bool:
    return len(calls) == number


@pytest.mark.anyio
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("drain", "regions"), [("stop", {"ams": 1, "iad": 1}), ("request", {"ams": 1})], ids=["stop", "request"]
)
async def test_a_deployer_killed_at_any_call_is_followed_by_one_that_finishes(
    drain: str, regions: dict[str, int], when: When, s3_url: str, figures: Figures
) -> None:
    """Two chains side by side, one for every second call; blue is drained by its stop, or by a request."""
    killed: list[str] = []

    async def chain(first_at: int) -> None:
        async with (
            open_site(s3_url, f"{drain}-{when}-{first_at}/", drain={"type": drain}, regions=regions) as site,
            deployers(site.lane()) as runs,
        ):
            killed.extend(await kill_at_every_second_call(site, runs, first_at, when))

    async with anyio.create_task_group() as group:
        group.start_soon(chain, 1)
        group.start_soon(chain, 2)
    assert any("owners/" in call and call.startswith("PUT") for call in killed), "the commit is among them"
    assert any(call.startswith("DELETE") for call in killed), "and the end of blue"
    figures.add(crash_points=len(killed))
