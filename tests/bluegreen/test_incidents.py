"""Deploys that went wrong elsewhere, as they would go here: each test names the reports that it would have caught."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import httpx
import pytest

from providers import deployment, running
from providers.bluegreen.context import Context
from providers.bluegreen.deploy import CannotLook, Request, deploy
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Ownership, Role
from providers.bluegreen.outcome import Ending, Outcome
from providers.bluegreen.plan import next_step
from providers.bluegreen.resolve import resolve
from providers.bluegreen.scene import Scene, restoring, rolling_back, staying
from providers.bluegreen.spec_gates import SignalDrain, StopDrain
from providers.fly import Leases
from providers.gates.manifest import Expected, Manifest, find_faults
from providers.partial import DeploymentFailed
from tests.bluegreen.virtual import V1, V2, Kit, simulate
from tests.bluegreen.worlds import cluster, serving, spec, world

SPEC1, SPEC2, SPEC3 = spec(image=V1), spec(image=V2), spec(image=V2, env={"X": "3"})
NAMES1 = {"rooms-g1-ams-1", "rooms-g1-iad-1"}
NAMES2 = {"rooms-g2-ams-1", "rooms-g2-iad-1"}
Send = Callable[[httpx.Request], Awaitable[httpx.Response]]


@dataclass
class Between(httpx.AsyncBaseTransport):
    """The API, with somebody between: ``does`` gets each request and the way on. ``sent`` are all requests."""

    send: Send
    does: Callable[[httpx.Request, Send], Awaitable[httpx.Response]] | None = None
    sent: list[httpx.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return await (self.does(request, self.send) if self.does else self.send(request))


def between(
    kit: Kit, does: Callable[[httpx.Request, Send], Awaitable[httpx.Response]] | None = None
) -> Between:
    kit.http = Between(kit.http.handle_async_request, does)
    return kit.http


async def serve_v1(kit: Kit, **more) -> None:
    """v1 serves, and the proxy knows; each machine has an edit in memory."""
    assert (await kit.deploy(spec(image=V1, **more))).ending is Ending.DEPLOYED
    await pass_time(1.0)
    kit.edit_everywhere()


async def pass_time(seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await anyio.sleep_forever()


async def killed_at(kit: Kit, call: str) -> None:
    """An update whose deployer is killed before the first call whose path ends like this."""
    real = kit.http
    with anyio.CancelScope() as deployer:

        async def does(request: httpx.Request, send: Send) -> httpx.Response:
            if deployer.cancel_called:
                await anyio.sleep_forever()  # the dead send nothing, and give no lease back
            if request.url.path.endswith(call):
                deployer.cancel()
                await anyio.lowlevel.checkpoint()
            return await send(request)

        between(kit, does)
        await kit.deploy(SPEC2)
    kit.http = real


def leased(kit: Kit) -> list[str]:
    """Names of the machines that somebody holds a lease on now."""
    now = kit.world.clock.now()
    return [machine.name for machine in kit.machines() if machine.lease and machine.lease.expires_at > now]


def test_one_408_on_uncordon_rolls_nothing_back() -> None:
    """flyctl 4851: an answer that was lost is settled by looking; green serves, and was never taken away."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        lost: list[str] = []

        async def does(request: httpx.Request, send: Send) -> httpx.Response:
            answer = await send(request)
            if request.url.path.endswith("/uncordon") and not lost:
                lost.append(request.url.path)
                return httpx.Response(408, json={"error": "deadline exceeded"})
            return answer

        between(kit, does)
        assert (await kit.deploy(SPEC2)).ending is Ending.DEPLOYED
        assert lost
        await pass_time(1.0)
        assert kit.routed() == NAMES2

    simulate(test)


def test_failed_deploys_leave_no_machines_however_many_there_are() -> None:
    """flyctl 2836, 3456: after each of five failures there is blue, whole, and nothing else; never more than both."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.runtime.script("rooms-g[2-9]-*", kit.app(healthy_after=1e9))
        most = 0
        for attempt in range(5):
            failing = spec(image=V2, env={"TRY": str(attempt)}, deadlines={"verify": "20s"})
            assert (await kit.deploy(failing)).ending is Ending.ABORTED
            assert {machine.name for machine in kit.machines()} == NAMES1
        for record in kit.history("machine"):
            most = max(most, record["n"] and len(alive_at(kit, record["n"])))
        assert most <= len(NAMES1) * 2 + 1

    simulate(test)


def alive_at(kit: Kit, number: int) -> set[str]:
    """The machines that existed when this record was written."""
    states: dict[str, str] = {}
    for record in kit.history("machine"):
        if record["n"] <= number:
            states[record["name"]] = record["state"]
    return {name for name, state in states.items() if state not in ("destroyed", "destroying")}


def test_a_host_that_does_not_answer_is_not_another_version() -> None:
    """flyctl 5049: machines whose metadata cannot be read may be ours, so nothing is decided and nothing is changed."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)

        async def does(request: httpx.Request, send: Send) -> httpx.Response:
            answer = await send(request)
            if not request.url.path.endswith("/machines"):
                return answer
            listed = json.loads(await answer.aread())
            listed[0] |= {"host_status": "unreachable", "config": None, "incomplete_config": None}
            return httpx.Response(200, json=listed)

        sent = between(kit, does).sent
        with pytest.raises(CannotLook, match="a host does not answer"):
            await kit.deploy(SPEC2)
        assert {request.method for request in sent} == {"GET"}

    simulate(test)


NO_SUCCESS = (Ending.ABORTED, Ending.ROLLED_BACK, Ending.UNFINISHED, Ending.TAKEN_OVER, Ending.UNKNOWN)


@pytest.mark.parametrize("ending", NO_SUCCESS)
def test_a_deploy_that_did_not_succeed_does_not_exit_with_0(
    ending: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """flyctl 2651: Pulumi's exit code comes from the outcome that was observed, for every ending."""
    assert not Outcome(ending, None).succeeded
    monkeypatch.setattr(running, "in_context", lambda *_: Outcome(ending, None))
    with pytest.raises(DeploymentFailed):
        running.run(SPEC1, deployment._request("deploy", {}), {}, {})


def test_an_aborted_rotation_gives_blue_its_own_secrets_back() -> None:
    """Machines read secrets at their start: a blue that was stopped, and is started again, has what it had before."""

    async def test(kit: Kit) -> None:
        old = spec(image=V1, secret_env={"API_KEY": "old"})
        new = spec(image=V2, secret_env={"API_KEY": "new"})
        assert (await kit.deploy(old)).ending is Ending.DEPLOYED
        kit.store.unreadable = "manifests/"
        outcome = await kit.deploy(new, previous_secrets=dict(old.secret_env))
        assert outcome.ending is Ending.ABORTED
        assert kit.calls("stop", "stop_machine"), "it was stopped, and started again"
        running = {m.id: kit.runtime.programs[m.id].boot.env["API_KEY"] for m in kit.machines()}
        assert set(running.values()) == {"old"}

    simulate(test)


def test_a_killed_runs_leases_are_in_nobodys_way_for_long() -> None:
    """flyctl 1728, kamal 656: no lease lasts longer than half a minute, so the next run waits, and finishes."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        await killed_at(kit, "/stop")
        await pass_time(0.5)
        outcome = await kit.deploy(SPEC2)
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        assert (await kit.deploy(SPEC2)).ending is Ending.UNCHANGED
        assert leased(kit) == []

    simulate(test)


def test_a_long_drain_keeps_its_leases() -> None:
    """flyctl 2452: leases are renewed in time, through all of a drain that is longer than many of them."""

    async def test(kit: Kit) -> None:
        by_request = {"drain": {"type": "request"}}
        kit.runtime.script("rooms-g1-*", kit.app(drain_takes=120.0))
        await serve_v1(kit, **by_request)
        taken: list[str] = []

        async def does(request: httpx.Request, send: Send) -> httpx.Response:
            lease = request.method == "POST" and request.url.path.endswith("/lease")
            if lease and "fly-machine-lease-nonce" not in request.headers:
                taken.append(request.url.path)
            return await send(request)

        between(kit, does)
        assert (await kit.deploy(spec(image=V2, **by_request))).ending is Ending.DEPLOYED
        assert len(taken) == len(set(taken)), "a lease was lost, and taken again"

    simulate(test)


@pytest.mark.parametrize("for_s", [20.0, 3600.0], ids=["renewed", "long"])
def test_who_holds_the_deploy_is_told(for_s: float) -> None:
    """flyctl 1728, kamal 656: the other's name and since when are in the refusal; nothing was changed."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        holder = "up by ada@host since 2026-11-23T17:50:03Z (run 7f3a)"
        async with kit.context(SPEC1) as ctx, anyio.create_task_group() as group:
            group.start_soon(_hold, ctx, kit, for_s, holder)
            await pass_time(1.0)
            sent = between(kit).sent
            with pytest.raises(CannotLook, match=r"ada@host since 2026-11-23T17:50:03Z \(run 7f3a\)"):
                await kit.deploy(SPEC2)
            assert not [r for r in sent if r.method != "GET" and not r.url.path.endswith("/lease")]
            group.cancel_scope.cancel()

    simulate(test)


async def _hold(ctx: Context, kit: Kit, for_s: float, holder: str) -> None:
    """Another run, alive: it renews its lease on every machine."""
    leases = Leases(ctx.api, ctx.spec.app)
    nonces = {machine.id: await leases.take(machine.id, for_s, holder) for machine in kit.machines()}
    while True:
        await pass_time(5.0)
        for machine_id, nonce in nonces.items():
            await leases.renew(machine_id, nonce, for_s, holder)


def test_every_write_to_a_machine_shows_the_nonce() -> None:
    """Omadia 705: a leased machine refuses its holder's own write without it; here no write is sent without."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        sent = between(kit).sent
        assert (await kit.deploy(SPEC2)).ending is Ending.DEPLOYED
        own = ("/lease", "/machines")
        writes = [r for r in sent if r.method != "GET" and not r.url.path.endswith(own)]
        of_machines = [r for r in writes if "/machines/" in r.url.path]
        assert len(of_machines) > 8
        bare = [r.url.path for r in of_machines if "fly-machine-lease-nonce" not in r.headers]
        assert bare == []

    simulate(test)


@pytest.mark.parametrize("goal", ["deployed", "aborted", "interrupted"])
def test_no_ending_leaves_a_lease(goal: str) -> None:
    """Kamal 656: whether a run succeeds, fails or is asked to stop, the next one need not wait a second."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit)
        kit.store.down = goal == "aborted"
        async with kit.context(SPEC2) as ctx:
            ctx.stop = lambda: "Ctrl-C" if goal == "interrupted" and len(kit.machines()) > 2 else ""
            outcome = await deploy(ctx, Request(known_generation=1))
        assert outcome.ending is (Ending.DEPLOYED if goal == "deployed" else Ending.ABORTED)
        assert leased(kit) == []

    simulate(test)


def test_a_drain_may_take_longer_than_fly_lets_a_stop_take() -> None:
    """Anarlog 7116, nodetool 5553: 400 seconds to save by request, nobody kills it, and nothing is lost."""

    async def test(kit: Kit) -> None:
        more = {"drain": {"type": "request"}, "deadlines": {"drain_old": "15m"}}
        kit.runtime.script("rooms-g1-*", kit.app(drain_takes=400.0))
        await serve_v1(kit, **more)
        outcome = await kit.deploy(spec(image=V2, **more))
        assert outcome.ending is Ending.DEPLOYED, outcome.failure
        assert kit.lost() == set()

    simulate(test)


def test_a_switch_that_never_works_is_never_reported_as_one() -> None:
    """CliRelay 911: every call is answered well, and the proxy sends nobody to green: that is no success."""

    async def test(kit: Kit) -> None:
        outcome = await kit.deploy(SPEC1)
        assert kit.routed() == set()
        assert not outcome.succeeded
        assert outcome.failure
        assert "prove from outside" in outcome.failure.step

    simulate(test, proxy_delay=100_000.0)


@dataclass
class LateCommit:
    """The commit, written on blue's machines, gets no answer, and arrives when blue is being started again."""

    late: list[httpx.Request] = field(default_factory=list)

    async def __call__(self, request: httpx.Request, send: Send) -> httpx.Response:
        path = request.url.path
        if path.endswith("/metadata/bluegreen_owner"):
            self.late.append(request)
            raise httpx.ReadTimeout("no answer")
        if path.endswith("/start"):
            while self.late:
                await send(self.late.pop())
        return await send(request)


def test_behind_a_commit_that_lands_late_green_is_never_destroyed() -> None:
    """flyctl 3359, flagger 1898: a restore that finds the commit landed puts nothing back, and says so."""

    async def test(kit: Kit) -> None:
        await serve_v1(kit, state_store=None)
        between(kit, LateCommit())
        outcome = await kit.deploy(spec(image=V2, state_store=None))
        assert outcome.ending is Ending.UNFINISHED, outcome.failure
        assert {machine.name for machine in kit.machines()} == NAMES1 | NAMES2
        assert not kit.routed() & NAMES1
        assert (await kit.deploy(spec(image=V2, state_store=None))).ending is Ending.DEPLOYED

    simulate(test)


@pytest.mark.parametrize(("saved_at", "holds"), [(1_011.0, True), (1_002.0, False)], ids=["after", "before"])
def test_what_was_saved_before_the_stop_proves_nothing_of_it(saved_at: float, holds: bool) -> None:
    """FLINK-41404: the manifest of a drain that was taken back is not the proof of the next one."""
    boot = {"started_at": 1_000.0, "stop_asked_at": 1_010.0, "exited_at": 1_012.0}
    machine = cluster(SPEC1, 1, state="stopped", instance_id="01A", **boot)[0]
    who = {"release": str(machine.release), "machine_id": machine.id, "instance_id": "01A"}
    manifest = Manifest(version=1, started_at=1_000.5, saved_at=saved_at, objects=[], **who)
    assert holds is not any(find_faults(manifest, Expected(machine, ""), modified=saved_at))


UNASKED = [
    ({"saved_at": 1_005.0}, True),
    ({"saved_at": 1_005.0, "drain": "x"}, False),
    ({"saved_at": 1_001.0}, False),
    ({"saved_at": 1_005.0, "by": SignalDrain(type="signal")}, False),
    ({"saved_at": 1_011.0, "by": SignalDrain(type="signal")}, True),
]


@pytest.mark.parametrize(
    ("told", "holds"), UNASKED, ids=["at its exit", "request", "old", "signal", "by itself"]
)
def test_what_a_machine_saved_before_it_ended_unasked_proves_nothing(
    told: dict[str, Any], holds: bool
) -> None:
    """Nobody asked it to stop, so its exit counts: a manifest of before may be of a drain that was taken back."""
    drain = told.get("by", StopDrain())
    boot = {"started_at": 1_000.0, "exited_at": 1_012.0, "drain": drain}
    machine = cluster(SPEC1, 1, state="stopped", instance_id="01A", **boot)[0]
    who = {"release": str(machine.release), "machine_id": machine.id, "instance_id": "01A"}
    known = {"version": 1, "started_at": 1_000.5, "objects": [], **who, **told}
    manifest = Manifest.model_validate({key: value for key, value in known.items() if key != "by"})
    assert holds is not any(find_faults(manifest, Expected(machine, ""), modified=manifest.saved_at))


def scene_of_a_restore(goal: str) -> Scene:
    """Who served has drained and stopped, the other cluster is whole, and who served is to be put back."""
    drained = {"cordoned": True, "state": "stopped"}
    if goal == "restore":
        observation = world(serving(SPEC1, 1, **drained), cluster(SPEC2, 2))
        scene = Scene(resolve(SPEC2, observation), observation)
        return replace(scene, intent=restoring(scene, remove_app=False))
    observation = world(serving(SPEC1, 1, cordoned=True), serving(SPEC2, 2, **drained))
    back = rolling_back(Scene(resolve(SPEC2, observation), observation))
    return replace(back, intent=staying(back))


@pytest.mark.parametrize("goal", ["restore", "stay"])
def test_nothing_is_put_back_behind_a_commit(goal: str) -> None:
    """litestream 1119: two would write. Without the commit the same world has blue routed and started."""
    scene = scene_of_a_restore(goal)
    assert next_step(scene)
    landed = replace(scene.observation, record=Ownership(9, scene.intent.release))
    assert next_step(replace(scene, observation=landed)) is None


@pytest.mark.parametrize("goal", ["restore", "stay"])
def test_a_commit_that_may_still_land_is_settled_before_anybody_serves_again(goal: str) -> None:
    """litefs 370: its number is taken first, in a restore as in what follows a failed rollback."""
    scene = scene_of_a_restore(goal)
    step = next_step(replace(scene, observation=replace(scene.observation, commit_unsure=True)))
    assert step
    assert step.row.do is Do.RECLAIM


def test_a_destroy_asks_every_cluster_that_served_to_stop() -> None:
    """Argo 4834: one that was left running by an interrupted rollout is not killed with its connections open."""
    past = serving(SPEC1, 1)
    current = serving(SPEC2, 2, state="stopped", exit=None, cordoned=True, state_store="")
    observation = world(past, current)
    scene = Scene(resolve(spec(image=V2, cutover="overlap"), observation, goal="destroy"), observation)
    scene = replace(scene, intent=replace(scene.intent, cutover="overlap"))
    step = next_step(scene)
    assert step
    assert (step.row.do, step.row.on) == (Do.CORDON, Role.PAST)


def test_a_failed_machine_of_blue_does_not_block_an_overlap_for_ever() -> None:
    """It never becomes ``stopped``: it has ended, and is retired with the others."""
    old, new = spec(image=V1, cutover="overlap"), spec(image=V2, cutover="overlap")
    observation = world(serving(old, 1, state="failed", cordoned=True), serving(new, 2))
    step = next_step(Scene(resolve(new, observation), observation))
    assert step
    assert (step.row.do, step.row.on) == (Do.DESTROY, Role.OTHERS)
