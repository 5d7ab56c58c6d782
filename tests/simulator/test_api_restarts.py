"""Promises about what follows the end of a program: restart policies, auto_destroy, restart, update."""

from typing import Any

import pytest

from simulator.runtime_virtual import Behaviour
from tests.simulator.api_kit import V1, V2, Kit, let_pass, measure, play

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("policy", "exit_code", "boots"),
    [
        ({"policy": "no"}, 1, 1),
        ({"policy": "on-failure", "max_retries": 3}, 1, 4),
        ({"policy": "on-failure", "max_retries": 3}, 0, 1),
        ({}, 1, 11),
    ],
)
def test_restart_policy_decides_after_a_crash(policy: Json, exit_code: int, boots: int) -> None:
    """A program that ends by itself is booted again as its policy says, on-failure ten times by default."""

    async def story(kit: Kit) -> None:
        machine = await kit.create({"restart": policy})
        await kit.world.apps["rooms"].machines[machine["id"]].run.ended.wait()  # type: ignore[union-attr]
        exits = await kit.read_exits(machine["id"])
        assert len(exits) == boots
        assert [exit_event["restarting"] for exit_event in exits] == [False] + [True] * (boots - 1)
        assert not any(exit_event["requested_stop"] for exit_event in exits)
        assert (await kit.get(machine["id"]))["state"] == "stopped"

    play(story, images={V1: Behaviour(crash_after=2, crash_code=exit_code)})


def test_auto_destroy_removes_a_machine_at_its_end() -> None:
    """A machine with auto_destroy is destroyed when it has ended, and its exit event stays readable."""

    async def story(kit: Kit) -> None:
        config = {"auto_destroy": True, "restart": {"policy": "no"}}
        machine = await kit.create(config)
        await kit.reach(machine["id"], "destroyed")
        assert [exit_event["exit_code"] for exit_event in await kit.read_exits(machine["id"])] == [7]

    play(story, images={V1: Behaviour(crash_after=1, crash_code=7)})


def test_restart_keeps_the_version() -> None:
    """Restart stops by the machine's policy and boots the same instance again."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        before = await kit.get(machine_id)
        assert (await kit.act(machine_id, "restart")).status_code == 200
        assert (await kit.get(machine_id))["state"] == "restarting"
        await kit.reach(machine_id, "started")
        assert (await kit.get(machine_id))["instance_id"] == before["instance_id"]
        assert (await kit.read_exits(machine_id))[0]["requested_stop"] is True

    play(story)


def test_update_replaces_a_running_program_by_its_old_policy() -> None:
    """An update ends the old program by the old version's stop_config, then boots the new version."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started({"stop_config": {"signal": "SIGTERM", "timeout": "20s"}})
        old = kit.runtime.programs[machine_id]
        seconds = await measure(update(kit, machine_id))
        assert old.signals == ["SIGTERM", "SIGKILL"]
        assert seconds == pytest.approx(21)

    async def update(kit: Kit, machine_id: str) -> None:
        response = await kit.call("POST", f"/{machine_id}", json={"config": {"image": V2}})
        assert response.json()["state"] == "replacing"
        query = {"state": "started", "version": response.json()["instance_id"]}
        assert (await kit.call("GET", f"/{machine_id}/wait", params=query)).status_code == 200

    play(story, images={V1: Behaviour(ignores_stop=True)})


def test_update_with_skip_launch_leaves_it_stopped() -> None:
    """skip_launch at an update ends the old program and starts nothing."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        await kit.call("POST", f"/{machine_id}", json={"config": {"image": V2}, "skip_launch": True})
        await kit.reach(machine_id, "stopped")
        await let_pass(100)
        assert (await kit.get(machine_id))["state"] == "stopped"

    play(story)
