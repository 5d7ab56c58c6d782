"""Promises about real processes: signals, exits, environment, checks, and that nothing outlives the simulator."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from simulator.catalog import Entry
from simulator.http import create_app
from simulator.runtime_process import ProcessRuntime
from simulator.world import World
from tests.simulator.real_kit import (
    CONFIG,
    DEADLINE,
    IMAGE,
    PROGRAM,
    ROOT,
    Simulator,
    await_death,
    run_simulator,
)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One simulator for the tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("simulator")
    with run_simulator(folder, "--history", str(folder / "history.jsonl")) as running:
        yield running


def fetch(simulator: Simulator, machine_id: str, path: str) -> httpx.Response:
    """Ask a machine directly, on its own address."""
    address = simulator.call("GET", f"/{machine_id}")["private_ip"]
    return httpx.get(f"http://{address}:8080{path}", trust_env=False)


def test_stop_sends_the_signal_and_reports_the_exit_code(simulator: Simulator) -> None:
    """A stopped process got the signal that was asked for, and its own exit code is in the exit event."""
    machine_id = simulator.create(env={"EXIT_CODE": "7"}, restart={"policy": "always"})
    simulator.call("POST", f"/{machine_id}/stop", json={"signal": "SIGTERM", "timeout": "20s"})
    simulator.wait(machine_id, "stopped")
    exit_event = simulator.read_exit(machine_id)
    assert (exit_event["exit_code"], exit_event["signal"], exit_event["requested_stop"]) == (7, -1, True)


def test_process_that_ignores_the_signal_is_killed(simulator: Simulator) -> None:
    """After its timeout a process is killed, and the exit event says so."""
    machine_id = simulator.create(env={"ON_STOP": "ignore"})
    pid = simulator.read_pid(machine_id)
    simulator.call("POST", f"/{machine_id}/stop", json={"timeout": "100ms"})
    simulator.wait(machine_id, "stopped")
    exit_event = simulator.read_exit(machine_id)
    assert (exit_event["exit_code"], exit_event["signal"]) == (137, 9)
    await_death(pid)


def test_signals_without_a_kill_are_delivered(simulator: Simulator) -> None:
    """SIGUSR1 and SIGUSR2 reach the process, which lives on; SIGKILL ends it, and the exit event says so."""
    machine_id = simulator.create(restart={"policy": "no"})
    pid = simulator.read_pid(machine_id)
    for name in ("SIGUSR1", "SIGUSR2"):
        simulator.call("POST", f"/{machine_id}/signal", json={"signal": name})
        while f"heard {name}" not in simulator.read_lines(machine_id):
            assert simulator.read_pid(machine_id) == pid
    simulator.call("POST", f"/{machine_id}/signal", json={"signal": "SIGKILL"})
    simulator.wait(machine_id, "stopped")
    exit_event = simulator.read_exit(machine_id)
    assert (exit_event["exit_code"], exit_event["signal"], exit_event["requested_stop"]) == (137, 9, False)


def test_task_runs_its_own_command(simulator: Simulator) -> None:
    """`init.exec` replaces the image's command, with the machine's environment; exit code and output stay readable."""
    script = "echo $TASK in $FLY_REGION; printf 'no \\377 end' >&2; exit 7"
    config = {"image": IMAGE, "init": {"exec": ["sh", "-c", script]}, "env": {"TASK": "t1"}}
    config |= {"restart": {"policy": "no"}}
    machine_id = simulator.call("POST", "", json={"config": config, "region": "iad"})["id"]
    simulator.wait(machine_id, "stopped")
    assert simulator.read_exit(machine_id)["exit_code"] == 7
    assert simulator.read_lines(machine_id) == ["t1 in iad", "no \N{REPLACEMENT CHARACTER} end"]
    simulator.call("DELETE", f"/{machine_id}")
    assert simulator.read_lines(machine_id)[0] == "t1 in iad"


def test_kill_takes_grandchildren_along(simulator: Simulator) -> None:
    """What a machine's process started itself does not outlive it."""
    script = 'sleep 1000 & echo $! > "$PID_FILE"; kill -STOP $$'
    path = Path(simulator.ready["history"]).with_name("grandchild")
    init = {"exec": ["sh", "-c", script]}
    machine_id = simulator.call("POST", "", json={
        "config": {"image": IMAGE, "init": init, "env": {"PID_FILE": str(path)}},
    })["id"]  # fmt: skip
    simulator.wait(machine_id, "started")
    while not path.exists() or not path.read_text().endswith("\n"):
        assert simulator.process.poll() is None
    simulator.call("DELETE", f"/{machine_id}", params={"force": "true"})
    await_death(int(path.read_text()))


def test_process_has_its_environment_and_nothing_else(simulator: Simulator) -> None:
    """A process sees the catalogue's, Fly's, the secrets' and the config's variables, but not the simulator's own."""
    simulator.client.post("/apps/rooms/secrets", json={"values": {"SECRET": "s3"}})
    machine_id = simulator.create(env={"OWN": "1"}, guest={"memory_mb": 512})
    machine = simulator.call("GET", f"/{machine_id}")
    env = fetch(simulator, machine_id, "/env").json()
    assert env["ROOMS_VERSION"] == "v1"
    assert (env["SECRET"], env["OWN"], env["FLY_VM_MEMORY_MB"]) == ("s3", "1", "512")
    assert env["FLY_MACHINE_VERSION"] == machine["instance_id"]
    assert (env["FLY_PRIVATE_IP"], env["FLY_REGION"]) == (machine["private_ip"], machine["region"])
    assert "CANARY" not in env
    assert "s3" not in Path(simulator.ready["history"]).read_text()


def test_every_machine_has_its_own_address(simulator: Simulator) -> None:
    """Two machines listen on the same port at the same time."""
    one, other = simulator.create(), simulator.create()
    for machine_id in (one, other):
        assert fetch(simulator, machine_id, "/env").json()["FLY_MACHINE_ID"] == machine_id


def test_health_checks_are_really_made(simulator: Simulator) -> None:
    """A check turns critical when the process answers 503, with the answer as its output."""
    machine_id = simulator.create()
    fetch(simulator, machine_id, "/fail")
    simulator.follow(lambda record: "critical" in record.get("why", ""), machine_id)
    [check] = simulator.call("GET", f"/{machine_id}")["checks"]
    assert check["status"] == "critical"
    assert check["output"].startswith("503")


def test_exec_runs_inside_the_machine(simulator: Simulator) -> None:
    """Exec runs an argv with the machine's environment; output is bounded, and a slow command answers 408."""
    machine_id = simulator.create()
    script = {"command": ["sh", "-c", "echo $FLY_MACHINE_ID; echo oops >&2; exit 3"]}
    result = simulator.call("POST", f"/{machine_id}/exec", json=script)
    assert result == {"exit_code": 3, "exit_signal": 0, "stdout": f"{machine_id}\n", "stderr": "oops\n"}
    flood = simulator.call(
        "POST", f"/{machine_id}/exec", json={"command": ["sh", "-c", "yes | head -c 9999999"]}
    )
    assert len(flood["stdout"]) == 65536
    missing = simulator.call("POST", f"/{machine_id}/exec", json={"cmd": "no-such-command 'a b'"})
    assert missing["exit_code"] == 127
    slow = {"command": ["sleep", "1000"], "timeout": 1}
    response = simulator.client.post(f"/apps/rooms/machines/{machine_id}/exec", json=slow)
    assert response.status_code == 408
    huge = {"command": ["true", "x" * 300_000]}
    assert simulator.client.post(f"/apps/rooms/machines/{machine_id}/exec", json=huge).status_code == 400


def test_suspended_process_is_frozen_and_resumed(simulator: Simulator) -> None:
    """Suspend stops the process where it is, start lets the same one go on."""
    machine_id = simulator.create()
    pid = simulator.read_pid(machine_id)
    simulator.call("POST", f"/{machine_id}/suspend")
    state = Path(f"/proc/{pid}/stat")
    while state.read_text().rpartition(")")[2].split()[0] != "T":
        assert simulator.process.poll() is None
    simulator.call("POST", f"/{machine_id}/start")
    assert fetch(simulator, machine_id, "/env").json()["FLY_MACHINE_ID"] == machine_id
    assert simulator.read_pid(machine_id) == pid


def test_image_that_cannot_start_fails(simulator: Simulator) -> None:
    """A machine whose command does not exist ends in state failed, with the reason in its exit event."""
    config = {"image": "registry.fly.io/broken:v1"}
    machine_id = simulator.call("POST", "", json={"config": config})["id"]
    simulator.wait(machine_id, "failed")
    assert "no-such-program-anywhere" in simulator.read_exit(machine_id)["error"]


def test_history_file_holds_what_the_api_shows(simulator: Simulator) -> None:
    """The file has the same records as the API, one JSON object a line."""
    shown = simulator.client.get(f"{simulator.ready['api']}/_sim/history").json()
    lines = Path(simulator.ready["history"]).read_text().splitlines()
    assert [json.loads(line) for line in lines][: len(shown)] == shown


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_core_runs_processes_on_both_event_loops(backend: str) -> None:
    """The same world, API and process runtime work in process on asyncio and on trio."""

    async def main() -> None:
        runtime = ProcessRuntime({IMAGE: Entry(command=["{python}", PROGRAM])})
        async with (
            World(runtime=runtime) as world,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(create_app(world)),
                base_url="http://simulator/v1",
                headers={"authorization": "Bearer local"},
            ) as client,
        ):
            await client.post("/apps", json={"name": "rooms"})
            created = await client.post("/apps/rooms/machines", json={"config": CONFIG})
            path = f"/apps/rooms/machines/{created.json()['id']}"
            with anyio.fail_after(DEADLINE):
                while not world.routes.pick("rooms", edge="ams"):
                    await world.routes.changed("rooms")
            await client.post(f"{path}/stop")
            assert (await client.get(f"{path}/wait", params={"state": "stopped"})).status_code == 200

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_simulator_ends_its_machines(tmp_path: Path, number: signal.Signals) -> None:
    """SIGINT and SIGTERM end the simulator with exit code 0, its machines with it, during a long poll too."""
    with run_simulator(tmp_path) as simulator:
        machine_id = simulator.create(env={"ON_STOP": "ignore"})
        pid = simulator.read_pid(machine_id)
        with ThreadPoolExecutor() as threads:
            poll = threads.submit(simulator.wait, machine_id, "stopped")
            simulator.follow(lambda record: record.get("action") == "list_processes", machine_id)
            simulator.process.send_signal(number)
            assert simulator.process.wait(DEADLINE) == 0
            assert poll.exception() is not None
        await_death(pid)


def test_killed_simulator_leaves_no_child(tmp_path: Path) -> None:
    """SIGKILL of the simulator ends every machine's process."""
    with run_simulator(tmp_path) as simulator:
        pids = [simulator.read_pid(simulator.create(env={"ON_STOP": "ignore"})) for _ in range(3)]
        simulator.process.kill()
        simulator.process.wait(DEADLINE)
        for pid in pids:
            await_death(pid)


def test_output_of_machines_goes_to_files(tmp_path: Path) -> None:
    """With --logs each machine's output is in a file of its own."""
    with run_simulator(tmp_path, "--logs", str(tmp_path / "logs")) as simulator:
        machine_id = simulator.create()
        [path] = (tmp_path / "logs").iterdir()
        assert machine_id in path.name
        assert path.read_text() == "listening\n"
        assert simulator.read_lines(machine_id) == ["listening"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ([], "--catalog"),
        (["--catalog", "no-such-file.toml"], "no-such-file.toml"),
        (["--catalog", "pyproject.toml"], "images"),
        (["--catalog", "x", "--regions", "ams,xyz"], "'xyz' is no region"),
        (["--catalog", "x", "--api-port", "70000"], "70000"),
        (["--catalog", "x", "--hold", "soon"], "soon"),
    ],
)
def test_wrong_command_line_is_refused(options: list[str], word: str) -> None:
    """A wrong option or catalogue ends with code 2 and one clear text, without a traceback."""
    ended = run_command_line(*options)
    assert ended.returncode == 2
    assert word in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_shows_options_and_catalogue() -> None:
    """--help explains every option and what a catalogue looks like."""
    ended = run_command_line("--help")
    assert ended.returncode == 0
    for word in ("--ready-file", "--no-rate-limits", "{private_ip}", "[images."):
        assert word in ended.stdout


def run_command_line(*options: str) -> subprocess.CompletedProcess[str]:
    """The simulator's command line, to its end."""
    argv: list[Any] = [sys.executable, "-m", "simulator", *options]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False)
