"""Commands on the deployer's side: bounded in time and in what they say, and gone with all that they started."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

import anyio

from providers.bluegreen import durations
from providers.bluegreen.failures import GateFailed
from providers.gates.lines import Hearing
from providers.gates.output import Scrubber, clean
from providers.processes.child import Child, NotStarted, running
from providers.processes.environment import deployer_environment

__all__ = ["CommandEnd", "deployer_environment", "run_command"]
CHUNK_BYTES = 65_536
PIPE_CHUNKS = 16
"""How much is still read once all has ended: more than a pipe holds (64 KiB, 1 MiB at most)."""


@dataclass(frozen=True)
class CommandEnd:
    """How a command ended. ``exit_code``: minus n where signal n ended it. ``last_lines``: the last that it said.

    ``left_out``: how many lines nobody was told as they came, since there were too many. ``how``: all that in words.
    """

    exit_code: int
    last_lines: tuple[str, ...]
    timed_out: bool
    left_out: int
    how: str

    @property
    def passed(self) -> bool:
        return self.exit_code == 0 and not self.timed_out

    def __str__(self) -> str:
        return self.how


async def run_command(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    heed: Callable[[str], None],
    deadline_s: float,
    scrubber: Scrubber,
) -> CommandEnd:
    """Run ``argv`` (no shell, no input) and tell ``heed`` each line of its output and errors as it comes.

    However this ends, nothing that it started is left. Raises ``GateFailed`` where it could not be started.
    """
    hearing = Hearing(heed, scrubber)
    with _pipe() as (output, theirs):
        try:
            async with running(argv, env, scope="tree", output=theirs) as child:
                theirs.close()
                with anyio.move_on_after(deadline_s) as deadline:
                    await _hear_out(child, output.fileno(), hearing)
            code = child.exit_code()
        except NotStarted as error:
            raise GateFailed(clean(str(error))) from None
        _take_rest(output.fileno(), hearing)
    timed_out = deadline.cancelled_caught
    hearing.finish(cut=timed_out)
    how = f"{clean(argv[0])} {_late(deadline_s) if timed_out else _ended(code)}"
    return CommandEnd(code, hearing.last_lines, timed_out, hearing.left_out, how)


def _late(deadline_s: float) -> str:
    return f"was not done after {durations.text(deadline_s)}, and was killed"


def _ended(code: int) -> str:
    if code >= 0:
        return f"exited with code {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


@contextmanager
def _pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    with open(ours, "rb", buffering=0) as output, open(theirs, "wb", buffering=0) as given:
        yield output, given


async def _hear_out(child: Child, output: int, hearing: Hearing) -> None:
    """Until the command has ended, not until its output has: a program that got away may hold that open for ever."""
    async with anyio.create_task_group() as group:
        group.start_soon(_hear, output, hearing)
        await child.ended()
        group.cancel_scope.cancel()


async def _hear(output: int, hearing: Hearing) -> None:
    while True:
        await anyio.wait_readable(output)
        chunk = os.read(output, CHUNK_BYTES)
        if not chunk:
            return
        hearing.take(chunk)


def _take_rest(output: int, hearing: Hearing) -> None:
    with suppress(BlockingIOError):
        for _ in range(PIPE_CHUNKS):
            hearing.take(os.read(output, CHUNK_BYTES))
