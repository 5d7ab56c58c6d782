"""What an interrupted run, a person or a dying host leaves behind: the next run finds it, and nothing is lost to it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import anyio
import httpx
import pytest
from pydantic import SecretStr

from providers.bluegreen.deploy import LOOK_DEADLINE_S, Request, preview
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending
from providers.bluegreen.spec import Spec
from providers.bluegreen.spec_gates import CommandProof
from simulator import deletion, lifecycle
from tests.bluegreen.promises import Rules
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

NAMES1 = {"rooms-g1-ams-1", "rooms-g1-iad-1"}
BY_REQUEST = {"drain": {"type": "request"}}
GONE = {"objects": [{"key": "rooms/gone.json", "etag": '"x"', "bytes": 1}]}


async def pass_time(seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await anyio.sleep_forever()


async def serve(kit: Kit, wanted: Spec) -> None:
    assert (await kit.deploy(wanted)).ending is Ending.DEPLOYED
    await pass_time(1.0)
    kit.edit_everywhere()


async def kill_at(kit: Kit, wanted: Spec, call: str, **request) -> None:
    """Deploy, and kill the deployer before the first call whose method and path contain this."""
    real = kit.http
    with anyio.CancelScope() as deployer:

        class Killing(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if call in f"{request.method} {request.url.path}":
                    deployer.cancel()
                    await anyio.lowlevel.checkpoint()
                return await real.handle_async_request(request)

        kit.http = Killing()
        await kit.deploy(wanted, **request)
    kit.http = real
    await pass_time(1.0)
    kit.edit_everywhere()


def machine(kit: Kit, name: str):
    return next(machine for machine in kit.machines() if machine.name == name)


async def call(kit: Kit, method: str, path: str) -> None:
    headers = {"authorization": "Bearer local"}
    async with httpx.AsyncClient(transport=kit.http, base_url="http://fly.test", headers=headers) as http:
        assert (await http.request(method, f"/v1/apps/rooms/machines/{path}")).is_success


async def die(kit: Kit, name: str) -> None:
    """A machine that crashes until Fly gives it up."""
    kit.promises.excuse(machine(kit, name).id)
    kit.runtime.script(name, kit.app(crash_after=0.1))
    kit.runtime.programs[machine(kit, name).id].signal("SIGKILL")
    while str(machine(kit, name).state) != "stopped":
        await pass_time(1.0)
    kit.runtime.script(name, kit.app())
    kit.scripted.acknowledged = [edit for edit in kit.scripted.acknowledged if edit not in kit.lost()]


def at_cordon(kit: Kit, machine_id: str, answer: Callable[[], httpx.Response]) -> httpx.AsyncBaseTransport:
    """The API, but for what it answers to the cordon of this machine."""
    real = kit.http

    class Answering(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith(f"{machine_id}/cordon"):
                return answer()
            return await real.handle_async_request(request)

    return Answering()


def refuse() -> httpx.Response:
    return httpx.Response(403, json={"error": "no"})


def no_answer() -> httpx.Response:
    raise httpx.ReadTimeout("the host does not answer")


@pytest.mark.parametrize("store", [{}, {"state_store": None}], ids=["store", "no store"])
def test_a_dead_machine_whose_cordon_is_refused_ends_the_deploy_before_its_commit(store) -> None:
    """Routed as it is, its host may start it behind the commit, beside green: so blue goes on, and it says why."""

    async def test(kit: Kit) -> None:
        await serve(kit, spec(image=V1, **store))
        await die(kit, "rooms-g1-ams-1")
        dead = machine(kit, "rooms-g1-ams-1").id
        kit.http, real = at_cordon(kit, dead, refuse), kit.http
        outcome = await kit.deploy(spec(image=V2, **store))
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure is not None
        assert f"fly machine destroy --force {dead}" in outcome.failure.reasons[0]
        assert kit.routed() == {"rooms-g1-iad-1"}
        assert kit.lost() == set()
        kit.http = real
        assert (await kit.deploy(spec(image=V2, **store))).ending is Ending.DEPLOYED

    simulate(test)


def test_a_blue_that_has_died_as_a_whole_is_cordoned_before_green_owns_the_state() -> None:
    """Nobody is left to be drained, and its hosts may start it again while green bakes."""

    async def test(kit: Kit) -> None:
        await serve(kit, spec(image=V1))
        for name in sorted(NAMES1):
            await die(kit, name)
        kit.promises.without = ("a whole cluster is routed outside the window",)
        outcome = await kit.deploy(spec(image=V2))
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        cordoned = [record["n"] for record in kit.calls("cordon")]
        commit = max(record["n"] for record in kit.history("commit"))
        assert len(cordoned) == 2
        assert max(cordoned) < commit

    simulate(test)


def test_a_dead_machine_on_a_host_that_does_not_answer_keeps_no_fix_away_and_is_told_of() -> None:
    """It cannot be waited for; that it may come back routed is not kept from anybody."""

    async def test(kit: Kit) -> None:
        await serve(kit, spec(image=V1))
        await die(kit, "rooms-g1-ams-1")
        dead = machine(kit, "rooms-g1-ams-1").id
        kit.http = at_cordon(kit, dead, no_answer)
        assert (await kit.deploy(spec(image=V2))).ending is Ending.DEPLOYED
        assert any(dead in line and "takes no cordon" in line for line in kit.said)
        assert kit.lost() == set()

    simulate(test)


@pytest.mark.parametrize("drain", [{}, BY_REQUEST], ids=["stop", "request"])
def test_a_dead_machine_of_blue_that_comes_back_is_drained_like_the_others(drain) -> None:
    """It was not waited for, since it had died before; started meanwhile, its new edits are saved all the same."""

    async def test(kit: Kit) -> None:
        await serve(kit, spec(image=V1, **drain))
        await die(kit, "rooms-g1-ams-1")

        async def come_back(boot) -> None:
            await kit.scripted.start(boot)
            lifecycle.start(
                kit.world, machine(kit, "rooms-g1-ams-1")
            )  # its host does: leases keep people away
            await pass_time(3.0)
            kit.edit_everywhere()

        kit.runtime.script("rooms-g2-ams-1", kit.app(on_start=come_back))
        outcome = await kit.deploy(spec(image=V2, **drain))
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        kit.end(outcome)
        assert kit.lost() == set()

    simulate(test)


COMMITS_IN_THE_STORE = ("green stays after its commit", "the owner is what the store says")
"""Promises that are told by owners' records: without a store, a commit is written on machines."""


@pytest.mark.parametrize("moved", [{"bucket": "rooms-state", "prefix": "b/"}, None], ids=["moved", "removed"])
def test_a_commit_in_another_store_than_todays_is_found(moved) -> None:
    """The switch to a new store is killed behind its commit; the old configuration finds the owner where it is."""

    async def test(kit: Kit) -> None:
        old, new = spec(image=V1), spec(image=V2, state_store=moved)
        if moved is None:
            kit.promises.without = COMMITS_IN_THE_STORE
        await serve(kit, old)
        await kill_at(kit, new, "bluegreen_serving")
        outcome = await kit.deploy(old)
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        await pass_time(1.0)
        kit.end(outcome)
        assert kit.lost() == set()

    simulate(test)


@pytest.mark.parametrize("cutover", ["handoff", "overlap"])
def test_a_cluster_from_before_blue_that_still_runs_is_stopped_first(cutover) -> None:
    """An overlap killed before its drain leaves two clusters routed: the next rollout begins by ending that."""

    async def test(kit: Kit) -> None:
        await serve(kit, spec(image=V1))
        await kill_at(kit, spec(image=V2, cutover="overlap"), "/cordon")
        assert len(kit.routed()) == 4
        outcome = await kit.deploy(spec(image=V1, env={"X": "3"}, cutover=cutover))
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        await pass_time(1.0)
        assert kit.routed() == {"rooms-g3-ams-1", "rooms-g3-iad-1"}
        assert {machine.name for machine in kit.machines()} == kit.routed()
        assert kit.lost() == set()

    simulate(test)


def test_the_mark_of_a_retired_cluster_counts_for_nothing_once_it_serves_again() -> None:
    """Reused, then asked to hand over with a bake: it is baked against, proven, and kept warm anew."""

    async def test(kit: Kit) -> None:
        warm = {"keep_warm": "1h", "stop_config": {"timeout": "5s"}}
        await serve(kit, spec(image=V1, **warm))
        await serve(kit, spec(image=V2, **warm))
        await serve(kit, spec(image=V1, **warm))
        third = spec(image=V2, env={"X": "3"}, bake="60s", **warm)
        kit.scripted.outage = True
        await kill_at(kit, third, "/wait")
        await pass_time(20.0)
        kit.scripted.outage = False
        outcome = await kit.deploy(third)
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        assert Phase.BAKE in {phase.phase for phase in outcome.phases}
        assert len(outcome.proofs) == 2

    simulate(test)


def test_one_machine_that_does_not_resume_keeps_no_other_away() -> None:
    """It stays cordoned and is named, with the command that helps; the rest of blue serves."""

    async def test(kit: Kit) -> None:
        plain = kit.app(manifest=GONE)

        async def deaf(boot, method, target, body):
            if method == "DELETE":
                return 500, b""
            assert plain.serve
            return await plain.serve(boot, method, target, body)

        kit.runtime.script("rooms-g1-ams-1", kit.app(manifest=GONE, serve=deaf))
        await serve(kit, spec(image=V1, **BY_REQUEST))
        outcome = await kit.deploy(spec(image=V2, **BY_REQUEST))
        assert outcome.ending is Ending.UNKNOWN
        assert "fly machine restart" in " ".join(outcome.failure.reasons if outcome.failure else ())
        await pass_time(1.0)
        assert kit.routed() == {"rooms-g1-iad-1"}
        await call(kit, "POST", f"{machine(kit, 'rooms-g1-ams-1').id}/restart")
        await pass_time(5.0)
        assert (await kit.deploy(spec(image=V1, **BY_REQUEST))).ending is Ending.DEPLOYED
        await pass_time(1.0)
        assert kit.routed() == NAMES1

    simulate(test)


def secrets(kit: Kit) -> dict[str, str]:
    return {name: secret.value for name, secret in kit.world.apps["rooms"].secrets.items()}


def with_key(image: str, value: str, **more) -> Spec:
    return spec(image=image, secret_env={"KEY": value}, **more)


Scene = Callable[[Kit], Awaitable[Spec]]


async def killed_before_the_first_machine(kit: Kit) -> Spec:
    await kill_at(kit, with_key(V2, "two"), "POST /v1/apps/rooms/machines", previous_secrets=PREVIOUS)
    return with_key(V1, "one")


async def killed_in_a_reuse(kit: Kit) -> Spec:
    warm = {"keep_warm": "1h"}
    await kit.deploy(with_key(V2, "two", **warm), previous_secrets=PREVIOUS)
    previous = {"KEY": SecretStr("two")}
    await kill_at(kit, with_key(V1, "one", **warm), "/cordon", previous_secrets=previous)
    return with_key(V2, "two", **warm)


async def failed_and_kept(kit: Kit) -> Spec:
    kit.runtime.script("rooms-g2-*", kit.app(healthy_after=float("inf")))
    kept = {"keep_failed_green": True, "deadlines": {"verify": "10s"}}
    assert (await kit.deploy(with_key(V2, "two", **kept), previous_secrets=PREVIOUS)).ending is Ending.ABORTED
    assert secrets(kit)["KEY"] == "one"
    kit.runtime.script("rooms-g2-*", kit.app())
    for name in ("rooms-g2-ams-1", "rooms-g2-iad-1"):
        await call(kit, "POST", f"{machine(kit, name).id}/restart")
    return with_key(V2, "two")


async def failed_rollback(kit: Kit) -> Spec:
    kit.runtime.script("rooms-g2-*", kit.app(flap_seconds=10.0, manifest=GONE))
    bake = {"bake": "60s"} | BY_REQUEST
    outcome = await kit.deploy(with_key(V2, "two", **bake), previous_secrets=PREVIOUS)
    assert outcome.ending is Ending.UNFINISHED
    assert secrets(kit)["KEY"] == "two"
    return with_key(V2, "two", **BY_REQUEST)


PREVIOUS = {"KEY": SecretStr("one")}


@pytest.mark.parametrize(
    "left", [killed_before_the_first_machine, killed_in_a_reuse, failed_and_kept, failed_rollback]
)
def test_the_apps_secrets_are_those_of_the_release_that_serves(left: Scene) -> None:
    """Secrets belong to the app: whatever was left in it, after the next run a restart gets the right ones."""

    async def test(kit: Kit) -> None:
        first = with_key(V1, "one", **({"keep_warm": "1h"} if left is killed_in_a_reuse else {}))
        await kit.deploy(first)
        wanted = await left(kit)
        assert (await kit.deploy(wanted)).succeeded
        assert secrets(kit) == {"KEY": wanted.secret_env["KEY"].get_secret_value()}
        assert (await kit.deploy(wanted)).ending is Ending.UNCHANGED

    simulate(test)


def test_a_proof_that_nobody_can_give_any_more_is_found_before_blue_is_touched() -> None:
    """A release proven by a command needs that command once more: from the last deploy, or the failure says so."""

    async def test(kit: Kit) -> None:
        await serve(kit, spec(image=V1, state_proof={"type": "http", "url": "http://saved.test/"}))
        outcome = await kit.deploy(spec(image=V2))
        assert outcome.ending is Ending.ABORTED
        assert "set state_proof to that http once more" in " ".join(
            outcome.failure.reasons if outcome.failure else ()
        )
        assert kit.calls("cordon", "stop") == []
        of_another_kind = CommandProof(type="command", argv=("true",))
        outcome = await kit.deploy(spec(image=V2), previous_proof=of_another_kind)
        assert outcome.ending is Ending.ABORTED

    simulate(test)


def test_a_machine_that_somebody_removes_while_it_drains_fails_the_gate_by_name() -> None:
    """What it had not saved is gone; that is said, and blue's other machines serve again."""

    async def test(kit: Kit) -> None:
        await serve(kit, spec(image=V1))

        async def removed(boot) -> None:
            if boot.name == "rooms-g1-ams-1":
                # Whoever does it does it with force, past the lease: the API itself would refuse.
                await deletion.delete_machine(kit.world, machine(kit, boot.name), True)
                await anyio.sleep_forever()

        kit.scripted.on_stop = removed
        outcome = await kit.deploy(spec(image=V2))
        assert outcome.ending is Ending.ABORTED
        assert "somebody else has removed it" in " ".join(outcome.failure.reasons if outcome.failure else ())
        await pass_time(1.0)
        assert kit.routed() == {"rooms-g1-iad-1"}

    simulate(test)


class Forgetting(httpx.AsyncBaseTransport):
    """The API, where it answers 404 for a machine that was destroyed, and not with its last state."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        body = json.loads(await response.aread() or b"{}")
        if request.method == "GET" and isinstance(body, dict) and body.get("state") == "destroyed":
            return httpx.Response(404, json={"error": "machine not found"})
        return httpx.Response(response.status_code, json=body, headers=response.headers)


@pytest.mark.parametrize("forgets", [False, True], ids=["its last state", "404"])
def test_a_look_for_many_machines_that_are_gone_takes_the_time_of_one(forgets: bool) -> None:
    """`up` was killed when blue was destroyed, so Pulumi's state still names all of it: refresh and `up` go through."""

    async def test(kit: Kit) -> None:
        many = {"regions": {"ams": 10, "iad": 10}, "cutover": "overlap", "state_store": None}
        await kit.deploy(spec(image=V1, **many))
        blue = frozenset(machine.id for machine in kit.machines())
        assert (await kit.deploy(spec(image=V2, **many))).ending is Ending.DEPLOYED
        if forgets:
            kit.http = Forgetting(kit.http)
        began = kit.world.clock.now()
        asked = len(kit.calls("get_machine"))
        async with kit.context(spec(image=V2, **many)) as ctx:
            _, steps = await preview(ctx, Request(known_generation=1, expected=blue))
        assert steps == []
        assert kit.world.clock.now() - began < LOOK_DEADLINE_S / 4
        calls = kit.calls("get_machine")[asked:]
        assert len(calls) == len(blue) * (5 if forgets else 1)
        assert {call["status"] for call in calls} == {200}
        outcome = await kit.deploy(spec(image=V2, **many), expected=blue)
        assert outcome.ending is Ending.UNCHANGED

    simulate(test, rules=Rules(handoff=False))
