"""Promises about apps, tokens, request ids, secrets and the history."""

from typing import Any

import anyio
import httpx
from starlette.types import Message, Receive, Scope, Send

from simulator.http import create_app
from tests import virtual_time
from tests.simulator.api_kit import V1, Kit, open_kit, play


def test_app_names_are_unique() -> None:
    """A second app of the same name is refused with 422 name_taken."""

    async def story(kit: Kit) -> None:
        response = await kit.client.post("/apps", json={"name": "rooms", "org_slug": "personal"})
        assert response.status_code == 422
        assert "name_taken" in response.json()["error"]

    play(story)


def test_app_with_machines_is_deleted_by_force_only() -> None:
    """Deleting an app answers 202, with force when it has machines, and takes them with it."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        assert (await kit.client.delete("/apps/rooms")).status_code == 412
        assert (await kit.client.delete("/apps/rooms", params={"force": "true"})).status_code == 202
        assert (await kit.client.get("/apps/rooms")).status_code == 404
        assert kit.runtime.programs[machine_id].signals == ["SIGKILL"]

    play(story)


def test_machine_created_during_an_app_delete_goes_too() -> None:
    """A forced delete of an app ends what is created meanwhile, and a second delete at once does no harm."""

    async def story(kit: Kit) -> None:
        await kit.create_started()
        codes: list[int] = []

        async def delete() -> None:
            codes.append((await kit.client.delete("/apps/rooms", params={"force": "true"})).status_code)

        async def create() -> None:
            codes.append((await kit.call("POST", json={"config": {"image": V1}})).status_code)

        async with anyio.create_task_group() as tasks:
            for call in (delete, create, delete, create):
                tasks.start_soon(call)
        assert 202 in codes
        assert set(codes) <= {200, 202, 404}
        assert (await kit.client.get("/apps/rooms")).status_code == 404
        assert not any(program.up for program in kit.runtime.programs.values())

    play(story)


def test_token_is_required() -> None:
    """Without the right token every call is refused with 401, with a request id, and says nothing of the token."""

    async def story(kit: Kit) -> None:
        for shown in ("", "Bearer wrong", "Basic local", "Bearer"):
            response = await kit.client.get("/apps/rooms", headers={"authorization": shown})
            assert response.status_code == 401
            assert response.headers["fly-request-id"]
            assert response.json().keys() == {"error", "status"}

    play(story)


def test_every_response_carries_a_request_id() -> None:
    """Each answer has its own Fly-Request-Id, and the history knows it."""

    async def story(kit: Kit) -> None:
        responses = [
            await kit.client.get(path) for path in ("/apps/rooms", "/apps/none", "/nothing", "/apps")
        ]
        ids = [response.headers["fly-request-id"] for response in responses]
        assert len(set(ids)) == 4
        assert [record["request_id"] for record in kit.world.history.read(kind="request")][-4:] == ids

    play(story)


def test_secrets_are_never_shown() -> None:
    """Secrets are listed by name and digest; values reach programs, but no answer and no history."""

    async def story(kit: Kit) -> None:
        canary = "canary-3f9a"
        answers = [
            await kit.client.post("/apps/rooms/secrets", json={"values": {"TOKEN": canary, "OLD": "x"}})
        ]
        answers.append(await kit.client.post("/apps/rooms/secrets", json={"values": {"OLD": None}}))
        answers.append(await kit.client.get("/apps/rooms/secrets"))
        assert [secret["name"] for secret in answers[-1].json()["secrets"]] == ["TOKEN"]
        machine_id = await kit.create_started()
        assert kit.runtime.programs[machine_id].boot.env["TOKEN"] == canary
        shown = "".join(answer.text for answer in answers) + repr(kit.world.history.read())
        assert canary not in shown + repr(kit.runtime.programs[machine_id].boot)
        bad = await kit.client.post("/apps/rooms/secrets", json={"values": {"TOKEN": [canary]}})
        assert bad.status_code == 400
        assert canary not in bad.text

    play(story)


def test_secrets_are_read_at_start() -> None:
    """A machine sees a changed secret after its next start, and its own env goes before secrets."""

    async def story(kit: Kit) -> None:
        await kit.client.post("/apps/rooms/secrets", json={"values": {"A": "1", "B": "1"}})
        machine_id = await kit.create_started({"env": {"B": "own"}})
        await kit.client.post("/apps/rooms/secrets", json={"values": {"A": "2"}})
        assert kit.runtime.programs[machine_id].boot.env["A"] == "1"
        await kit.act(machine_id, "restart")
        await kit.reach(machine_id, "started")
        env = kit.runtime.programs[machine_id].boot.env
        assert (env["A"], env["B"]) == ("2", "own")
        assert env["FLY_MACHINE_ID"] == machine_id
        assert env["FLY_PRIVATE_IP"] == (await kit.get(machine_id))["private_ip"]

    play(story)


def test_history_is_served_in_order() -> None:
    """The history has every call and change, numbered without gaps, and can be read from a number on."""

    async def story(kit: Kit) -> None:
        await kit.create_started({"metadata": {"bluegreen_release": "1-abc"}})
        records = (await kit.client.get("http://simulator/_sim/history")).json()
        assert [record["n"] for record in records] == list(range(1, len(records) + 1))
        changes = [record for record in records if record["kind"] == "machine"]
        assert [change["state"] for change in changes] == ["created", "starting", "started"]
        assert {change["release"] for change in changes} == {"1-abc"}
        later = await kit.client.get("http://simulator/_sim/history", params={"after": 2, "kind": "request"})
        assert [record["action"] for record in later.json()] == ["create_machine", "wait"]
        refused = await kit.client.get("http://simulator/_sim/history", headers={"authorization": ""})
        assert refused.status_code == 401

    play(story)


def test_an_answer_that_was_read_is_in_the_history() -> None:
    """A call's record is there before the last of its answer leaves: a reader of both misses none."""

    async def story(kit: Kit) -> None:
        app, seen = create_app(kit.world), []

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            async def watch(message: Message) -> None:
                if message["type"] == "http.response.body" and not message.get("more_body", False):
                    seen.append(kit.world.history.read(kind="request")[-1]["path"])
                await send(message)

            await app(scope, receive, watch)

        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(watched), headers={"authorization": "Bearer local"}
        ) as client:
            for path in ("/v1/apps/rooms", "/v1/apps/rooms/machines", "/v1/apps/nobodys"):
                await client.get(f"http://simulator{path}")
        assert seen == ["/v1/apps/rooms", "/v1/apps/rooms/machines", "/v1/apps/nobodys"]

    play(story)


def test_worlds_with_one_seed_are_equal() -> None:
    """The same story on the same seed makes the same ids at the same times."""

    async def story() -> list[dict[str, Any]]:
        async with open_kit() as kit:
            await kit.create_started()
            return kit.world.history.read(kind="machine")

    assert virtual_time.run(story) == virtual_time.run(story)
