"""Scripted programs: what a machine's process would do, in the event loop's time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from math import inf
from signal import Signals
from typing import Any

import anyio
from anyio.abc import TaskGroup

from simulator.runtime import Boot, ExecResult, Exit, Finding, Probe

Hook = Callable[[Boot], Awaitable[None]]
Serve = Callable[[Boot, str, str, bytes], Awaitable[tuple[int, bytes]]]
OnSignal = Callable[[Boot, str], Awaitable[None]]

ENDING = frozenset({"SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP", "SIGABRT", "SIGALRM", "SIGPIPE"})


@dataclass(frozen=True)
class Behaviour:
    """What a machine's program does. All times in seconds.

    `boot_seconds` to be started (inf: never); `healthy_after` its start (inf: never), then healthy, or, with
    `flap_seconds`, healthy and not in turns of that length. At an ending signal: `drain_seconds`, then `on_stop`,
    then it exits with `exit_code`; with `ignores_stop` nothing, until it is killed. `crash_after` seconds from its
    start it exits with `crash_code`. `oom_killed` is what its exit event says, however it ends. `on_start` is awaited
    just before it is started. Any other signal, SIGHUP and SIGALRM too, goes to `on_signal` (boot, name); without
    one it ends the program, as SIGUSR1 does on Linux. A kill skips what was left.

    `serve` (boot, method, target, body) answers requests on its private address, on all ports; `output` are the lines
    that it prints at its start. `execute` (boot, argv) is what exec finds, after `exec_seconds`.
    """

    boot_seconds: float = 1.0
    healthy_after: float = 0.5
    flap_seconds: float | None = None
    drain_seconds: float = 1.0
    exit_code: int = 0
    ignores_stop: bool = False
    crash_after: float = inf
    crash_code: int = 1
    oom_killed: bool = False
    on_start: Hook | None = None
    on_stop: Hook | None = None
    on_signal: OnSignal | None = None
    serve: Serve | None = None
    output: tuple[str, ...] = ()
    exec_seconds: float = 0.0
    execute: Callable[[Boot, list[str]], ExecResult] = field(
        default=lambda boot, argv: ExecResult(0, 0, "", "")
    )


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
        self._killed_by = Signals.SIGKILL
        self._gone = anyio.Event()
        self._tasks: TaskGroup | None = None

    @property
    def has_started(self) -> bool:
        """Whether it has ever been up."""
        return self._since < inf

    async def run(self, started: Callable[[], None]) -> Exit:
        """Follow the script to its end, or to the kill."""
        try:
            ended = await self._run(started)
        finally:
            self.up, self._tasks = False, None
            self._gone.set()
        return replace(ended, oom_killed=self.behaviour.oom_killed)

    async def _run(self, started: Callable[[], None]) -> Exit:
        ended: Exit | None = None
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks

            async def live() -> None:
                nonlocal ended
                ended = await self._live(started)
                tasks.cancel_scope.cancel()

            tasks.start_soon(live)
            await self._killed.wait()
            tasks.cancel_scope.cancel()
        return ended or Exit(128 + self._killed_by, int(self._killed_by))

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
        handled = self.behaviour.on_signal is not None and name in ("SIGHUP", "SIGALRM")
        if name in ENDING and not handled:
            if not self.behaviour.ignores_stop:
                self._ending.set()
        elif name == "SIGKILL" or self.behaviour.on_signal is None:
            self._killed_by = Signals[name]
            self._killed.set()
        elif self._tasks is not None:
            self._tasks.start_soon(self._hear, name)

    async def _hear(self, name: str) -> None:
        assert self.behaviour.on_signal is not None
        await self.behaviour.on_signal(self.boot, name)

    def suspend(self) -> None:
        """Stop answering; scripted times go on."""
        self.up = False

    def resume(self) -> None:
        """Answer again."""
        self.up = True

    async def serve(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """What it answers to a request; ConnectionResetError where it ends before."""
        answer: tuple[int, bytes] | None = None
        script = self.behaviour.serve or _serve_nothing
        async with anyio.create_task_group() as tasks:

            async def respond() -> None:
                nonlocal answer
                answer = await script(self.boot, method, target, body)
                tasks.cancel_scope.cancel()

            tasks.start_soon(respond)
            await self._gone.wait()
            tasks.cancel_scope.cancel()
        if answer is None:
            raise ConnectionResetError(f"machine {self.boot.machine_id} ended before it answered")
        return answer

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
        """The scripted result, after its time."""
        with anyio.fail_after(timeout):
            await anyio.sleep(self.behaviour.exec_seconds)
        return self.behaviour.execute(self.boot, argv)

    def list_processes(self) -> list[dict[str, Any]]:
        """One process."""
        return [{"pid": 1, "command": self.boot.image}]


async def _serve_nothing(boot: Boot, method: str, target: str, body: bytes) -> tuple[int, bytes]:
    return 404, f"nothing at {target}".encode()
