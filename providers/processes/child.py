"""A program that ends with the block that started it, and with the deployer, together with what it started."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Literal

import anyio

GUARD = str(Path(__file__).with_name("guard.py"))
END_S = 10.0
"""How long the kill of a program may take: one that the kernel holds, or of another user, is left to itself."""
ANSWER_CAP_BYTES = 4096


class NotStarted(Exception):
    """The program could not be started; ``str()`` names it and says why."""


class Child:
    """A started program. ``scope`` says what ends with it: see ``guard``."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        scope: Literal["tree", "group"],
        stdin: int,
        output: int | IO[bytes],
    ) -> None:
        self._what = argv[0]
        self._told = b""
        self._control, theirs = socket.socketpair()
        try:
            with theirs:
                self._guard = self._start(theirs.fileno(), [scope, *argv], env, stdin, output)
        except BaseException:
            self._control.close()
            raise
        self._control.setblocking(False)

    def _start(
        self,
        control: int,
        arguments: Sequence[str],
        env: Mapping[str, str],
        stdin: int,
        output: int | IO[bytes],
    ) -> subprocess.Popen[bytes]:
        if sys.platform != "linux":
            raise NotStarted(f"{self._what} was not started: its end can be made sure of on Linux alone")
        try:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", GUARD, str(control), *arguments],
                env=dict(env),
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[control],
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise NotStarted(f"{self._what} cannot be started: {error}") from None

    @property
    def alive(self) -> bool:
        return self._guard.poll() is None

    async def ended(self) -> None:
        """Return once it has ended and nothing that it started is left. Cancelled, it can be waited for again."""
        while True:
            await anyio.wait_readable(self._control)
            told = self._control.recv(ANSWER_CAP_BYTES)
            if not told:
                return
            self._told += told

    def exit_code(self) -> int:
        """Of one that has ended: minus n where signal n ended it. Raises ``NotStarted``."""
        what, _, told = self._told.decode(errors="replace").partition("\n")[0].partition(" ")
        if what == "error":
            raise NotStarted(f"{self._what} cannot be started: {told}")
        return int(told) if what == "exit" else self._guard.wait() or 1  # the guard itself was killed

    async def end(self) -> None:
        """Kill it and what it started, and see their end. After it has ended: nothing but tidying up."""
        self._control.shutdown(socket.SHUT_WR)
        with anyio.move_on_after(END_S, shield=True):
            await self.ended()
        self._guard.kill()
        self._guard.wait()
        self._control.close()
        if self._guard.stdin:
            self._guard.stdin.close()


@asynccontextmanager
async def running(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    scope: Literal["tree", "group"],
    output: int | IO[bytes],
) -> AsyncIterator[Child]:
    """``argv`` without input, as long as the block takes at most. Raises ``NotStarted``."""
    child = Child(argv, env, scope=scope, stdin=subprocess.DEVNULL, output=output)
    try:
        yield child
    finally:
        await child.end()
