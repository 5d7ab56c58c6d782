"""What a machine runs on: the seam between the API's bookkeeping and real or scripted programs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from simulator.catalog import Image
from simulator.config import Init


class BootFailed(Exception):
    """The program could not be started at all; the text says why."""


@dataclass(frozen=True)
class Boot:
    """One start of one machine. `env` is complete but for the image's own; `address` is the machine's loopback IP."""

    app: str
    machine_id: str
    name: str
    region: str
    instance_id: str
    address: str
    image: str
    init: Init | None
    metadata: Mapping[str, str]
    env: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Exit:
    """How a program ended: exit code (128 + n when signal n ended it), and that signal's number or -1."""

    code: int
    signal: int = -1
    oom_killed: bool = False


@dataclass(frozen=True)
class Probe:
    """One health check to make, with its timeout in seconds."""

    type: str
    address: str
    port: int
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    timeout: float


@dataclass(frozen=True)
class Finding:
    """What a health check found."""

    passing: bool
    output: str


@dataclass(frozen=True)
class ExecResult:
    """How a command inside a machine ended, with its bounded output."""

    exit_code: int
    exit_signal: int
    stdout: str
    stderr: str


class Program(Protocol):
    """One boot of one machine: runs once. All methods but `run` are harmless after its end."""

    async def run(self, started: Callable[[], None]) -> Exit:
        """Start, call `started`, and return when it has ended. Cancelling kills it. BootFailed if it cannot start."""

    def signal(self, name: str) -> None:
        """Deliver a signal, by name; SIGKILL always ends it, suspended or not."""

    def suspend(self) -> None:
        """Freeze it."""

    def resume(self) -> None:
        """Go on after `suspend`."""

    async def probe(self, probe: Probe) -> Finding:
        """Make one health check; never raises for an unhealthy program."""

    async def exec(self, argv: list[str], timeout: float) -> ExecResult:
        """Run a command beside it; TimeoutError after `timeout` seconds."""

    def list_processes(self) -> list[dict[str, Any]]:
        """Its processes as `…/ps` shows them."""


class Runtime(Protocol):
    """Where programs come from."""

    def resolve(self, reference: str) -> Image | None:
        """What an image reference means; None when there is no such image."""

    def prepare(self, boot: Boot) -> Program:
        """A program that has not started yet."""

    def read_output(self, machine_id: str) -> str:
        """What a machine printed last, bounded; also after its end."""
