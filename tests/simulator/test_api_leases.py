"""Promises of leases: whoever holds one is the only one to change the machine."""

from typing import Any

import pytest

from tests.simulator.api_kit import V1, Kit, let_pass, play

UPDATE = {"config": {"image": V1}}
# Every call that writes to a machine: method, path behind the machine, body.
FENCED: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "", UPDATE),
    ("DELETE", "?force=true", None),
    ("POST", "/start", {}),
    ("POST", "/stop", {}),
    ("POST", "/suspend", {}),
    ("POST", "/restart", {}),
    ("POST", "/signal", {"signal": "SIGUSR1"}),
    ("POST", "/cordon", {}),
    ("POST", "/uncordon", {}),
]
CASES = pytest.mark.parametrize(("method", "path", "body"), FENCED, ids=[f"{m}{p}" for m, p, _ in FENCED])


async def lease(kit: Kit, machine_id: str, ttl: int = 60, nonce: str = "") -> dict[str, Any]:
    """Take or refresh a lease: its data."""
    response = await kit.act(machine_id, "lease", nonce, {"ttl": ttl, "description": "deploy 7"})
    assert response.status_code == (200 if nonce else 201), response.text
    data: dict[str, Any] = response.json()["data"]
    return data


@CASES
def test_write_needs_the_nonce_under_a_lease(method: str, path: str, body: dict[str, Any] | None) -> None:
    """Without the nonce or with a wrong one a write answers 409 and changes nothing; with it, it goes through."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        nonce = (await lease(kit, machine_id))["nonce"]
        before = await kit.get(machine_id)
        for shown in ("", "wrong"):
            response = await kit.call(method, f"/{machine_id}{path}", nonce=shown, json=body)
            assert response.status_code == 409
        assert await kit.get(machine_id) == before
        assert (await kit.call(method, f"/{machine_id}{path}", nonce=nonce, json=body)).status_code == 200

    play(story)


@CASES
def test_expired_nonce_is_refused(method: str, path: str, body: dict[str, Any] | None) -> None:
    """Once a lease has expired its nonce opens nothing, and a write without a nonce goes through."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        nonce = (await lease(kit, machine_id, ttl=10))["nonce"]
        await let_pass(10)
        assert (await kit.call(method, f"/{machine_id}{path}", nonce=nonce, json=body)).status_code == 409
        assert (await kit.call(method, f"/{machine_id}{path}", json=body)).status_code == 200

    play(story)


def test_refusal_names_holder_and_expiry() -> None:
    """The 409 says who holds the lease, what for, and until when."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        data = await lease(kit, machine_id)
        text = (await kit.act(machine_id, "stop")).json()["error"]
        assert data["owner"] in text
        assert "deploy 7" in text
        assert "expires at 2027-01-15T08:01:01" in text
        assert data["nonce"] not in text

    play(story)


def test_second_lease_is_refused_and_own_is_refreshed() -> None:
    """A held lease answers 409 to others; its holder's nonce makes it last longer, with the same nonce."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        first = await lease(kit, machine_id, ttl=10)
        assert (await kit.act(machine_id, "lease", body={"ttl": 10})).status_code == 409
        await let_pass(8)
        again = await lease(kit, machine_id, ttl=10, nonce=first["nonce"])
        assert again["nonce"] == first["nonce"]
        assert again["expires_at"] == first["expires_at"] + 8

    play(story)


def test_lease_is_released_by_its_nonce_only() -> None:
    """Release needs the nonce; after it the machine is free, and there is no lease to be read."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        nonce = (await lease(kit, machine_id))["nonce"]
        assert "nonce" not in (await kit.call("GET", f"/{machine_id}/lease")).json()["data"]
        assert (await kit.call("DELETE", f"/{machine_id}/lease")).status_code == 409
        assert (await kit.call("DELETE", f"/{machine_id}/lease", nonce=nonce)).status_code == 200
        assert (await kit.call("GET", f"/{machine_id}/lease")).status_code == 404
        assert (await kit.act(machine_id, "stop")).status_code == 200

    play(story)


def test_create_can_take_a_lease() -> None:
    """lease_ttl at create answers a nonce that fences the new machine at once."""

    async def story(kit: Kit) -> None:
        machine = await kit.create(lease_ttl=30, skip_launch=True)
        assert (await kit.act(machine["id"], "start")).status_code == 409
        assert (await kit.act(machine["id"], "start", machine["nonce"])).status_code == 200
        assert "nonce" not in await kit.get(machine["id"])
        [listed] = (await kit.call("GET", params={"include_leases": "true"})).json()
        assert listed["lease"]["expires_at"] == 1_800_000_030

    play(story)


def test_exec_is_refused_while_a_lease_is_held() -> None:
    """Exec answers 409 under a lease, to its holder too, and names the holder."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        held = await lease(kit, machine_id)
        for shown in ("", held["nonce"]):
            response = await kit.act(machine_id, "exec", shown, {"command": ["true"]})
            assert response.status_code == 409
            assert held["owner"] in response.json()["error"]

    play(story)


def test_metadata_is_not_fenced() -> None:
    """Metadata can be written under another's lease."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        await lease(kit, machine_id)
        assert (await kit.act(machine_id, "metadata/a", body={"value": "1"})).status_code == 204

    play(story)
