"""Machines as real processes, each on its own loopback address, started from the catalogue of images."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any

import anyio

from simulator.catalog import Entry, Image, digest_of, find_reference, parse_reference
from simulator.probes import probe_network
from simulator.runtime import Boot, BootFailed, ExecResult, Exit, Finding, Probe
from simulator.spawn import Child, Output

INHERITED = ("PATH", "HOME", "LANG", "PYTHONPATH")
TAIL_LIMIT = 16384
EXEC_LIMIT = 65536

OnCrash = Callable[[Boot, Exit, str], None]


class ProcessRuntime:
    """Resolves images in the catalogue and starts their commands in the current directory."""

    def __init__(
        self, catalog: Mapping[str, Entry], *, logs: Path | None = None, on_crash: OnCrash | None = None
    ) -> None:
        """Output goes to one file a machine in `logs`; without it, its tail goes to `on_crash` when one ends badly."""
        self._catalog = catalog
        self._digests = {
            reference: digest_of(entry.model_dump(exclude_unset=True)) for reference, entry in catalog.items()
        }
        self.logs = logs
        self.on_crash = on_crash
        self.outputs: dict[str, Callable[[], str]] = {}

    def resolve(self, reference: str) -> Image | None:
        """The image of a reference by name or by `@digest`."""
        known = find_reference(self._digests, reference)
        return None if known is None else parse_reference(known, self._digests[known])

    def prepare(self, boot: Boot) -> "ProcessProgram":
        """The machine's next process."""
        known = find_reference(self._digests, boot.image)
        assert known is not None
        entry = self._catalog[known]
        return ProcessProgram(self, boot, build_argv(entry, boot), build_env(entry, boot))

    def read_output(self, machine_id: str) -> str:
        """The end of its file in `logs`; without that, of what its last boot printed."""
        read = self.outputs.get(machine_id)
        return read() if read else ""


def build_argv(entry: Entry, boot: Boot) -> list[str]:
    """The command of a boot: the config's `init` in place of the image's, as Docker does."""
    init = boot.init
    if init and init.exec:
        return list(init.exec)
    if init and (init.entrypoint or init.cmd):
        return [*(init.entrypoint or []), *(init.cmd or [])]
    return [
        part.replace("{python}", sys.executable).replace("{private_ip}", boot.address)
        for part in entry.command
    ]


def build_env(entry: Entry, boot: Boot) -> dict[str, str]:
    """The whole environment of a boot."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**inherited, **entry.env, **boot.env}


class ProcessProgram:
    """One process."""

    def __init__(self, runtime: ProcessRuntime, boot: Boot, argv: list[str], env: dict[str, str]) -> None:
        self.boot = boot
        self._runtime = runtime
        self._argv = argv
        self._env = env
        self._child: Child | None = None
        self._was_killed = False

    async def run(self, started: Callable[[], None]) -> Exit:
        """Start the process and wait for its end."""
        if shutil.which(self._argv[0], path=self._env.get("PATH")) is None:
            raise BootFailed(f"no such command: {self._argv[0]}")
        async with AsyncExitStack() as stack:
            tail, self._child = self._spawn(stack)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            tasks.start_soon(tail.drain)
            started()
            ended = describe_exit(await self._child.wait())
            tasks.cancel_scope.cancel()
        self._report(ended, tail.text())
        return ended

    def _spawn(self, stack: AsyncExitStack) -> tuple[Output, Child]:
        try:
            tail = Output(TAIL_LIMIT, keep_last=True)
            stack.callback(tail.close)
            sink: int | IO[bytes] = tail.write_end
            read = tail.text
            if self._runtime.logs is not None:
                path = self._runtime.logs / f"{self.boot.name}-{self.boot.machine_id}.log"
                sink = stack.enter_context(path.open("ab"))
                read = partial(read_tail, path)
            child = Child(self._argv, self._env, stdout=sink, stderr=sink)
        except (OSError, ValueError) as error:
            raise BootFailed(f"cannot start {self._argv[0]}: {error}") from None
        tail.hand_over()
        self._runtime.outputs[self.boot.machine_id] = read
        return tail, child

    def _report(self, ended: Exit, tail: str) -> None:
        if ended.code and not self._was_killed and self._runtime.on_crash is not None:
            self._runtime.on_crash(self.boot, ended, tail)

    def signal(self, name: str) -> None:
        """Signal the process; a kill takes all that it started with it."""
        if self._child is None:
            return
        if name == "SIGKILL":
            self._was_killed = True
            self._child.signal_group(signal.SIGKILL)
        else:
            self._child.signal(signal.Signals[name])

    def suspend(self) -> None:
        """Stop the whole group where it is."""
        if self._child is not None:
            self._child.signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        if self._child is not None:
            self._child.signal_group(signal.SIGCONT)

    async def probe(self, probe: Probe) -> Finding:
        """A check over the network."""
        return await probe_network(probe)

    async def exec(self, argv: list[str], timeout: float) -> ExecResult:
        """Run a command with the machine's environment."""
        with ExitStack() as stack:
            out, err = (Output(EXEC_LIMIT, keep_last=False) for _ in range(2))
            stack.callback(out.close)
            stack.callback(err.close)
            child = Child(argv, self._env, stdout=out.write_end, stderr=err.write_end)
            out.hand_over()
            err.hand_over()
            with anyio.fail_after(timeout):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(out.drain)
                    tasks.start_soon(err.drain)
                    ended = describe_exit(await child.wait())
                    tasks.cancel_scope.cancel()
        return ExecResult(ended.code, max(0, ended.signal), out.text(), err.text())

    def list_processes(self) -> list[dict[str, Any]]:
        """The process itself."""
        return [] if self._child is None else [{"pid": self._child.pid, "command": self._argv[0]}]


def read_tail(path: Path) -> str:
    """The last bytes of a file."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_LIMIT))
        return file.read().decode("utf-8", "replace")


def describe_exit(code: int) -> Exit:
    """A return code of subprocess as an exit: minus n means signal n."""
    return Exit(128 - code, -code) if code < 0 else Exit(code)
