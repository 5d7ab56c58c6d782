"""A change of counts or regions alone: verified machines are added, drained ones removed, the rest is not touched."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import anyio
import pytest

from providers.bluegreen.deploy import CannotLook, Request, preview
from providers.bluegreen.model import Observation, Release
from providers.bluegreen.outcome import Ending
from providers.bluegreen.plan import next_step
from providers.bluegreen.report import plan_lines
from providers.bluegreen.resolve import resolve
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import Spec
from providers.gates.store import StoreRefused
from tests.bluegreen.faults import Fault, Faulty
from tests.bluegreen.promises import Rules
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import serving, spec, world

HTTP_TEST = {"type": "http", "name": "answers", "path": "/version"}
STATELESS: dict[str, Any] = {"cutover": "overlap", "state_store": None}
BESIDE = Rules(handoff=False)
FIRST = {"rooms-g1-ams-1", "rooms-g1-iad-1"}
MORE = FIRST | {"rooms-g1-ams-2"}


def counts(ams: int, iad: int, **more: Any) -> Spec:
    """So many machines in two regions; none where 0."""
    regions = {region: count for region, count in (("ams", ams), ("iad", iad)) if count}
    return spec(**{"image": V1, "regions": regions} | more)


async def pass_time(seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await anyio.sleep_forever()


async def serve(kit: Kit, wanted: Spec) -> None:
    kit.end(await kit.deploy(wanted))
    await pass_time(1.0)
    kit.edit_everywhere()


def names(kit: Kit) -> set[str]:
    return {machine.name for machine in kit.machines()}


def ids_of(kit: Kit, *wanted: str) -> set[str]:
    return {machine.id for machine in kit.machines() if machine.name in wanted}


def touched(kit: Kit, since: int, ids: set[str]) -> list[str]:
    """What was changed on these machines since then; a lease changes nothing that anybody sees."""
    asked = (
        r for r in kit.history("request") if r["n"] > since and r["method"] != "GET" and r["status"] < 400
    )
    return [r["path"] for r in asked if r["machine_id"] in ids and not r["path"].endswith("/lease")]


def now(kit: Kit) -> int:
    return len(kit.world.history.read())


async def plan_of(kit: Kit, wanted: Spec) -> str:
    async with kit.context(wanted) as ctx:
        return "\n".join(plan_lines(*await preview(ctx, Request())))


@pytest.mark.parametrize(("more", "rules"), [({}, None), (STATELESS, BESIDE)], ids=["handoff", "overlap"])
def test_more_machines_are_verified_then_routed_and_the_rest_is_not_touched(
    more: dict[str, Any], rules: Rules | None
) -> None:
    """Of the same release; tests run on the new ones, edits go on everywhere, and a second run changes nothing."""

    async def test(kit: Kit) -> None:
        await serve(kit, counts(1, 1, **more))
        stays, since = ids_of(kit, *FIRST), now(kit)
        outcome = await kit.deploy(counts(2, 1, tests=[HTTP_TEST], min_healthy="5s", **more))
        await pass_time(1.0)
        kit.end(outcome)
        assert outcome.ending is Ending.DEPLOYED
        assert outcome.window_s is None
        assert outcome.serving
        assert outcome.serving.regions == {"ams": 2, "iad": 1}
        assert kit.routed() == names(kit) == MORE
        assert touched(kit, since, stays) == []
        assert [name for name, asked in kit.scripted.requests if "/version" in asked] == ["rooms-g1-ams-2"]
        new = ids_of(kit, "rooms-g1-ams-2").pop()
        healthy = next(r["n"] for r in kit.history("machine") if r["machine_id"] == new and r["healthy"])
        assert healthy < next(r["n"] for r in kit.history("routes") if new in r["machine_ids"])
        kit.edit_everywhere()
        kit.end(await kit.deploy(counts(2, 1, **more)))
        assert kit.outcomes[-1].ending is Ending.UNCHANGED
        assert kit.outcomes[-1].api_calls == 2

    simulate(test, rules=rules)


def test_a_new_region_is_added_and_the_preview_says_what_stays() -> None:
    """The plan is about the added machines only, and names those that are not touched."""

    async def test(kit: Kit) -> None:
        await serve(kit, counts(1, 0))
        plan = await plan_of(kit, counts(1, 2))
        assert "scale of rooms" in plan
        assert "2 machines (iad 2)" in plan
        assert "1 machine (ams 1) is not touched" in plan
        assert "drain-old" not in plan
        kit.end(await kit.deploy(counts(1, 2)))
        await pass_time(1.0)
        assert kit.routed() == {"rooms-g1-ams-1", "rooms-g1-iad-1", "rooms-g1-iad-2"}

    simulate(test)


def test_an_added_machine_is_let_in_before_it_is_routed_and_not_before_it_is_verified() -> None:
    """Its record in the store comes after its tests, and before its first route; those of a first deploy need none."""

    async def test(kit: Kit) -> None:
        await serve(kit, counts(1, 1))
        added: list[tuple[str, int]] = []
        commit = kit.store.on_put

        def note(key: str, content: bytes) -> None:
            if commit:
                commit(key, content)
            if "added/" in key:
                added.append((key, now(kit)))

        kit.store.on_put = note
        kit.end(outcome := await kit.deploy(counts(2, 1, tests=[HTTP_TEST])))
        new = next(machine for machine in kit.machines() if machine.name == "rooms-g1-ams-2")
        assert [key for key, _ in added] == [f"added/{outcome.owner}/{new.id}.json"]
        tested = next(r["n"] for r in kit.history("said") if "test answers passed" in r["text"])
        routed = next(r["n"] for r in kit.calls("uncordon") if r["machine_id"] == new.id)
        assert tested < added[0][1] < routed

    simulate(test)


def test_an_added_machine_that_the_store_does_not_let_in_is_removed() -> None:
    """Nobody was routed to it yet: without an answer from the store the scale is undone."""

    async def test(kit: Kit) -> None:
        await serve(kit, counts(1, 1))
        kit.store.creates_fail = True
        outcome = await kit.deploy(counts(2, 1, deadlines={"switch_routes": "5s"}))
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert "the state store to take added/" in outcome.failure.reasons[1]
        await pass_time(1.0)
        kit.end(outcome)
        assert kit.routed() == names(kit) == FIRST

    simulate(test)


def test_a_scale_that_has_let_in_one_of_two_goes_no_step_back() -> None:
    """It says that it is unfinished, and what serves; the one that is let in stays, and the next run routes both."""

    async def test(kit: Kit) -> None:
        await serve(kit, counts(1, 1))
        create = kit.store.create

        async def create_one(key: str, body: bytes) -> bool:
            if any(machine.id in key for machine in kit.machines() if machine.name == "rooms-g1-ams-3"):
                raise StoreRefused("403 AccessDenied")
            return await create(key, body)

        kit.store.create = create_one  # type: ignore[method-assign]
        outcome = await kit.deploy(counts(3, 1))
        assert outcome.ending is Ending.UNFINISHED
        assert outcome.failure
        assert "(rooms-g1-ams-3) cannot be let in" in " ".join(outcome.failure.reasons)
        assert outcome.serving
        assert {machine.name for machine in outcome.serving.machines} == FIRST
        await pass_time(1.0)
        kit.end(outcome)
        let_in, since = ids_of(kit, "rooms-g1-ams-2"), now(kit)
        kit.store.create = create  # type: ignore[method-assign]
        kit.end(await kit.deploy(counts(3, 1)))
        assert kit.outcomes[-1].ending is Ending.DEPLOYED
        await pass_time(1.0)
        assert kit.routed() == names(kit) == MORE | {"rooms-g1-ams-3"}
        assert not [r for r in kit.calls("delete_machine") if r["n"] > since]
        assert ids_of(kit, "rooms-g1-ams-2") == let_in

    simulate(test)


def test_an_added_machine_that_fails_is_removed_and_the_others_never_know() -> None:
    """Before it is routed a scale is undone; nothing of the machines that serve was touched."""

    async def test(kit: Kit) -> None:
        await serve(kit, counts(1, 1))
        stays, since = ids_of(kit, *FIRST), now(kit)
        kit.runtime.script("rooms-g1-ams-2", kit.app(healthy_after=inf))
        outcome = await kit.deploy(counts(2, 1))
        kit.end(outcome)
        assert outcome.ending is Ending.ABORTED
        assert outcome.serving
        assert kit.routed() == names(kit) == FIRST
        assert touched(kit, since, stays) == []
        kit.runtime.script("rooms-g1-ams-2", kit.app())
        await pass_time(5.0)
        kit.end(await kit.deploy(counts(2, 1)))
        assert names(kit) == MORE

    simulate(test)


def test_stateless_machines_are_cordoned_and_stopped_before_they_are_removed() -> None:
    """Under overlap a smaller count takes machines away, one region for another adds and takes; the rest stays."""

    async def test(kit: Kit) -> None:
        await serve(kit, counts(2, 0, **STATELESS))
        stays, since = ids_of(kit, "rooms-g1-ams-1"), now(kit)
        gone = ids_of(kit, "rooms-g1-ams-2")
        kit.end(await kit.deploy(counts(1, 1, **STATELESS)))
        assert kit.outcomes[-1].ending is Ending.DEPLOYED
        await pass_time(1.0)
        assert kit.routed() == names(kit) == FIRST
        assert touched(kit, since, stays) == []
        taken = [
            r["action"] for r in kit.calls("cordon", "stop", "delete_machine") if r["machine_id"] in gone
        ]
        assert taken == ["cordon", "stop", "delete_machine"]
        new = next(r["n"] for r in kit.calls("set_metadata_key") if r["n"] > since)
        assert new < next(r["n"] for r in kit.calls("cordon") if r["n"] > since)
        kit.end(await kit.deploy(counts(1, 0, **STATELESS)))
        assert kit.outcomes[-1].ending is Ending.DEPLOYED
        assert names(kit) == {"rooms-g1-ams-1"}
        assert touched(kit, since, stays) == []

    simulate(test, rules=BESIDE)


def test_no_machine_leaves_others_that_fail_their_checks() -> None:
    """The well one of two would have gone, and users had been left with the ill one: a verified cluster takes over."""

    async def test(kit: Kit) -> None:
        await serve(kit, counts(2, 0, **STATELESS))
        ill, well = (next(iter(ids_of(kit, f"rooms-g1-ams-{nth}"))) for nth in (1, 2))
        kit.promises.excuse(ill)
        program = kit.runtime.programs[ill]
        program.behaviour = replace(program.behaviour, healthy_after=inf)
        await pass_time(20.0)
        since = now(kit)
        kit.end(await kit.deploy(counts(1, 0, **STATELESS)))
        assert kit.outcomes[-1].ending is Ending.DEPLOYED
        assert kit.routed() == names(kit) == {"rooms-g2-ams-1"}
        order = [(r["action"], r["machine_id"]) for r in kit.calls("uncordon", "cordon") if r["n"] > since]
        assert [action for action, _ in order] == ["uncordon", "cordon", "cordon"]
        assert {machine_id for action, machine_id in order if action == "cordon"} == {ill, well}

    simulate(test, rules=BESIDE)


@pytest.mark.parametrize(
    "wanted",
    [counts(1, 1), counts(2, 2, image=V2), counts(1, 2)],
    ids=["fewer", "image and counts", "moved"],
)
def test_what_holds_state_leaves_in_a_whole_rollout(wanted: Spec) -> None:
    """Fewer machines under handoff, or another image beside other counts: all of blue is proven saved first."""

    async def test(kit: Kit) -> None:
        await serve(kit, counts(2, 1))
        assert "rollout of rooms (handoff)" in (plan := await plan_of(kit, wanted))
        assert ("machines leave" in plan) is (wanted.image == V1)
        outcome = await kit.deploy(wanted)
        await pass_time(1.0)
        kit.end(outcome)
        assert outcome.ending is Ending.DEPLOYED
        assert len(outcome.proofs) == 3
        assert all(machine.name.startswith("rooms-g2-") for machine in kit.machines())
        assert len(kit.machines()) == wanted.machine_count

    simulate(test)


def test_a_machine_that_somebody_removed_is_no_reason_to_scale() -> None:
    """What it held has no owner in this release: the next release takes it over, as when the count had stayed."""

    async def test(kit: Kit) -> None:
        await serve(kit, counts(2, 1))
        gone = next(machine for machine in kit.machines() if machine.name == "rooms-g1-ams-2")
        kit.promises.excuse(gone.id)
        async with kit.context(counts(2, 1)) as ctx:
            await ctx.machines.destroy(gone.id)
        kit.scripted.acknowledged = [edit for edit in kit.scripted.acknowledged if edit not in kit.lost()]
        kit.end(await kit.deploy(counts(3, 1)))
        await pass_time(1.0)
        assert names(kit) == {f"rooms-g2-{rest}" for rest in ("ams-1", "ams-2", "ams-3", "iad-1")}

    simulate(test)


async def struck(kit: Kit, wanted: Spec, fault: Fault | None, at: int = 0) -> list[str]:
    """Deploy with a fault at the ``at``-th call; the calls that were made."""
    inner = kit.http
    with anyio.CancelScope() as deployer:
        faulty = kit.http = Faulty(inner, fault, at, killed=deployer)
        await kit.deploy(wanted)
    kit.http = inner
    return faulty.calls


OLD_DIGEST = "0a80bd16a7"
"""Of ``counts(1, 1)``, as it was when counts and regions were part of it."""


def old(generation: int = 1) -> Observation:
    """A cluster that was made then: its machines say nothing of counts."""
    release = Release(generation, OLD_DIGEST)
    machines = serving(counts(1, 1), generation)
    return world(tuple(replace(machine, release=release) for machine in machines))


def test_a_release_of_the_time_when_counts_were_in_its_digest_is_known_again() -> None:
    """After an upgrade nothing is rolled out, and a scale is one of that release; a new image is a rollout."""
    assert next_step(Scene(resolve(counts(1, 1), old()), old())) is None
    scaled = resolve(counts(2, 1), old())
    assert (scaled.goal, str(scaled.release)) == ("scale", f"1-{OLD_DIGEST}")
    assert set(scaled.wanted) == {"rooms-g1-ams-2"}
    after = scaled.wanted.keys() | scaled.kept
    added = replace(
        old().seen[0], id="new", name="rooms-g1-ams-2", added=True, counts=(("ams", 2), ("iad", 1))
    )
    bigger = world((*old().seen, added))
    assert after == {machine.name for machine in bigger.seen}
    assert next_step(Scene(resolve(counts(2, 1), bigger), bigger)) is None
    assert resolve(counts(1, 1, image=V2), old()).goal == "deploy"
    assert resolve(counts(1, 1, image=V2), old()).release.generation == 2


CASES = {
    "up": (counts(1, 1), counts(2, 2), None),
    "moved": (counts(2, 0, **STATELESS), counts(1, 1, **STATELESS), BESIDE),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("back", [False, True], ids=["same", "back"])
def test_a_scale_that_is_killed_anywhere_is_finished_or_undone_by_the_next_run(case: str, back: bool) -> None:
    """Before or after each call that changes something; the next run wants the same, or the counts of before. The same
    is finished without a new release.
    """
    first, second, rules = CASES[case]
    calls = _calls_of(case)
    changes = [n for n, call in enumerate(calls, 1) if not call.startswith("GET") and "lease" not in call]
    assert len(changes) >= 4
    for at in changes:
        fault: Fault = "killed after" if at % 2 else "killed before"
        simulate(_killed(first, second, fault, at, back), rules=rules)


def _calls_of(case: str) -> list[str]:
    """What a scale that meets nothing asks of the API."""
    first, second, rules = CASES[case]
    calls: list[str] = []

    async def recorded(kit: Kit) -> None:
        await serve(kit, first)
        calls.extend(await struck(kit, second, None))

    simulate(recorded, rules=rules)
    return calls


def _killed(first: Spec, second: Spec, fault: Fault, at: int, back: bool) -> Any:
    async def test(kit: Kit) -> None:
        await serve(kit, first)
        await struck(kit, second, fault, at)
        await pass_time(20.0)
        kit.edit_everywhere()
        wanted = first if back else second
        for _ in range(2):
            outcome = await kit.deploy(wanted)
            await pass_time(1.0)
            kit.end(outcome)
            assert outcome.succeeded, (fault, at, outcome)
            assert outcome.serving
            assert outcome.serving.regions == wanted.regions
            assert back or outcome.serving.release.generation == 1
            kit.edit_everywhere()
        assert kit.outcomes[-1].ending is Ending.UNCHANGED, (fault, at)

    return test


@pytest.mark.parametrize("case", CASES)
def test_a_scale_that_meets_a_fault_keeps_every_promise_and_the_next_run_ends_it(case: str) -> None:
    """A refusal or a lost answer at each of its calls."""
    first, second, rules = CASES[case]
    for at in range(3, len(_calls_of(case)) + 1):
        fault: Fault = "403" if at % 2 else "reset applied"
        simulate(_faulty(first, second, fault, at), rules=rules)


def _faulty(first: Spec, second: Spec, fault: Fault, at: int) -> Any:
    async def test(kit: Kit) -> None:
        await serve(kit, first)
        try:
            await struck(kit, second, fault, at)
            await pass_time(20.0)
            kit.end(kit.outcomes[-1])
        except CannotLook:
            kit.end(None)
        await pass_time(20.0)
        outcome = await kit.deploy(second)
        await pass_time(1.0)
        kit.end(outcome)
        assert outcome.succeeded, (fault, at, outcome)

    return test
