"""Promises of scripted programs: what they serve privately, hear, print and run, and how their ends are told."""

from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

import anyio
import httpx
import pytest

from simulator.private_network import PrivateNetwork
from simulator.runtime import Boot, ExecResult
from simulator.runtime_virtual import Behaviour
from tests.simulator.api_kit import V1, Kit, let_pass, measure, play

Json = dict[str, Any]


async def echo(boot: Boot, method: str, target: str, body: bytes) -> tuple[int, bytes]:
    return 202, f"{boot.name} {method} {target} ".encode() + body


async def hang(boot: Boot, method: str, target: str, body: bytes) -> tuple[int, bytes]:
    await anyio.sleep_forever()
    raise AssertionError


def play_privately(
    story: Callable[[Kit, httpx.AsyncClient, str], Awaitable[None]], script: Behaviour
) -> None:
    """A story about one started machine and a client in its private network; `base_url` is the machine's own."""

    async def main(kit: Kit) -> None:
        machine_id = await kit.create_started(name="one")
        address = (await kit.get(machine_id))["private_ip"]
        async with httpx.AsyncClient(
            transport=PrivateNetwork(kit.runtime), base_url=f"http://{address}:8081", timeout=10
        ) as client:
            await story(kit, client, machine_id)

    play(main, images={V1: script})


def test_scripted_machine_serves_its_private_address() -> None:
    """A request by private address reaches the machine's script, registered with the proxy or not."""

    async def story(kit: Kit, client: httpx.AsyncClient, machine_id: str) -> None:
        other = await kit.create_started(name="two", skip_service_registration=True)
        address = (await kit.get(other))["private_ip"]
        answer = await client.post("/drain?a=b", content=b"{}")
        assert (answer.status_code, answer.text) == (202, "one POST /drain?a=b {}")
        assert (await client.get(f"http://{address}:8081/x")).text == "two GET /x "

    play_privately(story, Behaviour(serve=echo))


def test_machine_without_a_script_serves_nothing() -> None:
    """It listens, and knows no path."""

    async def story(kit: Kit, client: httpx.AsyncClient, machine_id: str) -> None:
        assert (await client.get("/drain")).status_code == 404

    play_privately(story, Behaviour())


def test_nobody_listens_on_a_machine_that_is_not_up() -> None:
    """Suspended, draining and stopped machines, and addresses of none, refuse the connection."""

    async def refused(client: httpx.AsyncClient, url: str = "/") -> None:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)

    async def story(kit: Kit, client: httpx.AsyncClient, machine_id: str) -> None:
        await refused(client, "http://127.1.1.1:8081/")
        await kit.act(machine_id, "suspend")
        await refused(client)
        await kit.act(machine_id, "start")
        assert (await client.get("/")).status_code == 202
        await kit.act(machine_id, "stop")
        await let_pass(1)
        await refused(client)
        await kit.reach(machine_id, "stopped")
        await refused(client)

    play_privately(story, Behaviour(serve=echo, drain_seconds=3))


def test_killed_machine_resets_its_open_requests() -> None:
    """A request that was not answered when its machine ended is a read error, not an endless wait."""

    async def story(kit: Kit, client: httpx.AsyncClient, machine_id: str) -> None:
        async def kill() -> None:
            await asked.wait()
            await kit.act(machine_id, "signal", body={"signal": "SIGKILL"})

        async def serve(boot: Boot, method: str, target: str, body: bytes) -> tuple[int, bytes]:
            asked.set()
            return await hang(boot, method, target, body)

        asked = anyio.Event()
        kit.runtime.programs[machine_id].behaviour = Behaviour(serve=serve)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kill)
            with pytest.raises(httpx.ReadError):
                await client.get("/", timeout=3600)

    play_privately(story, Behaviour())


def test_private_request_has_its_read_timeout() -> None:
    """The client's own timeout ends it, in virtual time."""

    async def story(kit: Kit, client: httpx.AsyncClient, machine_id: str) -> None:
        async def wait() -> None:
            with anyio.fail_after(60), pytest.raises(httpx.ReadTimeout):
                await client.get("/", timeout=30)

        assert await measure(wait()) == pytest.approx(30)

    play_privately(story, Behaviour(serve=hang))


def test_signal_without_a_kill_is_heard() -> None:
    """SIGUSR1 and SIGUSR2 reach the script's hook, and the machine lives on."""
    heard: list[tuple[str, str]] = []

    async def hear(boot: Boot, name: str) -> None:
        await anyio.sleep(5)
        heard.append((boot.name, name))

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started(name="one")
        for name in ("SIGUSR1", "SIGUSR2"):
            assert (await kit.act(machine_id, "signal", body={"signal": name})).status_code == 200
            await let_pass(6)
        assert heard == [("one", "SIGUSR1"), ("one", "SIGUSR2")]
        assert (await kit.get(machine_id))["state"] == "started"
        await kit.act(machine_id, "stop")
        await kit.reach(machine_id, "stopped")
        assert heard[2:] == []

    play(story, images={V1: Behaviour(on_signal=hear)})


def test_signal_that_nobody_handles_ends_the_program() -> None:
    """As on Linux: without a handler SIGUSR1 ends it, at once and unsaved, and the exit event names the signal."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started({"restart": {"policy": "no"}})
        await kit.act(machine_id, "signal", body={"signal": "SIGUSR1"})
        await kit.reach(machine_id, "stopped")
        [told] = await kit.read_exits(machine_id)
        assert (told["exit_code"], told["signal"], told["requested_stop"]) == (138, 10, False)

    play(story)


def test_task_ends_by_itself_with_its_own_code() -> None:
    """A script chosen by name ends after its time; with restart policy `no` that is the end."""

    async def story(kit: Kit) -> None:
        for name, code in (("rooms-task-good", 0), ("rooms-task-bad", 4)):
            kit.runtime.script(name, Behaviour(crash_after=2, crash_code=code))
            config = {"init": {"exec": ["/bin/task"]}, "restart": {"policy": "no"}}
            machine = await kit.create(config, name=name)
            assert await measure(kit.reach(machine["id"], "stopped")) == pytest.approx(3)
            assert [told["exit_code"] for told in await kit.read_exits(machine["id"])] == [code]

    play(story)


def test_exit_can_be_out_of_memory() -> None:
    """A script says whether its end was the kernel's doing."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started({"restart": {"policy": "no"}})
        await kit.reach(machine_id, "stopped")
        [told] = await kit.read_exits(machine_id)
        assert (told["exit_code"], told["oom_killed"]) == (137, True)

    play(story, images={V1: Behaviour(crash_after=1, crash_code=137, oom_killed=True)})


@pytest.mark.parametrize(("seconds", "status"), [(9.0, 200), (11.0, 408), (inf, 408)])
def test_exec_takes_its_time(seconds: float, status: int) -> None:
    """A command that takes longer than it may answers 408 at its timeout."""

    def run(boot: Boot, argv: list[str]) -> ExecResult:
        return ExecResult(1, 0, f"{boot.name} {argv}", "")

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started(name="one")

        async def run_slowly() -> None:
            response = await kit.act(machine_id, "exec", body={"command": ["slow"], "timeout": 10})
            assert response.status_code == status
            assert status == 408 or response.json()["stdout"] == "one ['slow']"

        assert await measure(run_slowly()) == pytest.approx(min(seconds, 10))

    play(story, images={V1: Behaviour(execute=run, exec_seconds=seconds)})


def test_unreachable_host_hides_the_config_and_keeps_what_was_seen() -> None:
    """`incomplete_config` stands in for the config, in a list too; events of before stay; ok brings all back."""

    async def story(kit: Kit) -> None:
        metadata = {"bluegreen_release": "1-a"}
        machine_id = await kit.create_started({"metadata": metadata})
        await kit.act(machine_id, "stop")
        await kit.reach(machine_id, "stopped")
        before = await kit.get(machine_id)
        kit.world.set_host_status(kit.world.find_machine("rooms", machine_id), "unreachable")
        during = await kit.get(machine_id)
        assert during["host_status"] == "unreachable"
        assert "config" not in during
        assert during["incomplete_config"] == {"image": V1, "metadata": metadata}
        assert during["events"] == before["events"]
        assert (await kit.call("GET")).json() == [during]
        kit.world.set_host_status(kit.world.find_machine("rooms", machine_id), "ok")
        assert (await kit.get(machine_id))["config"] == before["config"]

    play(story)


def test_events_tell_when_a_stop_was_asked_and_when_it_ended() -> None:
    """As Fly's own events do: a stop of `user`, then an exit of `flyd`, each with its time in milliseconds."""

    async def story(kit: Kit) -> None:
        machine_id = await kit.create_started()
        await kit.act(machine_id, "stop")
        await kit.reach(machine_id, "stopped")
        ended, asked, started = (await kit.get(machine_id))["events"][:3]
        assert (ended["type"], ended["status"], ended["source"]) == ("exit", "stopped", "flyd")
        assert ended["request"]["exit_event"].items() >= {
            "requested_stop": True, "restarting": False, "oom_killed": False, "error": "",
            "exit_code": 0, "signal": -1, "guest_exit_code": 0, "guest_signal": -1,
        }.items()  # fmt: skip
        assert {key: asked[key] for key in ("type", "status", "source", "request")} == {
            "type": "stop", "status": "stopping", "source": "user", "request": {"reason": ""},
        }  # fmt: skip
        assert ended["timestamp"] - asked["timestamp"] == 4000
        assert (started["type"], started["status"], started["request"]) == ("start", "started", {})

    play(story, images={V1: Behaviour(drain_seconds=4)})
