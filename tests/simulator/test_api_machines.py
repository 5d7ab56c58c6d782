"""Promises of the API about machines and their metadata, by the documented facts."""

import re
from datetime import datetime
from typing import Any

import pytest

from tests.simulator.api_kit import SERVICE, V1, V2, Kit, play


def test_machine_has_the_documented_shape() -> None:
    """Id, instance id, times, image digest, checks and events look as they do on Fly."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started({"services": [SERVICE]}, name="rooms-g1-ams-1", region="ams")
        machine = await kit.get(machine_id)
        assert re.fullmatch(r"[0-9a-f]{14}", machine["id"])
        assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", machine["instance_id"])
        assert re.fullmatch(r"127\.\d+\.\d+\.\d+", machine["private_ip"])
        assert (machine["name"], machine["region"], machine["host_status"]) == ("rooms-g1-ams-1", "ams", "ok")
        assert machine["image_ref"]["repository"] == "rooms"
        assert machine["image_ref"]["tag"] == "v1"
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", machine["image_ref"]["digest"])
        assert datetime.fromisoformat(machine["created_at"]) <= datetime.fromisoformat(machine["updated_at"])
        assert [check["name"] for check in machine["checks"]] == ["servicecheck-00-http-8080"]
        assert [event["type"] for event in machine["events"]] == ["start", "start", "launch"]
        assert all(event["timestamp"] > 1_700_000_000_000 for event in machine["events"])

    play(story)


def test_unknown_config_fields_are_kept() -> None:
    """A field that the simulator does not know comes back as it was sent."""

    async def story(kit: Kit) -> None:
        machine = await kit.create({"statics": [{"guest_path": "/x"}], "future": {"a": 1}})
        config = (await kit.get(machine["id"]))["config"]
        assert config["statics"] == [{"guest_path": "/x"}]
        assert config["future"] == {"a": 1}

    play(story)


def test_names_are_unique_among_living_machines() -> None:
    """A second machine of a name is refused with 409 until the first has been destroyed."""

    async def story(kit: Kit) -> None:
        machine = await kit.create(name="rooms-g1-ams-1", skip_launch=True)
        again = {"name": "rooms-g1-ams-1", "config": {"image": V1}}
        refused = await kit.call("POST", json=again)
        assert refused.status_code == 409
        assert machine["id"] in refused.json()["error"]
        await kit.call("DELETE", f"/{machine['id']}")
        assert (await kit.call("POST", json=again)).status_code == 200

    play(story)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"region": "xyz"}, "xyz"), ({"config": {"image": "registry.fly.io/rooms:v9"}}, "rooms:v9")],
)
def test_unknown_region_or_image_is_refused(change: dict[str, Any], word: str) -> None:
    """An unknown region or image answers 422 and names it, and leaves no machine."""

    async def story(kit: Kit) -> None:
        response = await kit.call("POST", json={"config": {"image": V1}, **change})
        assert response.status_code == 422
        assert word in response.json()["error"]
        assert (await kit.call("GET")).json() == []

    play(story)


def test_image_is_found_by_digest() -> None:
    """A reference by repository and digest means the image that has this digest."""

    async def story(kit: Kit) -> None:
        digest = (await kit.create())["image_ref"]["digest"]
        pinned = await kit.create({"image": f"registry.fly.io/rooms@{digest}"})
        assert pinned["image_ref"]["digest"] == digest
        wrong = await kit.call("POST", json={"config": {"image": f"registry.fly.io/other@{digest}"}})
        assert wrong.status_code == 422

    play(story)


def test_list_filters_add_up() -> None:
    """Region, state and several metadata filters narrow a list together."""

    async def story(kit: Kit) -> None:
        blue = {"metadata": {"colour": "blue", "role": "a"}}
        wanted = await kit.create_started(blue, region="ams")
        await kit.create_started({"metadata": {"colour": "blue"}}, region="ams")
        await kit.create_started(blue, region="iad")
        await kit.create(blue, region="ams", skip_launch=True)
        query = {"region": "ams", "state": "started", "metadata.colour": "blue", "metadata.role": "a"}
        assert [machine["id"] for machine in (await kit.call("GET", params=query)).json()] == [wanted]
        assert len((await kit.call("GET", params={"region": "ams"})).json()) == 3
        assert len((await kit.call("GET", params={"state": "started,created"})).json()) == 4

    play(story)


def test_destroyed_machines_are_listed_on_request() -> None:
    """A list has destroyed machines only with include_deleted; a summary has no config."""

    async def story(kit: Kit) -> None:
        machine = await kit.create(skip_launch=True)
        await kit.call("DELETE", f"/{machine['id']}")
        assert (await kit.call("GET")).json() == []
        [gone] = (await kit.call("GET", params={"include_deleted": "true", "summary": "true"})).json()
        assert (gone["id"], gone["state"]) == (machine["id"], "destroyed")
        assert "config" not in gone

    play(story)


def test_update_is_compare_and_swap() -> None:
    """A wrong current_version answers 409; the right one gives a new instance id, and region and name stay."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started(name="a", region="ams")
        old = (await kit.get(machine_id))["instance_id"]
        body = {"config": {"image": V2}, "name": "b", "region": "iad"}
        refused = await kit.call("POST", f"/{machine_id}", json=body | {"current_version": "01STALE"})
        assert refused.status_code == 409
        assert (await kit.get(machine_id))["instance_id"] == old
        updated = (await kit.call("POST", f"/{machine_id}", json=body | {"current_version": old})).json()
        assert updated["instance_id"] != old
        await kit.reach(machine_id, "started")
        machine = await kit.get(machine_id)
        assert (machine["name"], machine["region"], machine["image_ref"]["tag"]) == ("a", "ams", "v2")
        versions = (await kit.call("GET", f"/{machine_id}/versions")).json()
        assert [version["version"] for version in versions] == [updated["instance_id"], old]

    play(story)


def test_running_machine_is_deleted_by_force_only() -> None:
    """Without force a running machine answers 412; `force` and flyctl's `kill` both kill it."""

    async def story(kit: Kit) -> None:
        for word in ("force", "kill"):
            machine_id = await kit.create_started()
            assert (await kit.call("DELETE", f"/{machine_id}")).status_code == 412
            assert (await kit.call("DELETE", f"/{machine_id}", params={word: "true"})).status_code == 200
            assert (await kit.get(machine_id))["state"] == "destroyed"
            assert (await kit.call("DELETE", f"/{machine_id}")).status_code == 404

    play(story)


def test_metadata_is_changed_key_by_key_and_whole() -> None:
    """Metadata can be set, read, merged, replaced and removed, without a new version."""

    async def story(kit: Kit) -> None:
        machine = await kit.create({"metadata": {"a": "1"}}, skip_launch=True)
        path = f"/{machine['id']}/metadata"
        assert (await kit.call("POST", f"{path}/b", json={"value": "2"})).status_code == 204
        assert (await kit.call("GET", f"{path}/b")).json() == {"value": "2"}
        assert (await kit.call("DELETE", f"{path}/a")).status_code == 204
        assert (await kit.call("GET", f"{path}/a")).status_code == 404
        await kit.call("PATCH", path, json={"metadata": {"c": "3", "b": None}})
        assert (await kit.call("GET", path)).json() == {"c": "3"}
        await kit.call("PUT", path, json={"metadata": {"d": "4"}})
        shown = await kit.get(machine["id"])
        assert shown["config"]["metadata"] == {"d": "4"}
        assert shown["instance_id"] == machine["instance_id"]

    play(story)


def test_metadata_patch_compares_versions() -> None:
    """A PATCH for another machine_version answers 412 and changes nothing."""

    async def story(kit: Kit) -> None:
        machine = await kit.create(skip_launch=True)
        path = f"/{machine['id']}/metadata"
        stale = await kit.call("PATCH", path, json={"metadata": {"a": "1"}, "machine_version": "01STALE"})
        assert stale.status_code == 412
        current = {"metadata": {"a": "1"}, "machine_version": machine["instance_id"]}
        assert (await kit.call("PATCH", path, json=current)).json() == {"a": "1"}

    play(story)
