"""Tunnels through `fly proxy`: where they lead, who gets the token, and that no child is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from providers.bluegreen.failures import NotYet
from providers.bluegreen.polling import polling
from providers.processes.child import Child
from providers.tunnels import TunnelFailed, Tunnels, fly_child, fly_proxy
from providers.tunnels.fly_child import OPEN_S
from tests.tunnels.ends import has_ended, living
from tests.tunnels.fake_fly import FakeFly
from tests.tunnels.machines import MACHINE

TOKEN = "FlyV1 fm2_lJPECAAAAAAAAAAAxBD0,fm2_lJPETrrBiSp9cuAcxBA9"
PATIENCE_S = 20.0
pytestmark = pytest.mark.anyio


async def get(url: str) -> str:
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(url + "/")).text


async def runs_of(fly: FakeFly, count: int) -> None:
    """Until so many runs of `fly` have begun."""
    with anyio.fail_after(PATIENCE_S):
        async for attempt in polling():
            with attempt:
                if len(fly.runs) < count:
                    raise NotYet


async def urls(tunnels: Tunnels, machines: Sequence[str], port: int) -> list[str]:
    found = []

    async def one(machine_id: str) -> None:
        found.append(await tunnels.url(replace(MACHINE, id=machine_id), port))

    async with anyio.create_task_group() as group:
        for machine_id in machines:
            group.start_soon(one, machine_id)
    return found


async def test_a_request_reaches_the_machine(fly: FakeFly, app_port: int) -> None:
    """The URL leads through a child that names this one machine, and listens on loopback alone."""
    async with fly_proxy("rooms", TOKEN) as tunnels:
        url = await tunnels.url(MACHINE, app_port)
        assert await get(url) == "hello"
    (run,) = fly.runs
    host = "148e21ea7d5e38.vm.rooms.internal"
    ports = f"{run['port']}:{app_port}"
    assert run["argv"] == ["proxy", ports, host, "--app", "rooms", "--bind-addr", "127.0.0.1"]
    assert url == f"http://127.0.0.1:{run['port']}"


async def test_the_child_gets_this_token_and_no_other(
    fly: FakeFly, app_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """flyctl prefers FLY_ACCESS_TOKEN, so another one in the environment would speak instead of ours."""
    monkeypatch.setenv("FLY_ACCESS_TOKEN", "somebody-elses")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "open sesame")
    async with fly_proxy("rooms", TOKEN) as tunnels:
        await tunnels.url(MACHINE, app_port)
    env = fly.runs[0]["env"]
    assert env["FLY_API_TOKEN"] == TOKEN
    assert not {"FLY_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE"} & env.keys()


async def test_one_child_serves_all_who_ask_for_the_same(fly: FakeFly, app_port: int) -> None:
    """A machine's port has one child, also when it is asked for at the same time; another port has its own."""
    async with fly_proxy("rooms", TOKEN) as tunnels:
        found = await urls(tunnels, [MACHINE.id] * 5, app_port)
        assert len(set(found)) == 1
        assert len(fly.runs) == 1
        assert await tunnels.url(MACHINE, app_port + 1) not in found
    assert len(fly.runs) == 2


async def test_the_first_child_is_up_before_others_start(
    fly: FakeFly, app_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It starts flyctl's agent, of which there can be one: several at once would each start theirs."""
    started = []

    def counted(*arguments: Any, **options: Any) -> Child:
        started.append(arguments)
        return Child(*arguments, **options)

    monkeypatch.setattr(fly_child, "Child", counted)
    fly.behave("hold")
    async with fly_proxy("rooms", TOKEN) as tunnels, anyio.create_task_group() as group:
        group.start_soon(urls, tunnels, ["a1", "b2", "c3"], app_port)
        await anyio.wait_all_tasks_blocked()
        assert len(started) == 1
        await runs_of(fly, 1)
        fly.behave()
        fly.let_go()
    assert len(started) == 3


async def test_a_port_that_was_taken_is_given_up_for_another(fly: FakeFly, app_port: int) -> None:
    """A child that ends because its port is in use is no failure."""
    fly.behave("taken")
    async with fly_proxy("rooms", TOKEN) as tunnels:
        assert await get(await tunnels.url(MACHINE, app_port)) == "hello"
    first, second = fly.runs
    assert first["port"] != second["port"]


async def test_nobody_else_gets_the_port_while_fly_starts(fly: FakeFly, app_port: int) -> None:
    """Another program's listener on the port would be taken for the tunnel, and would be sent the tests' secrets."""
    fly.behave("hold")
    async with fly_proxy("rooms", TOKEN) as tunnels, anyio.create_task_group() as group:
        group.start_soon(tunnels.url, MACHINE, app_port)
        await runs_of(fly, 1)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", fly.runs[0]["port"]))
        fly.let_go()
    assert len(fly.runs) == 1


async def test_a_child_that_ended_is_opened_again(fly: FakeFly, app_port: int) -> None:
    """A tunnel that broke down in the middle of a deployment does not fail all that comes after."""
    async with fly_proxy("rooms", TOKEN) as tunnels:
        await tunnels.url(MACHINE, app_port)
        os.kill(fly.runs[0]["pid"], signal.SIGKILL)
        assert not living([fly.runs[0]["guard"]])
        assert await get(await tunnels.url(MACHINE, app_port)) == "hello"
    assert len(fly.runs) == 2


async def test_an_error_has_flys_last_words_without_the_token(fly: FakeFly) -> None:
    """It names machine and port, says what fly said last, fit to be shown, and what to do."""
    fly.behave("refuse")
    with pytest.raises(TunnelFailed) as caught:
        async with fly_proxy("rooms", TOKEN) as tunnels:
            await tunnels.url(MACHINE, 8081)
    told = str(caught.value)
    assert "machine 148e21ea7d5e38 (rooms-g1-ams-1) cannot be reached on port 8081" in told
    assert "ended with exit code 1" in told
    assert "Error: no app for [secret]; see what" in told
    assert "tunnel: direct" in told
    assert "fm2_" not in told
    assert len(told) < 1000


async def test_a_child_that_says_much_is_not_blocked(fly: FakeFly) -> None:
    """Nobody reads along, and yet it comes to its end: 240 kB are more than a pipe holds."""
    fly.behave("refuse")
    with anyio.fail_after(PATIENCE_S):
        async with fly_proxy("rooms", TOKEN) as tunnels:
            with pytest.raises(TunnelFailed, match="noise; noise"):
                await tunnels.url(MACHINE, 8081)


async def test_without_fly_the_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only when a tunnel is asked for: a deployment without one needs no flyctl."""
    monkeypatch.setenv("PATH", str(tmp_path))
    async with fly_proxy("rooms", TOKEN) as tunnels:
        with pytest.raises(TunnelFailed, match=r"fly\.io/docs/flyctl/install.*tunnel: direct"):
            await tunnels.url(MACHINE, 8081)


async def test_flyctl_by_its_long_name_is_as_good(fly: FakeFly, app_port: int) -> None:
    """Some packages install flyctl under this name alone."""
    (fly.folder / "fly").unlink()
    fly.install("flyctl")
    async with fly_proxy("rooms", TOKEN) as tunnels:
        assert await get(await tunnels.url(MACHINE, app_port)) == "hello"


async def test_a_fly_that_cannot_be_run_is_a_clear_error(fly: FakeFly) -> None:
    """For example one that was built for another processor."""
    (fly.folder / "fly").write_bytes(b"\x7fELF")
    async with fly_proxy("rooms", TOKEN) as tunnels:
        with pytest.raises(TunnelFailed, match="fly cannot be started: Exec format error"):
            await tunnels.url(MACHINE, 8081)


async def test_an_id_that_is_none_never_becomes_an_argument(fly: FakeFly) -> None:
    """What the API says cannot add options to the command, or name another host."""
    async with fly_proxy("rooms", TOKEN) as tunnels:
        with pytest.raises(TunnelFailed, match="form that Fly gives"):
            await tunnels.url(replace(MACHINE, id="--org=x"), 8081)
    assert fly.runs == []


async def test_a_child_that_never_listens_is_given_up(fly: FakeFly, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the deadline, which passes here as soon as the child is up, there is an error and no child."""
    fly.behave("deaf", "child")
    scopes: dict[float, anyio.CancelScope] = {}
    fail_after = anyio.fail_after

    @contextmanager
    def noted(delay: float) -> Iterator[anyio.CancelScope]:
        with fail_after(delay) as scope:
            yield scopes.setdefault(delay, scope)

    async def expire() -> None:
        await runs_of(fly, 1)
        scopes[OPEN_S].deadline = anyio.current_time()

    monkeypatch.setattr(anyio, "fail_after", noted)
    async with fly_proxy("rooms", TOKEN) as tunnels, anyio.create_task_group() as group:
        group.start_soon(expire)
        with pytest.raises(TunnelFailed, match="accepted no connection within 1m"):
            await tunnels.url(MACHINE, 8081)
        assert len(fly.processes) == 3
        assert all(map(has_ended, fly.processes))


async def test_no_child_is_left_after_the_block(fly: FakeFly, app_port: int) -> None:
    """Nor what it started in its process group; flyctl's agent, which others share, goes on."""
    fly.behave("child", "agent")
    async with fly_proxy("rooms", TOKEN) as tunnels:
        await urls(tunnels, ["a1", "b2"], app_port)
        assert not any(map(has_ended, fly.processes))
    assert len(fly.processes) == 6
    assert all(map(has_ended, fly.processes))
    assert not any(has_ended(run["agent"]) for run in fly.runs)


async def test_a_cancelled_opening_leaves_no_child(fly: FakeFly, app_port: int) -> None:
    """And whoever asks for the same tunnel afterwards gets a new one."""
    fly.behave("hold", "child")
    async with fly_proxy("rooms", TOKEN) as tunnels:
        async with anyio.create_task_group() as group:
            group.start_soon(tunnels.url, MACHINE, app_port)
            await runs_of(fly, 1)
            group.cancel_scope.cancel()
        assert all(map(has_ended, fly.processes))
        fly.behave()
        assert await get(await tunnels.url(MACHINE, app_port)) == "hello"


async def test_an_error_in_the_block_comes_out_as_it_is(fly: FakeFly, app_port: int) -> None:
    """Not in a group, and after the children have ended."""
    with pytest.raises(KeyError):  # noqa: PT012 - the block is what is tested
        async with fly_proxy("rooms", TOKEN) as tunnels:
            await tunnels.url(MACHINE, app_port)
            raise KeyError
    assert len(fly.processes) == 2
    assert all(map(has_ended, fly.processes))


DEPLOYER = """
import anyio
from providers.tunnels import fly_proxy
from tests.tunnels.machines import MACHINE

async def main():
    async with fly_proxy("rooms", "a-token") as tunnels:
        await tunnels.url(MACHINE, 8081)
        print("open", flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


def test_no_child_outlives_a_killed_deployer(fly: FakeFly) -> None:
    """SIGKILL leaves the deployer no time to end anything, and its children end all the same."""
    fly.behave("child")
    with subprocess.Popen([sys.executable, "-c", DEPLOYER], stdout=subprocess.PIPE) as deployer:
        try:
            assert deployer.stdout
            assert deployer.stdout.readline() == b"open\n"
        finally:
            deployer.kill()
    assert len(fly.processes) == 3
    assert not living(fly.processes)
