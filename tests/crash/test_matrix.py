"""The deployer killed before and after every single call it makes: the next one finishes or undoes what it began.

Everything is real but Fly: the deployer is a process that gets a real SIGKILL while its call is on the wire, machines
are processes that get real signals, S3 is spoken over its own protocol, and users send edits all the while. The calls
are those of a recorded update, so that a call which is added to the deployment is covered by existing.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import partial

import anyio
import pytest

from providers.bluegreen.outcome import Ending
from tests.crash.deployers import Deployers, Ended, deployers
from tests.crash.gate import When
from tests.crash.site import V1, V2, Site, open_site
from tests.figures import Figures

Point = tuple[str, int]
"""A kind of call, and which one of that kind in its run."""
_ONE_UPDATE_S_OWN = re.compile(r"/[0-9a-f]{14}(?=/|$)|/\d[^/]*(?=/|$)")


async def run(site: Site, runs: Deployers, image: str) -> Ended:
    """One run in a process of its own; every promise has been checked afterwards."""
    site.begin()
    ended = await runs.run(site, image)
    await site.judge(ended)
    return ended


async def finish(site: Site, runs: Deployers, image: str, calls: list[str] | None = None) -> None:
    """The next run, a process of its own, succeeds; the one after changes nothing; only one cluster is left."""
    runs.lane.gate.disarm()
    second = await run(site, runs, image)
    if calls is not None:
        calls += runs.lane.gate.calls
    assert second.outcome, second.refused
    assert second.outcome.succeeded, second.outcome.failure
    runs.lane.gate.disarm()
    third = await run(site, runs, image)
    assert third.outcome
    assert third.outcome.ending is Ending.UNCHANGED
    assert runs.lane.gate.changes() == []
    assert site.only_routed()


async def kill_at_every_second_call(site: Site, runs: Deployers, first_at: int, when: When) -> list[str]:
    """Each call at which an update was killed, of those that a recorded update made."""
    await finish(site, runs, V1)
    recorded: list[str] = []
    await finish(site, runs, V2, recorded)
    killed_at: list[str] = []
    for number, point in enumerate(points(recorded)[first_at::2]):
        image = (V1, V2)[number % 2]
        runs.lane.gate.arm(partial(is_at, point), runs.kill, when)
        first = await run(site, runs, image)
        if first.killed:  # else it has polled less often than the recorded one
            killed_at.append(point[0])
            site.let_leases_run_out()
        await finish(site, runs, image)
    return killed_at


def points(calls: list[str]) -> list[Point]:
    """Every call, but of those that only look the first two of a kind: how often an update polls is chance."""
    seen: Counter[str] = Counter()
    found = []
    for call in map(kind, calls):
        seen[call] += 1
        if seen[call] <= 2 or not call.startswith(("GET", "HEAD")):
            found.append((call, seen[call]))
    return found


def is_at(point: Point, calls: list[str]) -> bool:
    """Whether the newest of ``calls`` is that one."""
    return kind(calls[-1]) == point[0] and sum(kind(call) == point[0] for call in calls) == point[1]


def kind(call: str) -> str:
    """The call without the names that are other ones in each update."""
    return _ONE_UPDATE_S_OWN.sub("/*", call)


@pytest.mark.long
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
        group.start_soon(chain, 0)
        group.start_soon(chain, 1)
    assert any("owners/" in call and call.startswith("PUT") for call in killed), "the commit is among them"
    assert any(call.startswith("DELETE") for call in killed), "and the end of blue"
    figures.add(crash_points=len(killed))
