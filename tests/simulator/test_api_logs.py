"""Promises of the call behind `fly logs`."""

from typing import Any

import httpx

from simulator.runtime_virtual import Behaviour
from tests.simulator.api_kit import V1, V2, Kit, play

Json = dict[str, Any]
IMAGES = {
    V1: Behaviour(output=("one", "two"), crash_after=5),
    V2: Behaviour(output=tuple(map(str, range(150)))),
}


async def read(kit: Kit, app: str = "rooms", **query: str) -> httpx.Response:
    return await kit.client.get(f"http://simulator/api/v1/apps/{app}/logs", params=query)


async def read_messages(kit: Kit, **query: str) -> list[str]:
    """The lines of an answer."""
    return [entry["attributes"]["message"] for entry in (await read(kit, **query)).json()["data"]]


def test_output_is_read_as_flyctl_reads_it() -> None:
    """A JSON:API document: lines with machine and region, oldest first, and a token for what comes after."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started(region="iad")
        answer: Json = (await read(kit, instance=machine_id)).json()
        attributes = [entry["attributes"] for entry in answer["data"]]
        assert [line["message"] for line in attributes] == ["one", "two"]
        assert {(line["instance"], line["region"]) for line in attributes} == {(machine_id, "iad")}
        assert answer["meta"]["next_token"].isdecimal()
        assert await read_messages(kit, instance=machine_id, next_token=answer["meta"]["next_token"]) == []

    play(story, images=IMAGES)


def test_output_is_narrowed_and_bounded() -> None:
    """To a machine, to a region, and to the newest hundred lines."""

    async def story(kit: Kit) -> None:
        few, many = (
            await kit.create_started(region="ams"),
            await kit.create_started({"image": V2}, region="iad"),
        )
        assert await read_messages(kit, instance=few) == ["one", "two"]
        assert await read_messages(kit, region="ams") == ["one", "two"]
        assert await read_messages(kit, instance=many) == [str(number) for number in range(50, 150)]
        assert len(await read_messages(kit)) == 100
        assert await read_messages(kit, instance="0123456789abcd") == []

    play(story, images=IMAGES)


def test_output_outlives_its_machine() -> None:
    """What a machine printed can be read once it has ended, and once it is destroyed; nothing before it started."""

    async def story(kit: Kit) -> None:
        machine = await kit.create({"auto_destroy": True, "restart": {"policy": "no"}})
        assert await read_messages(kit, instance=machine["id"]) == []
        await kit.reach(machine["id"], "destroyed")
        assert await read_messages(kit, instance=machine["id"]) == ["one", "two"]

    play(story, images=IMAGES)


def test_output_is_for_those_with_a_token() -> None:
    """401 without it, 404 for an app that is not there."""

    async def story(kit: Kit) -> None:
        kit.client.headers["authorization"] = "Bearer wrong"
        assert (await read(kit)).status_code == 401
        kit.client.headers["authorization"] = "Bearer local"
        assert (await read(kit, "none")).status_code == 404

    play(story)


def test_reading_output_spends_no_limit() -> None:
    """Fly names no limit for it, and it is none of the Machines API's."""

    async def story(kit: Kit) -> None:
        assert {(await read(kit)).status_code for _ in range(20)} == {200}

    play(story, limits=True)
