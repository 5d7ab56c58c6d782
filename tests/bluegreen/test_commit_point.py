"""The commit point in S3: one record names the release that owns the state, whatever becomes of its write."""

from __future__ import annotations

import json

import anyio
import pytest

from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.outcome import Ending
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

SPEC1, SPEC2 = spec(image=V1), spec(image=V2)
NAMES1 = {"rooms-g1-ams-1", "rooms-g1-iad-1"}
NAMES2 = {"rooms-g2-ams-1", "rooms-g2-iad-1"}


def owners(kit: Kit) -> list[str]:
    """The releases by their records, oldest first."""
    keys = sorted(key for key in kit.store.objects if key.startswith("owners/"))
    return [json.loads(kit.store.objects[key])["release"] for key in keys]


async def learned() -> None:
    with anyio.move_on_after(1.0):
        await anyio.sleep_forever()


def test_every_switch_leaves_one_record_more() -> None:
    """The latest names what serves; none is ever written again."""

    async def test(kit: Kit) -> None:
        first = await kit.deploy(SPEC1)
        before = dict(kit.store.objects)
        second = await kit.deploy(SPEC2)
        assert first.serving
        assert second.serving
        assert owners(kit) == [str(first.serving.release), str(second.serving.release)]
        assert all(
            kit.store.objects[key] == value for key, value in before.items() if key.startswith("owners/")
        )

    simulate(test)


@pytest.mark.parametrize("lost", ["answer", "request"])
def test_a_commit_whose_answer_is_lost_is_settled_by_reading(lost) -> None:
    """Written or not: exactly one record is green's afterwards, and green serves."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        kit.store.loses = lost
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending is Ending.DEPLOYED
        assert len(owners(kit)) == 2

    simulate(test)


def test_a_commit_that_may_yet_land_is_fenced_before_blue_serves_again() -> None:
    """S3 gives no answer until the phase ends, then comes back: blue takes the number itself, and then serves."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        kit.store.creates_fail = True
        async with anyio.create_task_group() as group:
            group.start_soon(comes_back, kit)
            outcome = await kit.deploy(SPEC2)
            group.cancel_scope.cancel()
        assert outcome.ending is Ending.ABORTED, outcome.failure
        await learned()
        kit.end(outcome)
        assert kit.routed() == NAMES1
        assert len(owners(kit)) == 2
        assert owners(kit)[-1] == owners(kit)[0]
        assert (await kit.deploy(SPEC1)).ending is Ending.UNCHANGED
        assert (await kit.deploy(SPEC2)).ending is Ending.DEPLOYED

    async def comes_back(kit: Kit) -> None:
        """Just after the phase that commits has ended."""
        while not any("switch-routes failed" in line for line in kit.said):
            await anyio.lowlevel.checkpoint()
            with anyio.move_on_after(0.5):
                await anyio.sleep_forever()
        kit.store.creates_fail = False

    simulate(test)


def test_with_s3_gone_in_the_moment_of_the_commit_nothing_is_decided() -> None:
    """Nobody can tell who owns the state: the ending says unknown, destroys nothing, and the next run goes on."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        kit.store.creates_fail = True
        kit.store.unreadable = "owners/"
        kit.store.unreadable_after_create = True
        kit.store.unreadable = ""
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending is Ending.UNKNOWN
        assert {machine.name for machine in kit.machines()} == NAMES1 | NAMES2
        with pytest.raises(CannotLook, match="which release owns the state"):
            await kit.deploy(SPEC2)
        kit.store.creates_fail = kit.store.unreadable_after_create = False
        kit.store.unreadable = ""
        assert (await kit.deploy(SPEC2)).ending is Ending.DEPLOYED
        await learned()
        assert kit.routed() == NAMES2

    simulate(test)


def test_a_prefix_that_somebody_else_owns_is_refused_before_blue_is_touched() -> None:
    """Two apps on one prefix would be two writers."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        stranger = {
            "version": 1,
            "number": 2,
            "release": "7-feedfeed00-beef",
            "previous": None,
            "nonce": "x",
            "at": 1.0,
        }
        kit.store.put("owners/0000000002.json", json.dumps(stranger).encode())
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert "7-feedfeed00-beef" in " ".join(outcome.failure.reasons)
        assert kit.calls("cordon", "stop") == []

    simulate(test)


def test_a_store_that_ignores_create_only_writes_is_refused_before_blue_is_touched() -> None:
    """There two deployers could both commit; the check writes nothing but what is there already."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        kit.store.overwrites = True
        before = dict(kit.store.objects)
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending is Ending.ABORTED
        assert "If-None-Match" in " ".join(outcome.failure.reasons if outcome.failure else ())
        assert kit.store.objects == before
        assert kit.calls("cordon", "stop") == []

    simulate(test)


def test_a_number_that_somebody_else_takes_in_the_last_moment_is_no_commit_of_ours() -> None:
    """Between the check and the commit another deployer was faster: blue serves again, its record stands."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)

        async def takes_it(boot) -> None:
            stranger = {
                "version": 1,
                "number": 2,
                "release": "7-feedfeed00-beef",
                "previous": None,
                "nonce": "x",
                "at": 1.0,
            }
            kit.store.put("owners/0000000002.json", json.dumps(stranger).encode())

        kit.runtime.script("rooms-g1-ams-1", kit.app())
        kit.scripted.on_stop = takes_it
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending in (Ending.ABORTED, Ending.UNKNOWN)
        assert "7-feedfeed00-beef" in " ".join(outcome.failure.reasons if outcome.failure else ())
        await learned()
        assert kit.routed() <= NAMES1

    simulate(test)


def test_a_restore_needs_no_store() -> None:
    """S3 dies while blue drains by request: blue serves again although nothing can be read."""

    async def test(kit: Kit) -> None:
        by_request = {"drain": {"type": "request"}, "deadlines": {"drain_old": "20s"}}
        await kit.deploy(spec(image=V1, **by_request))

        async def dies(boot) -> None:
            kit.store.down = True

        kit.scripted.on_drain = dies
        outcome = await kit.deploy(spec(image=V2, **by_request))
        assert outcome.ending is Ending.ABORTED
        await learned()
        assert kit.routed() == NAMES1
        assert kit.calls("stop") == []

    simulate(test)


def test_without_a_store_the_commit_is_written_on_machines() -> None:
    """The deploy works all the same, and its record is in blue's metadata."""

    async def test(kit: Kit) -> None:
        assert (await kit.deploy(spec(image=V1, state_store=None))).ending is Ending.DEPLOYED
        assert (await kit.deploy(spec(image=V2, state_store=None))).ending is Ending.DEPLOYED
        assert owners(kit) == []
        written = [call for call in kit.calls("set_metadata_key") if call["path"].endswith("bluegreen_owner")]
        assert len(written) == 4

    simulate(test)


def land_late(kit: Kit, previous: str) -> None:
    """The commit of a deployment that was given up, whose write was on its way until now."""
    record = {
        "version": 1,
        "number": 2,
        "release": "2-0123abcd-ff",
        "previous": previous,
        "nonce": "x",
        "at": 1.0,
    }
    kit.store.put("owners/0000000002.json", json.dumps(record).encode())


@pytest.mark.parametrize("during", ["the drain", "no run"])
def test_a_commit_that_lands_late_is_superseded(during: str) -> None:
    """None of its machines is left: blue owns the state again under the next number, and the next deploy goes on."""

    async def test(kit: Kit) -> None:
        first = await kit.deploy(SPEC1)
        assert first.serving
        blue = str(first.serving.release)
        kit.edit_everywhere()
        if during == "the drain":

            async def land(boot) -> None:
                land_late(kit, blue)

            kit.scripted.on_stop = land
            outcome = await kit.deploy(SPEC2)
            assert outcome.ending is Ending.ABORTED, outcome.failure
            await learned()
            kit.end(outcome)
            assert owners(kit) == [blue, "2-0123abcd-ff", blue]
        else:
            land_late(kit, blue)
        kit.scripted.on_stop = None
        second = await kit.deploy(SPEC2)
        assert second.ending is Ending.DEPLOYED, second.failure
        assert second.serving
        assert owners(kit)[-1] == str(second.serving.release)
        assert kit.lost() == set()

    simulate(test)


def test_a_commit_of_somebody_elses_is_never_superseded() -> None:
    """The negative control: one that did not take over from blue is another app's, and the gate stays closed."""

    async def test(kit: Kit) -> None:
        await kit.deploy(SPEC1)
        land_late(kit, "7-fedcba98-00")
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert "another app or deployer" in " ".join(outcome.failure.reasons)
        assert owners(kit)[-1] == "2-0123abcd-ff"

    simulate(test)
