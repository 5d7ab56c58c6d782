"""Whole deployments against the simulator's API, in virtual time."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from typing import Any

import anyio
import httpx
import pytest

from providers.bluegreen import lifecycle
from providers.bluegreen.deploy import CannotLook, Request, deploy, preview
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending
from providers.bluegreen.report import outcome_text, plan_lines
from simulator.runtime_virtual import Behaviour
from tests.bluegreen.faults import Faulty
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import spec

SPEC1, SPEC2 = spec(image=V1), spec(image=V2)
MUTATING = ("create_app", "delete_app", "set_secrets", "create_machine", "update_machine", "delete_machine", "cordon",
            "uncordon", "start", "stop", "restart", "signal", "set_metadata_key")  # fmt: skip
NAMES1 = {"rooms-g1-ams-1", "rooms-g1-iad-1"}
NAMES2 = {"rooms-g2-ams-1", "rooms-g2-iad-1"}


async def serve_v1(kit: Kit) -> None:
    assert (await kit.deploy(SPEC1)).ending is Ending.DEPLOYED
    assert kit.routed() == NAMES1


def whole(kit: Kit) -> set[str]:
    return {machine.name for machine in kit.machines()}


def test_a_first_deploy_is_verified_before_it_is_routed() -> None:
    """The first uncordon comes after the last check has passed, and the outcome names what serves."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        healthy_at = max(
            next(r["n"] for r in kit.history("machine") if r["name"] == name and r["healthy"])
            for name in NAMES1
        )
        assert kit.calls("uncordon")[0]["n"] > healthy_at
        outcome = kit.outcomes[0]
        assert outcome.app_created
        assert outcome.window_s is None
        assert outcome.serving
        assert outcome.serving.release.generation == 1

    simulate(test)


def test_an_update_routes_green_only_after_blue_has_saved_and_exited() -> None:
    """Blue's exits and its manifests come before green's first uncordon; then blue is gone and green serves."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending is Ending.DEPLOYED
        assert kit.routed() == whole(kit) == NAMES2
        exits = [r["n"] for r in kit.history("event") if r["type"] == "exit"]
        switch = [r["n"] for r in kit.calls("uncordon")][2]
        assert len(exits) == 2
        assert max(exits) < switch
        assert [phase.phase for phase in outcome.phases] == [
            Phase.CREATE_NEW, Phase.VERIFY, Phase.DRAIN_OLD, Phase.SWITCH_ROUTES, Phase.RETIRE_OLD
        ]  # fmt: skip
        assert sum(proof.objects for proof in outcome.proofs) == 2

    simulate(test)


def test_outside_the_window_a_whole_healthy_cluster_is_routed() -> None:
    """The proxy loses blue only when green is whole and healthy, and never routes both (promises 1 and 2)."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        start = len(kit.world.history.read())
        await kit.deploy(SPEC2)
        names = {r["machine_id"]: r["name"] for r in kit.history("machine")}
        routed = [{names[i] for i in r["machine_ids"]} for r in kit.history("routes") if r["n"] > start]
        assert all(names <= NAMES1 or names <= NAMES2 for names in routed)
        assert routed[-1] == NAMES2

    simulate(test)


def test_the_window_is_the_drain_and_little_more() -> None:
    """From the first cordon to green's first answer: blue's own drain, plus what the proxy needs to learn."""

    async def test(kit: Kit) -> None:
        kit.runtime.script("*", kit.app(drain_seconds=20))
        await serve_v1(kit)
        outcome = await kit.deploy(SPEC2)
        assert outcome.window_s is not None
        assert 20 <= outcome.window_s < 20.5

    simulate(test)


def test_a_second_run_changes_nothing() -> None:
    """After a deployment the same spec makes no call that changes anything (promise 6)."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        await kit.deploy(SPEC2)
        before = len(kit.calls(*MUTATING))
        assert (await kit.deploy(SPEC2)).ending is Ending.UNCHANGED
        assert len(kit.calls(*MUTATING)) == before
        assert kit.outcomes[-1].api_calls <= 2

    simulate(test)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (Behaviour(healthy_after=inf), "deadline of 30s"),
        (Behaviour(boot_seconds=inf), "deadline of"),
        (Behaviour(crash_after=0.3, crash_code=3), "exited with code 3"),
    ],
    ids=["never healthy", "never starts", "crashes"],
)
def test_a_green_that_fails_leaves_blue_untouched(behaviour: Behaviour, reason: str) -> None:
    """Before the drain a failure costs nothing: blue is neither cordoned nor signalled, and green is gone."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        before = [(m.id, m.instance_id) for m in kit.machines()]
        kit.runtime.script("rooms-g2-iad-*", behaviour)
        outcome = await kit.deploy(spec(image=V2, deadlines={"verify": "30s", "create_new": "30s"}))
        assert outcome.ending is Ending.ABORTED
        assert outcome.serving
        assert outcome.serving.release.generation == 1
        assert outcome.failure
        assert reason in " ".join(outcome.failure.reasons)
        assert [(m.id, m.instance_id) for m in kit.machines()] == before
        assert kit.calls("cordon", "stop") == []

    simulate(test)


LOST_STATE: dict[str, tuple[dict[str, Any], str]] = {
    "killed at its deadline": ({"ignores_stop": True}, "was ended by signal 9"),
    "exits with an error": ({"exit_code": 3}, "exited with code 3"),
    "no manifest": ({"saves": False}, "no manifest at"),
    "another release": ({"manifest": {"release": "9-0000000000"}}, "is of release 9-0000000000"),
    "another machine": ({"manifest": {"machine_id": "00000000000000"}}, "is of machine 00000000000000"),
    "another version": ({"manifest": {"instance_id": "01OLD"}}, "is of instance 01OLD"),
    "an earlier boot": ({"manifest": {"started_at": 1.0}}, "earlier boot"),
    "a lost object": (
        {"manifest": {"objects": [{"key": "rooms/gone.json", "etag": '"x"', "bytes": 1}]}},
        "rooms/gone.json is not in the store",
    ),
    "not a manifest": ({"manifest": {"objects": "all of them"}}, "is not a manifest"),
}


@pytest.mark.parametrize("case", LOST_STATE)
def test_stopped_without_proof_fails_closed(case: str) -> None:
    """State that is not proven saved keeps green unrouted: blue is started and routed again, green is gone."""
    behaviour, reason = LOST_STATE[case]

    async def test(kit: Kit) -> None:
        kit.runtime.script("rooms-g1-iad-1", kit.app(**behaviour))
        await serve_v1(kit)
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert outcome.failure.phase is Phase.DRAIN_OLD
        assert reason in " ".join(outcome.failure.reasons)
        assert "rooms-g1-iad-1" in " ".join(outcome.failure.reasons)
        assert kit.routed() == whole(kit) == NAMES1
        green = {r["machine_id"] for r in kit.history("machine") if r["name"] in NAMES2}
        assert not [r for r in kit.history("routes") if green & set(r["machine_ids"])]

    simulate(test)


@pytest.mark.parametrize(
    ("gate", "case"),
    [(Do.READ_EXITS, "exits with an error"), (Do.PROVE_SAVED, "no manifest")],
    ids=str,
)
def test_the_proofs_fail_when_their_gate_is_taken_out(
    gate: Do, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: without its row the same lost state goes unnoticed, so the test above tests the gate."""
    monkeypatch.setattr(lifecycle, "HANDOFF", tuple(row for row in lifecycle.HANDOFF if row.do is not gate))

    async def test(kit: Kit) -> None:
        kit.runtime.script("rooms-g1-iad-1", kit.app(**LOST_STATE[case][0]))
        await serve_v1(kit)
        assert (await kit.deploy(SPEC2)).ending is Ending.DEPLOYED

    simulate(test)


def test_an_unreadable_store_is_not_an_empty_one() -> None:
    """With S3 down nothing is proven, so nothing is routed; with S3 back the next run succeeds."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.store.unreadable = "manifests/"
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert "cannot be read" in " ".join(outcome.failure.reasons)
        kit.store.unreadable = ""
        assert (await kit.deploy(SPEC2)).ending is Ending.DEPLOYED
        assert kit.routed() == whole(kit)

    simulate(test)


def test_the_manifest_of_an_aborted_drain_proves_nothing_later() -> None:
    """Blue saved, was started again, and dies unsaved in the next drain: its old manifest is of an earlier boot."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.store.unreadable = "manifests/"
        kit.runtime.script("rooms-g1-*", kit.app(saves=False))
        await kit.deploy(SPEC2)
        kit.store.unreadable = ""
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert "earlier boot" in " ".join(outcome.failure.reasons)

    simulate(test)


def test_strangers_are_never_touched() -> None:
    """Machines without our metadata survive deploys and the destroy, and so does the app around them (flyctl 3360)."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        async with kit.context(SPEC1) as ctx:
            stranger = await ctx.machines.create(
                name="cron", region="ams", config={"image": V1}, skip_service_registration=True
            )
        await kit.deploy(SPEC2)
        outcome = await kit.deploy(SPEC2, goal="destroy", owns_app=True)
        assert outcome.ending is Ending.DESTROYED
        assert [m.id for m in kit.machines()] == [stranger.id]
        assert not [
            r
            for r in kit.calls(*MUTATING)
            if r["machine_id"] == stranger.id and r["action"] != "create_machine"
        ]

    simulate(test)


def test_destroy_saves_first_and_removes_only_what_we_made() -> None:
    """Delete drains and proves like an update; the app goes when we made it, and stays when we did not."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        outcome = await kit.deploy(SPEC1, goal="destroy", owns_app=False)
        assert outcome.ending is Ending.DESTROYED
        assert len(outcome.proofs) == 2
        assert "rooms" in kit.world.apps
        assert (await kit.deploy(SPEC1, goal="destroy", owns_app=True)).ending is Ending.DESTROYED
        assert kit.machines() == []

    simulate(test)


def test_a_destroy_that_cannot_prove_the_state_destroys_nothing() -> None:
    """The gate of a destroy fails closed too: blue serves again, all of it."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.store.down = True
        outcome = await kit.deploy(SPEC1, goal="destroy", owns_app=True)
        assert outcome.ending is Ending.ABORTED
        assert kit.routed() == whole(kit) == NAMES1

    simulate(test)


def test_a_failed_first_deploy_leaves_nothing_behind() -> None:
    """No blue to go back to: green and the app made for it are gone, and the outcome says that nothing serves."""

    async def test(kit: Kit) -> None:
        kit.runtime.script("*", Behaviour(healthy_after=inf))
        outcome = await kit.deploy(spec(image=V1, deadlines={"verify": "20s"}))
        assert outcome.ending is Ending.ABORTED
        assert outcome.serving is None
        assert "rooms" not in kit.world.apps

    simulate(test)


def test_a_wrong_token_changes_nothing_and_says_so_in_one_line() -> None:
    """The error names the status and the request id, and not the token."""

    async def test(kit: Kit) -> None:
        async with kit.context(SPEC1, token="wrong-canary") as ctx:
            with pytest.raises(CannotLook) as caught:
                await deploy(ctx, Request())
        text = str(caught.value)
        assert "401" in text
        assert "request id" in text
        assert "canary" not in text
        assert "\n" not in text

    simulate(test)


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"regions": {"zzz": 1}}, "zzz"), ({"image": "no/such:image"}, "no/such:image")],
    ids=["region", "image"],
)
def test_an_unknown_region_or_image_is_named(changes, named) -> None:
    """Fly's own refusal reaches the user with its request id, and nothing is left."""

    async def test(kit: Kit) -> None:
        outcome = await kit.deploy(spec(**{"image": V1} | changes))
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert named in outcome.failure.reasons[0]
        assert "request id" in outcome.failure.reasons[0]
        assert kit.machines() == []

    simulate(test)


def test_a_long_wait_says_what_it_waits_for() -> None:
    """Nobody watches a silent deploy: the machine, what its check says, and the time left."""

    async def test(kit: Kit) -> None:
        kit.runtime.script("*-iad-*", kit.app(healthy_after=inf))
        await kit.deploy(spec(image=V1, deadlines={"verify": "1m"}))
        told = [line for line in kit.said if "left, waiting for machine" in line]
        assert len(told) == 5
        assert "50s left" in told[0]
        assert "rooms-g1-iad-1" in told[0]

    simulate(test)


def test_overlap_is_never_without_a_routed_cluster() -> None:
    """Fly's own order: green is routed and proven, then blue is cordoned; there is no window."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        start = kit.history("routes")[-1]["n"]
        outcome = await kit.deploy(spec(image=V2, cutover="overlap"))
        assert outcome.ending is Ending.DEPLOYED
        assert outcome.window_s is None
        assert all(len(r["machine_ids"]) >= 2 for r in kit.history("routes") if r["n"] > start)
        assert kit.routed() == whole(kit) == NAMES2

    simulate(test)


def test_calls_grow_linearly_with_machines() -> None:
    """Fifty machines take no more calls a machine than five, inside Fly's rate limits (flyctl 3961)."""
    per_machine = []
    for count in (5, 50):

        async def test(kit: Kit, count: int = count) -> None:
            await kit.deploy(spec(image=V1, regions={"ams": count}, deadlines={"create_new": "10m"}))
            outcome = await kit.deploy(
                spec(image=V2, regions={"ams": count}, deadlines={"create_new": "10m"})
            )
            assert outcome.ending is Ending.DEPLOYED
            assert not [r for r in kit.history("request") if r["status"] == 429]
            per_machine.append(outcome.api_calls / count)

        simulate(test)
    assert per_machine[1] <= per_machine[0]


def test_secrets_reach_machines_and_nothing_else() -> None:
    """A canary secret is in the machine's environment, and in no config, metadata, history, message or outcome."""

    async def test(kit: Kit) -> None:
        secret = spec(image=V1, secret_env={"API_KEY": "canary-7f3a"})
        outcome = await kit.deploy(secret)
        assert outcome.ending is Ending.DEPLOYED
        (program, *_) = kit.runtime.programs.values()
        assert program.boot.env["API_KEY"] == "canary-7f3a"
        shown = repr(
            (outcome, secret, kit.said, kit.world.history.read(), [m.config for m in kit.machines()])
        )
        assert "canary" not in shown

    simulate(test)


def test_blue_gets_its_own_secrets_back_before_it_is_started_again() -> None:
    """Machines read secrets at their start: an aborted rotation must not give blue the new value."""

    async def test(kit: Kit) -> None:
        old, new = (
            spec(image=V1, secret_env={"API_KEY": "old"}),
            spec(image=V2, secret_env={"API_KEY": "new"}),
        )
        await kit.deploy(old)
        kit.store.down = True
        await kit.deploy(new, previous_secrets=dict(old.secret_env))
        running = {m.id: kit.runtime.programs[m.id].boot.env["API_KEY"] for m in kit.machines()}
        assert set(running.values()) == {"old"}

    simulate(test)


class ShowsUnroutedAsUncordoned(httpx.AsyncBaseTransport):
    """Fly as it may be [?]: a machine that was created away from the proxy does not show as cordoned."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.cordoned: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        _, _, last = request.url.path.rpartition("/")
        if last in ("cordon", "uncordon"):
            change = self.cordoned.add if last == "cordon" else self.cordoned.discard
            change(request.url.path.split("/")[-2])
        response = await self.inner.handle_async_request(request)
        shows_machines = request.method == "GET" and last != "wait" and "/machines" in request.url.path
        if not shows_machines and last != "machines":
            return response
        body = json.loads(await response.aread())
        for machine in body if isinstance(body, list) else [body]:
            if "cordoned" in machine:
                machine["cordoned"] = machine["id"] in self.cordoned
        return httpx.Response(response.status_code, json=body)


def test_the_deployment_does_not_rest_on_how_unrouted_machines_show() -> None:
    """Whichever way Fly shows machines that were created unrouted, they are verified first, then registered."""

    async def test(kit: Kit) -> None:
        kit.http = ShowsUnroutedAsUncordoned(kit.http)
        await serve_v1(kit)
        assert (await kit.deploy(SPEC2)).ending is Ending.DEPLOYED
        assert kit.routed() == whole(kit) == NAMES2
        kit.store.down = True
        assert (await kit.deploy(SPEC1)).ending is Ending.ABORTED
        assert kit.routed() == whole(kit) == NAMES2

    simulate(test)


@pytest.mark.parametrize("by_hand", ["cordon", "stop"])
def test_what_somebody_cordoned_or_stopped_serves_again_after_the_next_run(by_hand: str) -> None:
    """A record of serving is not enough: each machine must run and be routed, or the run repairs and proves it anew."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        victim = kit.machines()[0].id
        async with kit.context(SPEC1) as ctx:
            await getattr(ctx.machines, by_hand)(victim)
            await ctx.machines.wait(victim, ["stopped" if by_hand == "stop" else "started"])
        outcome = await kit.deploy(SPEC1)
        assert outcome.ending is Ending.DEPLOYED
        assert kit.routed() == whole(kit) == NAMES1
        assert (await kit.deploy(SPEC1)).ending is Ending.UNCHANGED

    simulate(test)


def test_a_blue_machine_that_had_died_before_does_not_block_its_own_repair() -> None:
    """What it had not saved was lost before: that is said, and the fix is deployed from what the others save."""

    async def test(kit: Kit) -> None:
        kit.runtime.script("rooms-g1-ams-1", kit.app(crash_after=60, saves=False))
        await serve_v1(kit)
        with anyio.move_on_after(600):
            await anyio.sleep_forever()
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending is Ending.DEPLOYED
        assert [proof.objects for proof in outcome.proofs] == [1]
        assert any("exited with code 1 before this began" in line for line in kit.said)
        assert kit.routed() == whole(kit) == NAMES2

    simulate(test)


def sicken_during_drain(kit: Kit) -> None:
    """Green turns unhealthy while blue drains for 30 s, long after it was verified."""
    kit.runtime.script("rooms-g1-*", kit.app(drain_seconds=30))
    kit.runtime.script("rooms-g2-iad-*", kit.app(flap_seconds=20))


def test_green_is_looked_at_again_before_the_commit() -> None:
    """A drain may take minutes: a green that fell sick meanwhile is not routed, and blue comes back."""

    async def test(kit: Kit) -> None:
        sicken_during_drain(kit)
        await serve_v1(kit)
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending is Ending.ABORTED
        assert outcome.failure
        assert "after it had been verified" in outcome.failure.reasons[0]
        assert kit.routed() == whole(kit) == NAMES1

    simulate(test)


def test_without_the_last_look_a_sick_green_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with its row taken out, the same world is committed, so the test above tests the gate."""
    without = tuple(row for row in lifecycle.HANDOFF if row.do is not Do.LOOK_AGAIN)
    monkeypatch.setattr(lifecycle, "HANDOFF", without)

    async def test(kit: Kit) -> None:
        sicken_during_drain(kit)
        await serve_v1(kit)
        assert (await kit.deploy(SPEC2)).ending is not Ending.ABORTED

    simulate(test)


def test_an_app_that_is_said_to_be_gone_is_not_believed_gone() -> None:
    """Pulumi's state knows its machines: a 404 then decides nothing, and the error names the command that may."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.http = Faulty(kit.http, "404", at=1)
        with pytest.raises(CannotLook, match="pulumi refresh"):
            await kit.deploy(SPEC2)
        assert kit.routed() == whole(kit) == NAMES1

    simulate(test)


def test_an_aborted_attempt_and_the_next_have_different_releases() -> None:
    """A late write of the aborted one names a release that nobody else has (FLINK-41404)."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.store.down = True
        await kit.deploy(SPEC2)
        kit.store.down = False
        await kit.deploy(SPEC2)
        releases = {record["release"] for record in kit.history("machine") if "-g2-" in record["name"]}
        assert len(releases) == 2

    simulate(test)


def test_a_state_store_that_moves_is_told_loudly() -> None:
    """Green reads another place than blue saves to: nothing forbids it, and the plan says what it means."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        moved = spec(image=V2, state_store={"bucket": "elsewhere"})
        async with kit.context(moved) as ctx:
            plan = plan_lines(*await preview(ctx, Request()))
        assert any("WARNING: state_store moves" in line for line in plan)

    simulate(test)


class LosesFirstCreate(httpx.AsyncBaseTransport):
    """Applies the first create of a machine, and answers it with silence."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.lost = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        if request.method == "POST" and request.url.path.endswith("/machines") and not self.lost:
            self.lost += 1
            raise httpx.ReadTimeout("no answer")
        return response


def test_a_lost_answer_of_a_create_makes_no_second_machine() -> None:
    """The machine is there although its create was not answered: it is found by name, and used (flyctl 5089)."""

    async def test(kit: Kit) -> None:
        transport = LosesFirstCreate(kit.http)
        kit.http = transport
        await serve_v1(kit)
        assert transport.lost == 1
        assert whole(kit) == NAMES1

    simulate(test)


def test_every_ending_is_told_with_what_serves_and_what_to_do_next() -> None:
    """The text of a failure has the phase, the reasons, the serving cluster and the next command."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.store.unreadable = "manifests/"
        text = outcome_text("rooms", await kit.deploy(SPEC2))
        assert "aborted in drain-old" in text
        assert "serving: release 1-" in text
        assert "pulumi up" in text
        text = outcome_text("rooms", replace(kit.outcomes[-1], ending=Ending.UNKNOWN, serving=None))
        assert "unknown" in text

    simulate(test)
