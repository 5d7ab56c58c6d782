"""A Pulumi stack of the demo's own: the checkout's real project, with state and configuration in a scratch folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import ByteReceiveStream, Process
from anyio.streams.text import TextReceiveStream

from demo.engine import engine_alone
from demo.local.process import CHECKOUT, bind_to_this_process
from demo.pulumi_output import Trim
from demo.screen import Pane
from demo.session import end_session
from demo.stack_config import write_stack
from demo.terminal import at_a_terminal, open_terminal, read, resize

NAME = "demo"
LAST_LINES = 20
Show = Callable[[str], None]


class PulumiFailed(Exception):
    """`pulumi` ended with an error; the text ends with what it said of it."""

    def __init__(self, what: str, said: Iterable[str]) -> None:
        self.what, self.said = what, list(said)
        super().__init__("\n".join([what, *(f"  {line}" for line in self.said)]))


class Stack:
    """The stack and its file. A call of `pulumi` that is cancelled is killed, and its plugins with it."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder / "project"
        self._file = self._folder / "stacks" / f"Pulumi.{NAME}.yaml"
        self._env = dict(environ) | engine_alone(folder)

    async def create(self, config: Mapping[str, Any]) -> None:
        """Make the stack, with this configuration."""
        self._file.parent.mkdir(parents=True)
        # `stack init` writes into the stack's file and knows no --config-file: so not in the checkout.
        shutil.copy(CHECKOUT / "Pulumi.yaml", self._folder)
        write_stack(self._file, config)
        await self._run(self._folder, ["stack", "init", NAME], lambda _: None)

    async def preview(self, image: str, show: Show, pane: Pane | None = None) -> None:
        """Show the rollout that another image would take, and configure it."""
        await self._change("preview", ["-c", f"image={image}"], Trim("Diagnostics"), show, pane)

    async def up(self, show: Show, pane: Pane | None = None) -> None:
        """Roll out what is configured, and show it live."""
        await self._change("up", ["--yes", "--skip-preview"], Trim("rows", "Duration"), show, pane)

    async def read_outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        said: list[str] = []
        await self._run(CHECKOUT, ["stack", "output", "--json", "-s", NAME], said.append)
        outputs: dict[str, Any] = json.loads("\n".join(said[said.index("{") :]))  # a warning may come first
        return outputs

    async def _change(
        self, command: str, options: list[str], trim: Trim, show: Show, pane: Pane | None
    ) -> None:
        """On ``pane`` as `pulumi` shows it to people; without one line by line, trimmed."""

        def heed(line: str) -> None:
            if (shown := trim.feed(line)) is not None:
                show(shown)

        argv = [command, "--config-file", str(self._file), "-s", NAME, *options]
        if pane:
            return await self._draw(argv, pane)
        try:
            await self._run(CHECKOUT, argv, heed)
        except PulumiFailed as failed:
            raise PulumiFailed(failed.what, trim.diagnostics or failed.said) from None

    async def _draw(self, argv: list[str], pane: Pane) -> None:
        """``pulumi …`` in a terminal of its own, all of which is shown. A failure has been said there."""
        with open_terminal(*pane.size()) as (reader, end):
            try:
                process = await anyio.open_process(
                    bind_to_this_process(at_a_terminal(["pulumi", *argv, "--suppress-outputs"])),
                    cwd=CHECKOUT,
                    env=self._env,
                    stdin=end,
                    stdout=end,
                    stderr=end,
                    start_new_session=True,
                )
            finally:
                os.close(end)
            async with _ending(process):
                await anyio.wait_readable(reader)
                while drawn := read(reader):
                    pane.write(drawn)
                    resize(reader, *pane.size())
                    await anyio.wait_readable(reader)
                if await process.wait():
                    raise PulumiFailed(f"`pulumi {argv[0]}` ended with {process.returncode}", ())

    async def _run(self, cwd: Path, argv: list[str], heed: Show) -> None:
        said: deque[str] = deque(maxlen=LAST_LINES)
        process = await anyio.open_process(
            bind_to_this_process(["pulumi", "--non-interactive", "--color", "never", *argv]),
            cwd=cwd,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        async with _ending(process):
            assert process.stdout is not None
            async for line in read_lines(process.stdout):
                said.append(line)
                heed(line)
            if await process.wait():
                raise PulumiFailed(f"`pulumi {argv[0]}` ended with {process.returncode}", said)


@asynccontextmanager
async def _ending(process: Process) -> AsyncIterator[None]:
    """However the block ends, the process has ended behind it, and all that it has started."""
    try:
        yield
    finally:
        end_session(process.pid)
        with anyio.CancelScope(shield=True):
            await process.aclose()


async def read_lines(stream: ByteReceiveStream) -> AsyncIterator[str]:
    """Lines of UTF-8 text, without their ends."""
    rest = ""
    async for text in TextReceiveStream(stream, errors="replace"):
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield line
    if rest:
        yield rest
