"""One deployer at a time: who holds the machines goes on, everybody else stops and says who that is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import httpx
import pytest

from providers.bluegreen.deploy import CannotLook, Request, deploy
from providers.bluegreen.holder import Holder
from providers.bluegreen.outcome import Ending, Outcome
from providers.bluegreen.report import outcome_text
from providers.bluegreen.spec import Spec
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

ADA, BOB = Holder("ada@ci", since=1_790_000_000.0), Holder("bob@laptop", since=1_790_000_060.0)
SPEC1, SPEC2, SPEC3 = spec(image=V1), spec(image=V2), spec(image=V2, env={"X": "3"})
LARGER = (spec(image=V1, regions={"ams": 2, "iad": 1}), spec(image=V1, regions={"ams": 3, "iad": 2}))
DRAIN = "POST stop"
TOGETHER = ("calls stay inside the rate limits",)
"""What one deployer cannot promise for two: each keeps Fly's limits by itself, and waits where it meets a 429."""
End = Outcome | CannotLook
Ends = list[End]


@dataclass
class Line(httpx.AsyncBaseTransport):
    """One deployer's line to the API. Once ``cut_at`` happens, every call waits until it is ``mended``."""

    inner: httpx.AsyncBaseTransport
    cut_at: str = ""
    cut: anyio.Event = field(default_factory=anyio.Event)
    mended: anyio.Event = field(default_factory=anyio.Event)
    refuses: bool = False
    sent: list[str] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        what = f"{request.method} {request.url.path.rpartition('/')[2]}"
        if request.method == "DELETE" and not what.endswith("lease"):
            what = "DELETE machine"
        if what == self.cut_at:
            self.cut.set()
        if self.cut.is_set() and not self.mended.is_set():
            if self.refuses:
                raise httpx.ConnectError("no route to host")
            await self.mended.wait()
        self.sent.append(what)
        return await self.inner.handle_async_request(request)


async def run(kit: Kit, wanted, holder: Holder, **options) -> End:
    """One deployer, as Pulumi starts it."""
    request = Request(known_generation=kit._generation(), expected=kit._expected())
    http, kit.http = kit.http, options.pop("http", kit.http)
    context = kit.context(wanted)
    async with context as ctx:
        kit.http = http
        ctx.holder = ctx.lock.holder = holder
        ctx.stop = options.pop("stop", ctx.stop)
        try:
            return await deploy(ctx, request)
        except CannotLook as refused:
            return refused


def leases(kit: Kit) -> list[str]:
    now = kit.world.clock.now()
    return [m.name for m in kit.machines() if m.lease is not None and m.lease.expires_at > now]


async def pass_time(seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await anyio.sleep_forever()


async def both(
    kit: Kit,
    first: Callable[[], Awaitable[End]],
    second: Callable[[], Awaitable[End]],
) -> list[End]:
    """Two at the same time."""
    ends: list[End] = []

    async def one(work: Callable[[], Awaitable[End]]) -> None:
        ends.append(await work())

    async with anyio.create_task_group() as group:
        group.start_soon(one, first)
        group.start_soon(one, second)
    return ends


@pytest.mark.parametrize(
    ("before", "wanted"),
    [(SPEC1, (SPEC2, SPEC3)), (None, (SPEC2, SPEC3)), (SPEC1, LARGER)],
    ids=["update", "first deploy", "scale"],
)
def test_of_two_deployers_one_wins_and_the_other_names_it(
    before: Spec | None, wanted: tuple[Spec, Spec]
) -> None:
    """The loser changes nothing and says who holds the deploy and since when; no lease is left, nothing is lost."""

    async def test(kit: Kit) -> None:
        kit.promises.without = TOGETHER
        if before:
            await kit.deploy(before)
            kit.edit_everywhere()
        kit.runtime.script("*", kit.app(boot_seconds=20.0))
        ends = await both(kit, lambda: run(kit, wanted[0], ADA), lambda: run(kit, wanted[1], BOB))
        (loser,) = [end for end in ends if isinstance(end, CannotLook) or end.ending is Ending.TAKEN_OVER]
        (winner,) = [end for end in ends if isinstance(end, Outcome) and end.ending is Ending.DEPLOYED]
        told = str(loser) if isinstance(loser, CannotLook) else outcome_text("rooms", loser)
        assert f"is held by {ADA}" in told or f"is held by {BOB}" in told
        assert "that run is alive" in told
        await pass_time(1.0)
        kit.end(winner)
        assert leases(kit) == []
        assert kit.lost() == set()

    # Each keeps Fly's limits by itself; two that begin in the same moment share them.
    simulate(test, limits=False)


def test_a_dead_run_is_waited_for_and_then_finished_by_the_next() -> None:
    """A killed run's leases run out by themselves, and nobody else is kept waiting for longer."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        kit.edit_everywhere()
        line = Line(kit.http, cut_at=DRAIN, refuses=True)
        with anyio.CancelScope() as killed:
            async with anyio.create_task_group() as group:
                group.start_soon(run_into, Ends(), kit, SPEC2, ADA, line)
                await line.cut.wait()
                killed.cancel()
        assert leases(kit)
        end = await run(kit, SPEC2, BOB)
        assert isinstance(end, Outcome)
        assert end.ending is Ending.DEPLOYED
        assert any(f"is held by {ADA}" in line and "waiting" in line for line in kit.said)
        assert leases(kit) == []
        assert kit.lost() == set()

    simulate(test)


async def run_into(ends: Ends, kit: Kit, wanted, holder: Holder, line: Line) -> None:
    ends.append(await run(kit, wanted, holder, http=line))


def test_an_outage_that_outlasts_the_leases_is_borne() -> None:
    """Cut off for a minute in the middle of the drain, with nobody else about, it takes its leases again."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        kit.edit_everywhere()
        line, ends = Line(kit.http, cut_at=DRAIN, refuses=True), Ends()
        async with anyio.create_task_group() as group:
            group.start_soon(run_into, ends, kit, SPEC2, ADA, line)
            await line.cut.wait()
            await pass_time(60.0)
            line.mended.set()
        (end,) = ends
        assert isinstance(end, Outcome)
        assert end.ending is Ending.DEPLOYED, end.failure
        assert any("has them again" in said for said in kit.said)
        kit.end(end)
        assert leases(kit) == []
        assert kit.lost() == set()

    simulate(test)


@pytest.mark.parametrize("cut_at", ["POST machines", DRAIN, "POST cordon", "DELETE machine"])
def test_a_suspended_run_that_wakes_up_behind_another_changes_nothing(cut_at: str) -> None:
    """Its writes that were on their way are refused, and then it stops, and names who has taken over."""

    async def test(kit: Kit) -> None:
        kit.promises.without = TOGETHER
        await kit.deploy(SPEC1)
        kit.edit_everywhere()
        line, ends = Line(kit.http, cut_at=cut_at), Ends()
        async with anyio.create_task_group() as group:
            group.start_soon(run_into, ends, kit, SPEC2, ADA, line)
            await line.cut.wait()
            await pass_time(20.0)
            second = await run(kit, SPEC3, BOB)
            assert isinstance(second, Outcome), second
            assert second.ending is Ending.DEPLOYED
            kit.edit_everywhere()
            before = kit.routed()
            line.mended.set()
        assert kit.routed() == before
        (end,) = ends
        assert isinstance(end, Outcome), end
        assert end.ending in (Ending.TAKEN_OVER, Ending.UNKNOWN)
        assert kit.lost() == set()
        assert isinstance(second, Outcome)
        kit.end(second)

    simulate(test)


def test_every_write_to_a_leased_machine_shows_its_nonce() -> None:
    """Nothing of a whole update is refused by a lease, the holder's own writes least of all (omadia 705)."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        await kit.deploy(SPEC2)
        assert not [record for record in kit.history("request") if record["status"] == 409]
        assert leases(kit) == []

    simulate(test)


def test_a_person_cannot_change_what_is_being_deployed() -> None:
    """The negative control: without a nonce Fly refuses, so leases are really held while a deploy runs."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        refused: list[int] = []

        async def meddle(boot) -> None:
            await kit.scripted.start(boot)
            if boot.name.startswith("rooms-g2") and not refused:
                headers = {"authorization": "Bearer local"}
                async with httpx.AsyncClient(
                    transport=kit.http, base_url="http://fly.test", headers=headers
                ) as http:
                    for machine in kit.machines():
                        answer = await http.post(f"/v1/apps/rooms/machines/{machine.id}/stop", json={})
                        refused.append(answer.status_code)

        kit.runtime.script("*", kit.app(on_start=meddle))
        await kit.deploy(SPEC2)
        assert set(refused) == {409}

    simulate(test)


@pytest.mark.parametrize(
    ("at", "ending", "serves"),
    [
        ("wait until every check passes", Ending.ABORTED, "g1"),
        ("prove saved state", Ending.ABORTED, "g1"),
        ("record green as the owner", Ending.DEPLOYED, "g2"),
        ("watch checks", Ending.UNFINISHED, "g2"),
    ],
)
def test_a_run_that_is_asked_to_stop_stops_where_one_cluster_serves(
    at: str, ending: Ending, serves: str
) -> None:
    """Before the commit point it is undone, behind it green is made to serve first; the next run does the rest."""
    wanted = spec(image=V2, bake="60s" if ending is Ending.UNFINISHED else "0s")

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        kit.edit_everywhere()

        before = len(kit.said)

        def stop() -> str:
            return "Ctrl-C" if any(f": {at}" in line for line in kit.said[before:]) else ""

        end = await run(kit, wanted, ADA, stop=stop)
        assert isinstance(end, Outcome)
        assert end.ending is ending, end.failure
        await pass_time(1.0)
        kit.end(end)
        assert {name.split("-")[1] for name in kit.routed()} == {serves}
        assert leases(kit) == []
        last = await run(kit, wanted, BOB)
        assert isinstance(last, Outcome)
        assert last.succeeded
        assert kit.lost() == set()

    simulate(test)


def test_a_run_that_waits_for_anothers_leases_hears_ctrl_c() -> None:
    """It says so at once, has changed nothing, and leaves no lease; the other one is not disturbed."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        kit.promises.without = TOGETHER
        asked_after = kit.world.clock.now() + 2.0

        async def late() -> End:
            await pass_time(0.5)
            ended = await run(
                kit, SPEC3, BOB, stop=lambda: "Ctrl-C" if kit.world.clock.now() > asked_after else ""
            )
            assert kit.world.clock.now() < asked_after + 2.0
            return ended

        kit.runtime.script("rooms-g2-*", kit.app(boot_seconds=30.0))
        second, first = await both(kit, lambda: run(kit, SPEC2, ADA), late)
        assert isinstance(first, Outcome), first
        assert first.ending is Ending.DEPLOYED
        assert isinstance(second, CannotLook)
        assert str(second) == "Ctrl-C: stopped before anything was changed"
        assert leases(kit) == []

    simulate(test)
