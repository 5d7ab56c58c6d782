"""Real processes of the example app, and the S3 server that they save to."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.examples.program import become

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHECKOUT = Path(__file__).parents[2]
DEADLINE = 30.0
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.examples.program"])
"""Each machine is a process of its own. What it loads, 0.25 of its 0.4 CPU seconds, is loaded once for all of them."""


@dataclass(frozen=True)
class Bucket:
    """One test's bucket, and the environment that leads a machine to it."""

    name: str
    endpoint: str
    s3: S3Client
    prefix: str = "state/"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "BLUEGREEN_STATE_BUCKET": self.name,
            "BLUEGREEN_STATE_PREFIX": self.prefix,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": "us-east-1",
        }

    def keys(self, under: str) -> list[str]:
        """The keys below the prefix, without it."""
        listing = self.s3.list_objects_v2(Bucket=self.name, Prefix=self.prefix + under)
        return [row["Key"].removeprefix(self.prefix) for row in listing.get("Contents", [])]

    def read(self, key: str) -> Any:
        """One JSON object."""
        return json.loads(self.s3.get_object(Bucket=self.name, Key=self.prefix + key)["Body"].read())

    def state(self, room: str) -> Any:
        """What counts as the room's state: its object with the highest key."""
        return self.read(max(self.keys(f"rooms/{room}/")))

    def edits(self, room: str) -> list[str]:
        """The ids of the edits that are saved for a room."""
        return [edit["edit"] for edit in self.state(room)["edits"]]

    def put(self, key: str, body: object) -> None:
        """Write one JSON object, as somebody else."""
        self.s3.put_object(Bucket=self.name, Key=self.prefix + key, Body=json.dumps(body).encode())

    def hand_over(self, number: int, release: str) -> None:
        """Record the state's next owner, as a deployer does at its commit point."""
        self.put(f"owners/{number:010}.json", {"version": 1, "number": number, "release": release})


@dataclass
class Machine:
    """A running app process, its log, and ways to talk to it."""

    process: BaseProcess
    said: TextIO
    machine_id: str
    log: list[dict[str, Any]] = field(default_factory=list)
    _grown: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        listening = self.event("listening")
        return f"http://{listening['host']}:{listening['port']}"

    def event(self, name: str) -> dict[str, Any]:
        """Wait for a line of the log."""
        found: list[dict[str, Any]] = []

        def logged() -> bool:
            found[:] = [line for line in self.log if line["event"] == name]
            return bool(found) or not self._reader.is_alive()

        with self._grown:
            self._grown.wait_for(logged, DEADLINE)
        assert found, f"no {name!r} in {self.log}"
        return found[0]

    @property
    def private_url(self) -> str:
        listening = self.event("listening")
        return f"http://{listening['host']}:{listening['private_port']}"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, trust_env=False, timeout=DEADLINE)

    def ask(self, method: str, path: str, **body: str) -> httpx.Response:
        """A request to the private port."""
        return httpx.request(
            method, self.private_url + path, json=body or None, trust_env=False, timeout=DEADLINE
        )

    def drain(self, drain_id: str = "d1") -> dict[str, Any]:
        """Ask for a drain: its first status."""
        answer = self.ask("POST", "/drain", drain=drain_id, successor="2-bbbbbbbbbb")
        assert answer.status_code == 202
        return cast(dict[str, Any], answer.json())

    def resume(self) -> dict[str, Any]:
        """Take the drain back: the status."""
        answer = self.ask("DELETE", "/drain")
        assert answer.status_code == 200
        return cast(dict[str, Any], answer.json())

    def status(self) -> dict[str, Any]:
        """How far the drain is."""
        return cast(dict[str, Any], self.ask("GET", "/drain").json())

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask for the drain's status until it is like this: the status."""
        deadline = time.monotonic() + DEADLINE
        while not condition(told := self.status()):
            assert time.monotonic() < deadline, f"still {told}; {self.log}"
        return told

    def until_saved(self) -> dict[str, Any]:
        """Wait until the drain is done: the status."""
        return self.until(lambda told: told["state"] == "saved")

    def join(self, room: str, player: str = "ada") -> ClientConnection:
        """Open a player's socket; its greeting is the first message."""
        url = self.url.replace("http", "ws", 1)
        return connect(f"{url}/rooms/{room}?player={player}", proxy=None, open_timeout=DEADLINE)

    def join_patiently(self, room: str) -> ClientConnection:
        """Open a player's socket, as soon as the machine lets it in."""
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                return self.join(room)
            except InvalidStatus as refused:
                if refused.response.status_code != 503 or time.monotonic() > deadline:
                    raise

    def send(self, number: signal.Signals) -> None:
        """A signal; nothing once it has ended."""
        assert self.process.pid
        with suppress(ProcessLookupError):
            if self.process.exitcode is None:
                os.kill(self.process.pid, number)

    def ended(self) -> int:
        """Wait for the end of the process: its exit code, negative for a signal."""
        self.process.join(DEADLINE)
        self._reader.join(DEADLINE)
        assert self.process.exitcode is not None, f"machine {self.machine_id} does not end"
        return self.process.exitcode

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.send(signal.SIGTERM)
        return self.ended()

    def close(self) -> None:
        """Whatever happened in the test, leave no process and no pipe behind."""
        self.send(signal.SIGKILL)
        self.ended()
        self.said.close()

    def _read_log(self) -> None:
        for line in self.said:
            with self._grown:
                self.log.append(_parse(line))
                self._grown.notify_all()
        with self._grown:
            self._grown.notify_all()


@contextmanager
def launch(
    machine_id: str,
    *,
    release: str = "1-aaaaaaaaaa",
    version: str = "v1",
    bucket: Bucket | None = None,
    port: int = 0,
    fenced: bool = False,
    **environ: str,
) -> Iterator[Machine]:
    """Start a machine of a release as Fly would; killed at the end of the block if it still runs.

    Returns at once: the first use waits until the machine listens.
    """
    fly = {
        "FLY_MACHINE_ID": machine_id,
        "FLY_MACHINE_VERSION": f"instance-of-{machine_id}",
        "FLY_REGION": "ams",
        "BLUEGREEN_RELEASE": release,
        "ROOMS_VERSION": version,
        "PATH": os.environ["PATH"],
    }
    if fenced:
        fly["BLUEGREEN_CUTOVER"] = "handoff"
    environ = fly | (bucket.environ if bucket else {}) | environ
    argv = ["--host", "127.0.0.1", "--port", str(port), "--private-port", "0"]
    readable, writable = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=become, args=(argv, environ, writable), daemon=True)
    process.start()
    writable.close()
    machine = Machine(process, os.fdopen(os.dup(readable.fileno()), encoding="utf-8"), machine_id)
    readable.close()
    try:
        yield machine
    finally:
        machine.close()


def edit(socket: ClientConnection, name: str, text: str = "hello") -> dict[str, Any]:
    """Send one edit: its acknowledgement."""
    socket.send(json.dumps({"edit": name, "text": text}))
    return receive(socket, "ack")


def receive(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message that has the field `kind`."""
    while True:
        message: dict[str, Any] = json.loads(socket.recv(DEADLINE))
        if kind in message:
            return message


def edit_until_closed(machine: Machine, room: str, player: str) -> list[dict[str, Any]]:
    """Edit as fast as the machine answers: every acknowledgement."""
    acks: list[dict[str, Any]] = []
    with machine.join(room, player) as socket:
        try:
            while True:
                acks.append(edit(socket, f"{player}-{len(acks)}"))
        except ConnectionClosed:
            return acks


def _parse(line: str) -> dict[str, Any]:
    try:
        parsed: dict[str, Any] = json.loads(line)
        return parsed
    except ValueError:
        return {"event": line.rstrip()}
