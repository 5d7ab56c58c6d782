"""A stack of the checkout's own project on such a site, and each command of ``pulumi`` as a process to do things to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import yaml
from anyio.abc import Process

from demo.engine import engine_alone
from demo.local import CHECKOUT
from demo.session import end_session
from demo.stack_config import write_stack
from tests.crash.site import Lane, Site
from tests.engine.backend import new_stack, read_outputs

UNCHANGED = "3 unchanged"
"""What the engine says of a program whose stack, component and resource are as they were."""

DEADLINE_S = 90.0


@dataclass(frozen=True)
class Command:
    """A running ``pulumi``, with a session of its own; what it prints goes to a file."""

    process: Process
    printed: Path

    async def end(self) -> tuple[int, str]:
        """Its exit code and all that it has printed, when it has ended."""
        with anyio.move_on_after(DEADLINE_S):
            code = await self.process.wait()
            return code, self.printed.read_text()
        raise AssertionError(f"pulumi is not done after {DEADLINE_S:g} s: {self.printed.read_text()}")

    async def kill(self) -> None:
        """SIGKILL of ``pulumi`` alone: what it has started goes on."""
        self.process.kill()
        await self.process.wait()

    async def kill_session(self) -> None:
        """SIGKILL of ``pulumi`` and all that it has started, as a host that dies."""
        await anyio.to_thread.run_sync(end_session, self.process.pid)
        await self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Any signal to ``pulumi`` alone, as a terminal or CI sends it: its plugins have groups of their own."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, number)


@dataclass(frozen=True)
class Stack:
    """One stack, in a folder of its own."""

    site: Site
    folder: Path

    async def init(self) -> None:
        """`stack init` writes the stack's file, and knows no --config-file: so not in the checkout."""
        (self.folder / "project").mkdir(parents=True)
        shutil.copy(CHECKOUT / "Pulumi.yaml", self.folder / "project")
        await anyio.to_thread.run_sync(new_stack, self.folder)

    @asynccontextmanager
    async def command(self, lane: Lane, *argv: str, image: str) -> AsyncIterator[Command]:
        """``pulumi …`` with the site's spec as configuration; all that it has started is gone when the block ends."""
        number = len(list(self.folder.glob("*.log")))
        file, printed = self.folder / f"{number}.yaml", self.folder / f"{number}.log"
        salt = yaml.safe_load((self.folder / "project" / "stacks" / "Pulumi.test.yaml").read_text())
        write_stack(file, self.site.spec(image))
        file.write_text(yaml.safe_dump(salt | yaml.safe_load(file.read_text())))
        options = ["--stack", "test", "--config-file", str(file), "--non-interactive"]
        with printed.open("wb") as output:
            process = await anyio.open_process(
                ["pulumi", *argv, *options],
                cwd=CHECKOUT,
                env=self._environ(lane),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield Command(process, printed)
        finally:
            end_session(process.pid)
            with anyio.CancelScope(shield=True):
                await process.aclose()

    async def run(self, lane: Lane, *argv: str, image: str) -> tuple[int, str]:
        """A whole command: its exit code, and what it has printed."""
        async with self.command(lane, *argv, image=image) as command:
            return await command.end()

    async def cancel(self, lane: Lane) -> None:
        """What an operator does when `up` says that the stack is locked."""
        command = ["pulumi", "cancel", "--yes", "--stack", "test", "--non-interactive"]
        await anyio.run_process(command, cwd=CHECKOUT, env=self._environ(lane), check=False)

    def outputs(self) -> dict[str, Any]:
        """What Pulumi's state says."""
        return read_outputs(self.folder)

    def _environ(self, lane: Lane) -> Mapping[str, str]:
        return lane.environ | engine_alone(self.folder)
