"""The simulator as its users have it: a process of its own, real machines, HTTP on loopback."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
PROGRAM = "tests/simulator/programs/server.py"
IMAGE = "registry.fly.io/rooms:v1"
CATALOG = f"""
[images."{IMAGE}"]
command = ["{{python}}", "{PROGRAM}"]
env = {{ ROOMS_VERSION = "v1" }}
[images."registry.fly.io/broken:v1"]
command = ["no-such-program-anywhere"]
"""
CHECK = {"type": "http", "path": "/health", "interval": "100ms", "timeout": "2s"}
CONFIG: dict[str, Any] = {"image": IMAGE, "services": [{"internal_port": 8080, "checks": [CHECK]}]}
DEADLINE = 30.0


@dataclass(frozen=True)
class Simulator:
    """A running simulator, with the app `rooms`."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]
    client: httpx.Client

    def call(self, method: str, path: str, **options: Any) -> Any:
        """One call that must succeed: its JSON."""
        response = self.client.request(method, f"/apps/rooms/machines{path}", **options)
        assert response.status_code == 200, response.text
        return response.json()

    def create(self, **config: Any) -> str:
        """The id of a machine that listens and passes its checks."""
        machine_id: str = self.call("POST", "", json={"config": {**CONFIG, **config}})["id"]
        self.wait(machine_id, "started")
        self.follow(lambda record: record["kind"] == "machine" and record["healthy"], machine_id)
        return machine_id

    def wait(self, machine_id: str, state: str) -> None:
        """The API's own long poll."""
        self.call("GET", f"/{machine_id}/wait", params={"state": state, "timeout": 30})

    def read_pid(self, machine_id: str) -> int:
        """The process id of a machine's program."""
        pid: int = self.call("GET", f"/{machine_id}/ps")[0]["pid"]
        return pid

    def read_exit(self, machine_id: str) -> dict[str, Any]:
        """Its last exit."""
        events = self.call("GET", f"/{machine_id}/events")
        return next(event["request"]["exit_event"] for event in events if event["type"] == "exit")

    def read_lines(self, machine_id: str) -> list[str]:
        """What it printed last."""
        url = f"{self.ready['api']}/api/v1/apps/rooms/logs"
        response = self.client.get(url, params={"instance": machine_id})
        return [entry["attributes"]["message"] for entry in response.json()["data"]]

    def follow(self, wanted: Any, machine_id: str) -> dict[str, Any]:
        """Read the history until a record of a machine is as wanted."""
        after = 0
        while True:
            assert self.process.poll() is None
            records = self.client.get(f"{self.ready['api']}/_sim/history", params={"after": after}).json()
            for record in records:
                after = record["n"]
                if record.get("machine_id") == machine_id and wanted(record):
                    found: dict[str, Any] = record
                    return found


@contextmanager
def run_simulator(folder: Path, *options: str) -> Iterator[Simulator]:
    """Start `python -m simulator`; end it by SIGTERM unless the test has ended it."""
    catalog, ready = folder / "catalog.toml", folder / "ready.json"
    catalog.write_text(CATALOG, encoding="utf-8")
    argv = [
        sys.executable,
        "-m",
        "simulator",
        "--catalog",
        str(catalog),
        "--ready-file",
        str(ready),
        *options,
    ]
    with subprocess.Popen(
        [*argv, "--no-rate-limits", "--proxy-delay", "0"],
        cwd=ROOT,
        env={**os.environ, "CANARY": "of-the-simulator"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            printed = [process.stdout.readline(), process.stdout.readline()]
            content = await_ready(process, ready)
            assert content["api"] in printed[0]
            with httpx.Client(
                base_url=content["api"] + "/v1",
                headers={"authorization": "Bearer local"},
                timeout=DEADLINE + 10,
                trust_env=False,
            ) as client:
                client.post("/apps", json={"name": "rooms"})
                yield Simulator(process, content, client)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE)


def await_ready(process: subprocess.Popen[str], path: Path) -> dict[str, Any]:
    """The ready file's content, once it is there whole."""
    while not path.exists():
        assert process.poll() is None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def await_death(pid: int) -> None:
    """Return once a process, no child of ours, is gone or a zombie nobody reaped yet."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    readable, _, _ = select.select([descriptor], [], [], DEADLINE)
    os.close(descriptor)
    assert readable, f"process {pid} lives on"
