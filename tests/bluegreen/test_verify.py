"""verify: what is asked of green before anything changes for users, and what a failure leaves."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from providers.bluegreen import lifecycle
from providers.bluegreen.deploy import Request, preview
from providers.bluegreen.journal import task_metadata
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Phase, Release
from providers.bluegreen.outcome import Ending
from providers.bluegreen.report import plan_lines
from simulator.runtime import ExecResult
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

NAMES1 = {"rooms-g1-ams-1", "rooms-g1-iad-1"}
HTTP = {"type": "http", "name": "answers", "path": "/version"}
EXEC = {"type": "exec", "name": "inside", "argv": ["bin/check"]}
MACHINE = {"type": "machine", "name": "beside", "argv": ["bin/smoke"]}


async def serve_v1(kit: Kit) -> None:
    assert (await kit.deploy(spec(image=V1))).ending is Ending.DEPLOYED
    with anyio.move_on_after(1.0):
        await anyio.sleep_forever()
    kit.edit_everywhere()


def answering(kit: Kit, status: int, body: bytes = b"{}") -> Any:
    async def serve(boot, method, target, content):
        return status, body

    return kit.app(serve=serve)


def executing(kit: Kit, code: int, out: str = "") -> Any:
    return kit.app(execute=lambda boot, argv: ExecResult(code, 0, out, ""))


def ending(kit: Kit, code: int, *lines: str) -> Any:
    """A machine whose program ends by itself."""
    return kit.app(crash_after=1.0, crash_code=code, output=lines)


async def assert_untouched(kit: Kit) -> None:
    """Blue exactly as it was: no cordon, no signal, the same memory; and green is gone, with every task."""
    assert kit.calls("cordon", "stop", "signal") == []
    assert {machine.name for machine in kit.machines()} == NAMES1
    assert kit.routed() == NAMES1
    assert kit.lost() == set()


CASES: dict[str, tuple[dict[str, Any], str, Any]] = {
    "http": (HTTP, "rooms-g2-iad-1", lambda kit, good: answering(kit, 200 if good else 500, b"boom")),
    "exec": (EXEC, "rooms-g2-*", lambda kit, good: executing(kit, 0 if good else 3, "no such table")),
    "machine": (MACHINE, "rooms-task-*", lambda kit, good: ending(kit, 0 if good else 3, "no such table")),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_test_that_passes_is_reported_with_its_own_row(kind) -> None:
    """It has a row in the plan and one in the outcome, and green serves afterwards."""
    test_of, pattern, script = CASES[kind]

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.runtime.script(pattern, script(kit, True))
        wanted = spec(image=V2, tests=[test_of])
        async with kit.context(wanted) as ctx:
            scene, steps = await preview(ctx, Request())
        assert f"test {test_of['name']} ({kind}" in "\n".join(plan_lines(scene, steps))
        outcome = await kit.deploy(wanted)
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        assert [result.name for result in outcome.tests] == [test_of["name"]]
        assert not [machine for machine in kit.machines() if "task" in machine.name]

    simulate(test)


@pytest.mark.parametrize("kind", CASES)
def test_a_test_that_fails_leaves_blue_as_it_was(kind) -> None:
    """No cordon, no signal; green is gone; the failure names the test and what it found."""
    test_of, pattern, script = CASES[kind]

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.runtime.script(pattern, script(kit, False))
        outcome = await kit.deploy(spec(image=V2, tests=[test_of]))
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert outcome.failure.phase is Phase.VERIFY
        told = " ".join(outcome.failure.reasons)
        assert test_of["name"] in told
        assert {"http": "500", "exec": "no such table", "machine": "no such table"}[kind] in told
        await assert_untouched(kit)

    simulate(test)


@pytest.mark.parametrize("kind", CASES)
def test_without_the_gate_a_failing_test_stops_nothing(kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: taken out, the failing test is not noticed."""
    test_of, pattern, script = CASES[kind]
    monkeypatch.setattr(lifecycle, "HANDOFF", tuple(r for r in lifecycle.HANDOFF if r.do is not Do.TEST))

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.runtime.script(pattern, script(kit, False))
        assert (await kit.deploy(spec(image=V2, tests=[test_of]))).ending is Ending.DEPLOYED

    simulate(test)


@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        ("once", ["rooms-g2-ams-1"]),
        ("per-region", ["rooms-g2-ams-1", "rooms-g2-iad-1"]),
        ("per-machine", ["rooms-g2-ams-1", "rooms-g2-ams-2", "rooms-g2-iad-1", "rooms-g2-iad-2"]),
    ],
)
def test_a_scope_decides_which_machines_are_asked(scope, asked) -> None:
    """Once, once a region, or each machine."""

    async def test(kit: Kit) -> None:
        two = {"ams": 2, "iad": 2}
        await kit.deploy(spec(image=V1, regions=two))
        await kit.deploy(spec(image=V2, regions=two, tests=[HTTP | {"scope": scope}]))
        assert sorted(name for name, what in kit.scripted.requests if what == "GET /version") == asked

    simulate(test)


def test_a_test_that_hangs_is_ended_at_its_own_deadline() -> None:
    """Not at the phase's, and the reason says which test and how long it had."""

    async def test(kit: Kit) -> None:
        async def hang(boot, method, target, content):
            await anyio.sleep_forever()

        await serve_v1(kit)
        kit.runtime.script("rooms-g2-*", kit.app(serve=hang))
        outcome = await kit.deploy(spec(image=V2, tests=[HTTP | {"deadline": "7s"}]))
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert "answers" in outcome.failure.reasons[0]
        assert "7s" in outcome.failure.reasons[0]
        await assert_untouched(kit)

    simulate(test)


def test_a_failed_green_is_kept_for_inspection_when_asked() -> None:
    """Unrouted, beside a blue that serves; the next run goes on with it."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.runtime.script("rooms-g2-*", answering(kit, 500))
        wanted = spec(image=V2, tests=[HTTP], keep_failed_green=True)
        assert (await kit.deploy(wanted)).ending is Ending.ABORTED
        assert {m.name for m in kit.machines()} == NAMES1 | {"rooms-g2-ams-1", "rooms-g2-iad-1"}
        assert kit.routed() == NAMES1
        creates = len(kit.calls("create_machine"))
        assert (await kit.deploy(spec(image=V2))).ending is Ending.DEPLOYED
        assert len(kit.calls("create_machine")) == creates

    simulate(test)


def test_a_green_that_flaps_is_not_verified() -> None:
    """It passes once; it has to stay so for the whole of min_healthy."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.runtime.script("rooms-g2-iad-1", kit.app(flap_seconds=8.0))
        outcome = await kit.deploy(spec(image=V2, min_healthy="30s"))
        assert outcome.ending is Ending.ABORTED
        assert "rooms-g2-iad-1" in " ".join(outcome.failure.reasons if outcome.failure else ())
        await assert_untouched(kit)
        kit.runtime.script("rooms-g2-iad-1", kit.app())
        assert (await kit.deploy(spec(image=V2, min_healthy="30s"))).ending is Ending.DEPLOYED

    simulate(test)


def test_without_min_healthy_a_flapping_green_is_believed() -> None:
    """The negative control of min_healthy."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.runtime.script("rooms-g2-iad-1", kit.app(flap_seconds=8.0))
        assert (await kit.deploy(spec(image=V2))).ending is Ending.DEPLOYED

    simulate(test)


def test_the_release_command_runs_once_before_the_first_machine_of_green() -> None:
    """In a machine of the new image, which is gone afterwards."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.runtime.script("rooms-task-*", ending(kit, 0))
        wanted = spec(image=V2, release_command={"argv": ["bin/migrate"]})
        assert (await kit.deploy(wanted)).ending is Ending.DEPLOYED
        names = {record["machine_id"]: record["name"] for record in kit.history("machine")}
        created = list(dict.fromkeys(names.values()))
        assert created.index("rooms-task-g2-release-command") < created.index("rooms-g2-ams-1")
        assert not [machine for machine in kit.machines() if "task" in machine.name]
        assert (await kit.deploy(wanted)).ending is Ending.UNCHANGED

    simulate(test)


def test_a_release_command_that_fails_aborts_with_its_last_lines() -> None:
    """No machine of green is ever created."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.runtime.script("rooms-task-*", ending(kit, 7, "migrating", "no such table"))
        outcome = await kit.deploy(spec(image=V2, release_command={"argv": ["bin/migrate"]}))
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert outcome.failure.phase is Phase.CREATE_NEW
        told = " ".join(outcome.failure.reasons)
        assert "code 7" in told
        assert "no such table" in told
        await assert_untouched(kit)

    simulate(test)


def test_a_task_that_a_killed_run_left_is_removed_by_the_next() -> None:
    """A machine of a test that nobody waits for any more is found by its metadata."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        wanted = spec(image=V1)
        async with kit.context(wanted) as ctx:
            await ctx.machines.create(
                name="rooms-task-g2-smoke",
                region="ams",
                config={"image": V1, "metadata": task_metadata(wanted, Release(2, wanted.digest), "smoke")},
                skip_service_registration=True,
            )
        assert (await kit.deploy(wanted)).ending is Ending.DEPLOYED
        assert {machine.name for machine in kit.machines()} == NAMES1
        assert kit.routed() == NAMES1

    simulate(test)


def test_a_green_that_cannot_read_its_predecessors_state_is_found_while_blue_is_untouched() -> None:
    """The rehearsal fails, with the app's own words."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.runtime.script(
            "rooms-g2-*", kit.app(rehearsal=(422, b'{"error": "rooms/7: format 1 is unknown"}'))
        )
        outcome = await kit.deploy(spec(image=V2, rehearsal={}))
        assert outcome.ending is Ending.ABORTED
        assert "format 1 is unknown" in " ".join(outcome.failure.reasons if outcome.failure else ())
        await assert_untouched(kit)
        kit.runtime.script("rooms-g2-*", kit.app())
        assert (await kit.deploy(spec(image=V2, rehearsal={}))).ending is Ending.DEPLOYED

    simulate(test)


def test_without_the_rehearsal_the_same_green_serves() -> None:
    """The negative control: nobody has asked it."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.runtime.script("rooms-g2-*", kit.app(rehearsal=(422, b"{}")))
        assert (await kit.deploy(spec(image=V2))).ending is Ending.DEPLOYED

    simulate(test)
