"""One ``fly proxy``: brought up on a free loopback port, and gone with all of its process group."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from typing import IO

import anyio
import stamina

from providers.bluegreen import durations
from providers.gates.lines import last_lines
from providers.gates.output import Scrubber
from providers.processes.child import Child, NotStarted
from providers.processes.environment import deployer_environment

LOOPBACK = "127.0.0.1"
OPEN_S = 60.0
"""A first WireGuard peer, and the machine's name in Fly's private DNS, may each take some ten seconds."""
MOST_PORTS = 5
TAKEN = "address already in use"
TAIL_BYTES = 16_384
SHOWN_LINES = 5
OTHER_WAY = "or set tunnel: direct and connect to the organization's network by WireGuard"
SEE_BY_HAND = f"see what `fly proxy` says by hand, {OTHER_WAY}"
INSTALL = f"install it (https://fly.io/docs/flyctl/install), {OTHER_WAY}"


class CannotOpen(Exception):
    """There is no proxy; ``str()`` says why, ``todo`` what to do."""

    def __init__(self, why: str, todo: str = SEE_BY_HAND) -> None:
        super().__init__(why)
        self.todo = todo


@dataclass(frozen=True)
class FlyChild:
    """A started ``fly proxy``; the socket that keeps its port for it; the file that has what it says."""

    child: Child
    reserved: socket.socket
    said: IO[bytes]
    scrubber: Scrubber

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.reserved.getsockname()
        return host, port

    @property
    def alive(self) -> bool:
        return self.child.alive

    async def accepts(self) -> bool:
        """Wait until it accepts connections. False: its port was taken before. Raises ``CannotOpen``."""
        # The steps' own `polling` knows their errors, and one of those is that there is no tunnel.
        knocks = stamina.retry_context(
            on=OSError, attempts=None, timeout=None, wait_initial=0.05, wait_max=1.0, wait_jitter=0.05
        )
        try:
            with anyio.fail_after(OPEN_S):
                async for knock in knocks:
                    with knock:
                        if self.alive:
                            await (await anyio.connect_tcp(*self.address)).aclose()
        except TimeoutError:
            raise self._failed(f"accepted no connection within {durations.text(OPEN_S)}") from None
        return self.alive or await self._was_taken()

    async def _was_taken(self) -> bool:
        await self.child.ended()
        try:
            code = self.child.exit_code()
        except NotStarted as error:
            raise CannotOpen(str(error)) from None
        if any(TAKEN in line for line in self._last_lines()):
            return False
        raise self._failed(f"ended with exit code {code}")

    def _failed(self, how: str) -> CannotOpen:
        told = "; ".join(self._last_lines())
        return CannotOpen(f"`fly proxy` {how}{told and f': {told}'}")

    def _last_lines(self) -> tuple[str, ...]:
        """Read beside the file's own position, which it shares with the child."""
        descriptor = self.said.fileno()
        start = max(0, os.fstat(descriptor).st_size - TAIL_BYTES)
        tail = os.pread(descriptor, TAIL_BYTES, start)
        whole = (
            tail.partition(b"\n")[2] if start else tail
        )  # the first line may begin in the middle of the token
        return last_lines(whole, self.scrubber)[-SHOWN_LINES:]

    async def end(self) -> None:
        await self.child.end()
        self.reserved.close()
        self.said.close()


async def open_child(app: str, token: str, machine_id: str, port: int) -> FlyChild:
    """A ``fly proxy`` to ``port`` of a machine, accepting connections. Raises ``CannotOpen``."""
    fly = shutil.which("fly") or shutil.which("flyctl")
    if fly is None:
        raise CannotOpen("neither fly nor flyctl is on PATH", INSTALL)
    if not re.fullmatch("[0-9a-z]+", machine_id):
        raise CannotOpen("its id is not of the form that Fly gives")
    for _ in range(MOST_PORTS):
        async with AsyncExitStack() as stack:
            opened = _start(fly, app, token, f"{machine_id}.vm.{app}.internal", port)
            stack.push_async_callback(opened.end)
            if await opened.accepts():
                stack.pop_all()
                return opened
    raise CannotOpen(f"{MOST_PORTS} free ports in a row were taken by others before `fly proxy` had them")


def _start(fly: str, app: str, token: str, host: str, port: int) -> FlyChild:
    """Its input is a pipe that stays open: some versions of flyctl end when it closes (flyctl#3638)."""
    # An update of flyctl by itself would take its time now.
    env = deployer_environment({"FLY_API_TOKEN": token, "FLY_NO_UPDATE_CHECK": "1"})
    with ExitStack() as stack:
        reserved = stack.enter_context(_reserve())
        said = stack.enter_context(tempfile.TemporaryFile())
        local = reserved.getsockname()[1]
        argv = [fly, "proxy", f"{local}:{port}", host, "--app", app, "--bind-addr", LOOPBACK]
        try:
            # The agent, which it leaves behind in a group of its own, is shared by all that run `fly`: it stays.
            child = Child(argv, env, scope="group", stdin=subprocess.PIPE, output=said)
        except NotStarted as error:
            raise CannotOpen(str(error)) from None
        stack.pop_all()
    return FlyChild(child, reserved, said, Scrubber([token]))


def _reserve() -> socket.socket:
    """A port that the kernel gives to nobody but who asks for its number with SO_REUSEADDR, as Go's listeners do.

    ``fly proxy`` needs seconds until it listens; whoever listens there in the meantime would be taken for it.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind((LOOPBACK, 0))
    return reserved
