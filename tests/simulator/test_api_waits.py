"""Promises of `…/wait`, a true long poll."""

from math import inf

import anyio
import pytest

from simulator.runtime_virtual import Behaviour
from tests.simulator.api_kit import V1, V2, Kit, measure, play


async def wait(kit: Kit, machine_id: str, **query: object) -> int:
    """The status code of one wait."""
    return (await kit.call("GET", f"/{machine_id}/wait", params=query)).status_code


def test_wait_answers_when_the_state_is_reached() -> None:
    """A wait ends with the change itself: no earlier, no later."""

    async def story(kit: Kit) -> None:
        machine = await kit.create()
        assert await measure(kit.reach(machine["id"], "started")) == pytest.approx(7)
        assert await measure(kit.reach(machine["id"], "started")) == pytest.approx(0)

    play(story, images={V1: Behaviour(boot_seconds=7)})


def test_wait_answers_408_at_its_deadline() -> None:
    """A state that is not reached answers 408 with the API's error shape, after exactly the timeout."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        query = {"state": "stopped", "timeout": 9}
        began = anyio.current_time()
        response = await kit.call("GET", f"/{machine_id}/wait", params=query)
        assert response.status_code == 408
        assert response.json()["status"] == "deadline_exceeded"
        assert anyio.current_time() - began == pytest.approx(9)

    play(story)


@pytest.mark.parametrize("query", [{"timeout": 61}, {"timeout": 0}, {"timeout": "x"}, {"state": "happy"}])
def test_wait_refuses_what_it_cannot_do(query: dict[str, object]) -> None:
    """A timeout outside 1 to 60 seconds and an unknown state answer 400 at once."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        assert await wait(kit, machine_id, **{"state": "stopped", **query}) == 400

    play(story)


@pytest.mark.parametrize("states", [["stopped", "started"], ["stopped,started"], ["settled"]])
def test_wait_takes_several_states(states: list[str]) -> None:
    """States may be repeated or listed with commas, and `settled` stands for every lasting one."""

    async def story(kit: Kit) -> None:
        machine = await kit.create()
        response = await kit.call("GET", f"/{machine['id']}/wait", params={"state": states})
        assert response.json()["state"] == "started"

    play(story)


def test_wait_for_a_version_waits_for_that_instance() -> None:
    """With a version, the state of another instance does not count; an unknown version answers 404."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        updated = (await kit.call("POST", f"/{machine_id}", json={"config": {"image": V2}})).json()
        seconds = await measure(wait(kit, machine_id, state="started", version=updated["instance_id"]))
        assert seconds == pytest.approx(4 + 1)
        assert await wait(kit, machine_id, state="started", version="01NOPE") == 404

    play(story, images={V1: Behaviour(drain_seconds=4)})


def test_wait_from_an_event_sees_what_has_passed() -> None:
    """With from_event_id, a state that came after that event counts although it is gone; an old one does not."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        event_id = (await kit.get(machine_id))["events"][0]["id"]
        assert await wait(kit, machine_id, state="started", from_event_id=event_id, timeout=1) == 408
        await kit.act(machine_id, "stop")
        await kit.reach(machine_id, "stopped")
        await kit.act(machine_id, "start")
        await kit.reach(machine_id, "started")
        assert await measure(wait(kit, machine_id, state="stopped", from_event_id=event_id)) == 0
        assert await wait(kit, machine_id, state="stopped", from_event_id="nope") == 400

    play(story)


def test_wait_for_destroyed_works_after_the_delete() -> None:
    """A destroyed machine answers waits for `destroyed`, before and after."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kit.reach, machine_id, "destroyed")
            await kit.call("DELETE", f"/{machine_id}", params={"force": "true"})
        await kit.reach(machine_id, "destroyed")

    play(story)


def test_short_state_is_not_missed() -> None:
    """A wait for `stopped` is answered although the machine destroyed itself in the same moment."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started({"auto_destroy": True, "restart": {"policy": "no"}})
        await kit.reach(machine_id, "stopped")
        assert (await kit.get(machine_id))["state"] == "destroyed"

    play(story, images={V1: Behaviour(crash_after=3)})


def test_two_hundred_long_polls_at_once() -> None:
    """200 waits on 200 machines are all answered at their own machine's moment."""

    async def story(kit: Kit) -> None:
        answered: list[float] = []

        async def poll(number: int) -> None:
            machine = await kit.create(name=f"slow-{number}")
            answered.append(await measure(kit.reach(machine["id"], "started")))

        async with anyio.create_task_group() as tasks:
            for number in range(200):
                kit.runtime.script(f"slow-{number}", Behaviour(boot_seconds=number / 4))
                tasks.start_soon(poll, number)
        assert sorted(answered) == pytest.approx([number / 4 for number in range(200)])

    play(story)


def test_failed_hope_ends_with_the_deadline() -> None:
    """200 waits for what never happens all end at their deadline."""

    async def story(kit: Kit) -> None:
        machine = await kit.create()
        codes: list[int] = []

        async def poll() -> None:
            codes.append(await wait(kit, machine["id"], state="started", timeout=30))

        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for _ in range(200):
                tasks.start_soon(poll)
        assert codes == [408] * 200
        assert anyio.current_time() - began == pytest.approx(30)

    play(story, images={V1: Behaviour(boot_seconds=inf)})
