"""`adopt: true` takes over what `fly deploy` made, first as blue; without it nothing of it is touched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from providers.bluegreen.adopted import warnings
from providers.bluegreen.deploy import Refused, Request, preview
from providers.bluegreen.model import Observation
from providers.bluegreen.outcome import Ending
from providers.bluegreen.report import plan_lines
from providers.bluegreen.spec import Spec
from simulator.runtime import Boot
from tests.bluegreen.fly_made import call, change, fly_deploy, fly_metadata, pass_time
from tests.bluegreen.test_left_behind import kill_at, machine
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

FLYS = {"still-river-1", "calm-sea-2"}
OURS = {"rooms-g1-ams-1", "rooms-g1-iad-1"}
ADOPT = spec(image=V2, adopt=True)
CHANGING = (
    "cordon",
    "uncordon",
    "stop",
    "start",
    "delete_machine",
    "set_metadata_key",
    "update_machine",
    "signal",
)


def names(kit: Kit) -> set[str]:
    return {found.name for found in kit.machines()}


async def plan(kit: Kit, wanted: Spec) -> tuple[str, Observation]:
    async with kit.context(wanted) as ctx:
        scene, steps = await preview(ctx, Request())
        return "\n".join(plan_lines(scene, steps)), scene.observation


def saves_marker(kit: Kit) -> Callable[[Boot], Awaitable[None]]:
    async def save(boot: Boot) -> None:
        kit.store.put(f"saved/{boot.machine_id}", f"{boot.instance_id} {kit.world.clock.now()}".encode())

    return save


def touched(kit: Kit, ids: Sequence[str]) -> list[str]:
    """What was done to these machines, by anybody, that could change them."""
    return [r["action"] for r in kit.calls(*CHANGING) if any(machine_id in r["path"] for machine_id in ids)]


def test_an_app_of_fly_deploy_is_taken_over_as_blue() -> None:
    """Green is verified, then Fly's machines drain by their own stop, green is committed and routed, they go."""

    async def test(kit: Kit) -> None:
        await fly_deploy(kit)
        ids = [found.id for found in kit.machines()]
        told, _ = await plan(kit, ADOPT)
        assert "blue 0-fly12-" in told
        assert "adopts release 0-fly12-" in told
        assert V1 in told
        assert "that it exits with 0 is the only evidence" in told
        assert "stop gracefully: 2 machines (ams 1, iad 1)" in told
        outcome = await kit.deploy(ADOPT)
        assert outcome.ending is Ending.DEPLOYED
        assert outcome.window_s is not None
        assert kit.routed() == names(kit) == OURS
        exits = [r["n"] for r in kit.history("event") if r["type"] == "exit" and r["machine_id"] in ids]
        assert len(exits) == 2
        assert max(exits) < kit.calls("uncordon")[0]["n"]
        assert (await kit.deploy(ADOPT)).ending is Ending.UNCHANGED

    simulate(test)


def test_without_adopt_flys_machines_are_left_alone_and_it_is_said() -> None:
    """The negative control: not even a lease; and every plan warns that they go on serving beside ours."""

    async def test(kit: Kit) -> None:
        await fly_deploy(kit)
        ids = [found.id for found in kit.machines()]
        wanted = spec(image=V2)
        assert (await kit.deploy(wanted)).ending is Ending.DEPLOYED
        assert kit.routed() == names(kit) == OURS | FLYS
        assert touched(kit, ids) == []
        _, seen = await plan(kit, wanted)
        (told,) = warnings(seen)
        assert told.startswith("WARNING: beside ours serve, and go on, 2 machines (")
        assert (await kit.deploy(wanted, goal="destroy")).ending is Ending.DESTROYED
        assert names(kit) == FLYS

    simulate(test)


def test_other_process_groups_and_copies_are_never_touched() -> None:
    """A worker's machine, one that nobody labelled, and a clone of ours: named in the plan, and left alone."""

    async def test(kit: Kit) -> None:
        await fly_deploy(kit)
        await fly_deploy(kit, names={"worker-1": "ams"}, group="worker")
        await fly_deploy(kit, names={"by-hand-1": "iad"}, metadata={})
        others = [machine(kit, name).id for name in ("worker-1", "by-hand-1")]
        assert (await kit.deploy(ADOPT)).ending is Ending.DEPLOYED
        clone = dict(machine(kit, "rooms-g1-ams-1").metadata)
        await fly_deploy(kit, names={"clone-1": "ams"}, metadata=clone)
        others.append(machine(kit, "clone-1").id)
        assert (await kit.deploy(ADOPT)).ending is Ending.UNCHANGED
        assert names(kit) == OURS | {"worker-1", "by-hand-1", "clone-1"}
        assert touched(kit, others) == []
        told = "\n".join(warnings((await plan(kit, ADOPT))[1]))
        assert "left alone: 1 machine (" in told
        assert "of the app's process group, which are not ours" in told
        assert "of the process group worker" in told

    simulate(test)


def test_a_half_done_fly_deploy_is_refused_by_name() -> None:
    """Machines of two releases of Fly's: nobody can say which of them owns what; nothing is changed."""

    async def test(kit: Kit) -> None:
        await fly_deploy(kit, 12, names={"still-river-1": "ams"})
        await fly_deploy(kit, 13, names={"calm-sea-2": "iad"})
        ids = [found.id for found in kit.machines()]
        with pytest.raises(Refused, match=r"half-done.*0-fly12-\w+: \w+ \(still-river-1\); 0-fly13-\w+: "):
            await kit.deploy(ADOPT)
        assert names(kit) == FLYS
        assert touched(kit, ids) == []

    simulate(test)


def test_a_group_that_is_not_there_is_refused() -> None:
    """An app that names its process groups has none called app: adopting nothing would serve beside all of it."""

    async def test(kit: Kit) -> None:
        await fly_deploy(kit, group="web")
        with pytest.raises(Refused, match="no machine is of the process group app; there are web"):
            await kit.deploy(ADOPT)

    simulate(test)


def test_a_failed_proof_puts_the_adopted_blue_back() -> None:
    """Fly's machines end badly: they are started and routed again, answer, and green is gone."""

    async def test(kit: Kit) -> None:
        kit.runtime.script("still-river-1", kit.app(exit_code=1))
        await fly_deploy(kit)
        outcome = await kit.deploy(ADOPT)
        assert outcome.ending is Ending.ABORTED
        assert outcome.serving
        assert outcome.serving.regions == {"ams": 1, "iad": 1}
        assert kit.routed() == names(kit) == FLYS

    simulate(test)


def test_a_green_that_fails_leaves_the_adopted_blue_untouched() -> None:
    """Not one call changes Fly's machines but the leases, whatever they were doing."""

    async def test(kit: Kit) -> None:
        kit.runtime.script("rooms-g1-*", kit.app(healthy_after=float("inf")))
        await fly_deploy(kit)
        ids = [found.id for found in kit.machines()]
        outcome = await kit.deploy(spec(image=V2, adopt=True, deadlines={"verify": "30s"}))
        assert outcome.ending is Ending.ABORTED
        assert kit.routed() == names(kit) == FLYS
        assert touched(kit, ids) == []

    simulate(test)


@pytest.mark.parametrize("with_store", [True, False], ids=["store", "no-store"])
@pytest.mark.parametrize("at", ["/stop", "/uncordon", "DELETE /v1/apps/rooms/machines", "/cordon"])
def test_a_killed_adoption_is_finished_by_the_next_run(at: str, with_store: bool) -> None:
    """Wherever it stopped, the next run goes on to the same end, and the one after it changes nothing."""
    wanted = ADOPT if with_store else spec(image=V2, adopt=True, state_store=None)

    async def test(kit: Kit) -> None:
        await fly_deploy(kit)
        at_machine = at if "DELETE" not in at else "DELETE /v1/apps/rooms/machines"
        await kill_at(kit, wanted, at_machine)
        await pass_time(20.0)
        outcome = await kit.deploy(wanted)
        assert outcome.ending is Ending.DEPLOYED
        assert kit.routed() == names(kit) == OURS
        assert (await kit.deploy(wanted)).ending is Ending.UNCHANGED

    simulate(test)


MARKER = {"state_proof": {"type": "marker", "key": "saved/{machine_id}"}}


@pytest.mark.parametrize("told", [MARKER, {"state_store": None}], ids=["marker", "no-store"])
def test_a_failed_bake_hands_back_to_the_adopted_blue(told: dict[str, Any]) -> None:
    """Fly's machines own the state again, by a commit of their own, and a later run takes over from them once more."""
    wanted = spec(image=V2, adopt=True, bake="30s", **told)

    async def test(kit: Kit) -> None:
        kit.scripted.on_stop = saves_marker(kit)
        kit.runtime.script("rooms-g1-*", kit.app(flap_seconds=15.0))
        await fly_deploy(kit)
        outcome = await kit.deploy(wanted)
        assert outcome.ending is Ending.ROLLED_BACK
        assert kit.routed() == names(kit) == FLYS
        kit.runtime.script("rooms-g*", kit.app())
        assert (await kit.deploy(wanted)).ending is Ending.DEPLOYED
        assert kit.routed() == names(kit)
        assert not names(kit) & FLYS

    simulate(test)


def test_without_a_proof_of_where_blue_saves_there_is_no_way_back() -> None:
    """Nobody knows whether an adopted blue reads what green has saved: green stays, and the ending says why."""

    async def test(kit: Kit) -> None:
        kit.runtime.script("rooms-g1-*", kit.app(flap_seconds=15.0))
        await fly_deploy(kit)
        outcome = await kit.deploy(spec(image=V2, adopt=True, bake="30s"))
        assert outcome.ending is Ending.UNFINISHED
        assert outcome.failure
        assert "no way back" in outcome.failure.reasons[-1]
        assert not any(machine(kit, name).cordoned for name in OURS)
        assert all(machine(kit, name).cordoned for name in FLYS)

    simulate(test)


def test_a_marker_that_was_not_written_keeps_an_adopted_blue() -> None:
    """The negative control of the proof: it exits with 0, and its state is not saved all the same."""

    async def test(kit: Kit) -> None:
        await fly_deploy(kit)
        outcome = await kit.deploy(spec(image=V2, adopt=True, **MARKER))
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert "no marker at saved/" in outcome.failure.reasons[0]
        assert kit.routed() == names(kit) == FLYS

    simulate(test)


def test_a_sleeping_machine_is_kept_asleep_and_removed_with_the_others() -> None:
    """Fly's proxy has stopped one: it is not waited for, cannot wake up in the window, and a restore wakes nobody."""

    async def test(kit: Kit) -> None:
        kit.runtime.script("still-river-1", kit.app(exit_code=1))
        await fly_deploy(kit)
        asleep = machine(kit, "calm-sea-2")
        await call(kit, "POST", f"/rooms/machines/{asleep.id}/stop", {})
        await call(kit, "GET", f"/rooms/machines/{asleep.id}/wait?state=stopped&timeout=60")
        assert (await kit.deploy(ADOPT)).ending is Ending.ABORTED
        assert str(machine(kit, "calm-sea-2").state) == "stopped"
        assert not machine(kit, "calm-sea-2").cordoned
        kit.runtime.script("still-river-1", kit.app())
        await call(kit, "POST", f"/rooms/machines/{machine(kit, 'still-river-1').id}/restart", {})
        await pass_time(10.0)
        assert "(calm-sea-2) is stopped" in (await plan(kit, ADOPT))[0]
        before = len(kit.world.history.read())
        assert (await kit.deploy(ADOPT)).ending is Ending.DEPLOYED
        cordoned = [r["n"] for r in kit.calls("cordon") if asleep.id in r["path"] and r["n"] > before]
        assert cordoned
        assert cordoned[0] < next(r["n"] for r in kit.calls("stop") if r["n"] > before)
        assert kit.routed() == names(kit)
        assert not names(kit) & FLYS

    simulate(test)


def test_a_later_fly_deploy_is_refused_and_adopted_only_when_asked() -> None:
    """It has changed our machines in place: without `adopt` nothing happens to them; with it they are blue."""

    async def test(kit: Kit) -> None:
        wanted = spec(image=V1)
        assert (await kit.deploy(wanted)).ending is Ending.DEPLOYED
        await change(kit, "rooms-g1-ams-1", metadata=fly_metadata(1), image=V2)
        with pytest.raises(Refused, match=r"1 of its machines, machine \w+ \(rooms-g1-ams-1\).*adopt: true"):
            await kit.deploy(wanted)
        adopt = spec(image=V1, adopt=True)
        with pytest.raises(Refused, match=r"half-done.*\(rooms-g1-iad-1\)"):
            await kit.deploy(adopt)
        await change(kit, "rooms-g1-iad-1", metadata=fly_metadata(1), image=V2)
        with pytest.raises(Refused):
            await kit.deploy(wanted, goal="destroy")
        outcome = await kit.deploy(adopt)
        assert outcome.ending is Ending.DEPLOYED
        assert kit.routed() == names(kit) == {"rooms-g2-ams-1", "rooms-g2-iad-1"}
        assert (await kit.deploy(wanted)).ending is Ending.UNCHANGED

    simulate(test)


def test_machines_that_fly_deploy_has_copied_are_adopted_too() -> None:
    """Fly's own blue-green makes copies under new names, with our metadata and its release, and removes ours."""

    async def test(kit: Kit) -> None:
        assert (await kit.deploy(spec(image=V1))).ending is Ending.DEPLOYED
        ours = dict(machine(kit, "rooms-g1-ams-1").metadata) | fly_metadata(2)
        copies = {"still-river-1": "ams", "calm-sea-2": "iad"}
        await fly_deploy(kit, names=copies, image=V2, metadata=ours)
        for name in OURS:
            await call(kit, "DELETE", f"/rooms/machines/{machine(kit, name).id}?force=true")
        await pass_time(5.0)
        with pytest.raises(Refused, match="adopt: true"):
            await kit.deploy(spec(image=V1))
        assert (await kit.deploy(spec(image=V1, adopt=True))).ending is Ending.DEPLOYED
        assert kit.routed() == names(kit) == {"rooms-g2-ams-1", "rooms-g2-iad-1"}

    simulate(test)


def test_our_machines_say_to_fly_what_they_are() -> None:
    """What `fly status`, `fly logs` and `fly deploy` look for is on each of ours, as Fly itself writes it."""

    async def test(kit: Kit) -> None:
        await kit.deploy(spec(image=V1))
        for found in kit.machines():
            assert found.metadata.keys() >= {key for key in fly_metadata(1) if key != "fly_flyctl_version"}
            assert (found.metadata["fly_platform_version"], found.metadata["fly_process_group"]) == (
                "v2",
                "app",
            )
            assert found.metadata["fly_release_version"] == "1"

    simulate(test)
