"""Machines in memory with scripted behaviour: what a program would do, in the event loop's time."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import inf
from signal import Signals
from typing import Any

import anyio

from simulator.catalog import Image, digest_of, find_reference, parse_reference
from simulator.runtime import Boot, ExecResult, Exit, Finding, Probe

Hook = Callable[[Boot], Awaitable[None]]
Answer = Callable[[Boot, str], tuple[int, str]]

ENDING = frozenset({"SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP", "SIGABRT", "SIGALRM", "SIGPIPE"})


def answer_not_found(boot: Boot, path: str) -> tuple[int, str]:
    """What a machine answers on paths other than those of its checks, unless scripted."""
    return 404, f"nothing at {path}"


@dataclass(frozen=True)
class Behaviour:
    """What a machine's program does. All times in seconds.

    `boot_seconds` to be started (inf: never); `healthy_after` its start (inf: never), then healthy, or, with
    `flap_seconds`, healthy and not in turns of that length. At an ending signal: `drain_seconds`, then `on_stop`,
    then it exits with `exit_code`; with `ignores_stop` nothing, until it is killed. `crash_after` seconds from its
    start it exits with `crash_code`. `on_start` is awaited just before it is started. A kill skips what was left.
    """

    boot_seconds: float = 1.0
    healthy_after: float = 0.5
    flap_seconds: float | None = None
    drain_seconds: float = 1.0
    exit_code: int = 0
    ignores_stop: bool = False
    crash_after: float = inf
    crash_code: int = 1
    on_start: Hook | None = None
    on_stop: Hook | None = None
    answer: Answer = answer_not_found
    execute: Callable[[Boot, list[str]], ExecResult] = field(
        default=lambda boot, argv: ExecResult(0, 0, "", "")
    )


class VirtualRuntime:
    """Programs that follow a script: chosen by machine name, else by image."""

    def __init__(self, images: Mapping[str, Behaviour]) -> None:
        """`images` is {reference: behaviour}; a reference that is not in it does not exist."""
        self._images = dict(images)
        self._digests = {reference: digest_of(reference) for reference in images}
        self._scripts: list[tuple[str, Behaviour]] = []
        self.programs: dict[str, VirtualProgram] = {}

    def script(self, pattern: str, behaviour: Behaviour) -> None:
        """Script machines by name, with wildcards, from their next start on; the last match wins."""
        self._scripts.append((pattern, behaviour))

    def resolve(self, reference: str) -> Image | None:
        """The image of a reference by name or by `@digest`."""
        known = find_reference(self._digests, reference)
        return None if known is None else parse_reference(known, self._digests[known])

    def prepare(self, boot: Boot) -> "VirtualProgram":
        """The machine's next program; `programs` holds the last one by machine id."""
        program = VirtualProgram(boot, self._choose(boot))
        self.programs[boot.machine_id] = program
        return program

    async def fetch(self, machine_id: str, path: str) -> tuple[int, str]:
        """An HTTP GET to a machine past every proxy: status and body; ConnectionRefusedError unless it is up."""
        program = self.programs.get(machine_id)
        if program is None or not program.up:
            raise ConnectionRefusedError(f"machine {machine_id} does not listen")
        return program.answer(path)

    def _choose(self, boot: Boot) -> Behaviour:
        for pattern, behaviour in reversed(self._scripts):
            if fnmatchcase(boot.name, pattern):
                return behaviour
        known = find_reference(self._digests, boot.image)
        assert known is not None
        return self._images[known]


class VirtualProgram:
    """One scripted boot."""

    def __init__(self, boot: Boot, behaviour: Behaviour) -> None:
        self.boot = boot
        self.behaviour = behaviour
        self.up = False
        self.signals: list[str] = []
        self._since = inf
        self._ending = anyio.Event()
        self._killed = anyio.Event()
        self._running = anyio.Event()
        self._running.set()

    async def run(self, started: Callable[[], None]) -> Exit:
        """Follow the script to its end, or to the kill."""
        ended: Exit | None = None
        async with anyio.create_task_group() as tasks:

            async def live() -> None:
                nonlocal ended
                ended = await self._live(started)
                tasks.cancel_scope.cancel()

            tasks.start_soon(live)
            await self._killed.wait()
            tasks.cancel_scope.cancel()
        self.up = False
        return ended or Exit(128 + Signals.SIGKILL, int(Signals.SIGKILL))

    async def _live(self, started: Callable[[], None]) -> Exit:
        script = self.behaviour
        with anyio.move_on_after(script.boot_seconds) as booting:
            await self._ending.wait()
        if booting.cancelled_caught:
            await self._start(started)
            with anyio.move_on_after(script.crash_after) as living:
                await self._ending.wait()
            if living.cancelled_caught:
                return Exit(script.crash_code)
        await self._drain()
        return Exit(script.exit_code)

    async def _start(self, started: Callable[[], None]) -> None:
        if self.behaviour.on_start is not None:
            await self.behaviour.on_start(self.boot)
        self.up, self._since = True, anyio.current_time()
        started()

    async def _drain(self) -> None:
        was_up, self.up = self.up, False
        if not was_up:
            return
        await anyio.sleep(self.behaviour.drain_seconds)
        if self.behaviour.on_stop is not None:
            await self.behaviour.on_stop(self.boot)

    def signal(self, name: str) -> None:
        """Note the signal, and follow the script for it."""
        self.signals.append(name)
        if name == "SIGKILL":
            self._killed.set()
        elif name in ENDING and not self.behaviour.ignores_stop:
            self._ending.set()

    def suspend(self) -> None:
        """Stop answering; scripted times go on."""
        self.up = False

    def resume(self) -> None:
        """Answer again."""
        self.up = True

    def answer(self, path: str) -> tuple[int, str]:
        """What it answers to an HTTP GET."""
        return self.behaviour.answer(self.boot, path)

    async def probe(self, probe: Probe) -> Finding:
        """Healthy or not, by the script."""
        if not self.up:
            return Finding(False, "connection refused")
        healthy = self._is_healthy(anyio.current_time() - self._since)
        return Finding(healthy, "200 OK" if healthy else "503 Service Unavailable")

    def _is_healthy(self, age: float) -> bool:
        healthy_for = age - self.behaviour.healthy_after
        if healthy_for < 0 or self.behaviour.flap_seconds is None:
            return healthy_for >= 0
        return int(healthy_for // self.behaviour.flap_seconds) % 2 == 0

    async def exec(self, argv: list[str], timeout: float) -> ExecResult:
        """The scripted result."""
        return self.behaviour.execute(self.boot, argv)

    def list_processes(self) -> list[dict[str, Any]]:
        """One process."""
        return [{"pid": 1, "command": self.boot.image}]
