"""Drains that keep the app alive: quiesce, save, prove, and only then stop; else back to work with its memory."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from providers.bluegreen import lifecycle
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending
from tests.bluegreen.faults import Faulty
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

BY_REQUEST = {"drain": {"type": "request"}}
BY_SIGNAL = {"drain": {"type": "signal"}}
NAMES1 = {"rooms-g1-ams-1", "rooms-g1-iad-1"}
GONE = {"objects": [{"key": "rooms/gone.json", "etag": '"x"', "bytes": 1}]}

alive = pytest.mark.parametrize("alive", [BY_REQUEST, BY_SIGNAL], ids=["request", "signal"])


async def serve_v1(kit: Kit, **more) -> None:
    """v1 serves, and every machine has an edit that is in its memory alone."""
    assert (await kit.deploy(spec(image=V1, **more))).ending is Ending.DEPLOYED
    await learned()
    kit.edit_everywhere()
    assert len(kit.scripted.acknowledged) == 2
    kit.said.clear()


async def learned() -> None:
    """The proxy has learned of the last change."""
    with anyio.move_on_after(1.0):
        await anyio.sleep_forever()


def marked(kit: Kit) -> list[str]:
    return [machine.name for machine in kit.machines() if "bluegreen_draining" in machine.metadata]


async def assert_undisturbed(kit: Kit) -> None:
    """Blue serves with the very boots and the memory of before, takes edits, and carries no mark."""
    await learned()
    assert kit.routed() == NAMES1
    assert kit.calls("stop") == []
    assert kit.lost() == set()
    before = len(kit.scripted.acknowledged)
    kit.edit_everywhere()
    assert len(kit.scripted.acknowledged) == before + 2
    assert marked(kit) == []


@alive
def test_state_is_proven_while_blue_is_alive_and_then_it_is_stopped(alive) -> None:
    """Quiesce, prove, stop, record, route: in this order, and every edit is in the store."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit, **alive)
        outcome = await kit.deploy(spec(image=V2, **alive))
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        assert len(outcome.proofs) == 2
        assert kit.scripted.saved == set(kit.scripted.acknowledged)
        steps = ("quiesce", "saved state proven", "stop gracefully", "record green", "switch-routes: route")
        order = [next(i for i, line in enumerate(kit.said) if step in line) for step in steps]
        assert order == sorted(order)

    simulate(test)


@alive
def test_a_failed_proof_costs_nothing(alive) -> None:
    """Blue is taken back to work without a stop: same boot, same memory, edits are taken again, and green is gone."""

    async def test(kit: Kit) -> None:
        kit.runtime.script("rooms-g1-iad-1", kit.app(manifest=GONE))
        await serve_v1(kit, **alive)
        outcome = await kit.deploy(spec(image=V2, **alive))
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert outcome.failure.phase is Phase.DRAIN_OLD
        assert "rooms/gone.json" in " ".join(outcome.failure.reasons)
        await assert_undisturbed(kit)

    simulate(test)


def test_without_the_proof_a_broken_manifest_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the proof of a living blue: taken out, the deploy goes through."""
    rows = tuple(row for row in lifecycle.HANDOFF if row.do is not Do.PROVE_SAVED)
    monkeypatch.setattr(lifecycle, "HANDOFF", rows)

    async def test(kit: Kit) -> None:
        kit.runtime.script("rooms-g1-iad-1", kit.app(manifest=GONE))
        await serve_v1(kit, **BY_REQUEST)
        assert (await kit.deploy(spec(image=V2, **BY_REQUEST))).ending is Ending.DEPLOYED

    simulate(test)


def test_an_outage_of_s3_during_the_drain_costs_nothing_by_request() -> None:
    """Nothing can be saved, the phase's deadline passes, and blue goes on with what nobody else has."""

    async def test(kit: Kit) -> None:
        slow = {"deadlines": {"drain_old": "20s"}}
        await serve_v1(kit, **BY_REQUEST, **slow)
        kit.runtime.script("rooms-g2-*", kit.app(on_start=lambda boot: outage(kit, boot)))
        outcome = await kit.deploy(spec(image=V2, **BY_REQUEST, **slow))
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert "20s has passed" in " ".join(outcome.failure.reasons)
        assert kit.scripted.saved == set()
        await assert_undisturbed(kit)

    async def outage(kit: Kit, boot) -> None:
        """The store fails for saves alone, so that everything before the drain goes through."""
        kit.scripted.outage = True

    simulate(test)


async def take_a_drain_back(kit: Kit, **more) -> None:
    """What was saved cannot be read, so blue resumes; then the store is well again, and users edit."""
    kit.store.unreadable = "rooms/"
    outcome = await kit.deploy(spec(image=V2, **more, deadlines={"drain_old": "20s"}))
    kit.store.unreadable = ""
    assert outcome.ending is Ending.ABORTED, outcome.failure
    await assert_undisturbed(kit)


async def end_by_itself(kit: Kit, name: str, *, saves: bool) -> str:
    """It exits with 0, as a supervisor inside of it may do: nobody has asked Fly for it. Answers its id."""
    machine = next(machine for machine in kit.machines() if machine.name == name)
    kit.promises.excuse(machine.id)
    program = kit.runtime.programs[machine.id]
    if not saves:
        program.behaviour = replace(program.behaviour, on_stop=None)
    program.signal("SIGTERM")
    while str(machine.state) != "stopped":
        await learned()
    return str(machine.id)


@alive
def test_a_drain_that_was_taken_back_proves_nothing_of_a_machine_that_ends_by_itself_later(alive) -> None:
    """What it took since the drain is gone, and the deploy says so. It serves again, and the next one goes through."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit, **alive)
        await take_a_drain_back(kit, **alive)
        ended = await end_by_itself(kit, "rooms-g1-ams-1", saves=False)
        outcome = await kit.deploy(spec(image=V2, **alive))
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert f"`fly machine destroy {ended}`" in " ".join(outcome.failure.reasons)
        assert "without being asked" in " ".join(outcome.failure.reasons)
        await learned()
        assert kit.routed() == NAMES1
        assert (await kit.deploy(spec(image=V2, **alive))).ending is Ending.DEPLOYED

    simulate(test)


@pytest.mark.parametrize("drain", [{}, BY_REQUEST, BY_SIGNAL], ids=["stop", "request", "signal"])
def test_a_machine_that_saves_by_itself_and_ends_is_proven(drain) -> None:
    """As apps do that end when they are idle: its last save is of its end, also behind a drain that was taken back."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit, **drain)
        if drain:
            await take_a_drain_back(kit, **drain)
        await end_by_itself(kit, "rooms-g1-ams-1", saves=True)
        outcome = await kit.deploy(spec(image=V2, **drain))
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        assert kit.lost() == set()

    simulate(test)


def test_by_sigterm_alone_what_was_not_saved_is_lost_and_said() -> None:
    """The difference between the two kinds: blue is killed before it could save, and the failure names each machine."""

    async def test(kit: Kit) -> None:
        kit.runtime.script("rooms-g1-*", kit.app(saves=False, ignores_stop=True))
        await serve_v1(kit, stop_config={"timeout": "5s"})
        outcome = await kit.deploy(spec(image=V2, stop_config={"timeout": "5s"}))
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert all("may be unsaved" in reason for reason in outcome.failure.reasons)
        assert len(kit.lost()) == 2
        await learned()
        assert kit.routed() == NAMES1

    simulate(test)


def test_blue_is_asked_before_anything_changes_for_it() -> None:
    """An app that has no drain endpoint fails the deploy before its first cordon."""

    async def test(kit: Kit) -> None:
        async def no_drain(boot, method, target, body):
            return 404, b"not here"

        kit.runtime.script("rooms-g1-*", kit.app(serve=no_drain))
        await serve_v1(kit, **BY_REQUEST)
        outcome = await kit.deploy(spec(image=V2, **BY_REQUEST))
        assert outcome.ending is Ending.ABORTED
        assert "cannot drain by request" in " ".join(outcome.failure.reasons if outcome.failure else ())
        assert kit.calls("cordon") == []
        await assert_undisturbed(kit)

    simulate(test)


def test_a_release_drains_as_it_can_itself() -> None:
    """v1 knows no drain endpoint, v2 does: v1 is stopped, although v2's configuration says request."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        assert (await kit.deploy(spec(image=V2, **BY_REQUEST))).ending is Ending.DEPLOYED
        assert not any("drain" in what for _, what in kit.scripted.requests)
        assert kit.scripted.saved == set(kit.scripted.acknowledged)

    simulate(test)


@alive
def test_a_blue_that_dies_while_it_drains_fails_the_gate(alive) -> None:
    """It is gone before it has saved: the deploy says so, starts it from its last checkpoint, and switches nothing."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit, **alive)

        async def dies(boot) -> None:
            if boot.machine_id == victim(kit):
                kit.runtime.programs[boot.machine_id].signal("SIGKILL")
                await anyio.sleep_forever()

        kit.runtime.script("rooms-g1-*", kit.app(saves=False))
        kit.scripted.on_drain = dies
        outcome = await kit.deploy(spec(image=V2, **alive, deadlines={"drain_old": "30s"}))
        assert outcome.ending is Ending.ABORTED
        await learned()
        assert kit.routed() == NAMES1
        assert marked(kit) == []

    simulate(test)


def victim(kit: Kit) -> str:
    return next(str(machine.id) for machine in kit.machines() if machine.name == "rooms-g1-ams-1")


@alive
@pytest.mark.parametrize("when", ["killed before", "killed after"])
@pytest.mark.parametrize("image", [V1, V2], ids=["back to the old", "the same"])
def test_a_killed_drain_is_finished_or_taken_back_by_the_next_run(alive, when, image) -> None:
    """Killed at any call of the drain: the next run finds the mark, and blue never stays quiesced or routed twice."""
    old, new, wanted = spec(image=V1, **alive), spec(image=V2, **alive), spec(image=image, **alive)

    async def once(kit: Kit, at: int) -> int:
        await kit.deploy(old)
        await learned()
        kit.edit_everywhere()
        real = kit.http
        with anyio.CancelScope() as deployer:
            kit.http = faulty = Faulty(real, when, at, killed=deployer)
            await kit.deploy(new)
        calls, kit.http = len(faulty.calls), real
        outcome = await kit.deploy(wanted)
        await learned()
        kit.end(outcome)
        assert outcome.succeeded, outcome.failure
        assert kit.lost() == set()
        assert marked(kit) == []
        kit.edit_everywhere()
        assert len(kit.scripted.acknowledged) == 4
        return calls

    calls = 1
    at = 12
    while at <= calls + 1:
        counted: list[int] = []

        async def test(kit: Kit, at: int = at, counted: list[int] = counted) -> None:
            counted.append(await once(kit, at))

        simulate(test)
        calls = counted[0]
        at += 1
