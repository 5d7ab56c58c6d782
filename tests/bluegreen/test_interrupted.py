"""What an interrupted run leaves to the next: nobody who serves, a commit on its way, machines that are routed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import pytest

from providers.bluegreen import lifecycle
from providers.bluegreen.deploy import Request, deploy
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending, Outcome
from providers.bluegreen.report import outcome_text
from providers.bluegreen.spec import Spec
from tests.bluegreen.memory_store import MemoryStore
from tests.bluegreen.promises import Rules
from tests.bluegreen.test_after_switch import NAMES1, NAMES2, OVERLAP, pass_time
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

DRAINS = {"stop": {}, "request": {"drain": {"type": "request"}}}
AFTER_S = 20.0
"""The leases of a killed run are over, and what it told the proxy is known."""


@dataclass
class KilledAt(httpx.AsyncBaseTransport):
    """The line of a deployer that is killed right after the first call of this kind was applied."""

    inner: httpx.AsyncBaseTransport
    last: str
    scope: anyio.CancelScope

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.inner.handle_async_request(request)
        if request.method == "POST" and request.url.path.endswith(self.last):
            self.scope.cancel()
            await anyio.lowlevel.checkpoint()
        return answer


async def kill(kit: Kit, wanted: Spec, last: str) -> None:
    """A run that ends at this call."""
    real = kit.http
    with anyio.CancelScope() as scope:
        kit.http = KilledAt(real, last, scope)
        await kit.deploy(wanted)
    kit.http = real
    assert scope.cancelled_caught
    await pass_time(AFTER_S)
    kit.end(None, killed=True)


async def killed(kit: Kit, last: str, more: dict[str, Any]) -> Outcome:
    """v1 serves; v2 is killed at this call; then a third version is wanted, which has to be built, and approved."""
    await kit.deploy(spec(image=V1, **more))
    kit.edit_everywhere()
    await kill(kit, spec(image=V2, **more), last)
    outcome = await kit.deploy(spec(image=V2, env={"X": "3"}, approval="manual", **more))
    await pass_time(1.0)
    return outcome


@pytest.mark.parametrize("drain", DRAINS)
@pytest.mark.parametrize(("last", "serve"), [("/cordon", NAMES1), ("/stop", NAMES1), ("/uncordon", NAMES2)])
def test_whoever_has_to_build_first_brings_the_owner_back(last: str, serve: set[str], drain: str) -> None:
    """Killed in the handoff window, before and behind the commit point: nobody waits for a third version's approval."""

    async def test(kit: Kit) -> None:
        outcome = await killed(kit, last, DRAINS[drain])
        assert outcome.ending is Ending.AWAITING_APPROVAL, outcome.failure
        kit.end(outcome)
        assert kit.routed() == serve
        assert outcome.serving
        assert {machine.name for machine in outcome.serving.machines} == serve
        assert kit.lost() == set()
        routed = next(record["n"] for record in kit.calls("uncordon")[::-1] if record["status"] == 200)
        third = [record["n"] for record in kit.calls("create_machine")][-2:]
        assert routed < min(third), "before anything is built"

    simulate(test)


def test_without_it_users_wait_for_what_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    rows = tuple(row for row in lifecycle.HANDOFF if row.phase is not Phase.RESTORE_OLD)
    monkeypatch.setattr(lifecycle, "HANDOFF", rows)

    async def test(kit: Kit) -> None:
        outcome = await killed(kit, "/stop", {})
        assert outcome.ending is Ending.AWAITING_APPROVAL, outcome.failure
        assert kit.routed() == set()
        with pytest.raises(AssertionError, match="no whole cluster is routed"):
            kit.end(outcome)

    simulate(test)


def test_who_goes_on_with_the_same_release_brings_nothing_back() -> None:
    """Green is there and verified: the next run switches, and blue is not started for a second drain."""

    async def test(kit: Kit) -> None:
        await kit.deploy(spec(image=V1))
        kit.edit_everywhere()
        await kill(kit, spec(image=V2), "/stop")
        started = len(kit.calls("start_machine"))
        assert (await kit.deploy(spec(image=V2))).ending is Ending.DEPLOYED
        assert len(kit.calls("start_machine")) == started
        assert kit.lost() == set()

    simulate(test)


@dataclass
class Slow(MemoryStore):
    """A store to which one deployer's commit is on its way for as long as that one sleeps."""

    sent: anyio.Event = field(default_factory=anyio.Event)
    awake: anyio.Event = field(default_factory=anyio.Event)

    async def create(self, key: str, body: bytes) -> bool:
        if key.endswith("0000000002.json"):
            self.sent.set()
            with anyio.CancelScope(shield=True):  # boto3's threads are not cancelled
                await self.awake.wait()
        return await super().create(key, body)


@dataclass
class Asleep(httpx.AsyncBaseTransport):
    """The line of a deployer that sleeps from ``fell`` to ``awake``."""

    inner: httpx.AsyncBaseTransport
    fell: Callable[[httpx.Request], bool]
    awake: anyio.Event

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.fell(request):
            await self.awake.wait()
        return await self.inner.handle_async_request(request)


async def sleeper(kit: Kit, wanted: Spec, request: Request, line: Asleep, ends: list[Outcome]) -> None:
    """One deployer over a line of its own."""
    real, kit.http = kit.http, line
    async with kit.context(wanted) as ctx:
        kit.http = real
        ends.append(await deploy(ctx, request))


def owners(kit: Kit) -> list[str]:
    return [
        json.loads(kit.store.objects[key])["release"]
        for key in sorted(kit.store.objects)
        if key.startswith("owners/")
    ]


@pytest.mark.parametrize("drain", DRAINS)
def test_a_commit_of_a_run_that_sleeps_lands_nowhere(drain: str) -> None:
    """Who goes back to what served takes the commit's number before it serves again: the late write is refused."""

    async def test(kit: Kit) -> None:
        first, second = spec(image=V1, **DRAINS[drain]), spec(image=V2, **DRAINS[drain])
        await kit.deploy(first)
        kit.edit_everywhere()
        slow, ends = Slow(**vars(kit.store)), list[Outcome]()
        line = Asleep(kit.http, lambda request: slow.sent.is_set(), slow.awake)
        kit.view = slow
        request = Request(known_generation=1, expected=kit._expected())
        async with anyio.create_task_group() as group:
            group.start_soon(sleeper, kit, second, request, line, ends)
            await slow.sent.wait()
            kit.view = None
            await pass_time(30.0)
            back = await kit.deploy(first)
            kit.edit_everywhere()
            slow.awake.set()
        assert back.ending is Ending.DEPLOYED, back.failure
        assert back.serving
        blue = str(back.serving.release)
        assert [end.ending for end in ends] == [Ending.TAKEN_OVER]
        assert owners(kit) == [blue, blue]
        await nothing_to_do(kit, first)

    simulate(test, limits=False)


async def nothing_to_do(kit: Kit, wanted: Spec) -> None:
    await pass_time(5.0)
    again = await kit.deploy(wanted)
    assert again.ending is Ending.UNCHANGED
    await pass_time(1.0)
    kit.end(again)
    assert kit.lost() == set()


@pytest.mark.parametrize("wanted", [{"image": V1}, {"image": V2, "env": {"X": "3"}}], ids=["back", "a third"])
@pytest.mark.parametrize("seed", range(2))
def test_what_a_killed_overlap_had_routed_is_cordoned_before_it_goes(
    wanted: dict[str, Any], seed: int
) -> None:
    """Green was routed in part, and never committed: its users are sent elsewhere first."""

    async def test(kit: Kit) -> None:
        await kit.deploy(spec(image=V1, **OVERLAP))
        await kill(kit, spec(image=V2, **OVERLAP), "/uncordon")
        assert kit.routed() & NAMES2
        outcome = await kit.deploy(spec(**wanted, **OVERLAP))
        assert outcome.succeeded, outcome.failure
        await pass_time(1.0)
        kit.end(outcome)

    simulate(test, rules=Rules(handoff=False), seed=seed)


def test_what_a_killed_first_deploy_had_routed_is_cordoned_before_a_destroy() -> None:
    """Under overlap it was routed, and never committed; found by the random histories."""

    async def test(kit: Kit) -> None:
        await kill(kit, spec(image=V1, **OVERLAP), "/uncordon")
        assert kit.routed() & NAMES1
        outcome = await kit.deploy(spec(image=V1, **OVERLAP), goal="destroy", owns_app=True)
        assert outcome.ending is Ending.DESTROYED, outcome.failure
        await pass_time(1.0)
        kit.end(outcome)

    simulate(test, rules=Rules(handoff=False))


def of_app(request: httpx.Request) -> bool:
    return request.method == "DELETE" and request.url.path == "/v1/apps/rooms"


def of_exits(request: httpx.Request) -> bool:
    return request.method == "GET" and request.url.path.endswith("/wait")


@pytest.mark.parametrize("at", [of_app, of_exits], ids=["its last call", "its drain"])
def test_a_destroy_that_wakes_up_behind_another_run_destroys_nothing(at) -> None:
    """It slept while somebody brought the app back: it has been taken over, and Fly refuses what is on its way."""

    async def test(kit: Kit) -> None:
        wanted = spec(image=V1)
        await kit.deploy(wanted)
        kit.edit_everywhere()
        fell, awake, ends = anyio.Event(), anyio.Event(), list[Outcome]()

        def falls(request: httpx.Request) -> bool:
            if at(request):
                fell.set()
            return fell.is_set()

        expected = kit._expected()
        request = Request("destroy", known_generation=1, owns_app=True, expected=expected)
        kit.promises.begin("destroy", 2)
        async with anyio.create_task_group() as group:
            group.start_soon(sleeper, kit, wanted, request, Asleep(kit.http, falls, awake), ends)
            await fell.wait()
            await pass_time(60.0)
            expected = kit._expected() if at is of_exits else frozenset()
            second = await kit.deploy(wanted, expected=expected)
            assert second.ending is Ending.DEPLOYED, second.failure
            await pass_time(1.0)
            kit.edit_everywhere()
            routed = kit.routed()
            awake.set()
        assert [end.ending for end in ends] == [Ending.TAKEN_OVER], [outcome_text("rooms", e) for e in ends]
        await pass_time(5.0)
        assert kit.routed() == routed != set()
        assert kit.lost() == set()
        kit.promises.check()

    simulate(test, limits=False)
