"""Short-lived machines: how their command ended is known or told to be unknown, and none of them is left behind."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest

from providers.bluegreen import journal
from providers.bluegreen.actions.tasks import CLEANUP_WITHIN_S, LOGS_WITHIN_S, TaskEnd, run_task
from providers.bluegreen.context import Context
from providers.bluegreen.events import lines
from providers.bluegreen.failures import GateFailed
from providers.bluegreen.model import Release
from providers.fly import Ambiguous, Api, Conflict, Invalid, connect, errors
from simulator.http import create_app
from simulator.model import Machine
from simulator.runtime_virtual import Behaviour
from tests import virtual_time
from tests.bluegreen.worlds import spec
from tests.simulator.api_kit import V1, open_kit
from tests.simulator.real_kit import DEADLINE, IMAGE, run_simulator

SPEC = spec()
RELEASE = Release(2, SPEC.digest, "nonce")
NAME = "rooms-task-g2-smoke-ams"
METADATA = journal.task_metadata(SPEC, RELEASE, "smoke-ams")
Answer = Callable[[], Awaitable[httpx.Response]]
Tamper = Callable[[httpx.Request, Answer], Awaitable[httpx.Response]]


@dataclass
class Line(httpx.AsyncBaseTransport):
    """The way to the API: ``tamper`` may do anything to a request and to the API's answer."""

    inner: httpx.AsyncBaseTransport
    tamper: Tamper
    calls: list[tuple[str, str]] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append((request.method, request.url.path))
        return await self.tamper(request, lambda: self.inner.handle_async_request(request))

    def count(self, method: str, end: str) -> int:
        return sum(called == method and path.endswith(end) for called, path in self.calls)


@dataclass
class Kit:
    """A platform with the app, and one task to be run on it."""

    ctx: Context
    line: Line
    machines: Mapping[str, Machine]
    create: Callable[..., Awaitable[Any]]
    said: list[str]

    async def run(self, **changes: Any) -> TaskEnd:
        task: dict[str, Any] = {
            "name": NAME,
            "region": "ams",
            "image": V1,
            "argv": ["/bin/smoke", "--all"],
            "env": {"URLS": "http://a http://b"},
            "metadata": METADATA,
        }
        return await run_task(self.ctx, **{**task, **changes})

    def left(self) -> list[str]:
        """Names of the machines that exist."""
        return [m.name for m in self.machines.values() if m.state not in ("destroyed", "destroying")]


async def pass_on(request: httpx.Request, answer: Answer) -> httpx.Response:
    return await answer()


def context(api: Api, said: list[str]) -> Context:
    """What a task needs of a deployment's context."""
    unused = cast(Any, None)
    return Context(
        api=api,
        spec=SPEC,
        store_of=unused,
        prober=unused,
        tunnels=unused,
        private=unused,
        hear=lines(said.append),
    )


def play(
    story: Callable[[Kit], Awaitable[None]], script: Behaviour | None = None, tamper: Tamper = pass_on
) -> None:
    """Run a story on a fresh platform in virtual time; without a script the command ends after 5 s with 0."""

    async def main() -> None:
        async with open_kit(limits=True) as platform:
            platform.runtime.script(
                "*", script or Behaviour(crash_after=5, crash_code=0, output=("all", "well"))
            )
            line = Line(httpx.ASGITransport(create_app(platform.world)), tamper)
            said: list[str] = []
            async with connect("local", "http://fly.test", transport=line) as api:
                api.attempts = None  # as a deployment has it
                await story(
                    Kit(
                        context(api, said), line, platform.world.apps["rooms"].machines, platform.create, said
                    )
                )

    virtual_time.run(main)


def altered(change: Callable[[Any], Any], method: str = "GET", end: str = "") -> Tamper:
    """Change the JSON of the answers to some requests."""

    async def tamper(request: httpx.Request, answer: Answer) -> httpx.Response:
        response = await answer()
        if request.method != method or not request.url.path.endswith(end):
            return response
        await response.aread()
        return httpx.Response(response.status_code, json=change(response.json()))

    return tamper


def test_a_task_runs_its_command_once_and_is_gone() -> None:
    """Its exit and its last lines are answered; it was never routed, restarted, or found by name in DNS."""

    async def story(kit: Kit) -> None:
        end = await kit.run()
        assert (end.exit.exit_code, end.exit.graceful, end.exit.requested) == (0, True, False)
        assert end.lines == ("all", "well")
        [machine] = kit.machines.values()
        assert (machine.id, machine.name, machine.region, machine.state) == (
            end.machine_id,
            NAME,
            "ams",
            "destroyed",
        )
        assert not machine.registered
        assert machine.config == {
            "image": V1,
            "guest": SPEC.guest.model_dump(),
            "init": {"cmd": ["/bin/smoke", "--all"]},
            "env": {"URLS": "http://a http://b"},
            "metadata": METADATA,
            "restart": {"policy": "no"},
            "auto_destroy": False,
            "dns": {"skip_registration": True},
        }
        assert kit.said == []

    play(story)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (Behaviour(crash_after=1, crash_code=3), "exited with code 3"),
        (Behaviour(crash_after=1, crash_code=137, oom_killed=True), "was killed: out of memory"),
        (Behaviour(crash_after=0.0, crash_code=1), "exited with code 1"),
    ],
)
def test_a_command_that_fails_is_an_answer(script: Behaviour, told: str) -> None:
    """The caller judges the exit, however it came about; the machine is gone all the same."""

    async def story(kit: Kit) -> None:
        end = await kit.run()
        assert not end.exit.graceful
        assert str(end.exit) == told
        assert end.lines == ("why",)
        assert kit.left() == []

    play(story, replace(script, output=("why",)))


def test_a_killed_command_has_not_passed() -> None:
    """Somebody's SIGKILL in its middle is told as the signal that it was."""

    async def story(kit: Kit) -> None:
        async def kill() -> None:
            await kit.ctx.machines.wait(next(iter(kit.machines)), ["started"])
            await kit.ctx.machines.signal(next(iter(kit.machines)), "SIGKILL")

        async def run() -> None:
            ends.append(await kit.run())

        ends: list[TaskEnd] = []
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            while not kit.machines:
                await anyio.lowlevel.checkpoint()
            group.start_soon(kill)
        assert ends[0].exit.signal == 9
        assert kit.left() == []

    play(story, Behaviour())


@pytest.mark.parametrize("failure", ["500", "408", "reset", "no machine"])
def test_a_create_whose_answer_is_lost_makes_no_second_machine(failure: str) -> None:
    """The machine is found by its name, and its end counts."""

    async def lose(request: httpx.Request, answer: Answer) -> httpx.Response:
        response = await answer()
        if request.method != "POST":
            return response
        if failure == "reset":
            raise httpx.ReadError("reset")
        return (
            httpx.Response(200, json={}) if failure == "no machine" else httpx.Response(int(failure), json={})
        )

    async def story(kit: Kit) -> None:
        assert (await kit.run()).exit.graceful
        assert kit.line.count("POST", "/machines") == len(kit.machines) == 1
        assert kit.left() == []

    play(story, tamper=lose)


def test_a_machine_that_shows_late_is_waited_for() -> None:
    """The API is eventually consistent: the first list after a lost answer may lack it."""
    lists: list[int] = []

    async def lose(request: httpx.Request, answer: Answer) -> httpx.Response:
        response = await answer()
        if request.method == "POST":
            raise httpx.ReadError("reset")
        if request.url.path.endswith("/machines"):
            lists.append(1)
            return httpx.Response(200, json=[]) if len(lists) < 3 else response
        return response

    async def story(kit: Kit) -> None:
        assert (await kit.run()).exit.graceful
        assert kit.left() == []

    play(story, tamper=lose)


def test_a_create_that_did_not_happen_is_ambiguous() -> None:
    """Nothing of that name shows: only a fresh look at the world may decide what follows."""

    async def drop(request: httpx.Request, answer: Answer) -> httpx.Response:
        if request.method == "POST":
            raise httpx.ReadError("reset")
        return await answer()

    async def story(kit: Kit) -> None:
        with pytest.raises(Ambiguous):
            await kit.run()
        assert kit.machines == {}

    play(story, tamper=drop)


def test_a_task_that_runs_already_is_waited_for() -> None:
    """The name is taken by this very task, as its metadata says: a second one would run its command twice."""

    async def story(kit: Kit) -> None:
        await kit.create({"metadata": {**METADATA, "more": "1"}, "restart": {"policy": "no"}}, name=NAME)
        assert (await kit.run()).exit.graceful
        assert len(kit.machines) == 1
        assert kit.left() == []

    play(story)


@pytest.mark.parametrize("metadata", [{}, {**METADATA, journal.RELEASE: "1-other"}])
def test_a_strangers_machine_is_not_touched(metadata: dict[str, str]) -> None:
    """One of that name that does not say that it is this task is somebody else's: 409 stands, and it stays."""

    async def story(kit: Kit) -> None:
        await kit.create({"metadata": metadata}, name=NAME)
        with anyio.fail_after(60), pytest.raises(Conflict):
            await kit.run()
        assert kit.left() == [NAME]

    play(story, Behaviour())


def test_a_refused_create_leaves_nothing() -> None:
    """An image that does not exist is the API's 422, at once."""

    async def story(kit: Kit) -> None:
        with pytest.raises(Invalid):
            await kit.run(image="registry.fly.io/rooms:none")
        assert kit.machines == {}

    play(story)


def test_an_exit_event_may_come_late() -> None:
    """The state says stopped a moment before the event says how."""
    looks: list[int] = []

    def late(machine: Any) -> Any:
        looks.append(1)
        return machine if len(looks) > 3 else machine | {"events": machine["events"][1:]}

    async def story(kit: Kit) -> None:
        assert (await kit.run()).exit.graceful

    async def tamper(request: httpx.Request, answer: Answer) -> httpx.Response:
        found = any(request.url.path.endswith(machine_id) for machine_id in ids)
        return await (altered(late) if found else pass_on)(request, answer)

    ids: list[str] = []

    async def with_ids(kit: Kit) -> None:
        async def run() -> None:
            await story(kit)

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            while not kit.machines:
                await anyio.lowlevel.checkpoint()
            ids.extend(kit.machines)

    play(with_ids, tamper=tamper)


def _without_exits(answer: Any) -> Any:
    if isinstance(answer, dict) and "events" in answer:
        return answer | {"events": [event for event in answer["events"] if event["type"] != "exit"]}
    return answer


def test_an_end_that_nothing_tells_of_fails() -> None:
    """Stopped is not passed: without an exit event the gate fails, and names the machine that it was."""

    async def story(kit: Kit) -> None:
        with pytest.raises(GateFailed, match=rf"task {NAME} \(machine .{{14}}\) has no exit event"):
            await kit.run()
        assert kit.left() == []

    play(story, tamper=altered(_without_exits))


def test_a_machine_that_somebody_destroyed_fails() -> None:
    """It has ended, and nothing tells how."""

    async def story(kit: Kit) -> None:
        async def destroy() -> None:
            await kit.ctx.machines.destroy(next(iter(kit.machines)))

        async with anyio.create_task_group() as group:
            while not kit.machines:
                if not kit.line.calls:
                    group.start_soon(run_and_fail, kit)
                await anyio.lowlevel.checkpoint()
            group.start_soon(destroy)

    async def run_and_fail(kit: Kit) -> None:
        with pytest.raises(GateFailed, match="no exit event"):
            await kit.run()

    play(story, Behaviour())


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    with pytest.raises(TimeoutError), anyio.fail_after(seconds):
        yield


def test_a_task_that_is_given_up_is_removed() -> None:
    """At the caller's deadline a command that hangs is destroyed with its machine; the deadline stays the error."""

    async def story(kit: Kit) -> None:
        with deadline(60):
            await kit.run()
        assert len(kit.machines) == 1
        assert kit.left() == []
        assert kit.ctx.waiting_for[NAME].endswith("to end")
        assert next(iter(kit.machines)) in kit.ctx.waiting_for[NAME]

    play(story, Behaviour())


def test_a_create_that_is_given_up_is_removed() -> None:
    """Where the answer never came the machine is found by its name."""

    async def hang(request: httpx.Request, answer: Answer) -> httpx.Response:
        response = await answer()
        if request.method == "POST":
            await anyio.sleep_forever()
        return response

    async def story(kit: Kit) -> None:
        with deadline(10):
            await kit.run()
        assert len(kit.machines) == 1
        assert kit.left() == []

    play(story, Behaviour(), tamper=hang)


def deletes(respond: Callable[[], Awaitable[httpx.Response]]) -> Tamper:
    async def tamper(request: httpx.Request, answer: Answer) -> httpx.Response:
        return await (respond() if request.method == "DELETE" else answer())

    return tamper


async def forbid() -> httpx.Response:
    return httpx.Response(403, json={"error": "not yours"}, headers={"fly-request-id": "01REQ"})


async def fail() -> httpx.Response:
    return httpx.Response(500, json={"error": "try again"})


async def never() -> httpx.Response:
    await anyio.sleep_forever()
    raise AssertionError


@pytest.mark.parametrize(("respond", "told"), [(forbid, "01REQ"), (fail, "try again"), (never, "no answer")])
def test_a_machine_that_cannot_be_removed_changes_no_verdict(
    respond: Callable[[], Awaitable[httpx.Response]], told: str
) -> None:
    """It is told, with the reason and what becomes of it, after a bounded time."""

    async def story(kit: Kit) -> None:
        with anyio.fail_after(5 + CLEANUP_WITHIN_S + 5):
            assert (await kit.run()).exit.graceful
        [said] = kit.said
        assert NAME in said
        assert told in said
        assert "the next run removes it" in said

    play(story, tamper=deletes(respond))


def test_output_may_come_late_after_a_failure() -> None:
    """Fly's log search has it some seconds later: worth waiting for to tell why, and not for a success."""
    asked: list[int] = []

    def late(document: Any) -> Any:
        asked.append(1)
        return document if len(asked) > 3 else {"data": []}

    async def failing(kit: Kit) -> None:
        assert (await kit.run()).lines == ("why",)

    play(failing, Behaviour(crash_after=1, output=("why",)), altered(late, end="/logs"))
    asked.clear()

    async def passing(kit: Kit) -> None:
        assert (await kit.run()).lines == ()
        assert len(asked) == 1

    play(passing, tamper=altered(late, end="/logs"))


@pytest.mark.parametrize("code", [0, 1])
def test_a_verdict_outlives_the_deadline(code: int) -> None:
    """Where the deadline passes while output is waited for, the command had ended in time, and that counts."""

    async def hang(request: httpx.Request, answer: Answer) -> httpx.Response:
        return await (never() if request.url.path.endswith("/logs") else answer())

    async def story(kit: Kit) -> None:
        began = anyio.current_time()
        with anyio.fail_after(7):
            end = await kit.run()
        assert (end.exit.exit_code, end.lines) == (code, ())
        assert anyio.current_time() - began <= 6 + LOGS_WITHIN_S + 1
        assert kit.left() == []

    play(story, Behaviour(crash_after=5, crash_code=code), hang)


def test_what_is_waited_for_is_told() -> None:
    """While it runs the context names machine and task; afterwards nothing is waited for."""
    told: set[str] = set()

    async def story(kit: Kit) -> None:
        async def note(request: httpx.Request, answer: Answer) -> httpx.Response:
            told.update(kit.ctx.waiting_for.values())
            return await answer()

        kit.line.tamper = note
        end = await kit.run()
        assert told == {f"task {NAME} to be created", f"task {NAME} (machine {end.machine_id}) to end"}
        assert kit.ctx.waiting_for == {}

    play(story)


def test_two_tasks_run_side_by_side() -> None:
    """Tasks of other names are not mistaken for one another."""

    async def story(kit: Kit) -> None:
        ends: dict[str, TaskEnd] = {}

        async def one(name: str) -> None:
            ends[name] = await kit.run(name=name, metadata=METADATA | {journal.TASK: name})

        async with anyio.create_task_group() as group:
            for index in range(5):
                group.start_soon(one, f"rooms-task-g2-{index}")
        assert {kit.machines[end.machine_id].name for end in ends.values()} == set(ends)
        assert kit.left() == []

    play(story)


def test_a_token_that_is_refused_is_told_as_it_is() -> None:
    """What the API refuses is no verdict of the command."""

    async def story(kit: Kit) -> None:
        with pytest.raises(errors.Unauthorized):
            await kit.run()

    async def refuse(request: httpx.Request, answer: Answer) -> httpx.Response:
        return httpx.Response(401, content=json.dumps({"error": "expired"}).encode())

    play(story, tamper=refuse)


def test_a_task_is_a_real_process_over_real_http(tmp_path: Path) -> None:
    """Its argv runs with the machine's environment; exit code and output come back, and nothing is left."""
    script = "echo $GREETING from $FLY_REGION; printf '\\033[31mno\\033[0m \\377\\n' >&2; exit 3"
    task: dict[str, Any] = {
        "name": NAME,
        "region": "iad",
        "image": IMAGE,
        "argv": ["sh", "-c", script],
        "env": {"GREETING": "hello"},
        "metadata": METADATA,
    }

    async def main(base_url: str) -> TaskEnd:
        async with connect("local", base_url) as api:
            with anyio.fail_after(DEADLINE):
                return await run_task(context(api, []), **task)
        raise AssertionError

    with run_simulator(tmp_path) as simulator:
        end = anyio.run(main, simulator.ready["api"])
        assert (end.exit.exit_code, end.exit.signal) == (3, -1)
        assert end.lines == ("hello from iad", "no \N{REPLACEMENT CHARACTER}")
        assert simulator.call("GET", "") == []


def test_a_task_that_never_boots_is_removed() -> None:
    """Its end is the deadline's."""

    async def story(kit: Kit) -> None:
        with deadline(30):
            await kit.run()
        assert kit.left() == []

    play(story, Behaviour(boot_seconds=inf))
