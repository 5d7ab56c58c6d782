"""Promises about starting, stopping, signalling and suspending machines, by the documented facts."""

from math import inf
from typing import Any

import anyio
import pytest

from simulator.runtime import Boot
from simulator.runtime_virtual import Behaviour
from tests.simulator.api_kit import V1, V2, Kit, let_pass, measure, play

Json = dict[str, Any]


async def stop_and_read(kit: Kit, machine_id: str, body: Json | None = None) -> tuple[float, Json]:
    """Stop a machine: how long it took, and its exit event."""
    await kit.act(machine_id, "stop", body=body)
    seconds = await measure(kit.reach(machine_id, "stopped"))
    return seconds, (await kit.read_exits(machine_id))[0]


def test_machine_that_is_being_launched_cannot_be_started() -> None:
    """Start answers 412 while a launch is under way, and 200 for one that was created without a launch."""

    async def story(kit: Kit) -> None:
        launching = await kit.create()
        refused = await kit.act(launching["id"], "start")
        assert refused.status_code == 412
        assert "failed_precondition" in refused.json()["error"]
        waiting = await kit.create(skip_launch=True)
        assert waiting["state"] == "created"
        assert (await kit.act(waiting["id"], "start")).json()["previous_state"] == "created"
        await kit.reach(waiting["id"], "started")
        assert (await kit.act(waiting["id"], "start")).status_code == 200

    play(story)


def test_stop_is_graceful_by_default() -> None:
    """Fly's default is SIGINT; a program that ends in time leaves its own exit code."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        seconds, exit_event = await stop_and_read(kit, machine_id)
        assert kit.runtime.programs[machine_id].signals == ["SIGINT"]
        assert seconds == pytest.approx(4)
        assert (exit_event["exit_code"], exit_event["signal"]) == (3, -1)
        assert exit_event["requested_stop"] is True
        assert exit_event["oom_killed"] is False

    play(story, images={V1: Behaviour(drain_seconds=4, exit_code=3)})


@pytest.mark.parametrize(
    ("config", "call", "expected"),
    [
        ({}, {}, ("SIGINT", 5)),
        ({}, {"signal": "SIGTERM", "timeout": "30s"}, ("SIGTERM", 30)),
        ({}, {"timeout": "900s"}, ("SIGINT", 300)),
        ({}, {"timeout": 2_000_000_000}, ("SIGINT", 2)),
        ({"signal": "SIGTERM", "timeout": "1m30s"}, {}, ("SIGTERM", 90)),
        ({"signal": "SIGTERM", "timeout": "60s"}, {"timeout": "0s"}, ("SIGTERM", 60)),
        ({"signal": "SIGTERM", "timeout": "60s"}, {"signal": "SIGQUIT", "timeout": "7s"}, ("SIGQUIT", 7)),
        ({"timeout": "900s"}, {}, ("SIGINT", 300)),
    ],
)
def test_stop_kills_after_the_policy_in_force(config: Json, call: Json, expected: tuple[str, float]) -> None:
    """The call's signal and timeout go before the machine's, those before Fly's; nothing lasts beyond 300 s."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started({"stop_config": config})
        await kit.act(machine_id, "stop", body=call)
        seconds = await measure(kit.world.apps["rooms"].machines[machine_id].run.ended.wait())  # type: ignore[union-attr]
        assert kit.runtime.programs[machine_id].signals == [expected[0], "SIGKILL"]
        assert seconds == pytest.approx(expected[1])
        exit_event = (await kit.read_exits(machine_id))[0]
        assert (exit_event["exit_code"], exit_event["signal"]) == (137, 9)
        assert exit_event["requested_stop"] is True

    play(story, images={V1: Behaviour(ignores_stop=True)})


def test_killed_program_has_not_saved() -> None:
    """A program that is killed at its deadline never reaches the end of its drain."""
    saved: list[str] = []

    async def save(boot: Boot) -> None:
        saved.append(boot.name)

    async def story(kit: Kit) -> None:
        slow = await kit.create_started(name="slow")
        fast = await kit.create_started({"image": V2}, name="fast")
        for machine_id in (slow, fast):
            await kit.act(machine_id, "stop")
        for machine_id in (slow, fast):
            await kit.reach(machine_id, "stopped")
        assert saved == ["fast"]

    images = {V1: Behaviour(drain_seconds=6, on_stop=save), V2: Behaviour(drain_seconds=4, on_stop=save)}
    play(story, images=images)


def test_stop_of_a_stopped_machine_is_harmless() -> None:
    """Stop twice, or of a machine that never ran, answers 200 and changes nothing."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        await stop_and_read(kit, machine_id)
        assert (await kit.act(machine_id, "stop")).status_code == 200
        assert len(await kit.read_exits(machine_id)) == 1
        never = await kit.create(skip_launch=True)
        assert (await kit.act(never["id"], "stop")).status_code == 200
        assert (await kit.get(never["id"]))["state"] == "created"

    play(story)


def test_machine_that_never_boots_can_be_stopped() -> None:
    """A boot that does not end never shows as started, and a stop ends it."""

    async def story(kit: Kit) -> None:
        machine = await kit.create()
        wait = {"state": "started", "timeout": 60}
        assert (await kit.call("GET", f"/{machine['id']}/wait", params=wait)).status_code == 408
        assert (await kit.get(machine["id"]))["state"] == "starting"
        await stop_and_read(kit, machine["id"])

    play(story, images={V1: Behaviour(boot_seconds=inf)})


def test_requested_stop_is_never_restarted() -> None:
    """Not even `always` restarts a machine that was asked to stop, be it running or between two boots."""

    async def story(kit: Kit) -> None:
        steady = await kit.create_started({"restart": {"policy": "always"}})
        await stop_and_read(kit, steady)
        crashing = await kit.create_started({"image": V2, "restart": {"policy": "always"}})
        await let_pass(1.1)
        assert (await kit.get(crashing))["state"] == "restarting"
        await kit.act(crashing, "stop")
        await kit.reach(crashing, "stopped")
        await let_pass(600)
        for machine_id in (steady, crashing):
            assert (await kit.get(machine_id))["state"] == "stopped"

    play(story, images={V2: Behaviour(crash_after=1)})


def test_signal_has_no_kill_behind_it() -> None:
    """A signal is delivered once and nothing follows, however long the program takes; unknown ones answer 400."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started({"restart": {"policy": "on-failure"}})
        assert (await kit.act(machine_id, "signal", body={"signal": "SIGNOT"})).status_code == 400
        assert (await kit.act(machine_id, "signal", body={"signal": "SIGTERM"})).status_code == 200
        await let_pass(1000)
        assert kit.runtime.programs[machine_id].signals == ["SIGTERM"]
        [exit_event] = await kit.read_exits(machine_id)
        assert exit_event["requested_stop"] is False
        assert (await kit.act(machine_id, "signal", body={"signal": "SIGTERM"})).status_code == 412

    play(story, images={V1: Behaviour(drain_seconds=900)})


def test_suspended_machine_is_resumed_by_start() -> None:
    """Suspend takes a machine out of routing without an exit; start brings the same program back."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started({"services": [{"internal_port": 8080}]})
        program = kit.runtime.programs[machine_id]
        await kit.act(machine_id, "suspend")
        assert (await kit.get(machine_id))["state"] == "suspended"
        await let_pass(1)
        assert kit.list_routed() == []
        await kit.act(machine_id, "start")
        await kit.reach(machine_id, "started")
        assert kit.runtime.programs[machine_id] is program
        assert await kit.read_exits(machine_id) == []

    play(story)


def test_exec_answers_200_whatever_the_command_does() -> None:
    """Exec answers with exit code and output; on a machine that is not started 412."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        response = await kit.act(machine_id, "exec", body={"command": ["true"]})
        assert response.status_code == 200
        assert response.json().keys() >= {"exit_code", "stdout", "stderr"}
        await stop_and_read(kit, machine_id)
        assert (await kit.act(machine_id, "exec", body={"command": ["true"]})).status_code == 412
        assert (await kit.act(machine_id, "exec", body={"command": []})).status_code == 400

    play(story)


def test_thousand_machines_live_and_die() -> None:
    """A thousand machines are created, stopped and destroyed, and none is left."""

    async def story(kit: Kit) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(1000):
                tasks.start_soon(live, kit)
        assert (await kit.call("GET")).json() == []

    async def live(kit: Kit) -> None:
        machine_id = await kit.create_started()
        await stop_and_read(kit, machine_id)
        assert (await kit.call("DELETE", f"/{machine_id}")).status_code == 200

    play(story)
